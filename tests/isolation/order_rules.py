"""Rules of order: what each session saw never goes back, and timestamps tell the truth.

The server says at which timestamp things happened, which Elle does not know of; so much can be said without
looking for circles, in one pass over the history:

    session      the transitions of a client, over all its sockets, are beginnings of one another in turn
    timestamp    a read at T holds exactly the commits up to T; commits and time agree with timestamps

Not here: lists by themselves (`versions.py`), circles (`circles.py`).
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterator

from tests.isolation.anomalies import Anomaly
from tests.isolation.history import History, Kind, Operation, Outcome
from tests.isolation.versions import Versions, external_reads


def session_anomalies(history: History) -> Iterator[Anomaly]:
    """Sessions that were shown something older than before."""
    last_ts: dict[tuple[str, Kind], Operation] = {}
    lists: dict[tuple[str, str], tuple[int, Operation]] = {}
    for operation in history.operations:
        if operation.outcome is not Outcome.DONE or operation.kind is Kind.PAST:
            continue
        lane = (operation.session, operation.kind)
        before = last_ts.get(lane)
        if operation.ts is not None:
            if before is not None and before.ts is not None and operation.ts < before.ts:
                yield Anomaly("time went back", f"{operation.session} saw {before}\n    and then {operation}")
            last_ts[lane] = operation
        if operation.kind is not Kind.TRANSITION:
            continue
        for read in operation.reads:
            length, earlier = lists.get((operation.session, read.key), (0, operation))
            if len(read.values) < length:
                yield Anomaly(
                    "time went back",
                    f"{operation.session} saw {read.key} get shorter: {earlier}\n    and then {operation}",
                )
            lists[operation.session, read.key] = (len(read.values), operation)


def timestamp_anomalies(history: History, versions: Versions) -> Iterator[Anomaly]:
    """Timestamps that say something else than the lists, or than time."""
    yield from _reused(history)
    yield from _commit_order(versions)
    yield from _snapshots(history, versions)
    yield from _time(history)


def _reused(history: History) -> Iterator[Anomaly]:
    owner: dict[int, Operation] = {}
    for operation in history.operations:
        if operation.outcome is Outcome.DONE and operation.ts is not None and any(operation.appends):
            other = owner.setdefault(operation.ts, operation)
            if other is not operation:
                yield Anomaly("reused timestamp", f"{other}\n    and {operation}")


def _commit_order(versions: Versions) -> Iterator[Anomaly]:
    for key, values in versions.final.items():
        writers = [versions.writer[value][1] for value in values if value in versions.writer]
        known = [writer for writer in writers if writer.ts is not None]
        for one, other in itertools.pairwise(known):
            assert one.ts is not None
            assert other.ts is not None
            if one.ts > other.ts:
                yield Anomaly("timestamps out of order", f"in {key}, {one}\n    stands before {other}")
                break


def _snapshots(history: History, versions: Versions) -> Iterator[Anomaly]:
    """Reads that say at which timestamp they hold, against commits that say when they happened."""
    commits: dict[str, list[tuple[int, Operation]]] = defaultdict(list)
    for key, values in versions.final.items():
        for number, value in enumerate(values):
            _, writer = versions.writer.get(value, ("", None))
            if writer is not None and writer.ts is not None:
                commits[key].append((number, writer))
    # Of each key: the earliest commit that no list shows.
    unseen: dict[str, Operation] = {}
    for operation in history.operations:
        if operation.outcome is Outcome.DONE and operation.ts is not None:
            for append in operation.appends:
                if append.value not in versions.place.get(append.key, ()):
                    known = unseen.setdefault(append.key, operation)
                    assert known.ts is not None
                    if operation.ts < known.ts:
                        unseen[append.key] = operation
    first_after = {key: _first_from(len(versions.final[key]), commits[key]) for key in commits}
    for operation in history.operations:
        if operation.ts is None or operation.outcome is not Outcome.DONE:
            continue
        # A mutation that wrote reads what stood before its own timestamp.
        newest = operation.ts - 1 if any(operation.appends) else operation.ts
        for read in external_reads(operation):
            if not versions.fits(read):
                continue
            missing = first_after.get(read.key, {}).get(len(read.values))
            for writer in (missing, unseen.get(read.key)):
                if writer is None or writer is operation:
                    continue
                assert writer.ts is not None
                if writer.ts <= newest:
                    yield Anomaly("stale read", f"{operation}\n    lacks {read.key} of {writer}")
                    break
            _, last = versions.writer.get(read.values[-1], ("", None)) if read.values else ("", None)
            if last is not None and last.ts is not None and last.ts > operation.ts and last is not operation:
                yield Anomaly("read from the future", f"{operation}\n    has {read.key} of {last}")


def _first_from(length: int, commits: list[tuple[int, Operation]]) -> dict[int, Operation]:
    """For each length of a list: the first commit with a known timestamp that such a list lacks."""
    first: dict[int, Operation] = {}
    following = list(commits)
    at: Operation | None = None
    for number in range(length - 1, -1, -1):
        if following and following[-1][0] == number:
            at = following.pop()[1]
        if at is not None:
            first[number] = at
    return first


def _time(history: History) -> Iterator[Anomaly]:
    """What ended before something else began, with a higher timestamp."""
    done = [each for each in history.operations if each.ts is not None and each.outcome is Outcome.DONE]
    ends = sorted((each.ended, number) for number, each in enumerate(done) if each.ended is not None)
    begins = sorted((each.begun, number) for number, each in enumerate(done) if each.begun is not None)
    newest: Operation | None = None
    place = 0
    for begun, number in begins:
        while place < len(ends) and ends[place][0] < begun:
            ended = done[ends[place][1]]
            place += 1
            if newest is None or (ended.ts or 0) > (newest.ts or 0):
                newest = ended
        operation = done[number]
        if newest is not None and (operation.ts or 0) < (newest.ts or 0):
            yield Anomaly("timestamps out of order", f"{newest}\n    had ended before {operation} began")
            return
