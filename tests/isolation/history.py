"""A history: what clients asked and what they were shown, in the manner of Elle.

Every value that is appended is asked for once in the whole history. A list is only appended to. So one list
tells by whom, and in which order, it was written; and a read tells which appends came before it.

    Operation   one transaction as a client knows it: its steps, when it began and ended, what became of it
    Clock       one for all clients, so that "ended before the other began" has a meaning between them
    History     all operations, in the order in which they ended

Not here: what is wrong with a history (`checker.py`).
Source: Kingsbury and Alvaro, "Elle: Inferring Isolation Anomalies from Experimental Observations" (2020).
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

Values = tuple[str, ...]


class Append(NamedTuple):
    """A value put at the end of a list."""

    key: str
    value: str


class Read(NamedTuple):
    """A list as it was shown."""

    key: str
    values: Values


class Kind(Enum):
    """What sort of transaction an operation was, and so what its times mean."""

    MUTATION = "mutation"
    TRANSITION = "transition"
    """All live queries of a client, as one message left them. It may come late: it has a begin only where it
    is the first answer to something asked."""
    QUERY = "query"
    """Read now, from the cache or not; one query or a batch."""
    PAST = "past query"
    """Read at a timestamp. Its begin is that of the request for the timestamp, if that was asked for."""


class Outcome(Enum):
    """What a client knows about the end."""

    DONE = "done"
    FAILED = "failed"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One transaction."""

    name: str
    session: str
    """Operations of one session and kind happen in the order in which they stand in the history."""
    kind: Kind
    steps: tuple[Append | Read, ...]
    begun: int | None
    ended: int | None
    """None where it was never answered."""
    outcome: Outcome = Outcome.DONE
    ts: int | None = None
    """At which the server says it happened; None where it does not say."""
    taken_back: tuple[Append, ...] = ()
    """Appends of parts that failed: nobody may ever see them."""

    @property
    def appends(self) -> Iterator[Append]:
        """What it wrote, in order."""
        return (step for step in self.steps if isinstance(step, Append))

    @property
    def reads(self) -> Iterator[Read]:
        """What it was shown, in order."""
        return (step for step in self.steps if isinstance(step, Read))

    def __str__(self) -> str:
        steps = [
            f"append {step.key} {step.value}"
            if isinstance(step, Append)
            else f"{step.key} = {shown(step.values)}"
            for step in self.steps
        ]
        steps += [f"(taken back: append {lost.key} {lost.value})" for lost in self.taken_back]
        at = "" if self.ts is None else f" at {self.ts}"
        return f"{self.name} ({self.kind.value}, {self.outcome.value}{at}): {', '.join(steps) or 'nothing'}"


def shown(values: Values) -> str:
    """A list short enough to be printed."""
    some = [f"{len(values) - 6} more", *values[-6:]] if len(values) > 8 else values
    return f"[{' '.join(some)}]"


class Clock:
    """Numbers in the order of events, for all threads of a process."""

    def __init__(self) -> None:
        self._numbers = itertools.count(1)

    def tick(self) -> int:
        """The next number."""
        return next(self._numbers)


@dataclass
class History:
    """What happened. Threads may add to it."""

    operations: list[Operation] = field(default_factory=list)

    def add(self, operation: Operation) -> None:
        """Take down an operation that has ended, or that nobody will hear of any more."""
        self.operations.append(operation)

    def extend(self, operations: Iterable[Operation]) -> None:
        """Take down several."""
        self.operations.extend(operations)

    def summary(self) -> str:
        """What it consists of, for whoever runs the tests by hand."""
        kinds = Counter((each.kind.value, each.outcome.value) for each in self.operations)
        return ", ".join(f"{count} {kind} {outcome}" for (kind, outcome), count in sorted(kinds.items()))
