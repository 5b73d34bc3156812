"""Fresh entries: first results that nobody has asked for again, and that no commit has come after.

Floor 4, `reactivity`. Most of what is asked once is not asked again soon: a page is opened and left. To have
it found by the commits that touch it costs about as much as to show it. So a first result is not registered
in the wake index until there is a reason to: the next commit, somebody who asks again, or many results that
came after it while it is still shown. Where none of these comes it is forgotten, and was never registered.

    put -> fresh --- a commit comes, asked again, or many came and it is shown -> registered in the index
                 `-- many came and nobody shows it -> forgotten; when it comes again it is registered at once

What is fresh is as true as what is registered, since `register_all` comes before any row is looked up.

Not here: what a commit touches (`wake_index.py`), how many bytes are cached (`unused_entries.py`).
Source: Johnson and Shasha, "2Q: A Low Overhead High Performance Buffer Management Replacement Algorithm"
(1994).
"""

from __future__ import annotations

from rewake.database import ReadSet
from rewake.reactivity.entries import Entry
from rewake.reactivity.wake_index import WakeIndex

FRESH_MAX = 128
"""The next commit has to register so many at most, which takes it a quarter of a millisecond."""
_NAMES_MAX = 32_768
"""So many names of what was forgotten are remembered, and as many from before those."""


class FreshEntries:
    """The fresh entries of one hub, in front of its index."""

    def __init__(self, index: WakeIndex[Entry], *, most: int = FRESH_MAX) -> None:
        self._index = index
        self._most = most
        # In the order in which they came.
        self._fresh: dict[Entry, bytes] = {}
        self._names: set[int] = set()
        self._older_names: set[int] = set()

    def __len__(self) -> int:
        return len(self._fresh)

    def put(self, entry: Entry, packed_read_set: bytes) -> Entry | None:
        """Take the first result of `entry`, with what its run has read, which is not looked at before it is
        registered. Gives an entry that is to be forgotten, where there is one too many.
        """
        name = hash(entry.key)
        if name in self._names or name in self._older_names:
            self._register(entry, packed_read_set)
            return None
        self._fresh[entry] = packed_read_set
        if len(self._fresh) <= self._most:
            return None
        oldest = next(iter(self._fresh))
        if oldest.subscription_count or oldest.runs:
            self.register(oldest)
            return None
        del self._fresh[oldest]
        self._remember(hash(oldest.key))
        return oldest

    def register(self, entry: Entry) -> None:
        """Have commits find `entry` from now on. Harmless where they do."""
        packed = self._fresh.pop(entry, None)
        if packed is not None:
            self._register(entry, packed)

    def register_all(self) -> None:
        """A commit has come."""
        fresh, self._fresh = self._fresh, {}
        for entry, packed in fresh.items():
            self._register(entry, packed)

    def drop(self, entry: Entry) -> bool:
        """Its result counts no longer. Whether it was here; then it is not in the index."""
        return self._fresh.pop(entry, None) is not None

    def _register(self, entry: Entry, packed_read_set: bytes) -> None:
        self._index.add(entry, ReadSet.from_wire(packed_read_set))
        entry.watched = hash(packed_read_set)  # Most second runs read the same, and are not entered again.

    def _remember(self, name: int) -> None:
        if len(self._names) >= _NAMES_MAX:
            self._names, self._older_names = set(), self._names
        self._names.add(name)
