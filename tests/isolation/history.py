"""A history of appends and transitions, and what may not be found in it.

Values are unique, so a list tells by whom and in which order it was written. A transition claims that all
its lists stand as of its timestamp; a response claims at which timestamp its append was committed.

    lost append           an acknowledged append is in no list
    doubled append        a value is twice in a list: a replay ran again
    phantom append        a list holds what nobody asked to append
    forked order          two lists of one key, and neither is the beginning of the other
    time went back        a session saw an older timestamp or a shorter list, reconnects included
    stale transition      a list lacks an append that was committed at or before the transition's timestamp
    transition from the future    a list holds an append that was committed after it
    G0, G1c, G-single, G2 (-realtime)    a circle of dependencies between appends and reads

Source: Kingsbury and Alvaro, "Elle: Inferring Isolation Anomalies from Experimental Observations" (2020).
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Append:
    """One append. `ended` and `ts` are None where its answer was never heard."""

    session: str
    key: str
    value: str
    begun: int
    ended: int | None = None
    ts: int | None = None
    result: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Transition:
    """What a client showed at `ts`. `begun` is when it first asked, if this is the first answer to it."""

    session: str
    ts: int
    ended: int
    lists: dict[str, tuple[str, ...]]
    begun: int | None = None


class Clock:
    """Numbers in the order of events, for all threads."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def tick(self) -> int:
        return next(self._numbers)


@dataclass
class History:
    """What happened, in any order of arrival; transitions of one session in the order that it saw them."""

    appends: list[Append] = field(default_factory=list)
    transitions: list[Transition] = field(default_factory=list)

    def anomalies(self) -> list[str]:
        """Everything that is wrong, most telling first; empty for a history that could have been."""
        return [*self._lists(), *self._sessions(), *self._snapshots(), *self._circles()]

    def final(self) -> dict[str, tuple[str, ...]]:
        """The longest list seen of each key: the order of its versions."""
        longest: dict[str, tuple[str, ...]] = {}
        for key, values in self._seen():
            if len(values) > len(longest.get(key, ())):
                longest[key] = values
        return longest

    def _seen(self) -> Iterator[tuple[str, tuple[str, ...]]]:
        for append in self.appends:
            if append.result is not None:
                yield append.key, append.result
        for transition in self.transitions:
            yield from transition.lists.items()

    def _lists(self) -> Iterator[str]:
        final = self.final()
        asked = {append.value for append in self.appends}
        for key, values in final.items():
            for value, times in Counter(values).items():
                if times > 1:
                    yield f"doubled append: {value} is {times} times in {key}"
                if value not in asked:
                    yield f"phantom append: {value} in {key}"
        for append in self.appends:
            if append.ended is not None and append.value not in final.get(append.key, ()):
                yield f"lost append: {append}"
        for key, values in self._seen():
            if final[key][: len(values)] != values if values else False:
                yield f"forked order: {key} was {values} and {final[key]}"

    def _sessions(self) -> Iterator[str]:
        last: dict[str, Transition] = {}
        for transition in self.transitions:
            before = last.get(transition.session)
            last[transition.session] = transition
            if before is None:
                continue
            if transition.ts < before.ts:
                yield f"time went back: {transition.session} saw {before.ts}, then {transition.ts}"
            for key, values in transition.lists.items():
                if len(values) < len(before.lists.get(key, ())):
                    yield f"time went back: {transition.session} saw {key} get shorter at {transition.ts}"

    def _snapshots(self) -> Iterator[str]:
        by_key: dict[str, list[Append]] = defaultdict(list)
        for append in self.appends:
            if append.ts is not None:
                by_key[append.key].append(append)
        for transition in self.transitions:
            for key, values in transition.lists.items():
                for append in by_key[key]:
                    assert append.ts is not None
                    if append.ts <= transition.ts and append.value not in values:
                        yield (
                            f"stale transition: {transition.session} at {transition.ts} lacks "
                            f"{append.value} of {append.ts} in {key}"
                        )
                    if append.ts > transition.ts and append.value in values:
                        yield (
                            f"transition from the future: {transition.session} at {transition.ts} has "
                            f"{append.value} of {append.ts} in {key}"
                        )

    def _circles(self) -> Iterator[str]:
        edges = self._edges()
        circle = find_circle(edges)
        if circle is not None:
            yield f"{name_of([edges[one][other] for one, other in circle])}: " + ", ".join(
                f"{one} -{edges[one][other]}-> {other}" for one, other in circle
            )

    def _edges(self) -> dict[str, dict[str, str]]:
        """Dependencies by name of the operation: who must come before whom, and why."""
        edges: dict[str, dict[str, str]] = defaultdict(dict)
        final = self.final()
        for values in final.values():
            for one, other in itertools.pairwise(values):
                edges[one][other] = "ww"
        spans: list[tuple[int, int, str]] = []
        for number, transition in enumerate(self.transitions):
            reader = f"read {number}"
            for key, values in transition.lists.items():
                if values:
                    edges[values[-1]].setdefault(reader, "wr")
                following = final[key][len(values) :] if key in final else ()
                if following:
                    edges[reader].setdefault(following[0], "rw")
            if transition.begun is not None:
                spans.append((transition.begun, transition.ended, reader))
        spans += [(each.begun, each.ended, each.value) for each in self.appends if each.ended is not None]
        for _, ended, one in spans:
            for begun, _, other in spans:
                if ended < begun:
                    edges[one].setdefault(other, "rt")
        return edges


def find_circle(edges: dict[str, dict[str, str]]) -> list[tuple[str, str]] | None:
    """The steps of a shortest circle through some operation, or None."""
    best: list[tuple[str, str]] | None = None
    for start in _in_circles(edges):
        came: dict[str, str] = {}
        waiting = [start]
        while waiting and start not in came:
            following = []
            for one in waiting:
                for other in edges.get(one, {}):
                    if other not in came:
                        came[other] = one
                        following.append(other)
            waiting = following
        if start not in came:
            continue
        steps, at = [], start
        while True:
            steps.append((came[at], at))
            at = came[at]
            if at == start:
                break
        if best is None or len(steps) < len(best):
            best = steps[::-1]
    return best


def _in_circles(edges: dict[str, dict[str, str]]) -> list[str]:
    """Operations that are left when all are taken away that nobody is before: none in a sound history."""
    before: Counter[str] = Counter(other for others in edges.values() for other in others)
    free = [one for one in edges if not before[one]]
    left = set(edges) | set(before)
    while free:
        one = free.pop()
        left.discard(one)
        for other in edges.get(one, {}):
            before[other] -= 1
            if not before[other]:
                free.append(other)
    return sorted(left)


def name_of(kinds: list[str]) -> str:
    """The name of a circle by its edges."""
    against = kinds.count("rw")
    name = "G2" if against > 1 else "G-single" if against else "G1c" if "wr" in kinds else "G0"
    return name + ("-realtime" if "rt" in kinds else "")
