"""The analysis: what is known of one version of a project without its code.

Floor 3, `execution`. Plain data, so that it crosses from the process that loaded the project to the one that
serves it: the front process imports no author's module (DESIGN D6). A `Registry` is the same version with its
handlers; it lives where functions run, and makes this.

    Registry.analysis() -> Analysis -> deployment, codegen, cli

Not here: finding functions in a project (`loader.py`), running them (`registry.py`, `host.py`).
Source: semantics 6.1, 6.2; wire 6.3 for the texts.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any, TypeVar

import msgspec

from rewake.auth import Provider
from rewake.database import CronFacts
from rewake.errors import FunctionError
from rewake.execution.calls import Visibility
from rewake.functions import FunctionKind, find_route
from rewake.protocol import FunctionPath, InvalidFunctionPath


class FunctionNotFound(FunctionError):
    """No such function, or an internal one called from outside: the two look alike, so internals do not
    leak.
    """

    code = "FunctionPathNotFound"


class FunctionFacts(msgspec.Struct, frozen=True):
    """One function that can be called, as others may know it."""

    path: FunctionPath
    kind: FunctionKind
    is_internal: bool
    arguments: dict[str, Any]
    """The validator of the arguments as JSON (semantics 2.1)."""
    returns: dict[str, Any]
    documentation: str = ""
    """Its docstring, without the indentation of the source."""


class RouteFacts(msgspec.Struct, frozen=True):
    """One route of the project's HTTP router, without its handler."""

    path: str
    is_prefix: bool
    method: str
    """`*` for a mounted application, which takes all."""

    def to_spec(self) -> dict[str, Any]:
        """The entry of the function spec (semantics 6.2)."""
        path = f"{self.path.rstrip('/')}/*" if self.is_prefix else self.path
        return {"functionType": "HttpAction", "method": self.method, "path": path}


class Analysis(msgspec.Struct, frozen=True, dict=True):
    """One version of a project."""

    functions: tuple[FunctionFacts, ...] = ()
    """In order of their paths."""
    schema: dict[str, Any] = msgspec.field(default_factory=lambda: {"tables": [], "schemaValidation": True})
    """The schema as JSON (semantics 2.3)."""
    module_hashes: dict[str, str] = {}
    """By module path (`dir/messages`): a hash of its source and of every project module that it imports."""
    routes: tuple[RouteFacts, ...] | None = None
    """What answers HTTP requests, in order of precedence; None where the project has no `http` module."""
    crons: tuple[CronFacts, ...] = ()
    """What runs again and again, in order of the identifiers."""

    variables: str = "{}"
    """Environment variables that the project declares, as `schema.variables_to_json` writes them."""
    auth_providers: tuple[Provider, ...] = ()
    """Whose tokens are taken, in the order in which they are tried; environment variables not filled in."""

    @cached_property
    def by_path(self) -> Mapping[FunctionPath, FunctionFacts]:
        """The functions by their paths."""
        return {facts.path: facts for facts in self.functions}

    @cached_property
    def _code_hashes(self) -> Mapping[str, str]:
        """Those of functions that there are, by their canonical paths."""
        hashes = self.module_hashes
        return {path.canonical: hashes[path.module] for path in self.by_path if path.module in hashes}

    @property
    def table_names(self) -> list[str]:
        """The tables that the schema names."""
        return [str(table["tableName"]) for table in self.schema["tables"]]

    def export_crons(self) -> dict[str, Any]:
        """The crons by identifier, as they are exported (semantics 6.6)."""
        return {
            cron.identifier: {
                "name": FunctionPath.parse(cron.name).public,
                "args": [msgspec.json.decode(cron.args)],
                "schedule": dict(cron.schedule),
            }
            for cron in self.crons
        }

    def find(self, path: str, visibility: Visibility) -> FunctionFacts:
        """The function that `path` names.

        Raises:
            FunctionNotFound: there is none, or it is internal and `visibility` is public.
        """
        return find_function(self.by_path, path, visibility)

    def find_route(self, path: str, method: str) -> RouteFacts | None:
        """The route that answers an HTTP request."""
        return find_route(self.routes or (), path, method)

    def code_hash(self, path: str) -> str | None:
        """The hash of the module that serves `path`, or None where it names nothing."""
        known = self._code_hashes.get(path)
        if known is not None:
            return known
        module = module_of(path)
        return None if module is None else self.module_hashes.get(module)


F = TypeVar("F", bound=Any)


def find_function(functions: Mapping[FunctionPath, F], path: str, visibility: Visibility) -> F:
    """The one of `functions` that `path` names.

    Raises:
        FunctionNotFound: there is none, or it is internal and `visibility` is public.
    """
    try:
        parsed = FunctionPath.parse(path)
    except InvalidFunctionPath as error:
        raise FunctionNotFound(error.message) from None
    found = functions.get(parsed)
    if found is None or (found.is_internal and visibility is Visibility.PUBLIC):
        if visibility is Visibility.PUBLIC:
            raise FunctionNotFound(f"Could not find public function for '{parsed.public}'.")
        raise FunctionNotFound(
            f"Could not find function for '{parsed.public}'. Did you forget to run `npx convex dev`?"
        )
    return found


def module_of(path: str) -> str | None:
    """The module that `path` names, whether or not it exists; None where it names nothing."""
    try:
        return FunctionPath.parse(path).module
    except InvalidFunctionPath:
        return None
