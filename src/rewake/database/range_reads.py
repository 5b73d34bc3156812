"""Range reads: going through an index, a bounded page after the other.

Floor 2, `database`, under `reads`, where tables and indexes have names. Here they are numbers, and what lies
between two keys is given, charged and taken down: from the start of the range to the last key consumed; the
rest only when it was exhausted.

    page of keys and texts -> charge -> take down up to this key -> give the text -> next page from this key

No statement is left open. Each step of `walk` gives the first document after the last key given, *as the
transaction stands at that step*: what is written meanwhile is seen, ahead of the scan and never behind it.
(A loop that moves the document it stands on ahead of itself therefore meets it again.)

Not here: which range a query means (`schema/index_range.py`), single documents (`reads.py`).
Source: spec/semantics 3.1 to 3.3, 5.2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rewake.database.read_set import Interval, ReadRecorder, Span
from rewake.database.table import Table
from rewake.database.usage import Usage
from rewake.storage import Reads
from rewake.values.key_codec import ids_at_end

_PAGE_MIN = 16
_PAGE_MAX = 256
"""Documents in one page of a scan.

Small at first, because most scans take few; doubled, because some take all.
"""

_IDS_KEPT_MAX = 1_024
"""So many ids of a table are kept for checks of what is returned; more are checked as any other."""


def first_page(count: int | None) -> int:
    """How many documents to read first, where `count` are expected."""
    return _PAGE_MIN if count is None else max(1, min(count, _PAGE_MAX))


class RangeReads:
    """The half of a ReadTransaction that knows keys and no names."""

    # Set by the transaction, all in one step: one is made for every run.
    reads: Reads
    recorder: ReadRecorder
    usage: Usage
    version: int
    """Counts writes, so that a walk knows when its page is out of date. Only a WriteTransaction raises it."""
    read_ids: dict[str, set[str]]
    """See `TableNames`. Grows with what is read, up to a bound."""
    intervals_allowed: int
    """Parts that may be recorded before intervals are merged and counted again; only ever raised, except by a
    cap for as long as it lasts."""

    def walk(
        self,
        index_id: int,
        lower: bytes,
        upper: bytes | None,
        *,
        descending: bool,
        limit: int,
        keys: list[bytes] | None,
    ) -> Iterator[str]:
        """Give the documents between two keys, page by page; what was given out is taken down, no more."""
        span: Span | None = None
        begin, end = lower, upper
        while True:
            version = self.version
            page = self.reads.page(index_id, lower, upper, descending=descending, limit=limit)
            for key, text in page:
                if descending:
                    upper = key
                    span = span or self._record_span(index_id, key, end)
                    span.lower = key
                else:
                    lower = key + b"\0"
                    span = span or self._record_span(index_id, begin, lower)
                    span.upper = lower
                self.usage.count_read(text)
                if keys is not None:
                    keys.append(key)
                yield text
                if self.version != version:
                    break
            else:
                if len(page) < limit:
                    break
                limit = min(2 * limit, _PAGE_MAX)
                continue
            # The rest of the page may no longer be true. A loop that writes at every step wants single
            # documents.
            limit = 1
        self._record_rest(span, index_id, (lower, end if descending else upper), descending=descending)

    def walk_pages(
        self,
        table: Table,
        index_id: int,
        lower: bytes,
        upper: bytes | None,
        *,
        descending: bool,
        limit: int,
        count: int | None,
    ) -> Iterator[list[str]]:
        """`walk` for who takes whole pages, and nothing in between that writes: up to `count` documents."""
        span: Span | None = None
        begin, end = lower, upper
        while count is None or count > 0:
            if count is not None:
                limit = min(limit, count)
                count -= limit
            page = self.reads.page(index_id, lower, upper, descending=descending, limit=limit)
            if page:
                texts = [text for _, text in page]
                self.remember_ids(table, [key for key, _ in page])
                last = page[-1][0]
                if descending:
                    span = span or self._record_span(index_id, page[0][0], end)
                else:
                    span = span or self._record_span(index_id, begin, page[0][0] + b"\0")
                if not self.usage.count_page(texts):
                    self._count_until_refused(page, span, descending=descending)
                if descending:
                    span.lower = upper = last
                else:
                    span.upper = lower = last + b"\0"
                yield texts
            if len(page) < limit:
                self._record_rest(
                    span, index_id, (lower, end if descending else upper), descending=descending
                )
                return
            limit = min(2 * limit, _PAGE_MAX)

    def remember_ids(self, table: Table, keys: Sequence[bytes]) -> None:
        """Keep the ids of documents, which have these keys in some index, for checks of what is returned; see
        `TableNames`.
        """
        ids = self.read_ids.setdefault(table.name, set())
        if len(ids) < _IDS_KEPT_MAX:
            ids.update(ids_at_end(keys, table.id_key_bytes))

    def remember_id(self, table: Table, id: str) -> None:
        """The same for one document. A class derived from `str` may say that it equals anything."""
        if type(id) is str:
            ids = self.read_ids.setdefault(table.name, set())
            if len(ids) < _IDS_KEPT_MAX:
                ids.add(id)

    def count_intervals(self) -> None:
        """Charge the read set: what was recorded in parts merges into fewer intervals."""
        merged = len(self.recorder.read_set())
        self.usage.check_intervals(merged)
        self.intervals_allowed = self.recorder.parts + self.usage.most.intervals_read_max - merged

    def _record_rest(self, span: Span | None, index_id: int, rest: Interval, *, descending: bool) -> None:
        """Take down what lies behind the last document of a scan: it is empty, and was looked at. Where there
        was no document, `rest` is all of it.
        """
        lower, upper = rest
        span = span or self._record_span(index_id, lower, upper)
        if descending:
            span.lower = lower
        else:
            span.upper = upper

    def _count_until_refused(self, page: list[tuple[bytes, str]], span: Span, *, descending: bool) -> None:
        """Charge the documents of a page one by one, where not all of them may be read."""
        for key, text in page:
            if descending:
                span.lower = key
            else:
                span.upper = key + b"\0"
            self.usage.count_read(text)

    def _record_span(self, index_id: int, lower: bytes, upper: bytes | None) -> Span:
        span = self.recorder.span(index_id, lower, upper)
        if self.recorder.parts > self.intervals_allowed:
            self.count_intervals()
        return span
