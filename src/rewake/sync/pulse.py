"""The pulse: when a socket was heard and spoken to last, and what is due by that.

Floor 6, `sync`; part of the session's state. A client that sends no frame of any kind for long is gone; one
to which nothing was said for a while is sent a message, so that it does not give us up; and ping frames ask
for a sign of life in between. After the end, the moment of the last message is when the end was said.

    heard, said, pinged: moments, set by the session -> next_tick, is_gone, wants_ping, wants_message

Not here: what is sent (`session.py`), who calls when it is time (`ticker.py`).
Source: wire 1.4.
"""

from __future__ import annotations

from rewake.limits import Limits
from rewake.sync.closing import CLOSING_SECONDS


class Pulse:
    """Moments of one socket, on the monotonic clock."""

    __slots__ = ("_limits", "heard", "pinged", "said")

    def __init__(self, now: float, limits: Limits) -> None:
        self._limits = limits
        self.heard = now
        """The last frame of any kind from the client."""
        self.said = now
        """The last message to the client; after the end, the moment of the end."""
        self.pinged = now
        """The last ping frame to the client."""

    @property
    def next_tick(self) -> float:
        """When something is due next, as long as the client is not gone."""
        limits = self._limits
        return min(self.pinged + limits.socket_ping_seconds, self.said + limits.socket_silence_seconds)

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
        return now >= self.said + self._limits.socket_silence_seconds
