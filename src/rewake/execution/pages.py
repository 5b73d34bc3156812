"""Pages: one stretch of a query's results, whose ends stay where they are.

Floor 3, `execution`. A client shows a long list as pages, each a live query of its own. The first run of a
page takes as many documents as were asked for, and so finds where the page ends; from then on the end is
pinned, and every run gives *all* documents between the two ends. So the next page, which begins at that end,
never overlaps this one and leaves nothing out, whatever is inserted and deleted.

    first run      cursor, numItems            -> documents, end        end goes into the journal
    later runs     cursor, journal             -> all documents in (cursor, end]
    endCursor      cursor, endCursor           -> the same, as the client says

The journal is the sealed end. It travels to the client and back, so that a page survives a reconnect.

Not here: sealing (`database/cursors.py`), filters (`functions/query.py`), keeping journals (`reactivity`).
Source: semantics 3.6; wire 1.10.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from rewake.database import Cursor, CursorSeal, InvalidCursor, Part, ReadTransaction
from rewake.errors import FunctionError
from rewake.functions import InvalidPaginationOptions, PageEnds, PageStatus, PaginationOptions
from rewake.limits import PAGE_ITEMS_MAX, PAGE_ITEMS_SPLIT, PAGE_READ_SHARE, PAGE_SPLIT_SHARE
from rewake.schema import QuerySpec
from rewake.values import Unset

_SPLITTABLE_ITEMS_MIN = 3


class SecondPage(FunctionError):
    """A function asked for two pages, and there is one journal. Call another function for the second."""

    code = "MultiplePaginatedDatabaseQueries"
    template = (
        "This query or mutation function ran multiple paginated queries. "
        "Convex only supports a single paginated query in each function."
    )


class Pages:
    """The pages that one run reads. The first of them has the journal."""

    def __init__(self, transaction: ReadTransaction, seal: CursorSeal, *, journal: str | None) -> None:
        self._transaction = transaction
        self._seal = seal
        self._pin = journal
        self._has_begun = False
        self.journal: str | None = None
        """The end of the first page, for the next run; set when it was read."""

    def read(
        self, spec: QuerySpec, options: PaginationOptions, accept: Callable[[str], bool], *, function: str
    ) -> PageEnds:
        """Give the documents of a page to `accept`, which says whether each counts.

        Raises:
            InvalidCursor: a cursor, or the journal, is of another query.
            InvalidPaginationOptions: with the texts of semantics 3.6.
        """
        _check(options)
        query = self._transaction.fingerprint(spec, function=function)
        start = self._position(options.cursor, query)
        end, is_first = self._end(options, query), not self._has_begun
        self._has_begun = True
        reading = _Reading(self._transaction, spec, accept)
        if start is not None and start.after is None:
            end, status = start, None
        elif end is None:
            end, status = reading.read_up_to(options, start, query)
        else:
            status = reading.read_between(start, end)
        continue_cursor = self._seal.seal(end)
        if is_first:
            self.journal = continue_cursor
        middle = reading.middle(is_cut=status == "SplitRequired")
        return PageEnds(
            is_done=end.after is None,
            continue_cursor=continue_cursor,
            split_cursor=None if middle is None else self._seal.seal(Cursor(query, middle)),
            page_status=status,
        )

    def _end(self, options: PaginationOptions, query: bytes) -> Cursor | None:
        """Where the page ends, if that was decided before."""
        if isinstance(options.end_cursor, str):
            return self._position(options.end_cursor, query)
        return None if self._has_begun else self._position(self._pin, query)

    def _position(self, sealed: str | None, query: bytes) -> Cursor | None:
        if sealed is None:
            return None
        cursor = self._seal.open(sealed)
        if cursor.query != query:
            raise InvalidCursor()
        return cursor


class _Reading:
    """One page while it is read."""

    def __init__(self, transaction: ReadTransaction, spec: QuerySpec, accept: Callable[[str], bool]) -> None:
        self._transaction = transaction
        self._spec = spec
        self._accept = accept
        usage = transaction.usage
        self._usage = usage
        self._bytes_before = usage.bytes_read
        # At least one, so that pages get on: reading it may then say which limit the transaction is at.
        self._documents_max = max(1, int(usage.documents_left * PAGE_READ_SHARE))
        self._bytes_max = max(1, int(usage.bytes_left * PAGE_READ_SHARE))
        self._read: list[bytes] = []
        self._kept: list[bytes] = []

    def read_up_to(
        self, options: PaginationOptions, start: Cursor | None, query: bytes
    ) -> tuple[Cursor, PageStatus | None]:
        """Take as many documents as the options allow; the position after the last one read."""
        self._documents_max = _lesser(self._documents_max, options.maximum_rows_read)
        self._bytes_max = _lesser(self._bytes_max, options.maximum_bytes_read)
        texts = self._scan(start, None, limit_hint=options.num_items)
        while len(self._kept) < options.num_items:
            if self._has_read_all():
                return Cursor(query, self._read[-1]), "SplitRequired"
            text = next(texts, None)
            if text is None:
                return Cursor(query, None), self._status()
            self._take(text)
        return Cursor(query, self._read[-1]), self._status()

    def read_between(self, start: Cursor | None, end: Cursor) -> PageStatus | None:
        """Take all documents up to `end`."""
        for text in self._scan(start, end.after, limit_hint=None):
            self._take(text)
        return self._status()

    def middle(self, *, is_cut: bool) -> bytes | None:
        """A key that leaves about as many documents of the page before as behind it, where that helps."""
        keys = self._kept if len(self._kept) >= _SPLITTABLE_ITEMS_MIN else self._read if is_cut else []
        return keys[(len(keys) - 1) // 2] if keys else None

    def _scan(self, start: Cursor | None, until: bytes | None, *, limit_hint: int | None) -> Iterator[str]:
        part = Part(None if start is None else start.after, until, self._read)
        door = self._transaction.system if self._spec.table[:1] == "_" else self._transaction
        return door.scan(self._spec, limit_hint=limit_hint, part=part)

    def _take(self, text: str) -> None:
        if self._accept(text):
            self._kept.append(self._read[-1])

    def _status(self) -> PageStatus | None:
        is_large = (
            len(self._kept) > PAGE_ITEMS_SPLIT
            or len(self._read) > PAGE_SPLIT_SHARE * self._documents_max
            or self._bytes_read > PAGE_SPLIT_SHARE * self._bytes_max
        )
        return "SplitRecommended" if is_large else None

    def _has_read_all(self) -> bool:
        return len(self._read) >= self._documents_max or self._bytes_read >= self._bytes_max

    @property
    def _bytes_read(self) -> int:
        return self._usage.bytes_read - self._bytes_before


def _check(options: PaginationOptions) -> None:
    if options.num_items < 1:
        raise InvalidPaginationOptions("Must request at least 1 document while paginating")
    if options.num_items > PAGE_ITEMS_MAX:
        raise InvalidPaginationOptions(f"Requested too many items: {options.num_items}")
    for bound in (options.maximum_rows_read, options.maximum_bytes_read):
        if not isinstance(bound, Unset) and bound < 1:
            raise InvalidPaginationOptions("maximumRowsRead and maximumBytesRead must be greater than 0")


def _lesser(bound: int, wanted: int | Unset) -> int:
    return bound if isinstance(wanted, Unset) else min(bound, wanted)
