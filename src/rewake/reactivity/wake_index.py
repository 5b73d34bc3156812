"""The wake index: which watchers does this write touch?

Floor 4, `reactivity`. One predicate serves live queries and the shared cache: "does a key of this commit
log row lie in that read set". A scan over all read sets would answer it in time proportional to their
number; this index answers it in time proportional to the answer.

    watcher's intervals --> (index, equality prefix) --> whole prefix: a set
                                                    '--> part of it:  an interval tree

A query that fixes the first fields of an index (`channel = c`) reads keys that all begin with the same
bytes. A written key is cut at each of its field boundaries, and each cut is one dictionary look-up; 100,000
watchers on 100,000 channels cost the same as ten. What remains within one prefix (pages of one list, ranges
of time) is kept in a treap ordered by lower bound and augmented with the greatest upper bound, so that
finding the k intervals around a key takes O(k + log n).

Not here: recording read sets (`database/read_set.py`), what waking means (`live_queries.py`).
Source: Seidel and Aragon, "Randomized Search Trees" (1996); Cormen et al., "Interval trees".
"""

from __future__ import annotations

from collections.abc import Hashable
from enum import Enum
from typing import Generic, TypeVar

from rewake.database import ReadSet
from rewake.storage import LogRow
from rewake.values import key_offsets, key_successor

W = TypeVar("W", bound=Hashable)

_END = b"\xff" * 8
"""Greater than every key: no type tag begins with 0xFF."""


class _Node(Generic[W]):
    """One interval in a treap; `order` makes equal intervals of different watchers distinct."""

    __slots__ = ("left", "lower", "order", "priority", "reach", "right", "upper", "watcher")

    def __init__(self, lower: bytes, upper: bytes, order: int, watcher: W) -> None:
        self.lower = lower
        self.upper = upper
        self.order = order
        # A fixed scramble of the insertion number balances the tree as well as chance does, and replays.
        self.priority = (order * 0x9E3779B97F4A7C15) & 0xFFFFFFFFFFFFFFFF
        self.watcher = watcher
        self.left: _Node[W] | None = None
        self.right: _Node[W] | None = None
        self.reach = upper

    def refresh(self) -> None:
        """Recompute the greatest upper bound below this node."""
        reach = self.upper
        if self.left is not None and self.left.reach > reach:
            reach = self.left.reach
        if self.right is not None and self.right.reach > reach:
            reach = self.right.reach
        self.reach = reach


class _Place(Enum):
    """Where a watcher stands that needs no node."""

    POINT = "point"
    WHOLE = "whole"


_POINT, _WHOLE = _Place.POINT, _Place.WHOLE
_Handle = tuple[tuple[int, bytes], _Node[W] | _Place]


def _merge(a: _Node[W] | None, b: _Node[W] | None) -> _Node[W] | None:
    """Join two treaps, every key of `a` before every key of `b`."""
    if a is None:
        return b
    if b is None:
        return a
    if a.priority > b.priority:
        a.right = _merge(a.right, b)
        a.refresh()
        return a
    b.left = _merge(a, b.left)
    b.refresh()
    return b


def _split(node: _Node[W] | None, lower: bytes, order: int) -> tuple[_Node[W] | None, _Node[W] | None]:
    """Cut a treap into the nodes before (lower, order) and the rest."""
    if node is None:
        return None, None
    if (node.lower, node.order) < (lower, order):
        left, right = _split(node.right, lower, order)
        node.right = left
        node.refresh()
        return node, right
    left, right = _split(node.left, lower, order)
    node.left = right
    node.refresh()
    return left, node


class _Group(Generic[W]):
    """The watchers under one (index, prefix): those of the whole prefix, and those of parts of it."""

    __slots__ = ("root", "whole")

    def __init__(self) -> None:
        self.whole: set[W] = set()
        self.root: _Node[W] | None = None

    def insert(self, node: _Node[W]) -> None:
        left, right = _split(self.root, node.lower, node.order)
        self.root = _merge(_merge(left, node), right)

    def discard(self, node: _Node[W]) -> None:
        left, rest = _split(self.root, node.lower, node.order)
        _, right = _split(rest, node.lower, node.order + 1)
        self.root = _merge(left, right)

    def stab(self, key: bytes, found: set[W]) -> None:
        """Add the watchers whose interval holds `key`."""
        found.update(self.whole)
        stack = [self.root] if self.root is not None else []
        while stack:
            node = stack.pop()
            if node.reach <= key:
                continue
            if node.left is not None:
                stack.append(node.left)
            if node.lower <= key:
                if key < node.upper:
                    found.add(node.watcher)
                if node.right is not None:
                    stack.append(node.right)

    @property
    def is_empty(self) -> bool:
        return not self.whole and self.root is None


def equality_prefix(lower: bytes, upper: bytes | None) -> tuple[bytes, bool]:
    """The longest run of whole fields that every key in [lower, upper) begins with, and whether it is all
    of it.

    The second answer is True where the interval covers every key with that prefix.
    """
    if upper is not None:
        for offset in reversed(key_offsets(lower)):
            prefix = lower[:offset]
            end = key_successor(prefix)
            if end is None or upper <= end:
                return prefix, lower == prefix and upper == end
        return b"", False
    return b"", lower == b""


class WakeIndex(Generic[W]):
    """Watchers by what they read."""

    def __init__(self) -> None:
        self._groups: dict[tuple[int, bytes], _Group[W]] = {}
        # Intervals that hold one key and nothing else: reads of a document by its id.
        self._points: dict[tuple[int, bytes], set[W]] = {}
        self._handles: dict[W, list[_Handle[W]]] = {}
        self._order = 0

    def __len__(self) -> int:
        return len(self._handles)

    def __contains__(self, watcher: object) -> bool:
        return watcher in self._handles

    def add(self, watcher: W, read_set: ReadSet) -> None:
        """Watch what `read_set` covers; replaces what the watcher watched before."""
        if watcher in self._handles:
            self.remove(watcher)
        handles: list[_Handle[W]] = []
        for index_id, intervals in read_set.intervals.items():
            for lower, upper in intervals:
                if upper is not None and len(upper) == len(lower) + 1 and upper == lower + b"\0":
                    self._points.setdefault((index_id, lower), set()).add(watcher)
                    handles.append(((index_id, lower), _POINT))
                    continue
                prefix, is_whole = equality_prefix(lower, upper)
                at = (index_id, prefix)
                group = self._groups.get(at)
                if group is None:
                    group = self._groups[at] = _Group()
                node: _Node[W] | None = None
                if is_whole:
                    group.whole.add(watcher)
                else:
                    self._order += 1
                    node = _Node(lower, _END if upper is None else upper, self._order, watcher)
                    group.insert(node)
                handles.append((at, _WHOLE if node is None else node))
        self._handles[watcher] = handles

    def remove(self, watcher: W) -> None:
        """Stop watching. Does nothing for a watcher that is not in the index."""
        for at, node in self._handles.pop(watcher, ()):
            if node is _POINT:
                watchers = self._points[at]
                watchers.discard(watcher)
                if not watchers:
                    del self._points[at]
                continue
            group = self._groups[at]
            if not isinstance(node, _Node):
                group.whole.discard(watcher)
            else:
                group.discard(node)
            if group.is_empty:
                del self._groups[at]

    def touched(self, row: LogRow) -> set[W]:
        """The watchers whose read set holds an old or new key of `row`."""
        found: set[W] = set()
        for write in row.writes:
            for index_id, old_key, new_key in write.keys:
                if old_key is not None:
                    self._stab(index_id, old_key, found)
                if new_key is not None and new_key != old_key:
                    self._stab(index_id, new_key, found)
        return found

    def _stab(self, index_id: int, key: bytes, found: set[W]) -> None:
        found.update(self._points.get((index_id, key), ()))
        groups = self._groups
        if not groups:
            return
        group = groups.get((index_id, b""))
        if group is not None:
            group.stab(key, found)
        for offset in key_offsets(key):
            group = groups.get((index_id, key[:offset]))
            if group is not None:
                group.stab(key, found)
