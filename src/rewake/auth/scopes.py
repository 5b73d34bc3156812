"""Scopes: what a key may do.

Floor 1, `auth`. The deployment's own key may do everything. A key that was issued has scopes, and each
operation names the one that it needs:

    admin    everything, keys included
    deploy   what a deploy changes: environment variables, the deployment's addresses; later code and schema
    read     queries, internal ones too, and the log of what ran
    run      functions of every kind, internal ones too

A key without `run` or `read` calls no function, not even a public one: who shows a key wants its rights.

Not here: keys themselves (`keyring.py`), where operations are checked (`http_api`, `execution`).
Source: wire 5.2, the last table.
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from rewake.errors import Forbidden


class Scope(StrEnum):
    """One right of a key."""

    ADMIN = "admin"
    DEPLOY = "deploy"
    READ = "read"
    RUN = "run"


_DEPLOYING = ("_system/cli/queryEnvironmentVariables", "_system/cli/queryImport")
"""Secrets, and what whoever imports has to see."""
_SYSTEM = "_system/"


class OperationNotPermitted(Forbidden):
    """The key's scopes do not reach so far. Make a key with the scope that the text names."""

    # The official command line looks for this beginning and prints from there to the end of the line.
    code = "OperationNotPermitted"
    template = (
        "You do not have permission to perform this operation ({scope}). "
        "The key that was shown has not the scope `{scope}`."
    )


class Grant(msgspec.Struct, frozen=True):
    """What the holder of a key may do, and which key it is."""

    key_id: str = ""
    """Empty for the deployment's own key."""
    scopes: frozenset[Scope] = frozenset((Scope.ADMIN,))

    def may(self, scope: Scope) -> bool:
        """Whether an operation that needs `scope` is permitted. Who runs functions reads through them."""
        if scope in self.scopes or Scope.ADMIN in self.scopes:
            return True
        return scope is Scope.READ and Scope.RUN in self.scopes

    def require(self, scope: Scope) -> None:
        """Return where an operation that needs `scope` is permitted.

        Raises:
            OperationNotPermitted: it is not.
        """
        if not self.may(scope):
            raise OperationNotPermitted(scope=scope.value)


EVERYTHING = Grant()
"""What the deployment's own key grants."""


def scope_of_call(path: str, kind: str | None) -> Scope:
    """The scope that a call of the function at `path` needs; `kind` None for one that does not exist."""
    if path.startswith(_DEPLOYING):
        return Scope.DEPLOY
    if kind in ("mutation", "action"):
        return Scope.ADMIN if path.startswith(_SYSTEM) else Scope.RUN
    return Scope.READ


def denial_of(path: str, kind: str) -> OperationNotPermitted:
    """Why a key may not call the function at `path`."""
    return OperationNotPermitted(scope=scope_of_call(path, kind).value)
