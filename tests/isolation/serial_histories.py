"""Histories that a serial database could have given, made up from a seed; and the last word on small ones.

serial_history(random, ...)     one operation after another on plain lists, with times and timestamps as
                                clients around a server would note them
has_serial_order(history)       tries all orders: what the checker says in linear time must agree with it
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from random import Random

from tests.isolation.history import Append, History, Kind, Operation, Outcome, Read

SESSIONS = 6


class SerialWorld:
    """Lists, and the one order in which everything happens to them."""

    def __init__(self, random: Random, keys: int) -> None:
        self._random = random
        self._keys = [f"k{number}" for number in range(keys)]
        self._lists: dict[str, tuple[str, ...]] = dict.fromkeys(self._keys, ())
        self._past: list[tuple[int, dict[str, tuple[str, ...]]]] = [(0, dict(self._lists))]
        self._now = 0
        self._ts = 0
        self._numbers = itertools.count()
        self._free_at: dict[str, int] = defaultdict(int)
        self.history = History()

    def step(self) -> None:
        """Let one operation happen."""
        random = self._random
        self._now += 10
        # Overlaps as much as its session allows: that does one thing after the other.
        session = random.choice([f"s{number}" for number in range(SESSIONS)])
        begun = max(self._now - random.randrange(1, 40), self._free_at[session])
        if begun >= self._now:
            return
        ended = self._now + random.randrange(1, 40)
        self._free_at[session] = ended
        kind = random.choice([Kind.MUTATION, Kind.MUTATION, *Kind])
        name = f"{session}.{next(self._numbers)}"
        if kind is Kind.MUTATION:
            self._mutate(name, session, begun, ended)
            return
        ts, lists = random.choice(self._past) if kind is Kind.PAST else (self._ts, self._lists)
        is_asked = kind is Kind.QUERY or (kind is Kind.TRANSITION and random.random() < 0.3)
        reads = tuple(Read(key, lists[key]) for key in self._some_keys())
        self.history.add(
            Operation(
                name,
                session,
                kind,
                reads,
                begun if is_asked else None,
                ended,
                ts=None if kind is Kind.QUERY else ts,
            )
        )

    def read_all(self) -> None:
        """One query of everything, after all else."""
        begun = max([self._now, *self._free_at.values()]) + 1
        reads = tuple(Read(key, values) for key, values in self._lists.items())
        self.history.add(Operation("last", "last", Kind.QUERY, reads, begun, begun + 1))

    def _some_keys(self) -> list[str]:
        return self._random.sample(self._keys, self._random.randint(1, len(self._keys)))

    def _mutate(self, name: str, session: str, begun: int, ended: int) -> None:
        random = self._random
        outcome = random.choice([*[Outcome.DONE] * 8, Outcome.FAILED, Outcome.UNKNOWN])
        has_effect = outcome is Outcome.DONE or (outcome is Outcome.UNKNOWN and random.random() < 0.5)
        lists = dict(self._lists)
        steps: list[Append | Read] = []
        for place in range(random.randint(1, 4)):
            key = random.choice(self._keys)
            if random.random() < 0.5:
                steps.append(Read(key, lists[key]))
            else:
                steps.append(Append(key, f"{name}.{place}"))
                lists[key] += (f"{name}.{place}",)
        writes = any(isinstance(step, Append) for step in steps)
        if has_effect and writes:
            self._lists = lists
            self._ts += random.randint(1, 3)
            self._past.append((self._ts, dict(lists)))
        if outcome is not Outcome.DONE:
            steps = [step for step in steps if isinstance(step, Append)]
        lost = (Append(random.choice(self._keys), f"{name}.lost"),) if random.random() < 0.2 else ()
        is_known = outcome is Outcome.DONE
        self.history.add(
            Operation(
                name,
                session,
                Kind.MUTATION,
                tuple(steps),
                begun,
                None if outcome is Outcome.UNKNOWN else ended,
                outcome,
                self._ts if is_known else None,
                lost,
            )
        )


def serial_history(random: Random, *, operations: int = 120, keys: int = 4) -> History:
    """A history without a fault."""
    world = SerialWorld(random, keys)
    for _ in range(operations):
        world.step()
    world.read_all()
    return world.history


def has_serial_order(history: History) -> bool:
    """Whether some order of the operations explains all that was shown. Timestamps are not looked at."""
    done = [each for each in history.operations if each.outcome is Outcome.DONE]
    maybe = [each for each in history.operations if each.outcome is Outcome.UNKNOWN]
    for count in range(len(maybe) + 1):
        for chosen in itertools.combinations(maybe, count):
            wanted = [each for each in history.operations if each in (*done, *chosen)]
            if _can_follow(wanted, frozenset(), {}):
                return True
    return False


def _can_follow(
    operations: list[Operation], past: frozenset[Operation], lists: dict[str, tuple[str, ...]]
) -> bool:
    left = [each for each in operations if each not in past]
    if not left:
        return True
    for each in left:
        if any(_must_precede(other, each, operations) for other in left if other is not each):
            continue
        following = _played(each, lists)
        if following is not None and _can_follow(operations, past | {each}, following):
            return True
    return False


def _must_precede(one: Operation, other: Operation, operations: list[Operation]) -> bool:
    if one.ended is not None and other.begun is not None and one.ended < other.begun:
        return True
    is_lane = one.session == other.session and one.kind is other.kind and one.kind is not Kind.PAST
    is_ended = one.ended is not None and other.ended is not None
    return is_lane and is_ended and operations.index(one) < operations.index(other)


def _played(operation: Operation, lists: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]] | None:
    lists = dict(lists)
    for step in operation.steps:
        if isinstance(step, Append):
            lists[step.key] = (*lists.get(step.key, ()), step.value)
        elif lists.get(step.key, ()) != step.values:
            return None
    return lists
