"""Backlog: what a slow reader has not taken yet.

Floor 6, `sync`. A driver knows how many bytes wait in front of the kernel; from that and the running total of
what was written follows how much was delivered, hence which transitions still wait. Three bounds hang on it:
no third Transition is computed while two wait (wire 1.8), and a reader that is too far behind, or takes
nothing for too long, is dropped.

Bytes are those of messages; the few bytes of frame heads only make the estimate a little cautious.
"""

from __future__ import annotations

from rewake.limits import Limits

OVER_BYTES = "SlowReaderBytes"
OVER_TIME = "SlowReaderTime"


class Backlog:
    """The bytes between one session and its client."""

    __slots__ = ("_delivered", "_last_size", "_limits", "_marks", "_stuck_since", "_written")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._written = 0
        self._delivered = 0
        self._last_size = 0
        """Size of the newest message: it may be begun while others wait, so it does not count against
        them."""
        self._stuck_since: float | None = None
        """None -> time: bytes were seen waiting; moves on as some go out; -> None when none wait."""
        self._marks: tuple[int, ...] = ()
        """For each transition that waits: the running total at its end."""

    def wrote(self, size: int, *, ends_transition: bool = False) -> None:
        """A message of `size` bytes goes to the socket."""
        self._written += size
        self._last_size = size
        if ends_transition:
            self._marks = (*self._marks, self._written)

    def observe(self, unsent: int, now: float) -> str | None:
        """The socket still holds `unsent` bytes. Returns why this reader must be given up, or None."""
        delivered = self._written - unsent
        moved = delivered > self._delivered
        self._delivered = delivered
        if unsent == 0:
            self._marks = ()
            self._stuck_since = None
            return None
        if self._marks and self._marks[0] <= delivered:
            self._marks = tuple(mark for mark in self._marks if mark > delivered)
        if self._stuck_since is None or moved:
            self._stuck_since = now
        if unsent - self._last_size > self._limits.socket_backlog_bytes_max:
            return OVER_BYTES
        if now - self._stuck_since > self._limits.socket_backlog_seconds_max:
            return OVER_TIME
        return None

    @property
    def has_room(self) -> bool:
        """May another Transition be computed?"""
        return len(self._marks) < self._limits.transitions_waiting_max
