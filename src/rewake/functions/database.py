"""`ctx.db`: the database as authors write against it.

Floor 2, `functions`. Documents go in and out as instances of their class, or as dicts for tables without
one; what lies below is a transaction over encoded text, known by `ports.Transaction` only.

    ctx.db.get(id)                     ctx.db.insert(Message(...))      ctx.db.patch(id, body="x")
    ctx.db.get_many(ids)               ctx.db.insert("notes", {...})    ctx.db.replace(id, Message(...))
    ctx.db.query(Message)                                               ctx.db.delete(id)
    ctx.db.query("notes")             ctx.db.vars.commit_ts              the commit to come
    ctx.db.system.query("_storage")    tables of the system: a door of their own, to read

Every method that takes an id also takes its table before it; an id of another table is then an error.
`ctx.db.table(Message)` says the table once, for several calls.

Not here: how a query is built (`query.py`), what a write checks (`database`, floor 2 as well, unknown to us).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Generic, TypeVar, cast, overload

from rewake.errors import InvalidInput
from rewake.functions.elsewhere import HasElsewhere
from rewake.functions.ports import Host
from rewake.functions.query import Query
from rewake.schema import Document, Id, Schema, TableDefinition, is_document_class, plain_value
from rewake.values import COMMIT_TS, Int64, decode_stored, plain_text

D = TypeVar("D", bound=Document)
T = TypeVar("T")

_MISSING: Any = object()
"""An argument that was not given; None is one that was."""


class InvalidArgument(InvalidInput):
    """A `ctx.db` method was given something that it cannot take."""

    code = "InvalidArgument"


class DatabaseReader(HasElsewhere):
    """Reading."""

    ELSEWHERE = dict.fromkeys(
        ("insert", "patch", "replace", "delete", "vars"),
        "A query only reads. Write in a mutation: `@mutation`, `ctx: MutationCtx`.",
    )

    def __init__(self, host: Host) -> None:
        self._host = host

    @overload
    def get(self, id: Id[D], /) -> D | None: ...
    @overload
    def get(self, table: type[D], id: Id[D], /) -> D | None: ...
    @overload
    def get(self, table: str, id: str, /) -> dict[str, Any] | None: ...
    def get(self, first: Any = None, second: Any = _MISSING, /) -> Any:
        """The document with this id, or None where there is none (any more).

        With a table before the id, an id of another table is an error. Depends on that one document only.
        """
        table, id = (None, first) if second is _MISSING else (table_of(first), second)
        id = _id_text(id, "get")
        run = self._host.enter()
        found = run.transaction.get_with_table(id, table=table)
        if found is None:
            return None
        name, text = found
        definition = None if table is not None and isinstance(first, str) else run.schema.tables.get(name)
        return decode_stored(text) if definition is None else definition.codec.decode(text)

    @overload
    def get_many(self, ids: Iterable[Id[D]], /) -> list[D | None]: ...
    @overload
    def get_many(self, table: type[D], ids: Iterable[Id[D]], /) -> list[D | None]: ...
    @overload
    def get_many(self, table: str, ids: Iterable[str], /) -> list[dict[str, Any] | None]: ...
    def get_many(self, first: Any, second: Any = _MISSING, /) -> Any:
        """The documents with these ids, in their order; None where there is none. See `get`."""
        ids = first if second is _MISSING else second
        if isinstance(ids, str) or not isinstance(ids, Iterable):
            raise InvalidArgument(f"`db.get_many` takes ids, such as a list of them; got {ids!r}.")
        if second is _MISSING:
            return [self.get(id) for id in ids]
        return [self.get(first, id) for id in ids]

    @overload
    def table(self, table: type[D], /) -> TableReader[D]: ...
    @overload
    def table(self, table: str, /) -> TableReader[dict[str, Any]]: ...
    def table(self, table: Any, /) -> Any:
        """The methods of this object for one table: `ctx.db.table(Message).get(id)`."""
        table_of(table)
        return TableReader(self, table)

    @property
    def system(self) -> SystemReader:
        """The tables of the system: `_storage` and `_scheduled_functions`."""
        return SystemReader(self._host)

    @overload
    def query(self, table: type[D], /) -> Query[D]: ...
    @overload
    def query(self, table: str, /) -> Query[dict[str, Any]]: ...
    def query(self, table: Any, /) -> Any:
        """Begin a query: every document of the table in order of creation, until narrowed."""
        name = table_of(table)
        if name[:1] == "_":
            raise InvalidArgument("System tables can only be accessed from db.system.query().")
        return Query(self._host, name, table if isinstance(table, type) else None)

    def normalize_id(self, table: type[D] | str, text: str) -> Id[D] | None:
        """`text` as an id of `table`, or None where it is not one. Reads nothing."""
        name, text = table_of(table), _normalized_text(text)
        return self._host.enter().transaction.normalize_id(name, text)  # type: ignore[return-value]


class SystemReader:
    """`ctx.db.system`: the system's tables, read like any other, as dicts under their stored names."""

    def __init__(self, host: Host) -> None:
        self._host = host

    @overload
    def get(self, id: str, /) -> dict[str, Any] | None: ...
    @overload
    def get(self, table: str, id: str, /) -> dict[str, Any] | None: ...
    def get(self, first: Any = None, second: Any = _MISSING, /) -> Any:
        """The system document with this id, or None where there is none (any more)."""
        table, id = (None, first) if second is _MISSING else (table_of(first), second)
        id = _id_text(id, "get")
        text = self._host.enter().transaction.system.get(id, table=table)
        return None if text is None else decode_stored(text)

    def query(self, table: str, /) -> Query[dict[str, Any]]:
        """Begin a query over a system table; it has the indexes `by_id` and `by_creation_time`."""
        if table_of(table)[:1] != "_":
            raise InvalidArgument("User tables cannot be accessed with db.system.")
        return Query(self._host, table_of(table), None)

    def normalize_id(self, table: str, text: str) -> str | None:
        """`text` as an id of a system table, or None where it is not one. Reads nothing."""
        name, text = table_of(table), _normalized_text(text)
        return self._host.enter().transaction.system.normalize_id(name, text)


class TableReader(Generic[T]):
    """One table, to read. An id of another table is an error."""

    def __init__(self, database: DatabaseReader, table: Any) -> None:
        self._reader = database
        self._table = table

    def get(self, id: str, /) -> T | None:
        """See `DatabaseReader.get`."""
        return cast("T | None", self._reader.get(self._table, id))

    def get_many(self, ids: Iterable[str], /) -> list[T | None]:
        """See `DatabaseReader.get_many`."""
        return cast("list[T | None]", self._reader.get_many(self._table, ids))

    def query(self) -> Query[T]:
        """See `DatabaseReader.query`."""
        return cast("Query[T]", self._reader.query(self._table))

    def normalize_id(self, text: str, /) -> Id[Any] | None:
        """See `DatabaseReader.normalize_id`."""
        return self._reader.normalize_id(self._table, text)


class Variables:
    """`ctx.db.vars`: what is known only when the mutation commits."""

    @property
    def commit_ts(self) -> Int64:
        """The mutation's own commit timestamp, for a field of type `CommitTs`, of Int64 or of no type.

        Until the commit a placeholder stands for it, which is typed as what it becomes: an Int64, in
        nanoseconds, greater than that of every commit before. In the mutation itself it sorts, compares and
        is found in indexes as the largest Int64, can be handed to nested functions and returned, prints as
        `[unresolved commit timestamp]`, and raises TypeError where a number is needed.
        """
        return cast("Int64", COMMIT_TS)


class DatabaseWriter(DatabaseReader):
    """Reading and writing."""

    @property
    def vars(self) -> Variables:
        """What is known only when the mutation commits: `vars.commit_ts`."""
        self._host.enter()
        return Variables()

    @overload
    def table(self, table: type[D], /) -> TableWriter[D]: ...
    @overload
    def table(self, table: str, /) -> TableWriter[dict[str, Any]]: ...
    def table(self, table: Any, /) -> Any:
        """The methods of this object for one table: `ctx.db.table(Message).patch(id, body="x")`."""
        table_of(table)
        return TableWriter(self, table)

    @overload
    def insert(self, document: D, /) -> Id[D]: ...
    @overload
    def insert(self, table: str, value: Mapping[str, Any], /) -> Id[Any]: ...
    def insert(self, first: Any, second: Any = None, /) -> Any:
        """Store a new document; returns its id.

        Raises:
            SchemaEnforcementError: the document does not fit its table's schema.
        """
        if isinstance(first, Document):
            if second is not None:
                raise InvalidArgument(
                    "`db.insert` takes a document, or a table name and a mapping; not both."
                )
            run = self._host.enter()
            definition = run.schema.by_class.get(type(first)) or _declared(run.schema, type(first))
            return run.transaction.insert_instance(definition, first)
        if not isinstance(first, str):
            raise InvalidArgument(f"`db.insert` takes a document or a table name first; got {first!r}.")
        if not isinstance(second, Mapping):
            raise InvalidArgument("Invalid argument `value` for `db.insert`: Value must be an Object")
        return self._host.enter().transaction.insert(table_of(first), _value_of(dict(second)))

    @overload
    def patch(self, id: Id[Any] | str, fields: Mapping[str, Any], /) -> None: ...
    @overload
    def patch(self, id: Id[Any] | str, /, **fields: Any) -> None: ...
    @overload
    def patch(
        self, table: type[D] | str, id: Id[D] | str, mapping: Mapping[str, Any], /, **fields: Any
    ) -> None: ...
    @overload
    def patch(self, table: type[D] | str, id: Id[D] | str, /, **fields: Any) -> None: ...
    def patch(self, first: Any = None, second: Any = None, third: Any = None, /, **fields: Any) -> None:
        """Replace the given top-level fields and leave the others; UNSET removes one.

        Keywords are the attributes of the document class; the keys of a mapping are stored names.

        Raises:
            NonexistentDocument: there is no such document.
        """
        has_table = third is not None or isinstance(first, type) or (isinstance(second, str) and bool(fields))
        table, id, mapping = (table_of(first), second, third) if has_table else (None, first, second)
        id = _id_text(id, "patch")
        if mapping is not None and not isinstance(mapping, Mapping):
            raise InvalidArgument("Invalid argument `value` for `db.patch`: Value must be an Object")
        value: dict[str, Any] = {}
        if mapping:
            value = {name: plain_value(field) for name, field in mapping.items()}
        run = self._host.enter()
        if fields:
            definition = run.schema.tables.get(run.transaction.table_name_of(id) or "")
            value.update(
                definition.codec.patch_to_value(fields)
                if definition is not None
                else {name: plain_value(field) for name, field in fields.items()}
            )
        run.transaction.patch(id, value, table=table)

    @overload
    def replace(self, id: Id[D] | str, document: D | Mapping[str, Any], /) -> None: ...
    @overload
    def replace(self, table: type[D] | str, id: Id[D] | str, document: D | Mapping[str, Any], /) -> None: ...
    def replace(self, first: Any = None, second: Any = None, third: Any = _MISSING, /) -> None:
        """Replace all fields; the id and the creation time stay.

        Raises:
            NonexistentDocument: there is no such document.
        """
        table, id, document = (None, first, second) if third is _MISSING else (table_of(first), second, third)
        id = _id_text(id, "replace")
        if isinstance(document, Document):
            of_class = table_of(type(document))
            if table not in (None, of_class):
                raise InvalidArgument(f'A document of table "{of_class}" cannot replace one of "{table}".')
            run = self._host.enter()
            run.transaction.replace_instance(id, _declared(run.schema, type(document)), document)
        elif isinstance(document, Mapping):
            self._host.enter().transaction.replace(id, _value_of(dict(document)), table=table)
        else:
            raise InvalidArgument("Invalid argument `value` for `db.replace`: Value must be an Object")

    @overload
    def delete(self, id: Id[Any] | str, /) -> None: ...
    @overload
    def delete(self, table: type[D] | str, id: Id[D] | str, /) -> None: ...
    def delete(self, first: Any = None, second: Any = _MISSING, /) -> None:
        """Remove a document.

        Raises:
            NonexistentDocument: there is no such document.
        """
        table, id = (None, first) if second is _MISSING else (table_of(first), second)
        id = _id_text(id, "delete")
        self._host.enter().transaction.delete(id, table=table)


class TableWriter(TableReader[T]):
    """One table, to read and write. An id of another table is an error."""

    def __init__(self, database: DatabaseWriter, table: Any) -> None:
        super().__init__(database, table)
        self._writer = database

    def insert(self, document: T | Mapping[str, Any], /) -> Id[Any]:
        """See `DatabaseWriter.insert`."""
        if not isinstance(document, Document):
            return self._writer.insert(table_of(self._table), cast("Mapping[str, Any]", document))
        if table_of(type(document)) != table_of(self._table):
            of_class = table_of(type(document))
            raise InvalidArgument(f'A document of table "{of_class}" is none of "{table_of(self._table)}".')
        return self._writer.insert(document)

    def patch(self, id: str, mapping: Mapping[str, Any] | None = None, /, **fields: Any) -> None:
        """See `DatabaseWriter.patch`."""
        self._writer.patch(self._table, id, {} if mapping is None else mapping, **fields)

    def replace(self, id: str, document: T | Mapping[str, Any], /) -> None:
        """See `DatabaseWriter.replace`."""
        self._writer.replace(self._table, id, cast("Mapping[str, Any]", document))

    def delete(self, id: str, /) -> None:
        """See `DatabaseWriter.delete`."""
        self._writer.delete(self._table, id)


def table_of(table: object) -> str:
    """The table's name, from a document class or a name."""
    if isinstance(table, str):
        return plain_text(table)
    if isinstance(table, type) and is_document_class(table):
        name: str | None = table.__table__  # type: ignore[attr-defined]
        if name is not None:
            return name
    raise InvalidArgument(f"A table is named by its document class or its name; got {table!r}.")


def _declared(schema: Schema, kind: type[Any]) -> TableDefinition:
    """How the project declares the table of a class."""
    table = table_of(kind)
    definition = schema.tables.get(table)
    if definition is None:
        raise InvalidArgument(
            f'The class of table "{table}" is not part of this project\'s schema. Import it in schema.py.'
        )
    return definition


def _value_of(fields: dict[str, Any]) -> dict[str, Any]:
    value = plain_value(fields)
    assert isinstance(value, dict)
    return value


def _id_text(thing: object, method: str) -> str:
    """The text of an id, of whatever subclass of `str` it came as."""
    if isinstance(thing, str):
        return plain_text(thing)
    if thing is None:
        raise InvalidArgument(f"Must provide arg 1 `id` to `{method}`")
    kind = type(thing).__name__
    raise InvalidArgument(
        f"Invalid argument `id` for `db.{method}`, expected string but got '{kind}': {thing!r}"
    )


def _normalized_text(text: object) -> str:
    if text is None:
        raise InvalidArgument("Must provide arg 2 `id` to `normalizeId`")
    if not isinstance(text, str):
        raise InvalidArgument(
            f"Invalid argument `id` for `db.normalizeId`, expected string but got '{type(text).__name__}': "
            f"{text!r}"
        )
    return plain_text(text)
