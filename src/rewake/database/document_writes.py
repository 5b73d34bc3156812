"""Document writes: rows, index entries, and what a mutation came to.

Floor 2, `database`, under `writes`, where authors' calls and their rules are. A document changes at once,
inside the group's transaction, so that the mutation's later reads see it by themselves; nobody else does
before the group commits. What the mutation came to is gathered per document, old against new, and becomes its
one row of the commit log.

    schema, bounds -> text -> rows and index entries -> pending

A document of a plain class is written and checked in one pass (`schema/document_writers.py`); what that does
not take goes through `encode` and the validator, which say what is wrong.

A sub-transaction is a savepoint in SQLite and a mark in the journal of what is pending. Taking it back
restores both, and the catalog; ids and creation times go on, and what was read stays read.

A document may hold COMMIT_TS until the mutation is over; only this mutation can see it, at the place of the
largest Int64 in every index. `resolve_commit_ts` then moves such documents to their true places, before the
log is written.

Not here: savepoint of the mutation itself, its timestamp, the log (`group_commit.py`).
Source: spec/semantics 2.2, 4, 5.6.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from math import inf, nextafter
from typing import Any

import msgspec
from msgspec.structs import replace

from rewake.database.active_schema import ActiveSchemas
from rewake.database.catalog import AUTHOR_VISIBLE, Catalog
from rewake.database.errors import InvalidArgument, SchemaEnforcementError, WriteInterrupted
from rewake.database.reads import Operation, ReadTransaction
from rewake.database.table import Table
from rewake.environment import Environment
from rewake.limits import DOCUMENT_BYTES_MAX, DOCUMENT_NESTING_MAX, Limits
from rewake.schema import TableDefinition, ValidationFailed, WriteDocument, as_it_is
from rewake.storage import GroupDoomed, Head, Keys, LogWrite, WriterStore, joined_keys
from rewake.values import (
    NewIds,
    Value,
    check_document_limits,
    decode_stored,
    decode_stored_document,
    encode,
    holds_commit_ts,
    key_of_id,
    normalize,
    resolve_commit_ts,
)

Fields = dict[str, Value]
_SYSTEM_FIELDS = frozenset({"_id", "_creationTime"})


class _Pending(msgspec.Struct, frozen=True, gc=False):
    """What a mutation did to one document so far: its first old state and its latest new one."""

    old: str | None
    old_keys: Keys
    new: str | None
    new_keys: Keys


class _Part:
    """See `DocumentWrites.savepoint`.

    No generator: where an error that was caught kept one from its end, it would be ended when it is collected
    as garbage, perhaps in the middle of another mutation.
    """

    __slots__ = ("_catalog", "_mark", "_number", "_writes")

    def __init__(self, writes: DocumentWrites) -> None:
        self._writes = writes

    def __enter__(self) -> None:
        writes = self._writes
        writes.raise_if_torn()
        self._catalog, self._mark = writes.catalog, len(writes._journal)
        writes.is_torn = True
        writes.store.begin_part()
        writes.parts_open = self._number = writes.parts_open + 1
        writes.is_torn = False

    def __exit__(self, kind: type[BaseException] | None, error: object, trace: object) -> None:
        writes = self._writes
        if kind is None:
            try:
                writes.raise_if_broken(parts_open=self._number)
            except WriteInterrupted:
                self._take_back()
                raise
            writes.is_torn = True
            writes.store.keep_part()
            writes.parts_open -= 1
            writes.is_torn = False
        elif not issubclass(kind, GroupDoomed):
            self._take_back()

    def _take_back(self) -> None:
        writes = self._writes
        writes.is_torn = True
        if writes.parts_open != self._number:
            return  # The end of one within was interrupted, and it is that one that would be dropped.
        writes.store.drop_part()
        writes._undo_to(self._mark)
        writes.catalog = self._catalog
        writes.version += 1
        writes.parts_open -= 1
        writes.is_torn = False


class DocumentWrites(ReadTransaction):
    """Changes of documents, inside the group's transaction."""

    def __init__(
        self,
        store: WriterStore,
        catalog: Catalog,
        *,
        head: Head,
        schemas: ActiveSchemas,
        environment: Environment,
        limits: Limits,
        ids: NewIds,
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
        self.parts_open = 0
        """Raised where a part begins, lowered where its savepoint is gone."""
        self.has_commit_ts = False
        """Set by the first document that holds COMMIT_TS, also where a savepoint takes that document back."""
        self.is_torn = False
        """Set while a document, its index entries and its place in the log are not in step, or a savepoint
        and what we know of it; stays set when Python itself gave up in between (too deep a recursion, the
        author's own alarm), which an author may have caught."""

    def savepoint(self) -> AbstractContextManager[None]:
        """Do what follows as a part: if it raises, its writes are taken back and the error goes on.

        What it read stays in the read set, and what it used counts towards the limits.

        Raises:
            WriteInterrupted: a write stopped half way, before or in it. Only what stopped in it goes with it.
        """
        return _Part(self)

    # -- what `group_commit` and `schema_change` call ---------------------------------------------------

    def resolve_commit_ts(self, ts: int) -> None:
        """Put the mutation's own timestamp into every document that waits for it, and into its index keys."""
        if not self.has_commit_ts:
            return
        tables = {table.tablet: table for table in self.catalog.tables.values()}
        for (tablet, id), pending in self._pending.items():
            if pending.new is None or not holds_commit_ts(pending.new):
                continue
            table = tables[tablet]
            found = self.store.find_row(table.by_id, key_of_id(id))
            assert found is not None, "a document that was written last has a row"
            text, row = resolve_commit_ts(pending.new, ts), found[1]
            keys = table.keys_of(decode_stored_document(text))
            self._move(row, text, table.keys_of(decode_stored_document(pending.new)), keys)
            self._pending[tablet, id] = replace(pending, new=text, new_keys=keys)

    def raise_if_torn(self) -> None:
        """Refuse to go on where a write stopped half way.

        Raises:
            WriteInterrupted: whatever the author made of the error, the mutation must be taken back.
            GroupDoomed: the storage stopped it, and the whole group must be taken back.
        """
        if self.is_torn:
            if self.store.doomed is not None:
                raise GroupDoomed(self.store.doomed)
            raise WriteInterrupted()

    def raise_if_broken(self, *, parts_open: int = 0) -> None:
        """`raise_if_torn`, at the end of a part or of all: also where a part within it has not been ended."""
        if self.parts_open != parts_open:
            self.is_torn = True
        self.raise_if_torn()

    def log_writes(self) -> tuple[LogWrite, ...]:
        """The net effect on each document, in the order of first touch. What came to nothing is left out."""
        writes = []
        for (tablet, id), pending in self._pending.items():
            if pending.old != pending.new:
                keys = joined_keys(pending.old_keys, pending.new_keys)
                writes.append(LogWrite(tablet, id, pending.old, pending.new, keys))
        return tuple(writes)

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
        id = self._ids.next(table.number, self._now_ns)
        self.store_document(table, {**fields, "_id": id, "_creationTime": self._creation_time})
        if not table.is_system or table.tablet in AUTHOR_VISIBLE:
            self._creation_time = nextafter(self._creation_time, inf)
        return id

    def insert_plain(self, table: Table, given: Any, write: WriteDocument | None) -> str | None:
        """Store a new document of an author's table in one pass, as `write` does it. None where that is not
        for `given`, which is what the author gave: then nothing has happened, and the general way says what
        is wrong.
        """
        if write is None:
            return None
        id, time = self._ids.next(table.number, self._now_ns), self._creation_time
        written = write(given, id, time, self.catalog, normalize)
        # An odd object of the author's that is asked for its class may insert another document meanwhile.
        if written is None or time != self._creation_time:
            return None
        text, document = written
        self.table_named(table.name)
        self.usage.count_write(text)
        self._insert(table, id, document, text)
        self._creation_time = nextafter(self._creation_time, inf)
        return id

    def change_plain(
        self,
        id: str,
        given: Any,
        operation: Operation,
        *,
        table: str | None,
        definition: TableDefinition | None = None,
    ) -> bool:
        """Give an author's document other fields in one pass: some of them ("patch") or all ("replace").

        `given` are the fields, or with a `definition` an instance of its class. False where that is not for
        what the author gave: then nothing has happened, and the general way says what is wrong.
        """
        try:
            owner = self.locate(id, table, operation)
        except InvalidArgument:
            return False
        if owner is None:
            return False
        schemas, schema = self.schemas, self.catalog.schema
        write = (
            schemas.writer(schema, owner.name)
            if definition is None
            else schemas.instance_writer(schema, definition)
        )
        if write is None:
            return False
        place, version = (owner.tablet, id), self.version
        found = self._rows.get(place) or self.store.find_row(owner.by_id, key_of_id(id))
        if found is None:
            return False
        old, row = found
        document: Any = decode_stored(old)
        if operation == "patch":
            given = {**document, **given}
            del given["_id"], given["_creationTime"]
        written = write(given, document["_id"], document["_creationTime"], self.catalog, normalize)
        # As above: it may have been this very document.
        if written is None or version != self.version:
            return False
        # Now it is known that this is the way, the look at the document is taken down and charged.
        self.find(owner, id, found)
        text, changed = written
        if text != old:
            self.usage.count_write(text)
            keys = owner.keys_of(document)
            new_keys = keys if owner.has_same_keys(document, changed) else owner.keys_of(changed)
            self._change(owner, id, row, old=old, old_keys=keys, new=text, new_keys=new_keys)
        return True

    def store_document(self, table: Table, document: Fields) -> None:
        """Store a new document under the id and the creation time that it has, which nobody else has."""
        text = encode(document)
        self._check_document(table, document, text)
        self._insert(table, str(document["_id"]), document, text)

    def delete_from(self, table: Table, id: str, row: int, *, old: str, document: Fields) -> None:
        """Remove a document that was found at `row`."""
        keys = table.keys_of(document)
        if not table.is_system:
            self.usage.count_write(old)
        self.raise_if_torn()
        self.is_torn = True
        self.store.delete_document(row)
        for index_id, key in keys:
            self.store.delete_entry(index_id, key)
        self._note(table, id, old=old, old_keys=keys, new=None, new_keys=())
        self.is_torn = False

    def update_in(
        self, table: Table, id: str, row: int, *, old: str, document: Fields, changed: Fields
    ) -> None:
        """Give a document that was found at `row` the content `changed`, unless that is what it has."""
        written = self._rewritten(table, changed)
        text = encode(changed) if written is None else written
        if text == old:
            return
        if written is not None:
            self.usage.count_write(text)
        else:
            self._enforce(table, {name: part for name, part in changed.items() if name not in _SYSTEM_FIELDS})
            self._check_document(table, changed, text)
        keys = table.keys_of(document)
        new_keys = keys if table.has_same_keys(document, changed) else table.keys_of(changed)
        self._change(table, id, row, old=old, old_keys=keys, new=text, new_keys=new_keys)

    def target(self, table: Table, id: str) -> tuple[str, int, Fields] | None:
        """A document that is about to be changed: its text, where it lies, and its content."""
        if self.find(table, id) is None:
            return None
        text, row = self._rows[table.tablet, id]
        document = decode_stored(text)
        assert isinstance(document, dict), "a stored document is an object"
        return text, row, document

    def find(self, table: Table, id: str, found: tuple[str, int] | None = None) -> str | None:
        """A document, whose row is remembered: whoever reads one is likely to write it next. `found` is what
        a look has shown that was not taken down yet.
        """
        place = (table.tablet, id)
        known = self._rows.get(place)
        if known is None:
            key, recorder = key_of_id(id), self.recorder
            recorder.point(table.by_id, key)
            if recorder.parts > self.intervals_allowed:
                self.count_intervals()
            known = found or self.store.find_row(table.by_id, key)
            if known is None:
                return None
            self._rows[place] = known
        text = known[0]
        self.usage.count_read(text)
        return text

    # -- within -----------------------------------------------------------------------------------------

    def _insert(self, table: Table, id: str, document: Fields, text: str) -> None:
        keys = table.keys_of(document)
        if self.is_torn:
            self.raise_if_torn()
        self.is_torn = True
        self.store.insert_document(table.tablet, text, keys)
        self._note(table, id, old=None, old_keys=(), new=text, new_keys=keys)
        self.is_torn = False

    def _change(
        self, table: Table, id: str, row: int, *, old: str, old_keys: Keys, new: str, new_keys: Keys
    ) -> None:
        if self.is_torn:
            self.raise_if_torn()
        self.is_torn = True
        if new_keys is old_keys:
            self.store.update_document(row, new)
        else:
            self._move(row, new, old_keys, new_keys)
        self._note(table, id, old=old, old_keys=old_keys, new=new, new_keys=new_keys)
        self.is_torn = False

    def _move(self, row: int, text: str, old_keys: Keys, new_keys: Keys) -> None:
        """Give the document at `row` another text, and entries where that one belongs."""
        self.store.update_document(row, text)
        for (index_id, old_key), (_, new_key) in zip(old_keys, new_keys, strict=True):
            if old_key != new_key:
                self.store.delete_entry(index_id, old_key)
                self.store.insert_entry(index_id, new_key, row)

    def _rewritten(self, table: Table, changed: Fields) -> str | None:
        """The text of a changed document, checked in one pass; None where that is not for it."""
        write = self.schemas.writer(self.catalog.schema, table.name)
        if write is None:
            return None
        fields = {**changed}
        id, time = fields.pop("_id"), fields.pop("_creationTime")
        if type(id) is not str or type(time) is not float:
            return None
        written = write(fields, id, time, self.catalog, as_it_is)
        return None if written is None else written[0]

    def _enforce(self, table: Table, fields: Fields) -> None:
        schema = self.catalog.schema
        validator = None if schema is None else self.schemas.validators(schema).get(table.name)
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
        self.has_commit_ts |= holds_commit_ts(text)
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
        self.read_ids.clear()  # Tables that were made since are none any more.
        while len(self._journal) > mark:
            place, before = self._journal.pop()
            if before is None:
                del self._pending[place]
            else:
                self._pending[place] = before
