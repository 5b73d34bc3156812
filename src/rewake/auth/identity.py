"""Identities: anonymous, a user, an administrator, an administrator acting as a user.

Floor 1, `auth`. Values without behaviour: they travel to workers and are part of cache keys, so they are
frozen, compare by content and have one canonical text.

Source: wire 5.1 and 5.6.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import msgspec

from rewake.auth.scopes import EVERYTHING, Grant
from rewake.values import encode


class Anonymous(msgspec.Struct, frozen=True):
    """Nobody in particular."""

    fingerprint: ClassVar[str] = "anonymous"
    """Canonical text: equal for equal identities, used in cache keys."""


@dataclass(frozen=True, slots=True)
class User:
    """A verified user. `attributes` is the canonical encoded JSON of the UserIdentity (wire 5.6)."""

    attributes: str
    token: str | None = field(default=None, compare=False, repr=False)
    """The token that was verified, where there was one. No part of who this is: users renew their tokens."""
    expires_ns: int | None = field(default=None, compare=False)
    """When the token ends, in nanoseconds since the epoch; None where there is no token. It says nothing
    about who this is: a fresh token of the same user is the same identity."""

    @classmethod
    def from_attributes(cls, attributes: Mapping[str, Any]) -> User:
        return cls(encode(dict(attributes)))

    @property
    def fingerprint(self) -> str:
        """Canonical text: equal for equal identities, used in cache keys."""
        return "user:" + self.attributes


class Admin(msgspec.Struct, frozen=True):
    """A holder of an admin key, perhaps acting as a user.

    `grant` is judged at the doors, before a function runs: it is no part of the fingerprint, so it does not
    cross to workers, and holders of different keys share results.
    """

    acting_as: User | None = None
    grant: Grant = EVERYTHING

    @property
    def fingerprint(self) -> str:
        """Canonical text: equal for equal identities, used in cache keys."""
        return "admin" if self.acting_as is None else "admin:" + self.acting_as.attributes


Identity = Anonymous | User | Admin


def has_expired(identity: Identity, now_ns: int) -> bool:
    """Whether the token behind an identity has ended. Keys do not."""
    return isinstance(identity, User) and identity.expires_ns is not None and now_ns >= identity.expires_ns


ANONYMOUS = Anonymous()


def identity_of(fingerprint: str) -> Identity:
    """The identity with this canonical text: how one crosses to another process."""
    if fingerprint == "anonymous":
        return ANONYMOUS
    kind, _, attributes = fingerprint.partition(":")
    if kind == "user":
        return User(attributes)
    assert kind == "admin", fingerprint
    return Admin(User(attributes) if attributes else None)
