"""Parts of scans: a range of an index between two keys, as pages of results have them.

Floor 2, `database`, under `reads`.

Not here: how a page finds its ends (`execution/pages.py`).
"""

from __future__ import annotations

import msgspec

from rewake.database.read_set import Interval


class Part(msgspec.Struct):
    """A part of a scan: behind the key `after`, up to and with the key `until`, in the order of the scan.

    None is the beginning, or the end. `keys` gets the key of each document before it is given out.
    """

    after: bytes | None = None
    until: bytes | None = None
    keys: list[bytes] = msgspec.field(default_factory=list)

    def narrow(self, interval: Interval, *, descending: bool) -> Interval:
        """What remains of a query's interval."""
        lower, upper = interval
        low, high = (self.until, self.after) if descending else (self.after, self.until)
        if low is not None:
            lower = max(lower, low if descending else low + b"\0")
        if high is not None:
            edge = high if descending else high + b"\0"
            upper = edge if upper is None else min(upper, edge)
        return lower, upper if upper is None else max(lower, upper)
