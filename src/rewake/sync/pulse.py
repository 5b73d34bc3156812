"""The pulse: when a socket was heard and spoken to last, and what is due by that.

Floor 6, `sync`; part of the session's state. A client that sends no frame of any kind for long is gone; one
to which nothing was said for a while is sent a message, so that it does not give us up; and ping frames ask
for a sign of life in between. After the end, the moment of the last message is when the end was said.
Sockets that opened together, or were told something together, would all be due together for ever: so each
is `early` by another time.

    heard, said, pinged: moments, set by the session -> next_tick, is_gone, wants_ping, wants_message

Not here: what is sent (`session.py`), who calls when it is time (`ticker.py`).
Source: wire 1.4.
"""

from __future__ import annotations

from rewake.limits import Limits
from rewake.sync.closing import CLOSING_SECONDS


class Pulse:
    """Moments of one socket, on the monotonic clock."""

    __slots__ = ("_early", "_limits", "heard", "pinged", "said")

    def __init__(self, now: float, limits: Limits, *, early: float = 0.0) -> None:
        """The first ping frame, and each message after silence, come `early` by so many seconds; at most by
        what `early_at_most` says.
        """
        self._limits = limits
        self._early = early
        self.heard = now
        """The last frame of any kind from the client."""
        self.said = now
        """The last message to the client; after the end, the moment of the end."""
        self.pinged = now - early
        """The last ping frame to the client."""

    @property
    def next_tick(self) -> float:
        """When something is due next, as long as the client is not gone."""
        limits = self._limits
        message_due = self.said + limits.socket_silence_seconds - self._early
        return min(self.pinged + limits.socket_ping_seconds, message_due)

    @property
    def closing_until(self) -> float:
        """How long the other side has to close, after the end."""
        return self.said + CLOSING_SECONDS

    def is_gone(self, now: float) -> bool:
        """Whether the client should have been heard."""
        return now - self.heard >= self._limits.socket_inactivity_seconds

    def wants_ping(self, now: float) -> bool:
        """Whether a ping frame is due."""
        return now >= self.pinged + self._limits.socket_ping_seconds

    def wants_message(self, now: float) -> bool:
        """Whether too long nothing was said."""
        return now >= self.said + self._limits.socket_silence_seconds - self._early


def early_at_most(limits: Limits) -> float:
    """By how much a socket may be early: all are spread over one pause between ping frames, or half a
    silence where that is less.
    """
    return min(limits.socket_ping_seconds, limits.socket_silence_seconds / 2)
