"""Indexes: what an author declares, what a table keeps, and every way of declaring one wrongly.

Floor 1, `schema`, on `index_range` and `validators`. Two faces of one thing:

    Index("channel")            on a document class; speaks Python attribute names; `Message.by_channel` knows
                                its table and makes bounds for `with_index`
    IndexDefinition             in a TableDefinition; speaks stored names; what `database` builds and
                                official tools are told

Every database index ends implicitly with `_creationTime` and `_id`. `by_id` and `by_creation_time` exist
without being declared.

Source: spec/semantics 2.4.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from rewake.errors import InvalidInput
from rewake.limits import INDEX_FIELDS_MAX, INDEXES_PER_TABLE_MAX
from rewake.schema.errors import InvalidSchema
from rewake.schema.index_range import RangeBound, range_bounds
from rewake.schema.validator import Validator
from rewake.schema.validators import (
    VAny,
    VArray,
    VFloat64,
    VObject,
    VRecord,
    VRecursive,
    VUnion,
)
from rewake.values import check_identifier, parse_field_path

CREATION_TIME = "_creationTime"
DOCUMENT_ID = "_id"
SYSTEM_ATTRIBUTES = {"id": DOCUMENT_ID, "creation_time": CREATION_TIME}
"""What authors call the system's fields."""
BY_ID = "by_id"
BY_CREATION_TIME = "by_creation_time"

_RESERVED_NAMES = frozenset({BY_ID, BY_CREATION_TIME})
_VECTOR_DIMENSIONS = range(2, 4097)


class IndexDefinition(msgspec.Struct, frozen=True):
    """A database index under stored names, without its implicit fields."""

    name: str
    fields: tuple[str, ...]
    staged: bool = False

    @property
    def key_fields(self) -> tuple[str, ...]:
        """The fields of this index's keys: those declared, then `_creationTime` and `_id`."""
        if self.name == BY_ID:
            return (DOCUMENT_ID,)
        return (*self.fields, CREATION_TIME, DOCUMENT_ID)

    def to_json(self) -> dict[str, Any]:
        """As official tools read it."""
        return {"indexDescriptor": self.name, "fields": list(self.fields)}


IMPLICIT_INDEXES = {name: IndexDefinition(name, ()) for name in (BY_ID, BY_CREATION_TIME)}
"""What every table has without declaring it."""


class SearchIndexDefinition(msgspec.Struct, frozen=True):
    """A text search index under stored names. Declared and exported; searching comes later."""

    name: str
    search_field: str
    filter_fields: tuple[str, ...] = ()
    staged: bool = False

    def to_json(self) -> dict[str, Any]:
        """As official tools read it."""
        return {
            "indexDescriptor": self.name,
            "searchField": self.search_field,
            "filterFields": sorted(self.filter_fields),
        }


class VectorIndexDefinition(msgspec.Struct, frozen=True):
    """A vector index under stored names. Declared and exported; searching comes later."""

    name: str
    vector_field: str
    dimensions: int
    filter_fields: tuple[str, ...] = ()
    staged: bool = False

    def to_json(self) -> dict[str, Any]:
        """As official tools read it."""
        return {
            "indexDescriptor": self.name,
            "vectorField": self.vector_field,
            "dimensions": self.dimensions,
            "filterFields": sorted(self.filter_fields),
        }


AnyIndexDefinition = IndexDefinition | SearchIndexDefinition | VectorIndexDefinition


class FieldNaming(msgspec.Struct, frozen=True):
    """How a document class names its fields; given to an index when the class is made."""

    owner: Any
    """The document class."""
    stored_path: Callable[[str], str]
    """A dotted path of Python attributes as a path of stored names."""
    to_value: Callable[[str, object], Any]
    """The value of an object meant for the field at a stored path."""


class _Declared:
    """What the three kinds of declared index share: a name and a table, known once the class is made."""

    def __init__(self) -> None:
        self.name: str = ""
        """The attribute that it was assigned to; set when the document class is made."""
        self._naming: FieldNaming | None = None

    def bind(self, name: str, naming: FieldNaming) -> Any:
        """A copy that knows its name and its document class."""
        copy = object.__new__(type(self))
        copy.__dict__.update(self.__dict__)
        copy.name = name
        copy._naming = naming
        return copy

    @property
    def table(self) -> str | None:
        """The table that it belongs to; None on a base class without a table."""
        return self._naming.owner.__table__ if self._naming is not None else None

    def _stored(self, path: str) -> str:
        return self._naming.stored_path(path) if self._naming is not None else path

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.table or '?'}.{self.name or '?'}>"


class Index(_Declared):
    """A database index on a document class: `by_channel = Index("channel")`.

    Fields are the class's attributes, dotted for nested ones. `_creationTime` and `_id` follow by
    themselves. A staged index is built without being usable yet.
    """

    def __init__(self, *fields: str, staged: bool = False) -> None:
        super().__init__()
        self.fields = fields
        self.staged = staged

    @property
    def definition(self) -> IndexDefinition:
        """The index under stored names."""
        return IndexDefinition(self.name, tuple(map(self._stored, self.fields)), self.staged)

    def bounds(
        self, fields: Mapping[str, object] | None = None, /, **named: object
    ) -> tuple[RangeBound, ...]:
        """What `with_index` was given, as bounds on stored paths.

        `fields` is for dotted paths; keywords are attributes. A plain value asks for equality, `gt`, `gte`,
        `lt`, `lte` and their `&` for a range. Whether the bounds fit the index is checked by `interval_for`.
        """
        to_value = self._naming.to_value if self._naming is not None else None
        bounds = range_bounds({self._stored(path): named[path] for path in named}, to_value=to_value)
        if fields:
            # One after the other, so that a field in both is seen to be there twice.
            stored = {self._stored(path): thing for path, thing in fields.items()}
            bounds = range_bounds(stored, to_value=to_value) + bounds
        return bounds


class SearchIndex(_Declared):
    """A text search index on a document class: `SearchIndex("body", filter_fields=["channel"])`."""

    def __init__(self, search_field: str, *, filter_fields: Iterable[str] = (), staged: bool = False) -> None:
        super().__init__()
        self.search_field = search_field
        self.filter_fields = tuple(filter_fields)
        self.staged = staged

    @property
    def definition(self) -> SearchIndexDefinition:
        """The index under stored names."""
        filters = tuple(map(self._stored, self.filter_fields))
        return SearchIndexDefinition(self.name, self._stored(self.search_field), filters, self.staged)


class VectorIndex(_Declared):
    """A vector index on a document class: `VectorIndex("embedding", dimensions=1536)`."""

    def __init__(
        self, vector_field: str, *, dimensions: int, filter_fields: Iterable[str] = (), staged: bool = False
    ) -> None:
        super().__init__()
        self.vector_field = vector_field
        self.dimensions = dimensions
        self.filter_fields = tuple(filter_fields)
        self.staged = staged

    @property
    def definition(self) -> VectorIndexDefinition:
        """The index under stored names."""
        filters = tuple(map(self._stored, self.filter_fields))
        field = self._stored(self.vector_field)
        return VectorIndexDefinition(self.name, field, self.dimensions, filters, self.staged)


def check_indexes(table: str, indexes: Iterable[AnyIndexDefinition]) -> None:
    """Refuse indexes that break a rule of semantics 2.4, apart from what only the validator can tell.

    Raises:
        InvalidSchema: with the text of the table there.
    """
    names: set[str] = set()
    contents: dict[object, str] = {}
    count = 0
    for index in indexes:
        _check_name(table, index.name)
        if index.name in names:
            raise InvalidSchema(f'Table "{table}" has two or more definitions of index "{index.name}".')
        names.add(index.name)
        content = _check_content(table, index)
        if content in contents:
            raise InvalidSchema(
                f'In table "{table}" index "{contents[content]}" and index "{index.name}" have the same '
                "fields. "
                "Indexes must be unique within a table."
            )
        contents[content] = index.name
        count += 1
    if count > INDEXES_PER_TABLE_MAX:
        raise InvalidSchema(f'Table "{table}" cannot have more than {INDEXES_PER_TABLE_MAX} indexes.')


def _check_name(table: str, name: str) -> None:
    if name in _RESERVED_NAMES or name.startswith("_"):
        raise InvalidSchema(
            f'In table "{table}" cannot name an index "{name}" because the name is reserved. Indexes may '
            "not start "
            'with an underscore or be named "by_id" or "by_creation_time".'
        )
    try:
        check_identifier(name)
    except InvalidInput:
        raise InvalidSchema(
            f'Invalid index name: "{name}". Identifiers must be 64 characters or less, start with a letter, '
            "and only "
            "contain letters, digits, underscores."
        ) from None


def _check_content(table: str, index: AnyIndexDefinition) -> object:
    """Check the fields of one index; what must differ between two indexes of the table."""
    if isinstance(index, IndexDefinition):
        _check_database_fields(table, index)
        return index.fields
    for field in index.filter_fields:
        _check_path(index.name, field)
    if len(index.filter_fields) > INDEX_FIELDS_MAX:
        raise InvalidSchema(f"Search indexes may have up to {INDEX_FIELDS_MAX} filter fields.")
    if isinstance(index, SearchIndexDefinition):
        _check_path(index.name, index.search_field)
        return ("search", index.search_field, frozenset(index.filter_fields))
    _check_path(index.name, index.vector_field)
    if index.dimensions not in _VECTOR_DIMENSIONS:
        raise InvalidSchema(f"Dimensions {index.dimensions} must be between 2 and 4096.")
    return ("vector", index.vector_field, index.dimensions)


def _check_database_fields(table: str, index: IndexDefinition) -> None:
    if not index.fields:
        raise InvalidSchema(f'In table "{table}" index "{index.name}" must have at least one field.')
    if len(index.fields) > INDEX_FIELDS_MAX:
        raise InvalidSchema(f"Indexes may have up to {INDEX_FIELDS_MAX} fields.")
    seen: set[str] = set()
    for field in index.fields:
        if field == DOCUMENT_ID:
            raise InvalidSchema(
                "`_id` is not a valid index field. To load documents by ID, use `db.get(id)`."
            )
        if field == CREATION_TIME:
            raise InvalidSchema(
                "`_creationTime` is automatically added to the end of each index. It should not be added "
                "explicitly in "
                "the index definition. See https://docs.convex.dev/using/indexes for more details."
            )
        if field.startswith("_"):
            raise InvalidSchema("Reserved fields (starting with `_`) are not allowed in indexes.")
        _check_path(index.name, field)
        if field in seen:
            raise InvalidSchema(f'Duplicate field "{field}". Index fields must be unique within an index.')
        seen.add(field)


def _check_path(index: str, field: str) -> None:
    try:
        parse_field_path(field)
    except InvalidInput:
        raise InvalidSchema(f'In index "{index}": Invalid index field: "{field}"') from None


def check_indexed_fields(table: str, validator: Validator, indexes: Iterable[AnyIndexDefinition]) -> None:
    """Refuse indexes on fields that no document of the table can have, or whose type cannot be indexed so.

    Raises:
        InvalidSchema: with the text of semantics 2.4.
    """
    for index in indexes:
        for field in _fields_of(index):
            if field not in (CREATION_TIME, DOCUMENT_ID) and not validators_at(
                validator, parse_field_path(field)
            ):
                raise InvalidSchema(
                    f'In table "{table}" the index "{index.name}" is invalid because it references the field '
                    f'"{field}" that does not exist.'
                )
        if isinstance(index, VectorIndexDefinition):
            found = validators_at(validator, parse_field_path(index.vector_field))
            if not any(map(_can_hold_vector, found)):
                raise InvalidSchema(
                    f'In table "{table}" the vector index "{index.name}" is invalid because it references '
                    "the field "
                    f'"{index.vector_field}" that is neither an array of float64 or optional array of '
                    "float64."
                )


def _fields_of(index: AnyIndexDefinition) -> tuple[str, ...]:
    if isinstance(index, IndexDefinition):
        return index.fields
    first = index.search_field if isinstance(index, SearchIndexDefinition) else index.vector_field
    return (first, *index.filter_fields)


def validators_at(validator: Validator, path: tuple[str, ...]) -> list[Validator]:
    """Every validator that may stand at `path`; none if no value can have it."""
    if isinstance(validator, VRecursive):
        return validators_at(validator.target(), path)
    if isinstance(validator, VUnion):
        return [found for member in validator.members for found in validators_at(member, path)]
    if not path or isinstance(validator, VAny):
        return [validator]
    if isinstance(validator, VObject) and path[0] in validator.fields:
        return validators_at(validator.fields[path[0]], path[1:])
    if isinstance(validator, VRecord):
        return validators_at(validator.value, path[1:])
    return []


def _can_hold_vector(validator: Validator) -> bool:
    return isinstance(validator, VAny) or (
        isinstance(validator, VArray) and isinstance(validator.element, VFloat64)
    )
