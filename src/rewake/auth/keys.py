"""The admin key of a deployment.

Floor 1, `auth`. `{deployment name}|{hex}`, opaque to clients, which check nothing; it must not contain `:`,
since `Authorization: Convex key:identity` splits there (wire 5.2).

Not here: keys that are issued, scoped and revoked (`keyring.py`).
"""

from __future__ import annotations

import hmac

import msgspec

from rewake.environment import Environment
from rewake.errors import Unauthenticated


class BadAdminKey(Unauthenticated):
    """The provided admin key was invalid for this instance"""

    code = "BadAdminKey"
    template = "The provided admin key was invalid for this instance"


class AdminKey(msgspec.Struct, frozen=True):
    """A key to compare others with."""

    text: str

    def __repr__(self) -> str:
        return "AdminKey(...)"

    def check(self, presented: str) -> None:
        """Return when `presented` is this key; compare in constant time.

        Raises:
            BadAdminKey: it is another.
        """
        bare = presented.rpartition(":")[2]
        if not hmac.compare_digest(bare.encode(), self.text.encode()):
            raise BadAdminKey()


def new_admin_key(deployment_name: str, environment: Environment) -> AdminKey:
    """Make a fresh key of 32 random bytes."""
    return AdminKey(f"{deployment_name}|{environment.random_bytes(32).hex()}")
