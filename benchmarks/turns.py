"""Several servers under the same load in turns, so that all of them meet the same machine.

A machine that others use changes its pace from one second to the next, and by a factor of two. So all
servers of a question are up at once, each is put under load for a short while, one after the other and then
backwards, and what is said of two of them is the median of their ratios turn by turn. A server without load
takes next to nothing of the others.

    with ExitStack() as servers:
        ...
        seen = in_turns({"by hand": always(theirs, **load), "Rewake": always(ours, **load)})
        beside = seen["Rewake"].over(seen["by hand"])
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import median

from benchmarks.load import Outcome
from benchmarks.subjects import Subject

TURNS = 3


@dataclass(frozen=True)
class Turns:
    """What one server reached in each turn, in the order of turns."""

    each: tuple[Outcome, ...]

    @cached_property
    def middle(self) -> Outcome:
        """The median of every figure; answers and failures of all turns."""
        return replace(
            self.each[0],
            **{name: median(getattr(outcome, name) for outcome in self.each) for name in _FIGURES},
            answers=sum(outcome.answers for outcome in self.each),
            other_messages=sum(outcome.other_messages for outcome in self.each),
            failures=sum(outcome.failures for outcome in self.each),
            first_failure=next((outcome.first_failure for outcome in self.each if outcome.failures), ""),
            latencies_us=[],
        )

    @property
    def best(self) -> float:
        """The rate of its best turn: for the record of what the hand-written application can do here."""
        return max(outcome.rate for outcome in self.each)

    def over(self, other: Turns) -> float:
        """How many times the rate of the other: the median of the turns."""
        pairs = zip(self.each, other.each, strict=True)
        return median(mine.rate / theirs.rate for mine, theirs in pairs)


_FIGURES = ("rate", "p50_us", "p99_us", "generator_cpu", "server_cpu", "front_cpu")


def in_turns(
    loads: Mapping[str, Callable[[int], Outcome]],
    *,
    turns: int = TURNS,
    before: Callable[[], None] = lambda: None,
) -> dict[str, Turns]:
    """Put each under its load once a turn; every other turn goes backwards.

    A load is told the turn, from 0. `before` is called at the begin of each turn, as for a floor.
    """
    seen: dict[str, list[Outcome]] = {name: [] for name in loads}
    for turn in range(turns):
        before()
        for name in list(loads)[:: 1 if turn % 2 == 0 else -1]:
            seen[name].append(loads[name](turn))
    return {name: Turns(tuple(outcomes)) for name, outcomes in seen.items()}


def always(subject: Subject, **load: object) -> Callable[[int], Outcome]:
    """The same load in every turn, but for what chance decides."""
    return lambda turn: subject.put_under(**load, seed=turn + 1)
