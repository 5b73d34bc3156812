"""A showing: one wave on its way to those who are shown it in one step.

Floor 4, `reactivity`. Made by `waves.py` when the results of a wave are there, and given up with it. Between
it and the door go the results, what the door makes once for all, and who could be shown the next wave
together with others.

Not here: who takes part (`live_session.py`, `chorus.py`), messages (`sync/broadcast.py`).
"""

from __future__ import annotations

from collections.abc import Collection, Hashable, Sequence
from typing import Protocol

from rewake.reactivity.entries import Entry, LiveResult


class ForAll(Protocol):
    """What the door makes once for all who are shown a wave."""

    def end(self) -> None:
        """Everybody was told."""
        ...


class Voice(Protocol):
    """The door's side of a chorus: it tells all who are in it the same, in one go."""

    def join(self, singer: Singer) -> None:
        """Tell `singer` together with the others from now on."""
        ...

    def leave(self, singer: Singer) -> None:
        """Tell `singer` no more. It is where the others are, once all have been told (`finish`)."""
        ...

    def outgrown(self, wave: Showing) -> Collection[Singer]:
        """Who cannot be told `wave` together with the others any more, and has to leave."""
        ...

    def show(self, wave: Showing, updates: Sequence[tuple[int, LiveResult]]) -> bool:
        """Tell everybody; those who are many, some in each turn of the loop. False, and nobody is told: each
        has to be told by itself. All must have been told of the last wave (`finish`).
        """
        ...

    def settle(self) -> None:
        """See to those whom the last `show` did not get through to, now or when everybody was told; they
        leave.
        """
        ...

    def finish(self) -> None:
        """Tell everybody now who is still to be told, and `settle`."""
        ...


class Singer(Protocol):
    """A listener that can be told together with others."""

    def place(self) -> Hashable:
        """Equal for all who are told the same from here on, if they were shown the same wave last."""
        ...

    def voice(self, query_id: int, result: LiveResult) -> Voice:
        """A voice for those at this place, who were shown `result` last, without anybody in it."""
        ...


class Showing:
    """One wave, and what is known at it."""

    __slots__ = ("for_all", "is_alone", "shown", "singer", "ts")

    def __init__(self, ts: int, shown: dict[Entry, LiveResult], *, is_alone: bool = False) -> None:
        self.ts = ts
        """The snapshot."""
        self.is_alone = is_alone
        """Whether one session is shown it and nobody else: then nothing need be made for others."""
        self.shown = shown
        """What was run on it; everything else is known from before."""
        self.for_all: ForAll | None = None
        """A slot of the door's: what all who are shown this wave can use. Goes with the wave."""
        self.singer: Singer | None = None
        """Set by a listener that was just shown the wave and could sing; taken by its session."""

    def known(self, entry: Entry) -> LiveResult | None:
        """The result of an entry at this snapshot, where there is one."""
        result = self.shown.get(entry)
        if result is None and entry.is_valid_at(self.ts):
            result = entry.result
        return result
