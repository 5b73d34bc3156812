"""The wake index: which watchers does this write touch?

Floor 4, `reactivity`. One predicate serves live queries and the shared cache: "does a key of this commit
log row lie in that read set". A scan over all read sets would answer it in time proportional to their
number; this index answers it in time proportional to the answer.

    watcher's intervals --> (index, equality prefix) --> whole prefix: who watches it
                                                    '--> part of it:   an interval tree

A query that fixes the first fields of an index (`channel = c`) reads keys that all begin with the same
bytes. A written key is cut at its field boundaries, as far in as anybody watches, and each cut is one
dictionary look-up; 100,000 watchers on 100,000 channels cost the same as ten. What remains within one prefix
(pages of one list, ranges of time) is kept in a treap ordered by lower bound and augmented with the greatest
upper bound, so that finding the k intervals around a key takes O(k + log n).

Not here: recording read sets (`database/read_set.py`), what waking means (`live_queries.py`).
Source: Seidel and Aragon, "Randomized Search Trees" (1996); Cormen et al., "Interval trees".
"""

from __future__ import annotations

from collections.abc import Hashable
from functools import lru_cache
from typing import Generic, TypeVar

from rewake.database import Interval, ReadSet
from rewake.storage import LogRow
from rewake.values import key_offsets, key_successor

W = TypeVar("W", bound=Hashable)

_END = b"\xff" * 8
"""Greater than every key: no type tag begins with 0xFF."""


class _Node(Generic[W]):
    """One interval in a treap; `order` makes equal intervals of different watchers distinct."""

    __slots__ = ("at", "left", "lower", "order", "priority", "reach", "right", "upper", "watcher")

    def __init__(self, at: tuple[int, bytes], lower: bytes, upper: bytes, order: int, watcher: W) -> None:
        self.at = at
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


_Place = tuple[int, bytes]
"""Where watchers stand: an index and a prefix; for one key and nothing else, the complement of the index."""

_Handle = _Place | _Node[W]
"""How to find a watcher again: the place of which it watches all, or its node."""


class _Several(set[W]):
    """More than one watcher of one place. They all hold the place as it stands here, and no copy of it."""

    __slots__ = ("at",)

    def __init__(self, at: _Place, watchers: tuple[W, ...]) -> None:
        super().__init__(watchers)
        self.at = at


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


class _Tree(Generic[W]):
    """The watchers of parts of one (index, prefix)."""

    __slots__ = ("root",)

    def __init__(self) -> None:
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


@lru_cache(maxsize=512)
def equality_prefix(lower: bytes, upper: bytes | None) -> tuple[bytes, bool]:
    """The longest run of whole fields that every key in [lower, upper) begins with, and whether it is all
    of it.

    The second answer is True where the interval covers every key with that prefix. Remembered: all that read
    one table, one module or one list have looked at the same.
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
        # Who watches all of a place. Most places have one watcher, and most watchers one place: there is no
        # set and no list around one of anything, which would be larger than all the rest.
        self._wholes: dict[_Place, W | _Several[W]] = {}
        self._trees: dict[_Place, _Tree[W]] = {}
        # Several are a tuple: the garbage collector lets go of tuples of places for good, where it would go
        # through a list for each watcher in every full collection.
        self._handles: dict[W, _Handle[W] | tuple[_Handle[W], ...]] = {}
        # The length of the longest prefix by which somebody has ever watched something in an index: a written
        # key is not cut behind it. The ids of indexes are never used again, so there are few; and a write to
        # one that nobody has watched need not be looked at.
        self._lengths: dict[int, int] = {}
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
            longest = self._lengths.get(index_id, 0)
            for lower, upper in intervals:
                if upper is not None and len(upper) == len(lower) + 1 and upper == lower + b"\0":
                    # A read of a document by its id.
                    handles.append(self._watch_all((~index_id, lower), watcher))
                    continue
                prefix, is_whole = equality_prefix(lower, upper)
                longest = max(longest, len(prefix))
                if is_whole:
                    handles.append(self._watch_all((index_id, prefix), watcher))
                else:
                    handles.append(self._watch_part((index_id, prefix), lower, upper, watcher))
            self._lengths[index_id] = longest
        self._handles[watcher] = handles[0] if len(handles) == 1 else tuple(handles)

    def remove(self, watcher: W) -> None:
        """Stop watching. Does nothing for a watcher that is not in the index."""
        handles = self._handles.pop(watcher, None)
        if handles is None:
            return
        for handle in _each(handles):
            if isinstance(handle, _Node):
                tree = self._trees[handle.at]
                tree.discard(handle)
                if tree.root is None:
                    del self._trees[handle.at]
            else:
                self._leave(handle, watcher)

    def watched_by(self, watcher: W) -> ReadSet:
        """What a watcher watches: the inverse of `add`. Nothing for one that is not in the index."""
        intervals: dict[int, list[Interval]] = {}
        for handle in _each(self._handles.get(watcher, ())):
            if isinstance(handle, _Node):
                index_id, interval = handle.at[0], (handle.lower, _bound(handle.upper))
            elif handle[0] < 0:
                index_id, interval = ~handle[0], (handle[1], handle[1] + b"\0")
            else:
                index_id, interval = handle[0], (handle[1], key_successor(handle[1]))
            intervals.setdefault(index_id, []).append(interval)
        return ReadSet(intervals)

    def touched(self, row: LogRow) -> set[W]:
        """The watchers whose read set holds an old or new key of `row`."""
        found: set[W] = set()
        lengths = self._lengths
        for write in row.writes:
            for index_id, old_key, new_key in write.keys:
                longest = lengths.get(index_id)
                if longest is None:
                    continue
                if old_key is not None:
                    self._stab(index_id, old_key, longest, found)
                if new_key is not None and new_key != old_key:
                    self._stab(index_id, new_key, longest, found)
        return found

    def _watch_all(self, at: _Place, watcher: W) -> _Place:
        there = self._wholes.get(at)
        if there is None:
            self._wholes[at] = watcher
        elif isinstance(there, _Several):
            there.add(watcher)
            return there.at
        elif there != watcher:
            self._wholes[at] = _Several(at, (there, watcher))
        return at

    def _leave(self, at: _Place, watcher: W) -> None:
        there = self._wholes[at]
        if not isinstance(there, _Several):
            del self._wholes[at]
            return
        there.discard(watcher)
        if len(there) == 1:
            self._wholes[at] = there.pop()

    def _watch_part(self, at: _Place, lower: bytes, upper: bytes | None, watcher: W) -> _Node[W]:
        tree = self._trees.get(at)
        if tree is None:
            tree = self._trees[at] = _Tree()
        self._order += 1
        node = _Node(at, lower, _END if upper is None else upper, self._order, watcher)
        tree.insert(node)
        return node

    def _stab(self, index_id: int, key: bytes, longest: int, found: set[W]) -> None:
        wholes, trees = self._wholes, self._trees
        places = [(~index_id, key), (index_id, b"")]
        for offset in key_offsets(key, longest):
            places.append((index_id, key[:offset]))
        for at in places:
            there = wholes.get(at)
            if isinstance(there, _Several):
                found.update(there)
            elif there is not None:
                found.add(there)
            if trees and (tree := trees.get(at)) is not None:
                tree.stab(key, found)


def _bound(upper: bytes) -> bytes | None:
    """The upper bound of an interval, of which a node has a key in every case."""
    return None if upper == _END else upper


def _each(handles: _Handle[W] | tuple[_Handle[W], ...]) -> tuple[_Handle[W], ...]:
    """The handles of a watcher: one is kept without a tuple around it, and a place is itself a tuple."""
    if isinstance(handles, _Node) or (handles and isinstance(handles[0], int)):
        return (handles,)
    return handles
