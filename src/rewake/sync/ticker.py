"""The ticker: one timer for all sockets of an event loop.

Floor 6, `sync`. Ten thousand quiet sockets each want to be looked at every few seconds. A timer or a task for
each would cost more memory than the session itself; so they wait in slots of a wheel, and one timer of the
loop takes out the slots whose time came. A socket that is gone is found out when its slot comes up.

Not here: what a socket does with its tick (`session.py`).
Source: Varghese and Lauck, "Hashed and Hierarchical Timing Wheels" (1987), scheme 4 with a sparse wheel.
"""

from __future__ import annotations

from typing import Protocol

SLOT_SECONDS = 0.25
"""How late a tick may come. Small beside the 5 seconds between ping frames."""


class Ticking(Protocol):
    """What can be looked at again and again."""

    def tick(self) -> float | None:
        """Do what is due. Returns when to call again, on the monotonic clock, or None for never."""
        ...


class Ticker:
    """The sockets of one loop, by the time at which they want to be looked at."""

    def __init__(self, *, slot_seconds: float = SLOT_SECONDS) -> None:
        self._slot_seconds = slot_seconds
        self._slots: dict[int, list[Ticking]] = {}

    def add(self, socket: Ticking, due: float) -> None:
        """Call `socket.tick` once, at `due` or up to a slot later."""
        # The next slot border at or after `due`: a tick is never early.
        slot = -int(-due // self._slot_seconds)
        self._slots.setdefault(slot, []).append(socket)

    def advance(self, now: float) -> None:
        """Tick everything that is due, each at most once."""
        current = int(now // self._slot_seconds)
        for slot in sorted(slot for slot in self._slots if slot <= current):
            for socket in self._slots.pop(slot):
                again = socket.tick()
                if again is not None:
                    # Never into a slot at or before this one, or a late ticker would spin.
                    self.add(socket, max(again, (current + 1) * self._slot_seconds))

    @property
    def is_idle(self) -> bool:
        """Does nobody wait?"""
        return not self._slots
