"""Usage: what one transaction has read and written, against its limits.

Floor 2, `database`. Limits hold for the whole transaction, nested calls included, and a caught error refunds
nothing: the next read fails again. Bytes are those of the stored text, which is what was really fetched or
written.

A nested call can be given less than what is left. Such a *cap* lowers the ceilings while the call lasts; what
the call used stays counted when they go up again.

    documents_read    0 ....... 100 ............. 400 ............ 32,000
                                begin of the call  ceiling (300 more)   the transaction's own

Not here: the numbers themselves (`limits`), limits of single documents (`values`), counting index ranges
(`reads.py`, which has the read set).
Source: spec/semantics 5.6, 5.8, 5.9.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from rewake.errors import LimitExceeded
from rewake.limits import KIB, LIMIT_WARNING_SHARE, MIB, Limits

_HELP = (
    "Consider using smaller limits in your queries, paginating your queries, or using indexed queries "
    "with a selective index range expressions."
)


class TooManyDocumentsRead(LimitExceeded):
    """One transaction scanned too many documents. Use an index range, a smaller limit, or pages."""

    code, setting = "TooManyDocumentsRead", "documents_read_max"
    template = f"Too many documents read in a single function execution (limit: {{limit}}). {_HELP}"


class TooManyBytesRead(LimitExceeded):
    """One transaction scanned too many bytes. Use an index range, a smaller limit, or pages."""

    code, setting = "TooManyBytesRead", "bytes_read_max"
    template = f"Too many bytes read in a single function execution (limit: {{limit}} bytes). {_HELP}"


class TooManyReads(LimitExceeded):
    """One transaction read too many separate ranges. Use an index that lays them side by side."""

    code, setting = "TooManyReads", "intervals_read_max"
    template = f"Too many reads in a single function execution (limit: {{limit}}). {_HELP}"


class TooManyWrites(LimitExceeded):
    """One transaction wrote too many documents. Split the work over several mutations."""

    code, setting = "TooManyWrites", "documents_written_max"
    template = "Too many writes in a single function execution (limit: {limit})"


class TooManyBytesWritten(LimitExceeded):
    """One transaction wrote too many bytes. Split the work over several mutations."""

    code, setting = "TooManyBytesWritten", "bytes_written_max"
    template = "Too many bytes written in a single function execution (limit: {shown_limit})"

    @staticmethod
    def show(amount: float) -> str:
        """Bytes in the largest unit that leaves no rest."""
        for unit, name in ((MIB, "MiB"), (KIB, "KiB")):
            if amount >= unit and amount % unit == 0:
                return f"{amount // unit:g} {name}"
        return f"{amount} bytes"


class TooManyFunctionsScheduled(LimitExceeded):
    """One mutation scheduled too many functions. Let a scheduled function schedule the rest."""

    code, setting = "TooManyFunctionsScheduled", "functions_scheduled_max"
    template = "Too many functions scheduled by this mutation (limit: {limit})"


class ScheduledFunctionsArgumentsTooLarge(LimitExceeded):
    """One mutation scheduled functions with too large arguments. Store the data and pass its id."""

    code, setting = "ScheduledFunctionsArgumentsTooLarge", "scheduled_arguments_bytes_max"
    template = (
        "Too large total size of the arguments of scheduled functions from this mutation "
        "(limit: {limit} bytes)"
    )


class TooManyFilesRead(LimitExceeded):
    """One mutation read too many files. Read them in an action."""

    code, setting = "TooManyFilesRead", "files_read_max"
    template = "Too many files read in a single function execution (limit: {limit})"


class TooManyFileBytesRead(LimitExceeded):
    """One mutation read too many bytes of files. Read them in an action."""

    code, setting = "TooManyFileBytesRead", "file_bytes_read_max"
    template = "Too many bytes of files read in a single function execution (limit: {limit} bytes)"


class TooManyFilesWritten(LimitExceeded):
    """One mutation stored too many files. Store them in an action, or have clients upload them."""

    code, setting = "TooManyFilesWritten", "files_written_max"
    template = "Too many files stored in a single function execution (limit: {limit})"


class TooManyFileBytesWritten(LimitExceeded):
    """One mutation stored too many bytes of files. Store them in an action, or have clients upload them."""

    code, setting = "TooManyFileBytesWritten", "file_bytes_written_max"
    template = "Too many bytes of files stored in a single function execution (limit: {limit} bytes)"


class _Measured(msgspec.Struct, frozen=True):
    """One thing that is counted: its name in `ctx.meta`, and what is said and raised about it."""

    name: str
    error: type[LimitExceeded]
    description: str
    unit: str = ""


_HERE = "in a single function execution"
_READS = "database_queries"
_MEASURED = (
    _Measured("documents_read", TooManyDocumentsRead, f"Many documents read {_HERE}"),
    _Measured(_READS, TooManyReads, f"Many reads {_HERE}"),
    _Measured("bytes_read", TooManyBytesRead, f"Many bytes read {_HERE}", " bytes"),
    _Measured("documents_written", TooManyWrites, f"Many writes {_HERE}"),
    _Measured("bytes_written", TooManyBytesWritten, f"Many bytes written {_HERE}", " bytes"),
    _Measured("functions_scheduled", TooManyFunctionsScheduled, "Many functions scheduled by this mutation"),
    _Measured(
        "scheduled_function_args_bytes",
        ScheduledFunctionsArgumentsTooLarge,
        "Large total size of the arguments of scheduled functions from this mutation",
        " bytes",
    ),
    _Measured("files_read", TooManyFilesRead, f"Many files read {_HERE}"),
    _Measured("file_read_bytes", TooManyFileBytesRead, f"Many bytes of files read {_HERE}", " bytes"),
    _Measured("files_written", TooManyFilesWritten, f"Many files stored {_HERE}"),
    _Measured("file_write_bytes", TooManyFileBytesWritten, f"Many bytes of files stored {_HERE}", " bytes"),
)


class Measure(NamedTuple):
    """How much of one limit was used."""

    name: str
    used: int
    limit: int
    description: str
    unit: str = ""
    code: str = ""
    """Of the error that going over the limit is."""

    @property
    def is_near(self) -> bool:
        """Whether it is time to say something."""
        return self.used >= LIMIT_WARNING_SHARE * self.limit

    @property
    def warning(self) -> str:
        """What to say: the log line of semantics 5.8."""
        amounts = f"(actual: {self.used}{self.unit}, limit: {self.limit}{self.unit})"
        return f"{self.description} {amounts}. {_HELP}"


class Ceilings(NamedTuple):
    """Ceilings as they were before a cap: what `lift` puts back."""

    most: Limits
    begins: Mapping[str, int]


_NO_CAP: Mapping[str, int] = MappingProxyType({})
_NEVER = 2**62

BOUNDLESS = Limits(
    documents_read_max=_NEVER,
    bytes_read_max=_NEVER,
    intervals_read_max=_NEVER,
    documents_written_max=_NEVER,
    bytes_written_max=_NEVER,
    files_read_max=_NEVER,
    file_bytes_read_max=_NEVER,
    files_written_max=_NEVER,
    file_bytes_written_max=_NEVER,
)
"""For transactions of the house itself."""


_SETTINGS = {each.name: each.error.setting for each in _MEASURED}
"""What is counted under a name, to the field of `Limits` that bounds it."""


class Usage(msgspec.Struct, eq=False, gc=False):
    """The counters of one transaction, under their names in `ctx.meta`, and their ceilings.

    One is made for every run, so nothing is copied that only a cap changes.
    """

    most: Limits
    """The ceilings, counted from the begin of the transaction. Only `lower` and `lift` put others there."""
    documents_read: int = 0
    documents_written: int = 0
    bytes_read: int = 0
    bytes_written: int = 0
    functions_scheduled: int = 0
    scheduled_function_args_bytes: int = 0
    files_read: int = 0
    file_read_bytes: int = 0
    files_written: int = 0
    file_write_bytes: int = 0
    _begins: Mapping[str, int] = _NO_CAP
    """What was used when a cap began, for each ceiling that is a cap's and not the transaction's own."""

    def count_read(self, text: str) -> None:
        """Charge one document that a read gave out, or looked at."""
        self.documents_read += 1
        # `_length`, here and below, without a call for each document.
        self.bytes_read += len(text) if text.isascii() else len(text.encode())
        if self.documents_read > self.most.documents_read_max:
            raise self._exceeded(TooManyDocumentsRead, "documents_read", self.documents_read)
        if self.bytes_read > self.most.bytes_read_max:
            raise self._exceeded(TooManyBytesRead, "bytes_read", self.bytes_read)

    def count_page(self, texts: list[str]) -> bool:
        """Charge many documents that a read gives out; or none, and False, if too many."""
        documents, size = self.documents_read + len(texts), self.bytes_read + _length("".join(texts))
        if documents > self.most.documents_read_max or size > self.most.bytes_read_max:
            return False
        self.documents_read, self.bytes_read = documents, size
        return True

    def count_write(self, text: str) -> int:
        """Charge one written document; returns its bytes."""
        size = len(text) if text.isascii() else len(text.encode())
        self.documents_written += 1
        self.bytes_written += size
        if self.documents_written > self.most.documents_written_max:
            raise self._exceeded(TooManyWrites, "documents_written", self.documents_written)
        if self.bytes_written > self.most.bytes_written_max:
            raise self._exceeded(TooManyBytesWritten, "bytes_written", self.bytes_written)
        return size

    def count_scheduled(self, arguments: str) -> None:
        """Charge one scheduled function, by its encoded arguments."""
        self.functions_scheduled += 1
        self.scheduled_function_args_bytes += _length(arguments)
        if self.functions_scheduled > self.most.functions_scheduled_max:
            raise self._exceeded(TooManyFunctionsScheduled, "functions_scheduled", self.functions_scheduled)
        size = self.scheduled_function_args_bytes
        if size > self.most.scheduled_arguments_bytes_max:
            raise self._exceeded(ScheduledFunctionsArgumentsTooLarge, "scheduled_function_args_bytes", size)

    def count_file_read(self, size: int) -> None:
        """Charge one file whose bytes are about to be read."""
        self.files_read += 1
        self.file_read_bytes += size
        if self.files_read > self.most.files_read_max:
            raise self._exceeded(TooManyFilesRead, "files_read", self.files_read)
        if self.file_read_bytes > self.most.file_bytes_read_max:
            raise self._exceeded(TooManyFileBytesRead, "file_read_bytes", self.file_read_bytes)

    def count_file_written(self) -> None:
        """Charge one file that is about to be stored."""
        self.files_written += 1
        if self.files_written > self.most.files_written_max:
            raise self._exceeded(TooManyFilesWritten, "files_written", self.files_written)

    def count_file_bytes_written(self, size: int) -> None:
        """Charge bytes of it."""
        self.file_write_bytes += size
        if self.file_write_bytes > self.most.file_bytes_written_max:
            raise self._exceeded(TooManyFileBytesWritten, "file_write_bytes", self.file_write_bytes)

    def check_intervals(self, merged: int) -> None:
        """Say so where the read set has too many intervals."""
        if merged > self.most.intervals_read_max:
            raise self._exceeded(TooManyReads, _READS, merged)

    @property
    def documents_left(self) -> int:
        """How many documents may still be read."""
        return self.most.documents_read_max - self.documents_read

    @property
    def bytes_left(self) -> int:
        """How many bytes may still be read."""
        return self.most.bytes_read_max - self.bytes_read

    def lower(self, caps: Mapping[str, int], *, intervals: int) -> Ceilings:
        """Allow only so much more from now on, and never more than is left; returns what `lift` wants.

        `caps` go by the names of `measures`; `intervals` is the size of the read set.
        """
        before = Ceilings(self.most, self._begins)
        lowered, begins = {}, {}
        for name, more in caps.items():
            used = intervals if name == _READS else getattr(self, name)
            if used + more < getattr(before.most, _SETTINGS[name]):
                lowered[_SETTINGS[name]] = used + more
                begins[name] = used
        self.most = replace(before.most, **lowered)
        self._begins = {**before.begins, **begins}
        return before

    def lift(self, before: Ceilings) -> None:
        """Take a cap back. What was used meanwhile stays counted."""
        self.most, self._begins = before

    def measures(self, *, intervals: int) -> tuple[Measure, ...]:
        """What was used of each limit; `intervals` is the size of the read set."""
        return tuple(
            Measure(
                x.name,
                intervals if x.name == _READS else getattr(self, x.name),
                getattr(self.most, _SETTINGS[x.name]),
                x.description,
                x.unit,
                x.error.code,
            )
            for x in _MEASURED
        )

    def is_near_a_limit(self, *, parts: int) -> bool:
        """Whether `measures` are worth a look: asked after every run, so without making them."""
        share = LIMIT_WARNING_SHARE
        if (
            self.documents_read >= share * self.most.documents_read_max
            or self.bytes_read >= share * self.most.bytes_read_max
            or parts >= share * self.most.intervals_read_max
        ):
            return True
        if not (self.documents_written or self.functions_scheduled or self.files_read or self.files_written):
            return False
        return (
            self.documents_written >= share * self.most.documents_written_max
            or self.bytes_written >= share * self.most.bytes_written_max
            or self.functions_scheduled >= share * self.most.functions_scheduled_max
            or self.scheduled_function_args_bytes >= share * self.most.scheduled_arguments_bytes_max
            or self.files_read >= share * self.most.files_read_max
            or self.file_read_bytes >= share * self.most.file_bytes_read_max
            or self.files_written >= share * self.most.files_written_max
            or self.file_write_bytes >= share * self.most.file_bytes_written_max
        )

    def _exceeded(self, kind: type[LimitExceeded], name: str, used: int) -> LimitExceeded:
        begin = self._begins.get(name, 0)
        limit = getattr(self.most, _SETTINGS[name]) - begin
        return kind(limit=limit, observed=used - begin, cap=name if name in self._begins else None)


def _length(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
