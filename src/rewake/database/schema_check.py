"""The check of existing documents against a new schema, page by page, while writes go on.

Floor 2, `database`. It only reads, so it runs where the new code is loaded and never on the writer. Each page
is read on a snapshot of its own; what is written in between is in the commit log, which is followed from the
first snapshot on:

    survey at T0 -> (page, log up to now)* -> Evidence(ts) -> the switch checks the log above ts

Whatever document a table holds at the end was seen on some page, or a log row above T0 wrote it; so the
evidence is complete. If the log is trimmed before it was followed, the check begins anew. A table is left out
where the schema that is enforced provably takes nothing that the new one refuses, and documents of a table
that is made after T0 are all in the log.

Not here: the switch (`schema_change.py`), who calls `step` (`execution`).
Source: spec/semantics 2.5; docs/decisions/0006-schema-changes.md.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from itertools import islice

import msgspec

from rewake.database.active_schema import ActiveSchemas, StoredSchema, stored_form
from rewake.database.catalog import Catalog
from rewake.database.errors import NewDocumentMismatch, SchemaMismatch
from rewake.database.snapshots import Snapshot
from rewake.database.staged_verdict import StagedState
from rewake.database.table import Table
from rewake.schema import Schema, ValidationFailed, Validator, is_subset
from rewake.storage import LogRow
from rewake.values import decode_stored_document

_PAGE = 1_024
_LOG_ROWS = 2_048
"""Documents and log rows of one step: a few milliseconds, so that no snapshot lasts long."""
_SYSTEM_FIELDS = frozenset({"_id", "_creationTime"})


class Evidence(msgspec.Struct, frozen=True, array_like=True):
    """What is known of the documents of a deployment at `ts`: they fit the new schema."""

    ts: int
    base: str
    """Names the active schema that the check began with: what it left out, that one enforces."""
    tablets: tuple[int, ...]
    """The tables whose documents were read."""
    next_tablet: int
    """Tables from this one on were made later; what they hold is in the log that was followed."""

    def covers(self, tablet: int) -> bool:
        """Whether the documents of a table are known to fit."""
        return tablet in self.tablets or tablet >= self.next_tablet


class Survey(msgspec.Struct, frozen=True, array_like=True):
    """What there is to do, as of the first snapshot: documents of the tables of the schema, by name."""

    documents: dict[str, int]
    to_check: tuple[str, ...]
    schema: str
    marks: dict[str, str]
    """The new schema, as it is stored."""


class CheckProgress(msgspec.Struct, frozen=True, array_like=True):
    """How far a check is."""

    checked: int
    """Documents read so far; those of the log are not counted."""
    total: int
    tables_checked: int
    tables: int
    followed: int
    """Log rows that the last step read."""
    evidence: Evidence | None
    """There once every page was read. It gets older; another step makes it newer."""


def base_of(catalog: Catalog) -> str:
    """A name for the active schema, with what is known of documents against its staged validators, and with
    the tablets that imports have built: what those hold is in no log that could be followed.
    """
    active = catalog.schema
    known = {} if active is None else active.verdicts
    valid = sorted(table for table, verdict in known.items() if verdict.state is StagedState.VALID)
    imported = sorted(table.tablet for table in catalog.tables.values() if table.is_imported)
    key = repr((None if active is None else (active.key, valid), imported))
    return hashlib.blake2b(key.encode(), digest_size=16).hexdigest()


def tables_to_check(
    schema: Schema, stored: StoredSchema, *, active: StoredSchema | None, schemas: ActiveSchemas
) -> list[str]:
    """The tables of `schema` whose documents may not fit it, as far as the active schema tells.

    `stored` is the stored form of `schema`.
    """
    fitting = _fitting(active, schemas) if active is not None else {}
    found = []
    for name, mark in stored.enforced_marks.items():
        new = schema.tables[name].validator
        known = fitting.get(name, ())
        if not any(each == mark or is_subset(old, new) for each, old in known):
            found.append(name)
    return found


def _fitting(active: StoredSchema, schemas: ActiveSchemas) -> dict[str, list[tuple[str, Validator]]]:
    """By table, validators that every document is known to fit, with their marks: the enforced one, and a
    staged one with that verdict.
    """
    enforced, staged = schemas.validators(active), schemas.staged(active)
    known = {name: [(mark, enforced[name])] for name, mark in active.enforced_marks.items()}
    for name, verdict in active.verdicts.items():
        if verdict.state is StagedState.VALID:
            known.setdefault(name, []).append((verdict.mark, staged[name]))
    return known


def check_stored(schema: Schema, table: str, text: str, catalog: Catalog) -> None:
    """Check one document that exists.

    Raises:
        SchemaMismatch: it does not fit.
    """
    _check(schema, table, text, catalog, SchemaMismatch)


def check_log_row(schema: Schema, row: LogRow, tables: Mapping[int, str], catalog: Catalog) -> None:
    """Check the documents that a mutation wrote into `tables` (name by tablet).

    Raises:
        NewDocumentMismatch: one does not fit.
    """
    for write in row.writes:
        name = tables.get(write.tablet)
        if name is not None and write.new is not None:
            _check(schema, name, write.new, catalog, NewDocumentMismatch)


def tablets_of(names: Iterable[str], catalog: Catalog) -> dict[int, str]:
    """Those of the named tables that exist, by tablet."""
    return {catalog.tables[name].tablet: name for name in names if name in catalog.tables}


class DocumentCheck:
    """One check of a deployment's documents against `schema`."""

    def __init__(self, schema: Schema, schemas: ActiveSchemas) -> None:
        self._schema = schema
        self._schemas = schemas
        # Set by the survey: not every check that could be made is made.
        self._stored: StoredSchema
        # Set by the survey, and again when the log outran us.
        self._to_check: list[str] = []
        self._left: list[tuple[Table, bytes]] = []
        self._tablets: tuple[int, ...] = ()
        self._totals: dict[str, int] = {}
        self._next_tablet = 0
        self._base = ""
        self._followed_ts = 0
        # Of the table that is being read: the last key that was.
        self._cursor = b""
        self._checked = 0
        self._tables = 0

    def survey(self, snapshot: Snapshot) -> Survey:
        """Begin. Everything that is written after `snapshot` will be found in the log."""
        catalog = snapshot.catalog
        self._stored = stored_form(self._schema)
        named = [catalog.tables[name] for name in sorted(self._schema.tables) if name in catalog.tables]
        self._totals = {table.name: snapshot.count(table) for table in named}
        self._begin(snapshot)
        stored = self._stored
        to_check = tuple(table.name for table, _ in self._left)
        return Survey(self._totals, to_check, stored.text, dict(stored.marks))

    def step(self, snapshot: Snapshot) -> CheckProgress:
        """Read a page, and the log up to `snapshot`, or a part of it.

        Raises:
            SchemaMismatch: a document does not fit; NewDocumentMismatch: one that was written meanwhile.
        """
        if snapshot.log_floor_ts > self._followed_ts or base_of(snapshot.catalog) != self._base:
            self._begin(snapshot)
        self._read_page(snapshot)
        followed = self._follow(snapshot)
        evidence = None
        if not self._left:
            evidence = Evidence(self._followed_ts, self._base, self._tablets, self._next_tablet)
        total = sum(self._totals[name] for name in self._totals if name in self._to_check)
        read = self._tables - len(self._left)
        return CheckProgress(self._checked, max(total, self._checked), read, self._tables, followed, evidence)

    def _begin(self, snapshot: Snapshot) -> None:
        catalog = snapshot.catalog
        self._to_check = tables_to_check(
            self._schema, self._stored, active=catalog.schema, schemas=self._schemas
        )
        tables = [catalog.tables[name] for name in self._to_check if name in catalog.tables]
        ends = [(table, snapshot.last_key(table)) for table in tables]
        self._left = [(table, end) for table, end in ends if end is not None]
        self._tablets = tuple(table.tablet for table in tables)
        self._next_tablet = snapshot.next_tablet
        self._base = base_of(catalog)
        self._followed_ts = snapshot.ts
        self._cursor, self._checked, self._tables = b"", 0, len(self._left)

    def _read_page(self, snapshot: Snapshot) -> None:
        if not self._left:
            return
        table, end = self._left[0]
        page = snapshot.documents(table, after=self._cursor, until=end, limit=_PAGE)
        for _, text in page:
            check_stored(self._schema, table.name, text, snapshot.catalog)
        self._checked += len(page)
        if len(page) < _PAGE:
            self._left.pop(0)
            self._cursor = b""
        else:
            self._cursor = page[-1][0]

    def _follow(self, snapshot: Snapshot) -> int:
        tables = tablets_of(self._to_check, snapshot.catalog)
        rows = 0
        for row in islice(snapshot.log_rows(after=self._followed_ts), _LOG_ROWS):
            check_log_row(self._schema, row, tables, snapshot.catalog)
            self._followed_ts, rows = row.ts, rows + 1
        if rows < _LOG_ROWS:
            self._followed_ts = max(self._followed_ts, snapshot.ts)
        return rows


def _check(schema: Schema, table: str, text: str, catalog: Catalog, refused: type[SchemaMismatch]) -> None:
    document = decode_stored_document(text)
    fields = {key: value for key, value in document.items() if key not in _SYSTEM_FIELDS}
    try:
        schema.tables[table].validator.check(fields, catalog)
    except ValidationFailed as error:
        raise refused(table=table, id=document["_id"], path=error.path, detail=str(error)) from None
