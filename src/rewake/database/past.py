"""The past: a snapshot as it stood at an older timestamp.

Floor 2, `database`. The tables hold the latest documents only. What they held at T is what they hold now,
with every later commit undone: the log's before-images laid over the latest rows, newest first, so that the
oldest image of a key wins.

    at T = latest  <-undo-  row T+3  <-undo-  row T+2  <-undo-  row T+1

Memory grows with what was written since T, which retention bounds.

Not here: whether T is still kept (`snapshots.py`).
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable

from rewake.storage import LogRow, Reads


class PastReads:
    """Reads under which everything after a timestamp has not happened yet. See `storage.Reads`."""

    def __init__(self, latest: Reads, rows_newest_first: Iterable[LogRow]) -> None:
        self._latest = latest
        self._images: dict[int, dict[bytes, str | None]] = {}
        for row in rows_newest_first:
            for write in row.writes:
                for index_id, old_key, new_key in write.keys:
                    images = self._images.setdefault(index_id, {})
                    if new_key is not None:
                        images[new_key] = None
                    if old_key is not None:
                        images[old_key] = write.old
        self._keys = {index_id: sorted(images) for index_id, images in self._images.items()}

    def find(self, index_id: int, key: bytes) -> str | None:
        """See `Reads.find`."""
        images = self._images.get(index_id)
        if images is not None and key in images:
            return images[key]
        return self._latest.find(index_id, key)

    def page(
        self, index_id: int, lower: bytes, upper: bytes | None, *, descending: bool, limit: int
    ) -> list[tuple[bytes, str]]:
        """See `Reads.page`."""
        images = self._images.get(index_id)
        if images is None:
            return self._latest.page(index_id, lower, upper, descending=descending, limit=limit)
        found: list[tuple[bytes, str]] = []
        while len(found) < limit:
            page = self._latest.page(index_id, lower, upper, descending=descending, limit=limit)
            is_last = len(page) < limit
            # The stretch of the index that this page says everything about.
            low, high = lower, upper
            if not is_last:
                if descending:
                    low = page[-1][0]
                else:
                    high = page[-1][0] + b"\0"
            stretch = [entry for entry in page if entry[0] not in images]
            for key in self._keys_between(index_id, low, high):
                image = images[key]
                if image is not None:
                    stretch.append((key, image))
            stretch.sort(reverse=descending)
            found += stretch
            if is_last:
                break
            if descending:
                upper = low
            else:
                assert high is not None
                lower = high
        return found[:limit]

    def _keys_between(self, index_id: int, lower: bytes, upper: bytes | None) -> list[bytes]:
        keys = self._keys[index_id]
        return keys[bisect_left(keys, lower) : len(keys) if upper is None else bisect_left(keys, upper)]
