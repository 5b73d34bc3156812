"""Chance: where the random numbers of a function come from, and those of the functions that it calls.

Floor 3, `execution`. A callee's chance is seeded from its caller's at the moment of the call, so how much
the callee draws does not change what its caller draws. Seeding costs more than most functions draw: a
generator is made when it is first asked for, and everything comes out as if it had been made at once.

    run ---- seed ----> caller -.- 64 bits -> callee
                                '- 64 bits -> the next one

Not here: Python's own random numbers (`standard_sources.py`), which begin with these.
Source: semantics 5.6, 5.7.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random


class Chance:
    """The chance of one call of a function."""

    __slots__ = ("_callees", "_made", "_seed")

    def __init__(self, seed: Callable[[], bytes | int]) -> None:
        self._seed = seed
        # None until somebody draws.
        self._made: Random | None = None
        # Callees that have begun before this one's generator was made; it then draws for them first.
        self._callees: list[_CalleeSeed] = []

    @property
    def generator(self) -> Random:
        """What draws."""
        return self._made or self.make()

    def make(self) -> Random:
        """Make the generator, once, and draw for callees that have begun."""
        made = self._made = Random(self._seed())
        for callee in self._callees:
            callee.number = made.getrandbits(64)
        self._callees = []
        return made

    def of_callee(self) -> Chance:
        """The chance of a function that is called now."""
        seed = _CalleeSeed(self)
        if self._made is None:
            self._callees.append(seed)
        else:
            seed.number = self._made.getrandbits(64)
        return Chance(seed)


class _CalleeSeed:
    """What a callee's generator begins with: a number that its caller's draws, at once or later."""

    __slots__ = ("_caller", "number")

    def __init__(self, caller: Chance) -> None:
        self._caller = caller
        self.number: int | None = None

    def __call__(self) -> int:
        if self.number is None:
            self._caller.make()
        assert self.number is not None, "whose generator is made has drawn for all its callees"
        return self.number
