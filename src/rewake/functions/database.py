"""`ctx.db`: the database as authors write against it.

Floor 2, `functions`. Documents go in and out as instances of their class, or as dicts for tables without
one; what lies below is a transaction over encoded text, known by `ports.Transaction` only.

    ctx.db.get(id)                     ctx.db.insert(Message(...))      ctx.db.patch(id, body="x")
    ctx.db.query(Message)              ctx.db.insert("notes", {...})    ctx.db.replace(id, Message(...))
    ctx.db.query("notes")                                               ctx.db.delete(id)

Not here: how a query is built (`query.py`), what a write checks (`database`, floor 2 as well, unknown to us).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar, overload

from rewake.errors import InvalidInput
from rewake.functions.ports import Host
from rewake.functions.query import Query
from rewake.schema import Document, Id, TableDefinition, is_document_class, plain_value
from rewake.values import InvalidId, decode_id, decode_stored

D = TypeVar("D", bound=Document)

_MISSING: Any = object()
"""An argument that was not given; None is one that was."""


class InvalidArgument(InvalidInput):
    """A `ctx.db` method was given something that it cannot take."""

    code = "InvalidArgument"


class DatabaseReader:
    """Reading."""

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
        _check_id(id, "get")
        text = self._host.transaction.get(id, table=table)
        if text is None:
            return None
        if isinstance(first, str) and table is not None:
            return decode_stored(text)
        return decode_document(self._host, id, text)

    @overload
    def query(self, table: type[D], /) -> Query[D]: ...
    @overload
    def query(self, table: str, /) -> Query[dict[str, Any]]: ...
    def query(self, table: Any, /) -> Any:
        """Begin a query: every document of the table in order of creation, until narrowed."""
        return Query(self._host, table_of(table), table if isinstance(table, type) else None)

    def normalize_id(self, table: type[D] | str, text: str) -> Id[D] | None:
        """`text` as an id of `table`, or None where it is not one. Reads nothing."""
        return self._host.transaction.normalize_id(table_of(table), text)  # type: ignore[return-value]


class DatabaseWriter(DatabaseReader):
    """Reading and writing."""

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
            table = table_of(type(first))
            return self._host.transaction.insert(table, self._definition(table).codec.to_value(first))
        if not isinstance(first, str):
            raise InvalidArgument(f"`db.insert` takes a document or a table name first; got {first!r}.")
        if not isinstance(second, Mapping):
            raise InvalidArgument("Invalid argument `value` for `db.insert`: Value must be an Object")
        return self._host.transaction.insert(first, _value_of(dict(second)))

    @overload
    def patch(self, id: Id[Any] | str, fields: Mapping[str, Any], /) -> None: ...
    @overload
    def patch(self, id: Id[Any] | str, /, **fields: Any) -> None: ...
    def patch(self, id: Any, mapping: Mapping[str, Any] | None = None, /, **fields: Any) -> None:
        """Replace the given top-level fields and leave the others; UNSET removes one.

        Keywords are the attributes of the document class; the keys of a mapping are stored names.

        Raises:
            NonexistentDocument: there is no such document.
        """
        _check_id(id, "patch")
        if mapping is not None and not isinstance(mapping, Mapping):
            raise InvalidArgument("Invalid argument `value` for `db.patch`: Value must be an Object")
        value: dict[str, Any] = {name: plain_value(field) for name, field in (mapping or {}).items()}
        if fields:
            definition = self._definition_of(id)
            value.update(
                definition.codec.patch_to_value(fields)
                if definition is not None
                else {name: plain_value(field) for name, field in fields.items()}
            )
        self._host.transaction.patch(id, value)

    def replace(self, id: Id[D] | str, document: D | Mapping[str, Any], /) -> None:
        """Replace all fields; the id and the creation time stay.

        Raises:
            NonexistentDocument: there is no such document.
        """
        _check_id(id, "replace")
        if isinstance(document, Document):
            table = table_of(type(document))
            self._host.transaction.replace(id, self._definition(table).codec.to_value(document), table=table)
        elif isinstance(document, Mapping):
            self._host.transaction.replace(id, _value_of(dict(document)))
        else:
            raise InvalidArgument("Invalid argument `value` for `db.replace`: Value must be an Object")

    def delete(self, id: Id[Any] | str, /) -> None:
        """Remove a document.

        Raises:
            NonexistentDocument: there is no such document.
        """
        _check_id(id, "delete")
        self._host.transaction.delete(id)

    def _definition(self, table: str) -> TableDefinition:
        definition = self._host.table(table)
        if definition is None:
            raise InvalidArgument(
                f'The class of table "{table}" is not part of this project\'s schema. Import it in schema.py.'
            )
        return definition

    def _definition_of(self, id: str) -> TableDefinition | None:
        table = _table_of_id(self._host, id)
        return self._host.table(table) if table is not None else None


def table_of(table: object) -> str:
    """The table's name, from a document class or a name."""
    if isinstance(table, str):
        return table
    if isinstance(table, type) and is_document_class(table):
        name: str | None = table.__table__  # type: ignore[attr-defined]
        if name is not None:
            return name
    raise InvalidArgument(f"A table is named by its document class or its name; got {table!r}.")


def decode_document(host: Host, id: str, text: str) -> Any:
    """An instance of the class of the table that `id` belongs to, or a dict where the table has no class."""
    table = _table_of_id(host, id)
    definition = host.table(table) if table is not None else None
    return decode_stored(text) if definition is None else definition.codec.decode(text)


def _table_of_id(host: Host, id: str) -> str | None:
    try:
        return host.table_name(decode_id(id).table_number)
    except InvalidId:
        return None


def _value_of(fields: dict[str, Any]) -> dict[str, Any]:
    value = plain_value(fields)
    assert isinstance(value, dict)
    return value


def _check_id(id: object, method: str) -> None:
    if id is None:
        raise InvalidArgument(f"Must provide arg 1 `id` to `{method}`")
    if not isinstance(id, str):
        raise InvalidArgument(
            f"Invalid argument `id` for `db.{method}`, expected string but got '{type(id).__name__}': {id!r}"
        )
