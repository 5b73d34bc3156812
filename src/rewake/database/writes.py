"""Writes: what a mutation may do to the database.

Floor 2, `database`. Each call changes the latest rows at once, inside the group's transaction, so that the
mutation's later reads see it by themselves; nobody else does before the group commits. What the mutation came
to is gathered per document, old against new, and becomes its one row of the commit log.

    check -> find the old document -> new document -> unchanged? -> schema -> rows and index entries ->
    pending

A sub-transaction is a savepoint in SQLite and a mark in the journal of what is pending. Taking it back
restores both, and the catalog; ids and creation times go on, and what was read stays read.

A document may hold COMMIT_TS until the mutation is over; only this mutation can see it, at the place of the
largest Int64 in every index. `resolve_commit_ts` then moves such documents to their true places, before the
log is written.

Not here: savepoint of the mutation itself, its timestamp, the log (`group_commit.py`).
Source: spec/semantics 1.7, 2.2, 4, 5.6.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from math import inf, nextafter
from typing import Any, NamedTuple

from rewake.database.active_schema import ActiveSchemas
from rewake.database.catalog import AUTHOR_VISIBLE, SYSTEM_TABLES, TABLES, Catalog, Table
from rewake.database.errors import (
    InvalidArgument,
    InvalidCreationTimeField,
    InvalidIdField,
    NonexistentDocument,
    SchemaEnforcementError,
    SystemTableRefused,
    TableNotFound,
    TooManyTables,
    WriteInterrupted,
)
from rewake.database.past import PastReads
from rewake.database.reads import Operation, ReadTransaction
from rewake.environment import Environment
from rewake.limits import DOCUMENT_BYTES_MAX, DOCUMENT_NESTING_MAX, TABLES_MAX, Limits
from rewake.schema import ValidationFailed, Validator
from rewake.storage import GroupDoomed, Head, Keys, LogRow, LogWrite, WriterStore, joined_keys
from rewake.values import (
    UNSET,
    InternalIds,
    Value,
    check_document_limits,
    check_table_name,
    decode_stored_document,
    encode,
    encode_id,
    encode_key,
    holds_commit_ts,
    normalize,
    resolve_commit_ts,
    values_equal,
)

_SYSTEM_READ_ONLY = "System tables (prefixed with `_`) are read-only."

Fields = dict[str, Value]


class _Pending(NamedTuple):
    """What a mutation did to one document so far: its first old state and its latest new one."""

    old: str | None
    old_keys: Keys
    new: str | None
    new_keys: Keys


class WriteTransaction(ReadTransaction):
    """Reads and writes of one mutation, inside the group's transaction."""

    def __init__(
        self,
        store: WriterStore,
        catalog: Catalog,
        *,
        head: Head,
        schemas: ActiveSchemas,
        environment: Environment,
        limits: Limits,
        ids: InternalIds,
    ) -> None:
        now_ns = environment.clock.now_ns()
        super().__init__(store, catalog, ts=head.last_ts, now_ms=now_ns / 1e6, limits=limits)
        self.store = store
        self._begin_catalog = catalog
        self.schemas = schemas
        self.head = head
        self.environment = environment
        self._ids = ids
        self._now_ns = now_ns
        # Time of the next insert; every insert moves it to the next double, so times grow within a mutation.
        self._creation_time = max(head.last_ts, now_ns) / 1e6
        self._first_creation_time = self._creation_time
        self._pending: dict[tuple[int, str], _Pending] = {}
        # Documents that were read by their ids and not written since, with their rows.
        self._rows: dict[tuple[int, str], tuple[str, int]] = {}
        self._journal: list[tuple[tuple[int, str], _Pending | None]] = []
        # Set by the first document that holds COMMIT_TS, also where a savepoint takes that document back.
        self._has_commit_ts = False
        # Set while a document, its index entries and its place in the log are not in step; stays set when
        # Python itself gave up in between (too deep a recursion), which an author may have caught.
        self._is_torn = False

    # -- what authors call ------------------------------------------------------------------------------

    def insert(self, table: str, value: Mapping[str, Any]) -> str:
        """Store a new document; returns its id. The table comes into being with its first document.

        Raises:
            InvalidArgument: `value` is no object.
            InvalidIdField, InvalidCreationTimeField: the value has one of the fields that the system sets.
            SchemaEnforcementError: the schema forbids it.
            InvalidValue: it is no value, too large or too nested.
        """
        if table[:1] == "_":
            raise SystemTableRefused(_SYSTEM_READ_ONLY)
        fields = _normal_fields(value, "insert")
        if "_id" in fields:
            raise InvalidIdField(table=table)
        if "_creationTime" in fields:
            raise InvalidCreationTimeField(table=table)
        return self.insert_into(self._existing_or_new(table), fields)

    def patch(self, id: str, value: Mapping[str, Any], *, table: str | None = None) -> None:
        """Replace the named top-level fields of a document; UNSET removes a field, others stay.

        Raises:
            NonexistentDocument, TableNotFound, InvalidArgument, SchemaEnforcementError, InvalidValue.
        """
        if not isinstance(value, Mapping):
            raise InvalidArgument("Invalid argument `value` for `db.patch`: Value must be an Object")
        removed = [name for name, field in value.items() if field is UNSET]
        fields = _normal_fields(value, "patch")
        owner = self._writable(id, table, "patch")
        old, row, document = self._target(owner, id, "Update")
        changed = {name: field for name, field in document.items() if name not in removed}
        if "_id" in removed:
            raise InvalidIdField(table=owner.name)
        if "_creationTime" in removed:
            raise InvalidCreationTimeField(table=owner.name)
        changed.update(fields)
        self._update(owner, id, row, old=old, document=document, changed=changed)

    def replace(self, id: str, value: Mapping[str, Any], *, table: str | None = None) -> None:
        """Give a document new fields.

        Its `_id` and `_creationTime` stay, and may be passed if they are equal.

        Raises:
            NonexistentDocument, TableNotFound, InvalidArgument, SchemaEnforcementError, InvalidValue.
        """
        fields = _normal_fields(value, "replace")
        owner = self._writable(id, table, "replace")
        old, row, document = self._target(owner, id, "Replace")
        changed = {"_id": document["_id"], "_creationTime": document["_creationTime"], **fields}
        self._update(owner, id, row, old=old, document=document, changed=changed)

    def delete(self, id: str, *, table: str | None = None) -> None:
        """Remove a document. Ids that point to it elsewhere stay as they are.

        Raises:
            NonexistentDocument, TableNotFound, InvalidArgument.
        """
        owner = self._writable(id, table, "delete")
        old, row, document = self._target(owner, id, "Delete")
        self.delete_from(owner, id, row, old=old, document=document)

    def at_begin(self) -> ReadTransaction:
        """Reads of the database as it stood before this mutation's own writes.

        They are charged to this transaction like its own, and not taken down in its read set.
        """
        undone = LogRow(self.ts, "", self.log_writes())
        past = ReadTransaction(
            PastReads(self.store, [undone]),
            self._begin_catalog,
            ts=self.ts,
            now_ms=self.now_ms,
            limits=self.limits,
        )
        past.usage = self.usage
        return past

    @contextmanager
    def savepoint(self) -> Iterator[None]:
        """Do what follows as a part: if it raises, its writes are taken back and the error goes on.

        What it read stays in the read set, and what it used counts towards the limits.
        """
        catalog, mark = self.catalog, len(self._journal)
        self.store.begin_part()
        try:
            yield
            self.raise_if_torn()
        except GroupDoomed:
            raise
        except BaseException:
            self._is_torn = True
            self.store.drop_part()
            self._undo_to(mark)
            self.catalog = catalog
            self.version += 1
            self._is_torn = False
            raise
        self._is_torn = True
        self.store.keep_part()
        self._is_torn = False

    # -- what `group_commit` and `schema_change` call ---------------------------------------------------

    def has_written(self) -> bool:
        """Whether any document came out other than it was."""
        return any(pending.old != pending.new for pending in self._pending.values())

    def resolve_commit_ts(self, ts: int) -> None:
        """Put the mutation's own timestamp into every document that waits for it, and into its index keys."""
        if not self._has_commit_ts:
            return
        tables = {table.tablet: table for table in self.catalog.tables.values()}
        for (tablet, id), pending in self._pending.items():
            if pending.new is None or not holds_commit_ts(pending.new):
                continue
            table, id_key = tables[tablet], encode_key([id])
            found = self.store.find_row(table.by_id, id_key)
            assert found is not None, "a document that was written last has a row"
            text, row = resolve_commit_ts(pending.new, ts), found[1]
            keys = table.keys_of(decode_stored_document(text), id_key)
            self._move(row, text, table.keys_of(decode_stored_document(pending.new), id_key), keys)
            self._pending[tablet, id] = pending._replace(new=text, new_keys=keys)

    def raise_if_torn(self) -> None:
        """Refuse to go on where a write stopped half way.

        Raises:
            WriteInterrupted: whatever the author made of the error, the mutation must be taken back.
            GroupDoomed: the storage stopped it, and the whole group must be taken back.
        """
        if self._is_torn:
            if self.store.doomed is not None:
                raise GroupDoomed(self.store.doomed)
            raise WriteInterrupted()

    def log_writes(self) -> tuple[LogWrite, ...]:
        """The net effect on each document, in the order of first touch. What came to nothing is left out."""
        return tuple(
            LogWrite(tablet, id, old, new, joined_keys(old_keys, new_keys))
            for (tablet, id), (old, old_keys, new, new_keys) in self._pending.items()
            if old != new
        )

    def earliest_ts(self) -> int:
        """A timestamp that lies behind every creation time given out, so that commit order is creation order.

        Matters only where the clock stands still or goes back; otherwise the clock is ahead of both.
        """
        if self._creation_time == self._first_creation_time:
            return 0
        # Doubles of this size lie 256 ns apart, in ns as in ms.
        return int(self._creation_time * 1e6) + 256

    def insert_into(self, table: Table, fields: Fields) -> str:
        """Store a new document of `table`, which may be a system table. `fields` are in normal form."""
        self._enforce(table, fields)
        id = encode_id(table.number, self._ids.next(self._now_ns))
        self.store_document(table, {**fields, "_id": id, "_creationTime": self._creation_time})
        if not table.is_system or table.tablet in AUTHOR_VISIBLE:
            self._creation_time = nextafter(self._creation_time, inf)
        return id

    def store_document(self, table: Table, document: Fields) -> None:
        """Store a new document under the id and the creation time that it has, which nobody else has."""
        text, id = encode(document), str(document["_id"])
        self._check_document(table, document, text)
        keys = table.keys_of(document, encode_key([id]))
        self.raise_if_torn()
        self._is_torn = True
        row = self.store.insert_document(table.tablet, text)
        self.store.insert_entries(keys, row)
        self._note(table, id, old=None, old_keys=(), new=text, new_keys=keys)
        self._is_torn = False

    def delete_from(self, table: Table, id: str, row: int, *, old: str, document: Fields) -> None:
        """Remove a document that was found at `row`."""
        keys = table.keys_of(document, encode_key([id]))
        if not table.is_system:
            self.usage.count_write(old)
        self.raise_if_torn()
        self._is_torn = True
        self.store.delete_document(row)
        for index_id, key in keys:
            self.store.delete_entry(index_id, key)
        self._note(table, id, old=old, old_keys=keys, new=None, new_keys=())
        self._is_torn = False

    def update_in(
        self, table: Table, id: str, row: int, *, old: str, document: Fields, changed: Fields
    ) -> None:
        """Give a document that was found at `row` the content `changed`, unless that is what it has."""
        text = encode(changed)
        if text == old:
            return
        self._enforce(table, {name: field for name, field in changed.items() if name not in _SYSTEM_FIELDS})
        self._check_document(table, changed, text)
        id_key = encode_key([id])
        old_keys = table.keys_of(document, id_key)
        is_same = table.has_same_keys(document, changed)
        new_keys = old_keys if is_same else table.keys_of(changed, id_key)
        self.raise_if_torn()
        self._is_torn = True
        self._move(row, text, old_keys, new_keys)
        self._note(table, id, old=old, old_keys=old_keys, new=text, new_keys=new_keys)
        self._is_torn = False

    def target(self, table: Table, id: str) -> tuple[str, int, Fields] | None:
        """A document that is about to be changed: its text, where it lies, and its content."""
        found = self._find_row(table, id)
        if found is None:
            return None
        text, row = found
        return text, row, decode_stored_document(text)

    def find(self, table: Table, id: str) -> str | None:
        found = self._find_row(table, id)
        return None if found is None else found[0]

    def _find_row(self, table: Table, id: str) -> tuple[str, int] | None:
        """A document and where it lies. Whoever reads one is likely to write it next."""
        key = encode_key([id])
        self.record_point(table.by_id, key)
        place = (table.tablet, id)
        found = self._rows.get(place)
        if found is None:
            found = self.store.find_row(table.by_id, key)
            if found is None:
                return None
            self._rows[place] = found
        self.usage.count_read(found[0])
        return found

    def create_table(self, name: str) -> Table:
        """Make a table of the application.

        Raises:
            InvalidName: it cannot be called so.
            TooManyTables: there are as many as there may be.
        """
        check_table_name(name)
        if len(self.catalog.tables) - len(SYSTEM_TABLES) >= TABLES_MAX:
            raise TooManyTables(maximum=TABLES_MAX)
        head = self.head
        table = Table(
            name=name,
            number=head.next_number,
            tablet=head.next_tablet,
            by_id=head.next_index,
            by_creation_time=head.next_index + 1,
        )
        # Numbers are not given back when the mutation is: an id of the lost table must never mean another.
        head.next_number += 1
        head.next_tablet += 1
        head.next_index += 2
        self.insert_into(
            TABLES,
            {
                "name": name,
                "number": float(table.number),
                "tablet": float(table.tablet),
                "byId": float(table.by_id),
                "byCreationTime": float(table.by_creation_time),
            },
        )
        self.catalog = self.catalog.with_table(table)
        self.define_view(table, ())
        return table

    def define_view(self, table: Table, fields: Iterable[str]) -> None:
        """Give SQL tools a view of the table, with a column for each of `fields`."""
        # SQLite folds the case of names and keeps some for itself. Such a table goes without.
        folded = table.name.lower()
        names = [name for name in self.catalog.tables if name.lower() == folded]
        if folded.startswith("sqlite_") or min(names, default=table.name) != table.name:
            return
        columns = {name: f'$."{name}"' for name in ("_id", "_creationTime", *fields)}
        self.store.define_view(table.name, index_id=table.by_creation_time, columns=columns)

    def next_index_id(self) -> int:
        """A number for an index that no index of this deployment ever had."""
        self.head.next_index += 1
        return self.head.next_index - 1

    # -- within -----------------------------------------------------------------------------------------

    def _move(self, row: int, text: str, old_keys: Keys, new_keys: Keys) -> None:
        """Give the document at `row` another text, and entries where that one belongs."""
        self.store.update_document(row, text)
        for (index_id, old_key), (_, new_key) in zip(old_keys, new_keys, strict=True):
            if old_key != new_key:
                self.store.delete_entry(index_id, old_key)
                self.store.insert_entry(index_id, new_key, row)

    def _existing_or_new(self, name: str) -> Table:
        return self.table_named(name) or self.create_table(name)

    def _writable(self, id: str, table: str | None, operation: Operation) -> Table:
        found = self.locate(id, table, operation)
        if found is None:
            raise TableNotFound(id=id)
        if found.is_system:
            raise SystemTableRefused(_SYSTEM_READ_ONLY)
        return found

    def _target(self, table: Table, id: str, verb: str) -> tuple[str, int, Fields]:
        found = self.target(table, id)
        if found is None:
            raise NonexistentDocument(operation=verb, id=id)
        return found

    def _update(
        self, table: Table, id: str, row: int, *, old: str, document: Fields, changed: Fields
    ) -> None:
        if not _is_same(changed["_id"], document["_id"]):
            raise InvalidIdField(table=table.name)
        if not _is_same(changed["_creationTime"], document["_creationTime"]):
            raise InvalidCreationTimeField(table=table.name)
        self.update_in(table, id, row, old=old, document=document, changed=changed)

    def _validator_for(self, table: Table) -> Validator | None:
        schema = self.catalog.schema
        return None if schema is None else self.schemas.validators(schema).get(table.name)

    def _enforce(self, table: Table, fields: Fields) -> None:
        validator = self._validator_for(table)
        if validator is None:
            return
        try:
            validator.check(fields, self.catalog)
        except ValidationFailed as error:
            raise SchemaEnforcementError(table=table.name, detail=str(error)) from None

    def _check_document(self, table: Table, document: Fields, text: str) -> None:
        """Check what a stored document may be, and charge it. Documents of the system are free."""
        if table.is_system:
            return
        self._has_commit_ts |= holds_commit_ts(text)
        size = self.usage.count_write(text)
        # No value takes more than three times its text, so most documents need no walk.
        if (
            3 * size > DOCUMENT_BYTES_MAX
            or text.count("{") + text.count("[") > DOCUMENT_NESTING_MAX
            or text.count('"_') > len(_SYSTEM_FIELDS)
        ):
            check_document_limits(document)

    def _note(
        self, table: Table, id: str, *, old: str | None, old_keys: Keys, new: str | None, new_keys: Keys
    ) -> None:
        """Remember what happened to a document, for the log and for taking it back."""
        place = (table.tablet, id)
        before = self._pending.get(place)
        self._rows.pop(place, None)
        self._journal.append((place, before))
        if before is not None:
            old, old_keys = before.old, before.old_keys
        self._pending[place] = _Pending(old, old_keys, new, new_keys)
        self.version += 1

    def _undo_to(self, mark: int) -> None:
        self._rows.clear()
        while len(self._journal) > mark:
            place, before = self._journal.pop()
            if before is None:
                del self._pending[place]
            else:
                self._pending[place] = before


_SYSTEM_FIELDS = frozenset({"_id", "_creationTime"})


def _normal_fields(value: Mapping[str, Any], operation: str) -> Fields:
    if type(value) is not dict and not isinstance(value, Mapping):
        raise InvalidArgument(f"Invalid argument `value` for `db.{operation}`: Value must be an Object")
    fields = normalize(value if isinstance(value, dict) else dict(value))
    assert isinstance(fields, dict)
    return fields


def _is_same(given: Value, stored: Value) -> bool:
    # To Python an Int64 equals the Float64 of the same number. What was not given is the very object.
    return given is stored or values_equal(given, stored)
