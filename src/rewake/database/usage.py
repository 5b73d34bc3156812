"""Usage: what one transaction has read and written, against its limits.

Floor 2, `database`. Limits hold for the whole transaction, nested calls included, and a caught error refunds
nothing: the next read fails again. Bytes are those of the stored text, which is what was really fetched or
written.

Not here: the numbers themselves (`limits`), limits of single documents (`values`).
Source: spec/semantics 5.8.
"""

from __future__ import annotations

from typing import NamedTuple

from rewake.errors import LimitExceeded
from rewake.limits import KIB, LIMIT_WARNING_SHARE, MIB, Limits

_HELP = (
    "Consider using smaller limits in your queries, paginating your queries, or using indexed queries "
    "with a selective index range expressions."
)


class TooManyDocumentsRead(LimitExceeded):
    """One transaction scanned too many documents. Use an index range, a smaller limit, or pages."""

    code = "TooManyDocumentsRead"
    template = f"Too many documents read in a single function execution (limit: {{limit}}). {_HELP}"


class TooManyBytesRead(LimitExceeded):
    """One transaction scanned too many bytes. Use an index range, a smaller limit, or pages."""

    code = "TooManyBytesRead"
    template = f"Too many bytes read in a single function execution (limit: {{limit}} bytes). {_HELP}"


class TooManyReads(LimitExceeded):
    """One transaction read too many separate ranges. Use an index that lays them side by side."""

    code = "TooManyReads"
    template = f"Too many reads in a single function execution (limit: {{limit}}). {_HELP}"


class TooManyWrites(LimitExceeded):
    """One transaction wrote too many documents. Split the work over several mutations."""

    code = "TooManyWrites"
    template = "Too many writes in a single function execution (limit: {limit})"


class TooManyBytesWritten(LimitExceeded):
    """One transaction wrote too many bytes. Split the work over several mutations."""

    code = "TooManyBytesWritten"
    template = "Too many bytes written in a single function execution (limit: {limit})"


class Measure(NamedTuple):
    """How much of one limit was used."""

    name: str
    used: int
    limit: int
    description: str
    unit: str = ""
    advice: str = ""

    @property
    def is_near(self) -> bool:
        """Whether it is time to say something."""
        return self.used >= LIMIT_WARNING_SHARE * self.limit

    @property
    def warning(self) -> str:
        """What to say: the log line of semantics 5.8."""
        text = f"{self.description} (actual: {self.used}{self.unit}, limit: {self.limit}{self.unit})."
        return f"{text} {self.advice}" if self.advice else text


_NEVER = 2**62

BOUNDLESS = Limits(
    documents_read_max=_NEVER,
    bytes_read_max=_NEVER,
    intervals_read_max=_NEVER,
    documents_written_max=_NEVER,
    bytes_written_max=_NEVER,
)
"""For transactions of the house itself."""


class Usage:
    """The counters of one transaction."""

    __slots__ = (
        "_limits",
        "bytes_read",
        "bytes_written",
        "documents_read",
        "documents_written",
        "intervals_allowed",
    )

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.documents_read = 0
        self.documents_written = 0
        self.bytes_read = 0
        self.bytes_written = 0
        # Parts that may be recorded before intervals are merged and counted again; only ever raised.
        self.intervals_allowed = limits.intervals_read_max

    def count_read(self, text: str) -> None:
        """Charge one document that a read gave out, or looked at."""
        self.documents_read += 1
        self.bytes_read += _length(text)
        if self.documents_read > self._limits.documents_read_max:
            raise TooManyDocumentsRead(limit=self._limits.documents_read_max)
        if self.bytes_read > self._limits.bytes_read_max:
            raise TooManyBytesRead(limit=self._limits.bytes_read_max)

    @property
    def documents_left(self) -> int:
        """How many documents may still be read."""
        return self._limits.documents_read_max - self.documents_read

    @property
    def bytes_left(self) -> int:
        """How many bytes may still be read."""
        return self._limits.bytes_read_max - self.bytes_read

    def measures(self, *, intervals: int) -> tuple[Measure, ...]:
        """What was used of each limit; `intervals` is the size of the read set."""
        limits, here = self._limits, "in a single function execution"
        return (
            Measure(
                "documents_read",
                self.documents_read,
                limits.documents_read_max,
                f"Many documents read {here}",
                advice=_HELP,
            ),
            Measure(
                "database_queries", intervals, limits.intervals_read_max, f"Many reads {here}", advice=_HELP
            ),
            Measure(
                "bytes_read",
                self.bytes_read,
                limits.bytes_read_max,
                f"Many bytes read {here}",
                " bytes",
                _HELP,
            ),
            Measure(
                "documents_written",
                self.documents_written,
                limits.documents_written_max,
                f"Many writes {here}",
            ),
            Measure(
                "bytes_written",
                self.bytes_written,
                limits.bytes_written_max,
                f"Many bytes written {here}",
                " bytes",
            ),
        )

    def is_near_a_limit(self, *, parts: int) -> bool:
        """Whether `measures` are worth a look: asked after every run, so without making them."""
        limits, share = self._limits, LIMIT_WARNING_SHARE
        return (
            self.documents_read >= share * limits.documents_read_max
            or self.bytes_read >= share * limits.bytes_read_max
            or parts >= share * limits.intervals_read_max
            or self.documents_written >= share * limits.documents_written_max
            or self.bytes_written >= share * limits.bytes_written_max
        )

    def count_intervals(self, *, parts: int, merged: int) -> None:
        """Charge the read set: `parts` were recorded, which merge into so many intervals."""
        limit = self._limits.intervals_read_max
        if merged > limit:
            raise TooManyReads(limit=limit)
        self.intervals_allowed = parts + (limit - merged)

    def count_write(self, text: str) -> int:
        """Charge one written document; returns its bytes."""
        size = _length(text)
        self.documents_written += 1
        self.bytes_written += size
        if self.documents_written > self._limits.documents_written_max:
            raise TooManyWrites(limit=self._limits.documents_written_max)
        if self.bytes_written > self._limits.bytes_written_max:
            raise TooManyBytesWritten(limit=_readable(self._limits.bytes_written_max))
        return size


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _readable(size: int) -> str:
    for unit, name in ((MIB, "MiB"), (KIB, "KiB")):
        if size >= unit and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} bytes"
