"""Tables and schemas: what a deployment's documents must look like and how they are indexed.

Floor 1, `schema`, on `indexes` and `validators`. A schema comes from document classes (`assembly`), from
`define_schema` or from exported JSON; from here on it makes no difference which.

    Schema
      `-- tables: name -> TableDefinition
            |-- validator            of the author's fields; system fields are taken out before the check
            |-- indexes              name -> IndexDefinition, and the search and vector kinds
            `-- document_class, codec    only where a class declares the table

`define_table({...}).index(...)` collects; `define_schema` checks. Not here: comparing with what the database
holds and building indexes (`database`).
Source: spec/semantics 2.3, 2.4.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Any

import msgspec
from msgspec.structs import replace

from rewake.schema.annotations import NO_SCOPE
from rewake.schema.builders import as_object_validator
from rewake.schema.class_fields import SYSTEM_FIELDS
from rewake.schema.errors import InvalidSchema
from rewake.schema.index_range import RangeBound, range_bounds
from rewake.schema.indexes import (
    CREATION_TIME,
    DOCUMENT_ID,
    IMPLICIT_INDEXES,
    SYSTEM_ATTRIBUTES,
    AnyIndexDefinition,
    IndexDefinition,
    SearchIndexDefinition,
    VectorIndexDefinition,
    check_indexes,
    validators_at,
)
from rewake.schema.mismatch import TableNames
from rewake.schema.stored_documents import DocumentCodec
from rewake.schema.validator import Validator
from rewake.schema.validators import (
    VAny,
    VFloat64,
    VId,
    VObject,
    VUnion,
)
from rewake.values import UNSET, InvalidName, Unset, Value, check_table_name, parse_field_path

PLAIN_DOCUMENTS = DocumentCodec(None, None, NO_SCOPE)


class TableDefinition(msgspec.Struct, frozen=True, eq=False, dict=True):
    """One table of a schema."""

    name: str
    validator: Validator
    """What the author's own fields must be: an object, a union of objects, or any."""
    indexes: Mapping[str, IndexDefinition] = msgspec.field(default_factory=dict)
    search_indexes: Mapping[str, SearchIndexDefinition] = msgspec.field(default_factory=dict)
    vector_indexes: Mapping[str, VectorIndexDefinition] = msgspec.field(default_factory=dict)
    document_class: type[Any] | None = None
    """The class of its documents, where it was declared by one."""
    codec: DocumentCodec = PLAIN_DOCUMENTS
    """Between stored text and documents of the class, or dicts."""
    staged_validator: Validator | None = None
    """What the fields are to become: which documents fit it is known, and none is refused for it."""

    def decode_document(self, text: str) -> Any:
        """Read the canonical text of a stored document: an instance of the class, or a dict.

        Raises:
            DocumentUnreadable: it does not fit the class.
        """
        return self.codec.decode(text)

    def document_value(self, document: object) -> dict[str, Any]:
        """The fields of an author's document or dict as values, not yet checked."""
        return self.codec.to_value(document)

    def bounds(self, fields: Mapping[str, object]) -> tuple[RangeBound, ...]:
        """What `with_index` was given as bounds on stored paths, values converted as their fields declare."""
        stored = {self._stored_path(path): thing for path, thing in fields.items()}
        return range_bounds(stored, to_value=self.codec.field_to_value)

    def has_field(self, path: str) -> bool:
        """Whether a stored document may have something at a dotted path.

        Raises:
            InvalidName: it is no path.
        """
        return bool(validators_at(self.document_validator, parse_field_path(path)))

    def index(self, name: str) -> IndexDefinition | None:
        """A declared or implicit database index; staged ones too."""
        return self.indexes.get(name) or IMPLICIT_INDEXES.get(name)

    @cached_property
    def document_validator(self) -> Validator:
        """What stored documents look like: the author's fields with `_id` and `_creationTime`."""
        return _with_system_fields(self.name, self.validator)

    def check_document(self, document: Mapping[str, Value], tables: TableNames | None) -> None:
        """Check a document, whose system fields are left out of account.

        Raises:
            ValidationFailed: the bare message; naming the table is the caller's part.
        """
        fields = {name: value for name, value in document.items() if name not in SYSTEM_FIELDS}
        self.validator.check(fields, tables)

    def _stored_path(self, path: str) -> str:
        if self.document_class is not None or path not in SYSTEM_ATTRIBUTES:
            return self.codec.stored_path(path)
        # Tables without a class have no attributes, but keywords cannot begin with an underscore gracefully.
        is_own = bool(validators_at(self.validator, (path,))) and not isinstance(self.validator, VAny)
        return path if is_own else SYSTEM_ATTRIBUTES[path]

    def to_json(self) -> dict[str, Any]:
        """As official tools read it (semantics 2.3)."""

        def listed(indexes: Mapping[str, Any], *, staged: bool) -> list[dict[str, Any]]:
            return [indexes[name].to_json() for name in sorted(indexes) if indexes[name].staged is staged]

        staged = self.staged_validator
        return {
            "tableName": self.name,
            "indexes": listed(self.indexes, staged=False),
            "stagedDbIndexes": listed(self.indexes, staged=True),
            "searchIndexes": listed(self.search_indexes, staged=False),
            "stagedSearchIndexes": listed(self.search_indexes, staged=True),
            "vectorIndexes": listed(self.vector_indexes, staged=False),
            "stagedVectorIndexes": listed(self.vector_indexes, staged=True),
            "documentType": self.validator.to_json(),
            **({} if staged is None else {"stagedDocumentType": staged.to_json()}),
        }


class TableBuilder:
    """A table without a document class, as `define_table` gives it; every call adds to it and returns it."""

    def __init__(self, fields: Validator | Mapping[str, Validator]) -> None:
        self.validator = as_object_validator(fields)
        self.indexes: list[AnyIndexDefinition] = []
        self.staged_validator: Validator | None = None

    def staged(self, fields: Validator | Mapping[str, Validator | Unset]) -> TableBuilder:
        """Declare what documents are to become: a validator, or the fields that differ, UNSET for those that
        go.

        Raises:
            InvalidSchema: there is one already, or fields are given for a table that is no plain object.
        """
        if self.staged_validator is not None:
            raise InvalidSchema("Table cannot have more than one staged validator.")
        if not isinstance(fields, Validator):
            fields = self._changed(fields)
        self.staged_validator = fields
        return self

    def _changed(self, fields: Mapping[str, Validator | Unset]) -> Validator:
        enforced = self.validator
        if not isinstance(enforced, VObject | VAny):
            raise InvalidSchema(
                "Specifying top-level field changes is only supported for simple table definitions. For a "
                "table defined with a union or record validator, you must stage a fully defined object or "
                "union validator."
            )
        given = {name: field for name, field in fields.items() if isinstance(field, Validator)}
        kept = enforced if isinstance(enforced, VObject) else VObject({})
        return kept.omit(*(name for name, field in fields.items() if field is UNSET)).extend(given)

    def index(self, name: str, fields: Iterable[str], *, staged: bool = False) -> TableBuilder:
        """Declare a database index on stored field paths."""
        self.indexes.append(IndexDefinition(name, tuple(fields), staged))
        return self

    def search_index(
        self, name: str, *, search_field: str, filter_fields: Iterable[str] = (), staged: bool = False
    ) -> TableBuilder:
        """Declare a text search index."""
        self.indexes.append(SearchIndexDefinition(name, search_field, tuple(filter_fields), staged))
        return self

    def vector_index(
        self,
        name: str,
        *,
        vector_field: str,
        dimensions: int,
        filter_fields: Iterable[str] = (),
        staged: bool = False,
    ) -> TableBuilder:
        """Declare a vector index."""
        self.indexes.append(
            VectorIndexDefinition(name, vector_field, dimensions, tuple(filter_fields), staged)
        )
        return self


def define_table(fields: Validator | Mapping[str, Validator]) -> TableBuilder:
    """Begin a table: a mapping of fields, or a validator that is an object, a union of objects or any."""
    return TableBuilder(fields)


def make_table(
    name: str,
    validator: Validator,
    indexes: Iterable[AnyIndexDefinition],
    *,
    staged: Validator | None = None,
    document_class: type[Any] | None = None,
    codec: DocumentCodec = PLAIN_DOCUMENTS,
) -> TableDefinition:
    """Check the name, the validator's shape and the indexes of one table.

    Raises:
        InvalidSchema: with the text of semantics 2.3 or 2.4.
    """
    _check_table_name(name)
    indexes = list(indexes)
    check_indexes(name, indexes)
    return TableDefinition(
        name,
        _without_system_fields(validator),
        {index.name: index for index in indexes if isinstance(index, IndexDefinition)},
        {index.name: index for index in indexes if isinstance(index, SearchIndexDefinition)},
        {index.name: index for index in indexes if isinstance(index, VectorIndexDefinition)},
        document_class,
        codec,
        staged_validator=None if staged is None else _without_system_fields(staged),
    )


def _check_table_name(name: str) -> None:
    try:
        check_table_name(name)
    except InvalidName as error:
        raise InvalidSchema(error.message) from None


def _without_system_fields(validator: Validator) -> Validator:
    if isinstance(validator, VAny):
        return validator
    if isinstance(validator, VObject):
        return validator.omit(*SYSTEM_FIELDS)
    if isinstance(validator, VUnion) and all(isinstance(m, VObject | VUnion) for m in validator.members):
        return replace(validator, members=tuple(map(_without_system_fields, validator.members)))
    raise InvalidSchema(
        "The document validator in a schema must be an object, a union of objects, or `v.any()`. Found "
        f"{validator.render()}. To learn more, see the schema documentation at "
        "https://docs.convex.dev/database/schemas."
    )


def _with_system_fields(table: str, validator: Validator) -> Validator:
    if isinstance(validator, VObject):
        return validator.extend({DOCUMENT_ID: VId(table), CREATION_TIME: VFloat64()})
    if isinstance(validator, VUnion):
        return replace(validator, members=tuple(_with_system_fields(table, m) for m in validator.members))
    return validator
