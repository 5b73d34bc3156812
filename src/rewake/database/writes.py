"""Writes: what a mutation may do to the database.

Floor 2, `database`, on `document_writes`, which has what happens to a single document. Here is what authors
call, with its rules: whose table and which fields are whose, and which document is meant.

    check -> find the old document -> new document -> unchanged? -> `document_writes`

Not here: rows, index entries, the log (`document_writes.py`, `group_commit.py`).
Source: spec/semantics 1.7, 2.2, 4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rewake.database.catalog import SYSTEM_TABLES, TABLES
from rewake.database.document_writes import DocumentWrites, Fields
from rewake.database.errors import (
    InvalidArgument,
    InvalidCreationTimeField,
    InvalidIdField,
    NonexistentDocument,
    SystemTableRefused,
    TableNotFound,
    TooManyTables,
)
from rewake.database.past import PastReads
from rewake.database.reads import Operation, ReadTransaction
from rewake.database.table import Table
from rewake.limits import TABLES_MAX
from rewake.schema import TableDefinition
from rewake.storage import LogRow
from rewake.values import UNSET, check_table_name, normalize, values_equal

_SYSTEM_READ_ONLY = "System tables (prefixed with `_`) are read-only."


class WriteTransaction(DocumentWrites):
    """Reads and writes of one mutation, inside the group's transaction."""

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
        known = self.catalog.tables.get(table)
        if known is not None and type(value) is dict:
            id = self.insert_plain(known, value, self.schemas.writer(self.catalog.schema, table))
            if id is not None:
                return id
        fields = _normal_fields(value, "insert")
        if "_id" in fields:
            raise InvalidIdField(table=table)
        if "_creationTime" in fields:
            raise InvalidCreationTimeField(table=table)
        return self.insert_into(self._existing_or_new(table), fields)

    def insert_instance(self, definition: TableDefinition, document: object) -> str:
        """Store an instance of the class by which the code declares its table; returns its id.

        Raises:
            As `insert`.
        """
        known = self.catalog.tables.get(definition.name)
        if known is not None:
            write = self.schemas.instance_writer(self.catalog.schema, definition)
            id = self.insert_plain(known, document, write)
            if id is not None:
                return id
        return self.insert(definition.name, definition.codec.to_value(document))

    def patch(self, id: str, value: Mapping[str, Any], *, table: str | None = None) -> None:
        """Replace the named top-level fields of a document; UNSET removes a field, others stay.

        Raises:
            NonexistentDocument, TableNotFound, InvalidArgument, SchemaEnforcementError, InvalidValue.
        """
        if (
            type(value) is dict
            and "_id" not in value
            and "_creationTime" not in value
            and self.change_plain(id, value, "patch", table=table)
        ):
            return
        fields = _normal_fields(value, "patch")
        owner = self._writable(id, table, "patch")
        old, row, document = self._target(owner, id, "Update")
        changed = {**document, **fields}
        if len(fields) != len(value):  # Nothing but UNSET is left out of a normal form.
            removed = [name for name, field in value.items() if field is UNSET]
            if "_id" in removed:
                raise InvalidIdField(table=owner.name)
            if "_creationTime" in removed:
                raise InvalidCreationTimeField(table=owner.name)
            for name in removed:
                changed.pop(name, None)
        self._update(owner, id, row, old=old, document=document, changed=changed)

    def replace(self, id: str, value: Mapping[str, Any], *, table: str | None = None) -> None:
        """Give a document new fields.

        Its `_id` and `_creationTime` stay, and may be passed if they are equal.

        Raises:
            NonexistentDocument, TableNotFound, InvalidArgument, SchemaEnforcementError, InvalidValue.
        """
        if type(value) is dict and self.change_plain(id, value, "replace", table=table):
            return
        fields = _normal_fields(value, "replace")
        owner = self._writable(id, table, "replace")
        old, row, document = self._target(owner, id, "Replace")
        changed = {"_id": document["_id"], "_creationTime": document["_creationTime"], **fields}
        self._update(owner, id, row, old=old, document=document, changed=changed)

    def replace_instance(self, id: str, definition: TableDefinition, document: object) -> None:
        """Give a document the fields of an instance of the class by which the code declares its table.

        Raises:
            As `replace`.
        """
        name = definition.name
        if not self.change_plain(id, document, "replace", table=name, definition=definition):
            self.replace(id, definition.codec.to_value(document), table=name)

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

    # -- what `schema_change` and imports call ----------------------------------------------------------

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
        with self.savepoint():  # All of it, or an author who catches what stops it makes it twice.
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
        # To Python an Int64 equals the Float64 of the same number. What was not given is the very object.
        given, stored = changed["_id"], document["_id"]
        if given is not stored and not values_equal(given, stored):
            raise InvalidIdField(table=table.name)
        given, stored = changed["_creationTime"], document["_creationTime"]
        if given is not stored and not values_equal(given, stored):
            raise InvalidCreationTimeField(table=table.name)
        self.update_in(table, id, row, old=old, document=document, changed=changed)


def _normal_fields(value: Mapping[str, Any], operation: str) -> Fields:
    if type(value) is not dict and not isinstance(value, Mapping):
        raise InvalidArgument(f"Invalid argument `value` for `db.{operation}`: Value must be an Object")
    fields = normalize(value if isinstance(value, dict) else dict(value))
    assert isinstance(fields, dict)
    return fields
