"""Request numbers: which calls a socket has already brought.

Floor 6, `sync`. A call answered twice makes the Rust client drop its connection (wire 1.11), so a number that
comes again on one socket is ignored. Clients count upward from where they stand, mutations and actions
together; kept as ranges, a million calls take one entry.
"""

from __future__ import annotations

from bisect import bisect_right

_RANGES_MAX = 10_000
"""Enough for any client that counts. One that sends scattered numbers loses the protection for its lowest."""


class RequestNumbers:
    """A growing set of numbers, kept as disjoint ranges that do not touch."""

    __slots__ = ("_begins", "_ends")

    def __init__(self) -> None:
        # Both are made with the first number: most sessions only watch.
        self._begins: list[int] | None = None
        self._ends: list[int]  # Exclusive; ordered like the begins.

    def add(self, number: int) -> bool:
        """Remember a number. False when it was there already."""
        begins = self._begins
        if begins is None:
            self._begins, self._ends = [number], [number + 1]
            return True
        ends = self._ends
        after = bisect_right(begins, number)
        joins_left = False
        if after:
            end = ends[after - 1]
            if number < end:
                return False
            joins_left = number == end
        joins_right = after < len(begins) and begins[after] == number + 1
        if joins_left and joins_right:
            ends[after - 1] = ends[after]
            del begins[after], ends[after]
        elif joins_left:
            ends[after - 1] = number + 1
        elif joins_right:
            begins[after] = number
        else:
            begins.insert(after, number)
            ends.insert(after, number + 1)
            if len(begins) > _RANGES_MAX:
                del begins[0], ends[0]
        return True

    def __len__(self) -> int:
        """How many ranges are kept."""
        return 0 if self._begins is None else len(self._begins)
