"""Schemas: the tables of a deployment together.

Floor 1, `schema`, on `tables`, `stored_documents` and `arguments`; the last word of the package. A schema
comes from document classes (`schema_of`), from `define_schema`, from both, or from exported JSON.

Assembling is two steps, because classes refer to each other: first every class and table gets its name
(`Scope`), then every field its codec, with ids resolved in that scope.

Not here: comparing with what the database holds (`database`).
Source: spec/semantics 2.3.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from inspect import Parameter
from typing import Any

import msgspec

from rewake.limits import TABLES_MAX
from rewake.schema.annotations import Scope
from rewake.schema.arguments import ArgumentsCodec, arguments_codec
from rewake.schema.builders import validator_from_json
from rewake.schema.codec import Purpose, TypeCodec
from rewake.schema.errors import InvalidSchema
from rewake.schema.indexes import (
    AnyIndexDefinition,
    IndexDefinition,
    SearchIndexDefinition,
    VectorIndexDefinition,
    check_indexed_fields,
)
from rewake.schema.stored_documents import document_codec
from rewake.schema.tables import TableBuilder, TableDefinition, make_table
from rewake.schema.type_codec import codec_for
from rewake.schema.validator import Validator
from rewake.schema.validators import (
    VAny,
    VId,
)


class Schema(msgspec.Struct, frozen=True, eq=False, dict=True):
    """The tables of a deployment. `schema_validation` off keeps the indexes and checks no document."""

    tables: Mapping[str, TableDefinition] = msgspec.field(default_factory=dict)
    schema_validation: bool = True
    scope: Scope = msgspec.field(default_factory=Scope)
    """What names in annotations may refer to."""

    @cached_property
    def by_class(self) -> Mapping[type[Any], TableDefinition]:
        """The tables that classes declare, by these."""
        tables = self.tables.values()
        return {table.document_class: table for table in tables if table.document_class is not None}

    @classmethod
    def from_documents(
        cls, documents: Iterable[type[Any]], schema: Schema | None = None, *, schema_validation: bool = True
    ) -> Schema:
        """The schema of these document classes, together with the tables of an explicit one.

        Classes without a table are bases of others and are passed over. `schema_validation` of an explicit
        schema wins.

        Raises:
            InvalidSchema: two classes declare one table, or a rule of semantics 2.3 or 2.4 is broken.
            UnknownReference: a field refers to a table or class that is declared nowhere.
        """
        explicit = schema if schema is not None else cls({}, schema_validation)
        by_table = _by_table(documents, explicit)
        scope = Scope(
            {kind.__name__: kind for kind in by_table.values()},
            # Without any declared table there is no schema, and every table may come to exist.
            frozenset({*by_table, *explicit.tables}) or None,
        )
        made = [_table_of(kind, scope) for kind in by_table.values()]
        return make_schema(
            [*explicit.tables.values(), *made], schema_validation=explicit.schema_validation, scope=scope
        )

    def codec_for(
        self,
        annotation: Any,
        *,
        names: Mapping[str, Any],
        purpose: Purpose = Purpose.OUTPUT,
        where: str = "annotation",
    ) -> TypeCodec:
        """The codec of an annotation in which ids and names may refer to this schema's tables."""
        return codec_for(annotation, names=names, scope=self.scope, purpose=purpose, where=where)

    def arguments_codec(
        self,
        parameters: Sequence[Parameter],
        *,
        names: Mapping[str, Any],
        rename: Callable[[str], str] = str,
        where: str = "function",
    ) -> ArgumentsCodec:
        """The codec of a function's parameters, with ids and names as in `codec_for`."""
        return arguments_codec(parameters, names=names, scope=self.scope, rename=rename, where=where)

    def table(self, name: str) -> TableDefinition:
        """One table.

        Raises:
            InvalidSchema: it is not in this schema.
        """
        if name not in self.tables:
            listed = ", ".join(self.tables)
            raise InvalidSchema(f'Table "{name}" is not in this schema. Tables in this schema: {listed}')
        return self.tables[name]

    def doc(self, name: str) -> Validator:
        """The validator of a table's stored documents, for arguments and results."""
        return self.table(name).document_validator

    def id(self, name: str) -> VId:
        """The validator of a table's ids."""
        return VId(self.table(name).name)

    def to_json(self) -> dict[str, Any]:
        """As official tools read it (semantics 2.3), tables by name."""
        return {
            "tables": [self.tables[name].to_json() for name in sorted(self.tables)],
            "schemaValidation": self.schema_validation,
        }


def define_schema(tables: Mapping[str, TableBuilder], *, schema_validation: bool = True) -> Schema:
    """A schema of tables without document classes.

    Raises:
        InvalidSchema: with the text of semantics 2.3 or 2.4.
    """
    made = [
        make_table(name, table.validator, table.indexes, staged=table.staged_validator)
        for name, table in tables.items()
    ]
    return make_schema(made, schema_validation=schema_validation)


def make_schema(
    tables: Iterable[TableDefinition], *, schema_validation: bool, scope: Scope | None = None
) -> Schema:
    """Put checked tables together; with validation on, indexed fields must be able to exist."""
    by_name = {table.name: table for table in tables}
    if len(by_name) > TABLES_MAX:
        raise InvalidSchema(f"Number of tables cannot exceed {TABLES_MAX}.")
    if schema_validation:
        for table in by_name.values():
            check_indexed_fields(table.name, table.validator, _all_indexes(table))
    return Schema(by_name, schema_validation, scope or Scope(tables=frozenset(by_name) or None))


def _by_table(documents: Iterable[type[Any]], explicit: Schema) -> dict[str, Any]:
    found: dict[str, Any] = {}
    names: dict[str, Any] = {}
    for kind in dict.fromkeys(documents):
        table = kind.__table__
        if table is None:
            continue
        if table in found:
            raise InvalidSchema(
                f'Table "{table}" is declared by two classes: {_full_name(found[table])} and '
                f"{_full_name(kind)}."
            )
        if table in explicit.tables:
            raise InvalidSchema(
                f'Table "{table}" is declared by the class {_full_name(kind)} and by the explicit schema.'
            )
        if kind.__name__ in names:
            raise InvalidSchema(
                f"Two document classes are called {kind.__name__}: {_full_name(names[kind.__name__])} and "
                f"{_full_name(kind)}. "
                "References by name could mean either; rename one."
            )
        found[table] = names[kind.__name__] = kind
    return found


def _full_name(kind: type[Any]) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _table_of(kind: Any, scope: Scope) -> TableDefinition:
    documents, codec = document_codec(kind, scope)
    indexes = [index.definition for index in kind.__indexes__.values()]
    staged = None if kind.__staged__ is None else document_codec(kind.__staged__, scope)[1].validator
    return make_table(
        kind.__table__, codec.validator, indexes, staged=staged, document_class=kind, codec=documents
    )


def _all_indexes(table: TableDefinition) -> list[AnyIndexDefinition]:
    return [*table.indexes.values(), *table.search_indexes.values(), *table.vector_indexes.values()]


def schema_from_json(data: Mapping[str, Any]) -> Schema:
    """Read an exported schema back. A missing `schemaValidation` means false there (semantics 2.3).

    Raises:
        InvalidSchema: it is none, or breaks a rule.
    """
    try:
        tables = [_table_from_json(table) for table in data["tables"]]
        validation = bool(data.get("schemaValidation", False))
    except (KeyError, TypeError, AttributeError) as error:
        raise InvalidSchema(f"Malformed schema JSON: {error!r}") from error
    return make_schema(tables, schema_validation=validation)


def _table_from_json(data: Mapping[str, Any]) -> TableDefinition:
    indexes: list[AnyIndexDefinition] = []
    for key, staged in (("indexes", False), ("stagedDbIndexes", True)):
        for index in data.get(key) or ():
            indexes.append(IndexDefinition(index["indexDescriptor"], tuple(index["fields"]), staged))
    for key, staged in (("searchIndexes", False), ("stagedSearchIndexes", True)):
        for index in data.get(key) or ():
            filters = tuple(index.get("filterFields") or ())
            indexes.append(
                SearchIndexDefinition(index["indexDescriptor"], index["searchField"], filters, staged)
            )
    for key, staged in (("vectorIndexes", False), ("stagedVectorIndexes", True)):
        for index in data.get(key) or ():
            filters = tuple(index.get("filterFields") or ())
            name, path, size = index["indexDescriptor"], index["vectorField"], int(index["dimensions"])
            indexes.append(VectorIndexDefinition(name, path, size, filters, staged))
    document_type = data.get("documentType")
    validator = VAny() if document_type is None else validator_from_json(document_type)
    staged_type = data.get("stagedDocumentType")
    becomes = None if staged_type is None else validator_from_json(staged_type)
    return make_table(data["tableName"], validator, indexes, staged=becomes)
