"""The speaker: who a socket speaks for, and what its client says while that is found out.

Floor 6, `sync`; part of the session's state. A record that is replaced as a whole, so that the many sockets
whose client never says who it is share one.

    NOBODY -> Authenticate: `checking` -> authenticated: Speaker(identity), and what was held is heard

Not here: tokens and keys (`auth`), what a refusal does to the socket (`closing.py`).
Source: wire 1.13.
"""

from __future__ import annotations

from collections import deque

import msgspec

from rewake.auth import ANONYMOUS, Admin, Identity, User, has_expired
from rewake.protocol import Action, ClientMessage, Mutation
from rewake.sync.faults import ComponentCallNotAllowed, TokenExpired
from rewake.sync.ports import Facts


class Speaker(msgspec.Struct, frozen=True):
    """Whose word a message is."""

    identity: Identity = ANONYMOUS
    held: deque[ClientMessage] | None = None
    """What arrived since an Authenticate whose outcome is not known; None where there is none."""

    def checking(self) -> Speaker:
        """The same, until it is known who comes next."""
        return Speaker(self.identity, deque())

    def has_expired(self, facts: Facts) -> bool:
        """Whether the token behind it has ended. Most are nobody: these ask for no time."""
        identity = self.identity
        return isinstance(identity, User) and has_expired(identity, facts.now_ns())

    def refuses_call(
        self, message: Mutation | Action, facts: Facts
    ) -> TokenExpired | ComponentCallNotAllowed | None:
        """Why a call is not taken in; None where it is."""
        if self.has_expired(facts):
            return TokenExpired()
        if message.component_path and not self.is_admin:
            return ComponentCallNotAllowed()
        return None

    @property
    def is_admin(self) -> bool:
        """Whether it may name a component. (An empty name is the application itself, which all may name.)"""
        return isinstance(self.identity, Admin)


NOBODY = Speaker()
"""Whoever has not said who they are."""
