"""Read sets: which keys of which indexes a function looked at.

Floor 2, `database`. A live query is woken if and only if a write touched what it read (promise 5), and this
is the one predicate that decides it:

    touched = some index: the key before or the key after the write lies in an interval that was read

An interval is [lower, upper) over key bytes; upper None is the end of the index. What is absent counts too: a
missing document is the point where it would be, an empty range is the whole range.

`ReadRecorder` grows while a function runs; `ReadSet` is what it became, merged and unchanging.

Not here: what is recorded when (`reads.py`), finding the touched ones among 100,000 (`reactivity`).
Source: spec/semantics 5.2, 5.3.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from rewake.storage import LogRow

Interval = tuple[bytes, bytes | None]
"""[lower, upper) of key bytes; None is the end of the index."""

_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(dict[int, list[Interval]])


def merge(intervals: Iterable[tuple[bytes, bytes | None] | list[bytes | None]]) -> list[Interval]:
    """Sort intervals, join those that overlap or touch, drop the empty ones."""
    merged: list[Interval] = []
    for lower, upper in sorted(intervals, key=lambda interval: interval[0]):  # type: ignore[arg-type,return-value]
        assert lower is not None
        if upper is not None and lower >= upper:
            continue
        if not merged:
            merged.append((lower, upper))
            continue
        last_lower, last_upper = merged[-1]
        if last_upper is None:
            break
        if lower > last_upper:
            merged.append((lower, upper))
        elif upper is None or upper > last_upper:
            merged[-1] = (last_lower, upper)
    return merged


class ReadSet:
    """The intervals that one run consumed, by index id: sorted, disjoint, not touching."""

    __slots__ = ("_packed", "intervals")
    _packed: bytes
    """How it came through a pipe; empty where it did not."""
    intervals: dict[int, list[Interval]]

    def __init__(self, intervals: Mapping[int, Sequence[Interval]] | None = None) -> None:
        self._packed = b""
        self.intervals = found = {}
        for index_id, parts in (intervals or {}).items():
            if len(parts) == 1:  # As most indexes of a small run have.
                lower, upper = parts[0]
                if upper is None or lower < upper:
                    found[index_id] = [(lower, upper)]
            elif merged := merge(parts):
                found[index_id] = merged

    def covers(self, index_id: int, key: bytes) -> bool:
        """Whether this key of this index was read, or found absent."""
        intervals = self.intervals.get(index_id)
        if intervals is None:
            return False
        # The last interval that begins at or before the key. `(key,)` sorts before `(key, upper)`, and a None
        # upper must not be compared with bytes, hence the key function.
        position = bisect_right(intervals, key, key=_lower) - 1
        if position < 0:
            return False
        upper = intervals[position][1]
        return upper is None or key < upper

    def touched_by(self, row: LogRow) -> bool:
        """Whether a commit changed something that was read: an old or a new key lies in an interval."""
        intervals = self.intervals
        for write in row.writes:
            for index_id, old_key, new_key in write.keys:
                if index_id in intervals and (
                    (old_key is not None and self.covers(index_id, old_key))
                    or (new_key is not None and new_key != old_key and self.covers(index_id, new_key))
                ):
                    return True
        return False

    def union(self, other: ReadSet) -> ReadSet:
        """What was read by either."""
        joined: dict[int, list[Interval]] = {index: list(parts) for index, parts in self.intervals.items()}
        for index_id, parts in other.intervals.items():
            joined.setdefault(index_id, []).extend(parts)
        return ReadSet(joined)

    def to_wire(self) -> bytes:
        """The form that crosses a pipe between processes."""
        return _encoder.encode(self.intervals)

    @classmethod
    def from_wire(cls, packed: bytes) -> ReadSet:
        """The inverse of `to_wire`."""
        read_set = cls.__new__(cls)
        read_set._packed = packed
        return read_set

    def __getattr__(self, name: str) -> dict[int, list[Interval]]:
        """Unpack what came over a pipe when it is looked at first: of most runs nobody ever does."""
        if name != "intervals":
            raise AttributeError(name)
        self.intervals = _decoder.decode(self._packed)
        return self.intervals

    def __len__(self) -> int:
        return sum(map(len, self.intervals.values()))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ReadSet) and self.intervals == other.intervals

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"ReadSet({self.intervals!r})"


class Span:
    """The part of one scan that was consumed so far. It grows by assignment to `lower` or `upper`."""

    __slots__ = ("lower", "upper")

    def __init__(self, lower: bytes, upper: bytes | None) -> None:
        self.lower = lower
        self.upper = upper


class ReadRecorder(msgspec.Struct, eq=False, gc=False):
    """Takes down what a transaction reads, cheaply, while it reads."""

    _intervals: dict[int, list[Interval]] = {}
    _spans: list[tuple[int, Span]] = []
    parts: int = 0
    """How many parts were recorded, before merging: at least as many as the read set will have intervals."""

    def point(self, index_id: int, key: bytes) -> None:
        """Record one complete key, whether or not something is there."""
        parts = self._intervals.get(index_id)
        if parts is None:
            self._intervals[index_id] = [(key, key + b"\0")]
        else:
            parts.append((key, key + b"\0"))
        self.parts += 1

    def interval(self, index_id: int, interval: Interval) -> None:
        """Record an interval, which is not empty."""
        parts = self._intervals.get(index_id)
        if parts is None:
            self._intervals[index_id] = [interval]
        else:
            parts.append(interval)
        self.parts += 1

    def span(self, index_id: int, lower: bytes, upper: bytes | None) -> Span:
        """Record an interval that grows while its scan goes on."""
        span = Span(lower, upper)
        self._spans.append((index_id, span))
        self.parts += 1
        return span

    def read_set(self) -> ReadSet:
        """What was read until now."""
        intervals = self._intervals
        if self._spans:
            intervals = dict(intervals)
            for index_id, span in self._spans:
                intervals[index_id] = [*intervals.get(index_id, ()), (span.lower, span.upper)]
        return ReadSet(intervals)

    def packed(self) -> bytes:
        """What was read until now, as `ReadSet.to_wire` writes it."""
        if self.parts > len(self._intervals):
            return self.read_set().to_wire()
        # One part of each index, as of most small runs: there is nothing to merge.
        return _encoder.encode(self._intervals)


def _lower(interval: Interval) -> bytes:
    return interval[0]
