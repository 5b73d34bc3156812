"""Versions: who wrote what in which order, as far as a history tells; and what no list may hold.

The longest list of a key that was ever shown is the order of its versions. Every other list must be a
beginning of it; those that are not are reported, and nothing is concluded from them.

Not here: circles (`circles.py`), sessions and timestamps (`order_rules.py`).
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from tests.isolation.anomalies import Anomaly
from tests.isolation.history import Append, History, Operation, Outcome, Read, Values, shown


@dataclass
class Versions:
    """The order of versions of every key, and who wrote and read them."""

    final: dict[str, Values] = field(default_factory=dict)
    """The longest list shown of each key."""
    place: dict[str, dict[str, int]] = field(default_factory=dict)
    """Of each key: where each value stands in its final list."""
    writer: dict[str, tuple[str, Operation]] = field(default_factory=dict)
    """Of each value: the key that it was meant for, and who appended it."""
    taken_back: dict[str, Operation] = field(default_factory=dict)
    """Values that nobody may see, with who failed to append them."""
    is_forked: set[str] = field(default_factory=set)
    """Keys whose lists do not fit together."""

    @classmethod
    def of(cls, history: History) -> Versions:
        """Everything that the lists of a history say."""
        versions = cls()
        for operation in history.operations:
            for append in operation.appends:
                assert append.value not in versions.writer, (
                    f"{append.value} is appended twice by the test itself"
                )
                versions.writer[append.value] = (append.key, operation)
                if operation.outcome is Outcome.FAILED:
                    versions.taken_back[append.value] = operation
            for append in operation.taken_back:
                versions.writer[append.value] = (append.key, operation)
                versions.taken_back[append.value] = operation
            for read in operation.reads:
                if len(read.values) > len(versions.final.get(read.key, ())):
                    versions.final[read.key] = read.values
        for key, values in versions.final.items():
            versions.place[key] = {value: number for number, value in enumerate(values)}
        for operation in history.operations:
            for read in operation.reads:
                if not versions.fits(read):
                    versions.is_forked.add(read.key)
        return versions

    def fits(self, read: Read) -> bool:
        """Whether a list is a beginning of the final one."""
        return self.final.get(read.key, ())[: len(read.values)] == read.values

    def happened(self, operation: Operation) -> bool:
        """Whether an operation took place: it was acknowledged, or something of it was seen."""
        if operation.outcome is Outcome.UNKNOWN:
            return any(append.value in self.place.get(append.key, ()) for append in operation.appends)
        return operation.outcome is Outcome.DONE


def external_reads(operation: Operation) -> Iterator[Read]:
    """What a mutation was shown of others: its lists without its own appends, the first of each key."""
    own: Counter[str] = Counter()
    seen: set[str] = set()
    for step in operation.steps:
        if isinstance(step, Append):
            own[step.key] += 1
        elif step.key not in seen:
            seen.add(step.key)
            count = len(step.values) - own[step.key]
            yield Read(step.key, step.values[: max(count, 0)])


def list_anomalies(history: History, versions: Versions) -> Iterator[Anomaly]:
    """What is wrong with single lists and single operations."""
    yield from _contents(versions)
    yield from _forks(history, versions)
    yield from _inside(history)
    yield from _middles(history, versions)
    yield from _losses(history, versions)
    yield from _updates(history)


def _contents(versions: Versions) -> Iterator[Anomaly]:
    for key, values in versions.final.items():
        if len(versions.place[key]) < len(values):
            for value, times in Counter(values).items():
                if times > 1:
                    yield Anomaly("doubled append", f"{value} is {times} times in {key}: {shown(values)}")
        for value in values:
            if value in versions.taken_back:
                yield Anomaly(
                    "G1a", f"{value} was seen in {key}, and was taken back: {versions.taken_back[value]}"
                )
            elif value not in versions.writer:
                yield Anomaly("phantom append", f"nobody asked for {value} in {key}")
            elif versions.writer[value][0] != key:
                yield Anomaly("misdirected read", f"{value} of {versions.writer[value][0]} was seen in {key}")


def _forks(history: History, versions: Versions) -> Iterator[Anomaly]:
    told: set[str] = set()
    for operation in history.operations:
        for read in operation.reads:
            if read.key in versions.is_forked and read.key not in told and not versions.fits(read):
                told.add(read.key)
                final = versions.final[read.key]
                yield Anomaly("forked order", f"{operation}\n    does not begin {shown(final)}")


def _inside(history: History) -> Iterator[Anomaly]:
    for operation in history.operations:
        to_come = {append.value for append in operation.appends}
        known: dict[str, Values] = {}
        own: dict[str, Values] = defaultdict(tuple)
        for step in operation.steps:
            if isinstance(step, Append):
                own[step.key] += (step.value,)
                to_come.discard(step.value)
                if step.key in known:
                    known[step.key] += (step.value,)
                continue
            expected, appended = known.get(step.key), own[step.key]
            if expected is not None:
                is_right = step.values == expected
            else:
                is_right = not appended or step.values[-len(appended) :] == appended
            if not is_right or not to_come.isdisjoint(step.values):
                yield Anomaly("internal", str(operation))
                break
            known[step.key] = step.values


def _middles(history: History, versions: Versions) -> Iterator[Anomaly]:
    """Lists that end between two appends of one mutation."""
    middles: dict[str, Operation] = {}
    for operation in history.operations:
        by_key: dict[str, list[str]] = defaultdict(list)
        for append in operation.appends:
            by_key[append.key].append(append.value)
        for values in by_key.values():
            middles.update(dict.fromkeys(values[:-1], operation))
    if not middles:
        return
    for operation in history.operations:
        for read in operation.reads:
            writer = middles.get(read.values[-1]) if read.values else None
            if writer is not None and writer is not operation:
                yield Anomaly("G1b", f"{operation}\n    ends in the middle of {writer}")


def _losses(history: History, versions: Versions) -> Iterator[Anomaly]:
    """Acknowledged appends that a read must show, and no list has."""
    last_begun: dict[str, int] = defaultdict(int)
    last_ts: dict[str, int] = defaultdict(lambda: -1)
    for operation in history.operations:
        for read in operation.reads:
            last_begun[read.key] = max(last_begun[read.key], operation.begun or 0)
            last_ts[read.key] = max(last_ts[read.key], -1 if operation.ts is None else operation.ts)
    for operation in history.operations:
        if operation.outcome is not Outcome.DONE:
            continue
        for append in operation.appends:
            if append.value in versions.place.get(append.key, ()):
                continue
            is_before = operation.ended is not None and operation.ended < last_begun[append.key]
            is_below = operation.ts is not None and operation.ts <= last_ts[append.key]
            if is_before or is_below:
                final = versions.final.get(append.key, ())
                yield Anomaly("lost append", f"{operation}\n    {append.key} is {shown(final)}")


def _updates(history: History) -> Iterator[Anomaly]:
    """Two mutations that appended to the same version of a list."""
    based: dict[tuple[str, Values], Operation] = {}
    for operation in history.operations:
        if operation.outcome is not Outcome.DONE:
            continue
        written = {append.key for append in operation.appends}
        for read in external_reads(operation) if written else ():
            if read.key in written:
                other = based.setdefault((read.key, read.values), operation)
                if other is not operation:
                    yield Anomaly("lost update", f"{other}\n    and {operation}")
