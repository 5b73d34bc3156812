"""`dataModel.d.ts`: tables, documents, ids and indexes as the page's TypeScript sees them.

Floor 5, `codegen`. The names are the official ones: `TableNames`, `Id`, `Doc`, `DataModel`. Without a schema
every name is a table and every document is `any`, as it is there.

Not here: functions (`api_module.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rewake.codegen.function_spec import ValidatorJson
from rewake.codegen.layout import Node, Part, Word, literal_object, render
from rewake.codegen.typescript import TypeWriter, document_validators, field_paths, key, quote, union

HEADER = (
    "/* eslint-disable */\n"
    "// Written by `rewake dev` and `rewake codegen` from the Python {source}."
    " Do not edit: it will be overwritten.\n"
)

_WITHOUT_SCHEMA = """
import type { AnyDataModel, DocumentByName, SystemTableNames, TableNamesInDataModel } from "convex/server";
import type { GenericId } from "convex/values";

export type DataModel = AnyDataModel;

export type TableNames = TableNamesInDataModel<DataModel>;

export type Id<TableName extends TableNames | SystemTableNames> = GenericId<TableName>;

export type Doc<TableName extends TableNames> = DocumentByName<DataModel, TableName>;
"""

_SYSTEM_FIELDS = ("_id", "_creationTime")


def render_data_model(schema: Mapping[str, Any] | None) -> str:
    """The text of `dataModel.d.ts` for a schema JSON (semantics 2.3), or for none."""
    header = HEADER.format(source="schema")
    if schema is None:
        return header + _WITHOUT_SCHEMA
    stored = document_validators(schema)
    tables = sorted(schema["tables"], key=lambda table: str(table["tableName"]))
    writer = TypeWriter(tables=frozenset(stored))
    names = union(Word(quote(table["tableName"])) for table in tables)
    documents = [_document(writer, table["tableName"], stored[table["tableName"]]) for table in tables]
    model = [_table(table, stored[table["tableName"]]) for table in tables]
    return "\n".join(
        [
            header,
            'import type { SystemTableNames } from "convex/server";',
            'import type { GenericId } from "convex/values";',
            "",
            _declare("export type TableNames", names),
            "",
            "export type Id<TableName extends TableNames | SystemTableNames> = GenericId<TableName>;",
            "",
            _declare("type Documents", literal_object(documents, is_broken=True)),
            "",
            "export type Doc<TableName extends TableNames> = Documents[TableName];",
            "",
            _declare("export type DataModel", literal_object(model, is_broken=True)),
            "",
        ]
    )


def _declare(head: str, node: Node) -> str:
    text = render(node, column=len(head) + 4)
    return f"{head} ={'' if text.startswith(chr(10)) else ' '}{text};"


def _document(writer: TypeWriter, table: str, validator: ValidatorJson) -> Part:
    if validator["type"] == "object":
        node = _object(writer, validator)
    elif validator["type"] == "union":
        node = union(
            _object(writer, member) if member["type"] == "object" else writer.type_of(member)
            for member in validator["value"]
        )
    else:
        node = writer.type_of(validator)
    return Part(f"{key(table)}: ", node)


def _object(writer: TypeWriter, validator: ValidatorJson) -> Node:
    """A document, one field a line, the system fields first."""
    return literal_object(writer.fields_of(validator, first=_SYSTEM_FIELDS), is_broken=True)


def _table(table: Mapping[str, Any], stored: ValidatorJson) -> Part:
    name = table["tableName"]
    paths = field_paths(stored)
    indexes = {"by_creation_time": ["_creationTime"], "by_id": ["_id"]}
    for index in table.get("indexes", ()):
        indexes[index["indexDescriptor"]] = [*index["fields"], "_creationTime"]
    search = [
        Part(
            f"{key(index['indexDescriptor'])}: ",
            literal_object(
                [
                    Part("searchField: ", Word(quote(index["searchField"]))),
                    Part("filterFields: ", _names(index["filterFields"])),
                ]
            ),
        )
        for index in _by_name(table.get("searchIndexes", ()))
    ]
    vector = [
        Part(
            f"{key(index['indexDescriptor'])}: ",
            literal_object(
                [
                    Part("vectorField: ", Word(quote(index["vectorField"]))),
                    Part("dimensions: ", Word("number")),
                    Part("filterFields: ", _names(index["filterFields"])),
                ]
            ),
        )
        for index in _by_name(table.get("vectorIndexes", ()))
    ]
    columns = [
        Part(f"{key(index)}: ", Word(f"[{', '.join(quote(field) for field in fields)}]"))
        for index, fields in sorted(indexes.items())
    ]
    members = [
        Part("document: ", Word(f"Documents[{quote(name)}]")),
        Part("fieldPaths: ", union(Word(path) for path in paths)),
        Part("indexes: ", literal_object(columns, is_broken=True)),
        Part("searchIndexes: ", literal_object(search)),
        Part("vectorIndexes: ", literal_object(vector)),
    ]
    return Part(f"{key(name)}: ", literal_object(members, is_broken=True))


def _names(fields: Sequence[str]) -> Node:
    return union(Word(quote(field)) for field in sorted(fields))


def _by_name(indexes: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    return sorted(indexes, key=lambda index: str(index["indexDescriptor"]))
