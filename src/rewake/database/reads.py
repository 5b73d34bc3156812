"""Reads: what a function sees of the database, and what is taken down about it.

Floor 2, `database`. One ReadTransaction is one run of a query at one snapshot; `writes.py` adds the
mutations' half. Every read goes through the recorder:

    get          the point of the id in by_id, also when nothing is there
    scan         from the start of the range to the last key consumed; the rest only when it was exhausted
    table name   its point in `_tables`; an index name its point in `_indexes`

Not here: going through an index (`range_reads.py`), filters, `take`, `unique` (`functions`), the meaning of
ranges (`schema/index_range.py`).
Source: spec/semantics 3.1 to 3.3, 5.2.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Literal

import msgspec

from rewake.database.catalog import HIDDEN_TABLES, INDEXES_BY_NAME, TABLES_BY_NAME, TABLES_BY_NUMBER, Catalog
from rewake.database.catalog_places import index_interval, name_interval, number_interval
from rewake.database.cursors import FINGERPRINT_BYTES
from rewake.database.errors import (
    IndexNotFound,
    IndexNotReady,
    IndexStaged,
    InvalidArgument,
    SystemTableRefused,
)
from rewake.database.range_reads import RangeReads, first_page
from rewake.database.read_set import Interval, ReadRecorder, ReadSet
from rewake.database.scan_parts import Part
from rewake.database.table import IndexState, Table, TableIndex
from rewake.database.usage import BOUNDLESS, Measure, Usage
from rewake.limits import Limits
from rewake.schema import QuerySpec, interval_for
from rewake.storage import Reads
from rewake.values import InvalidId, decode_id, key_of_id

Operation = Literal["get", "patch", "replace", "delete"]

_ONLY_SYSTEM_GET = "System tables can only be accessed with db.system."
_ONLY_SYSTEM_QUERY = "System tables can only be accessed from db.system.query()."
_ONLY_SYSTEM_NORMALIZE = "System tables can only be accessed from db.system.normalizeId()."
_NO_USER_TABLES = "User tables cannot be accessed with db.system."
_HIDDEN = "The table {table} cannot be read through db.system."
_NO_USER_NORMALIZE = "User tables can only be accessed from db.normalizeId()."

_NO_TABLE = Table(name="", number=0, tablet=0, by_id=0, by_creation_time=0)
"""Stands for a table that does not exist yet: it has the implicit indexes, and nothing in them."""


class ReadTransaction(RangeReads):
    """Reads at one snapshot, with a read set of their own.

    `ts` labels the snapshot; `now_ms` is the clock when the transaction began, the same for its whole life.
    """

    def __init__(self, reads: Reads, catalog: Catalog, *, ts: int, now_ms: float, limits: Limits) -> None:
        self.ts = ts
        self.now_ms = now_ms
        self.catalog = catalog
        self.limits = limits
        self.usage = Usage(limits)
        self.reads = reads
        self.recorder = ReadRecorder()
        # Names and numbers whose point in the catalog is recorded already: each needs it once.
        self._seen: set[str | int | tuple[int, str]] = set()
        self.intervals_allowed = limits.intervals_read_max
        self.read_ids: dict[str, set[str]] = {}
        self.version = 0

    @property
    def begin_ts(self) -> int:
        """The snapshot's timestamp, under the name that a mutation knows it by."""
        return self.ts

    def lift_limits(self) -> None:
        """Count nothing from now on: for the house's own work, whose size is not an author's doing."""
        self.usage = Usage(BOUNDLESS)

    @contextmanager
    def uncounted(self) -> Iterator[None]:
        """Count nothing of what follows: the house's own work in the transaction of an author's function, who
        may have used all that there is.
        """
        usage, allowed = self.usage, self.intervals_allowed
        self.usage, self.intervals_allowed = Usage(BOUNDLESS), BOUNDLESS.intervals_read_max
        try:
            yield
        finally:
            self.usage, self.intervals_allowed = usage, allowed

    @property
    def system(self) -> SystemReads:
        """The door to system tables."""
        return SystemReads(self)

    @property
    def read_set(self) -> ReadSet:
        """What was read until now."""
        return self.recorder.read_set()

    def measures(self) -> tuple[Measure, ...]:
        """What was used of each limit until now."""
        return self.usage.measures(intervals=len(self.recorder.read_set()))

    def warnings(self) -> list[Measure]:
        """The limits that are near."""
        if not self.usage.is_near_a_limit(parts=self.recorder.parts):
            return []
        return [measure for measure in self.measures() if measure.is_near]

    @contextmanager
    def capped(self, caps: Mapping[str, int]) -> Iterator[None]:
        """Allow what follows only so much more of some limits, by their names in `measures`; never more than
        is left. What it used stays counted.
        """
        intervals = len(self.recorder.read_set()) if caps else 0
        allowed = self.intervals_allowed
        before = self.usage.lower(caps, intervals=intervals)
        self.intervals_allowed = min(
            allowed, self.recorder.parts + self.usage.most.intervals_read_max - intervals
        )
        try:
            yield
        finally:
            self.usage.lift(before)
            self.intervals_allowed = allowed

    def get(self, id: str, *, table: str | None = None) -> str | None:
        """Read a document by its id: canonical JSON text, or None where there is none.

        `table` says which table the author expects. An id of a table that does not exist gives None.

        Raises:
            InvalidArgument: not an id, or an id of another table than `table`.
            SystemTableRefused: an id of a system table; read those through `system`.
        """
        found = self.get_with_table(id, table=table)
        return None if found is None else found[1]

    def get_with_table(self, id: str, *, table: str | None = None) -> tuple[str, str] | None:
        """What `get` gives, behind the name of its table."""
        found = self.locate(id, table, "get")
        if found is None:
            return None
        if found.is_system:
            raise SystemTableRefused(_ONLY_SYSTEM_GET)
        text = self.find(found, id)
        return None if text is None else (found.name, text)

    def table_name_of(self, id: str) -> str | None:
        """The name of the table that `id` belongs to; None where it belongs to none. Reads nothing."""
        try:
            found = self.catalog.numbers.get(decode_id(id).table_number)
        except InvalidId:
            return None
        return None if found is None else found.name

    def scan(
        self, spec: QuerySpec, *, limit_hint: int | None = None, part: Part | None = None
    ) -> Iterator[str]:
        """Go through a table or a range of one of its indexes: canonical JSON texts in the order asked for.

        Table, index and range are checked at once, not at the first step. `limit_hint` is how many documents
        the caller expects to take; it bounds nothing. A table that does not exist (yet) is empty. `part`
        narrows the scan to the documents between two keys.

        Raises:
            IndexNotFound: no such index, or a declared index of a table that does not exist.
            IndexNotReady, IndexStaged: the index cannot be queried yet.
            InvalidIndexRange: with the texts of semantics 3.3.
        """
        if spec.table[:1] == "_":
            raise SystemTableRefused(_ONLY_SYSTEM_QUERY)
        return self.scan_any(spec, limit_hint, part)

    def scan_pages(self, spec: QuerySpec, count: int | None) -> Iterator[list[str]]:
        """`scan` to its end, or for the first `count` documents, many at a time: for who does nothing else
        until all are there.

        Raises:
            As `scan`.
        """
        if spec.table[:1] == "_":
            raise SystemTableRefused(_ONLY_SYSTEM_QUERY)
        table, index, (lower, upper) = self._range_of(spec)
        if table is None:
            return iter(())
        return self.walk_pages(
            table,
            index.id,
            lower,
            upper,
            descending=spec.order == "desc",
            limit=first_page(count),
            count=count,
        )

    def fingerprint(self, spec: QuerySpec, *, function: str) -> bytes:
        """What a page cursor is bound to: the function and what it reads in which order, not how much.

        Raises:
            IndexNotFound, IndexNotReady, InvalidIndexRange: see `scan`.
        """
        _, index, (lower, upper) = self._range_of(spec)
        parts = (function, spec.table, index.name, index.all_fields, lower, upper, spec.order)
        return hashlib.blake2b(msgspec.msgpack.encode(parts), digest_size=FINGERPRINT_BYTES).digest()

    def normalize_id(self, table: str, text: str) -> str | None:
        """The id itself if `text` is an id of `table`, else None. Reads no document."""
        if table[:1] == "_":
            raise SystemTableRefused(_ONLY_SYSTEM_NORMALIZE)
        return self._normalize_id(table, text)

    def table_name(self, number: int) -> str | None:
        """See `TableNames`."""
        table = self.catalog.numbers.get(number)
        return None if table is None else table.name

    # -- shared with `SystemReads` and the writing half -----------------------------------------------

    def table_named(self, name: str) -> Table | None:
        """Look a table up by name, and take down that it was."""
        if name not in self._seen:
            self._seen.add(name)
            self.recorder.interval(TABLES_BY_NAME, name_interval(name))
        return self.catalog.tables.get(name)

    def locate(self, id: str, table: str | None, operation: Operation) -> Table | None:
        """The table that `id` belongs to, None if no table has its number; its number is taken down."""
        if not isinstance(id, str):
            raise InvalidArgument(
                f"Invalid argument `id` for `db.{operation}`, expected string "
                f"but got '{type(id).__name__}': {id}"
            )
        try:
            number = decode_id(id).table_number
        except InvalidId as error:
            raise InvalidArgument(f"Invalid argument `id` for `db.{operation}`: {error}") from None
        if number not in self._seen:
            self._seen.add(number)
            self.recorder.interval(TABLES_BY_NUMBER, number_interval(number))
        found = self.catalog.numbers.get(number)
        if table is not None and found is not None and found.name != table:
            raise InvalidArgument(
                f"Invalid argument `id` for `db.{operation}`: "
                f'expected to be an Id<"{table}">, got Id<"{found.name}"> instead.'
            )
        return found

    def find(self, table: Table, id: str) -> str | None:
        key, recorder = key_of_id(id), self.recorder
        recorder.point(table.by_id, key)
        if recorder.parts > self.intervals_allowed:
            self.count_intervals()
        text = self.reads.find(table.by_id, key)
        if text is not None:
            self.usage.count_read(text)
            self.remember_id(table, id)
        return text

    def _normalize_id(self, table: str, text: str) -> str | None:
        known = self.table_named(table)
        if known is None:
            return None
        try:
            found = self.catalog.numbers.get(decode_id(text).table_number)
        except InvalidId:
            return None
        return text if found is not None and found.tablet == known.tablet else None

    def scan_any(self, spec: QuerySpec, limit_hint: int | None, part: Part | None) -> Iterator[str]:
        """See `scan`; takes tables of either door."""
        table, index, interval = self._range_of(spec)
        if table is None:
            return iter(())
        descending = spec.order == "desc"
        lower, upper = interval if part is None else part.narrow(interval, descending=descending)
        page = first_page(limit_hint)
        keys = None if part is None else part.keys
        return self.walk(index.id, lower, upper, descending=descending, limit=page, keys=keys)

    def _range_of(self, spec: QuerySpec) -> tuple[Table | None, TableIndex, Interval]:
        """What a query goes through: its table, if that exists, the index, and the keys that it covers."""
        table = self.table_named(spec.table)
        known = _NO_TABLE if table is None else table
        index = known.index_by_name(spec.index)
        if table is not None and spec.index is not None and (index is None or spec.index in table.indexes):
            self._record_index(table, spec.index)
        if index is None:
            raise IndexNotFound(table=spec.table, index=spec.index)
        if index.state is not IndexState.ENABLED:
            refused = IndexStaged if index.staged else IndexNotReady
            raise refused(table=spec.table, index=spec.index)
        return table, index, interval_for(spec.table, index.name, index.all_fields, spec.bounds)

    def _record_index(self, table: Table, name: str) -> None:
        """Take down that a declared index was looked up, whether or not it is there."""
        if (table.tablet, name) not in self._seen:
            self._seen.add((table.tablet, name))
            self.recorder.interval(INDEXES_BY_NAME, index_interval(table.tablet, name))


class SystemReads:
    """The same reads for system tables.

    What `db.system` is made of. Shares the transaction's read set and limits.
    """

    def __init__(self, transaction: ReadTransaction) -> None:
        self._transaction = transaction

    def get(self, id: str, *, table: str | None = None) -> str | None:
        """See `ReadTransaction.get`; refuses ids of user tables."""
        found = self._transaction.locate(id, table, "get")
        if found is None:
            return None
        if not found.is_system:
            raise SystemTableRefused(_NO_USER_TABLES)
        if found.name in HIDDEN_TABLES:
            raise SystemTableRefused(_HIDDEN.format(table=found.name))
        return self._transaction.find(found, id)

    def scan(
        self, spec: QuerySpec, *, limit_hint: int | None = None, part: Part | None = None
    ) -> Iterator[str]:
        """See `ReadTransaction.scan`; refuses user tables."""
        if spec.table[:1] != "_":
            raise SystemTableRefused(_NO_USER_TABLES)
        if spec.table in HIDDEN_TABLES:
            raise SystemTableRefused(_HIDDEN.format(table=spec.table))
        return self._transaction.scan_any(spec, limit_hint, part)

    def normalize_id(self, table: str, text: str) -> str | None:
        """See `ReadTransaction.normalize_id`; refuses user tables."""
        if table[:1] != "_":
            raise SystemTableRefused(_NO_USER_NORMALIZE)
        return self._transaction._normalize_id(table, text)
