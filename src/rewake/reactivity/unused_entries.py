"""Unused entries: results that nobody shows, kept for the next reader as long as there is room.

Floor 4, `reactivity`. The least recently used goes first. Who keeps an entry is told which others have to go.

Not here: whether a result is still true, and forgetting (`live_queries.py`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping, Sequence

from rewake.execution import Success
from rewake.reactivity.entries import RESULT_BYTES, Entry


class UnusedEntries:
    """A bounded cache of entries. By object, since entries may change their key."""

    def __init__(self, *, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        # By use, oldest first: what each entry is charged for.
        self._sizes: OrderedDict[Entry, int] = OrderedDict()

    @property
    def sizes(self) -> Mapping[Entry, int]:
        """The entries, and how much memory each takes, about."""
        return self._sizes

    def takes(self, entry: Entry, result: Success) -> bool:
        """Whether this result of `entry` could be kept if nothing else were."""
        return RESULT_BYTES + len(result.value) + len(entry.key.question.args) <= self._bytes_max

    def keep(self, entry: Entry) -> Sequence[Entry]:
        """Keep an entry that has a result. Gives those that there is no room for any more, itself perhaps;
        they are kept no longer.
        """
        result = entry.result
        assert result is not None
        result.rendered = None  # Nobody shows it, and it is as large as the result.
        size = result.size_bytes + len(entry.key.question.args)
        self._bytes -= self._sizes.pop(entry, 0)
        if size > self._bytes_max:
            return (entry,)  # Not if nothing else were: nobody has to go for it.
        self._bytes += size
        self._sizes[entry] = size
        outgrown = []
        while self._bytes > self._bytes_max:
            oldest, size = self._sizes.popitem(last=False)
            self._bytes -= size
            outgrown.append(oldest)
        return outgrown

    def touch(self, entry: Entry) -> None:
        """It was used, if it is here."""
        if entry in self._sizes:
            self._sizes.move_to_end(entry)

    def drop(self, entry: Entry) -> None:
        """Keep it no longer. Harmless when it is not kept."""
        self._bytes -= self._sizes.pop(entry, 0)
