"""The keyring: the keys that open one deployment.

Floor 1, `auth`. The deployment's own key (`keys.py`) opens everything. Others are issued: each has an id that
may be seen, and a secret of 32 random bytes of which only the SHA-256 is kept. The secret is high in entropy,
so a plain fast hash is as good as a slow one: there is nothing to guess.

    chat|rk1f0a7c21b9d44e8c90...        {name}|rk{id: 12 hex digits}{secret: 64 hex digits}

The name says to people which deployment is meant; it is not checked, for a deployment may be renamed. A key
holds no `:`, since `Authorization: Convex key:identity` splits there.

Not here: where issued keys are stored (`database/admin_keys.py`), who issues them (`deployment/keys.py`).
Source: wire 5.2.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable

import msgspec

from rewake.auth.keys import AdminKey, BadAdminKey
from rewake.auth.scopes import EVERYTHING, Grant, Scope
from rewake.environment import Environment
from rewake.errors import Unauthenticated

_ID_BYTES = 6
_SECRET_BYTES = 32
_ISSUED = re.compile(r"rk([0-9a-f]{12})([0-9a-f]{64})")
_NOBODY = hashlib.sha256(b"").hexdigest()


class AdminKeyRevoked(Unauthenticated):
    """This key was taken back. Ask whoever runs the deployment for another."""

    code = "AdminKeyRevoked"
    template = "The provided admin key was revoked"


class AdminKeyExpired(Unauthenticated):
    """This key's time is over. Ask whoever runs the deployment for another."""

    code = "AdminKeyExpired"
    template = "The provided admin key has expired"


class IssuedKey(msgspec.Struct, frozen=True):
    """What is kept of a key. Times are milliseconds since the epoch."""

    id: str
    label: str
    scopes: frozenset[Scope]
    digest: str
    """SHA-256 of the secret, in hex."""
    created_ms: float
    expires_ms: float | None = None
    revoked_ms: float | None = None
    last_used_ms: float | None = None
    """To the hour, and up to an hour behind: it is for finding keys that nobody needs."""

    def check_current(self, now_ms: float) -> None:
        """Return while the key is good.

        Raises:
            AdminKeyRevoked, AdminKeyExpired: it is not any more.
        """
        if self.revoked_ms is not None:
            raise AdminKeyRevoked()
        if self.expires_ms is not None and now_ms >= self.expires_ms:
            raise AdminKeyExpired()


class FreshKey(msgspec.Struct, frozen=True):
    """A key that was just made: the one time that its text is known."""

    id: str
    digest: str
    text: str

    def __repr__(self) -> str:
        return f"FreshKey(id={self.id!r})"


def make_key(deployment_name: str, environment: Environment) -> FreshKey:
    """A key that nobody has yet."""
    id = environment.random_bytes(_ID_BYTES).hex()
    secret = environment.random_bytes(_SECRET_BYTES).hex()
    return FreshKey(id, _digest(secret), f"{deployment_name}|rk{id}{secret}")


class Keyring:
    """The keys of one deployment, as far as comparing them goes."""

    def __init__(self, own: AdminKey, issued: Iterable[IssuedKey] = ()) -> None:
        self._own = own
        self.issued: dict[str, IssuedKey] = {key.id: key for key in issued}
        """By id; those that were revoked or have expired, too."""

    def check(self, presented: str, *, now_ms: float) -> Grant:
        """What the key `presented` grants; compared in constant time.

        Raises:
            BadAdminKey: it is none of this deployment's.
            AdminKeyRevoked, AdminKeyExpired: it was.
        """
        match = _ISSUED.fullmatch(presented.rpartition("|")[2])
        if match is None:
            self._own.check(presented)
            return EVERYTHING
        key = self.issued.get(match[1])
        known = _NOBODY if key is None else key.digest
        if not hmac.compare_digest(_digest(match[2]), known) or key is None:
            raise BadAdminKey()
        key.check_current(now_ms)
        return Grant(key.id, key.scopes)

    def check_grant(self, grant: Grant, *, now_ms: float) -> None:
        """Return while the key that stands behind `grant` is good.

        Raises:
            AdminKeyRevoked, AdminKeyExpired: it is not any more.
        """
        if not grant.key_id:
            return
        key = self.issued.get(grant.key_id)
        if key is None:
            raise AdminKeyRevoked()
        key.check_current(now_ms)


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()
