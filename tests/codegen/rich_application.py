"""An application with every kind of validator, as plain data: what analysis would hand to codegen."""

from __future__ import annotations

from typing import Any

from rewake.codegen import FunctionSpec
from rewake.codegen.typescript import document_validators

STRING = {"type": "string"}
NUMBER = {"type": "number"}
NULL = {"type": "null"}
ANY = {"type": "any"}


def ident(table: str) -> dict[str, Any]:
    return {"type": "id", "tableName": table}


def array(of: Any) -> dict[str, Any]:
    return {"type": "array", "value": of}


def union(*members: Any) -> dict[str, Any]:
    return {"type": "union", "value": list(members)}


def literal(value: Any) -> dict[str, Any]:
    return {"type": "literal", "value": value}


def record(keys: Any, values: Any) -> dict[str, Any]:
    return {"type": "record", "keys": keys, "values": {"fieldType": values, "optional": False}}


def fields(required: dict[str, Any] | None = None, **optional: Any) -> dict[str, Any]:
    """An object validator: required fields in a mapping, optional ones as keywords."""
    value = {name: {"fieldType": of, "optional": False} for name, of in (required or {}).items()}
    value |= {name: {"fieldType": of, "optional": True} for name, of in optional.items()}
    return {"type": "object", "value": value}


def table(name: str, document: Any, **others: Any) -> dict[str, Any]:
    kinds = ("indexes", "stagedDbIndexes", "searchIndexes", "stagedSearchIndexes", "vectorIndexes")
    base = {kind: [] for kind in (*kinds, "stagedVectorIndexes")}
    return {"tableName": name, **base, "documentType": document, **others}


MESSAGE = fields(
    {
        "author": ident("users"),
        "blob": {"type": "bytes"},
        "body": STRING,
        "flags": array({"type": "boolean"}),
        "kind": union(literal("text"), literal("system")),
        "likes": record(ident("users"), NUMBER),
        "meta": ANY,
        "place": fields({"city": STRING}, zip=STRING),
        "serial": {"type": "bigint"},
    },
    reply_to=ident("messages"),
    version=union(literal(1.0), literal({"$integer": "AgAAAAAAAAA="}), NULL),
)

EVENT = union(
    fields({"kind": literal("joined"), "who": ident("users")}),
    fields({"kind": literal("renamed"), "name": STRING}),
)

SCHEMA: dict[str, Any] = {
    "schemaValidation": True,
    "tables": [
        table(
            "messages",
            MESSAGE,
            indexes=[
                {"indexDescriptor": "by_author", "fields": ["author"]},
                {"indexDescriptor": "by_city", "fields": ["place.city", "kind"]},
            ],
            searchIndexes=[
                {"indexDescriptor": "search_body", "searchField": "body", "filterFields": ["kind", "author"]}
            ],
        ),
        table("users", fields({"name": STRING}, avatar=ident("_storage"))),
        table("events", EVENT),
        table(
            "embeddings",
            fields({"vector": array(NUMBER)}),
            vectorIndexes=[
                {"indexDescriptor": "near", "vectorField": "vector", "dimensions": 3, "filterFields": []}
            ],
        ),
        table("anything", ANY),
    ],
}

STORED = document_validators(SCHEMA)

FUNCTIONS = [
    FunctionSpec(
        "messages:list_recent",
        "query",
        args=fields({"author": ident("users")}, limit=NUMBER),
        returns=array(STORED["messages"]),
        documentation="The latest messages.\n\nOldest first.",
    ),
    FunctionSpec(
        "messages:send",
        "mutation",
        args=fields({"body": STRING, "kind": union(literal("text"), literal("system"))}),
        returns=ident("messages"),
    ),
    FunctionSpec("messages:first", "query", args=fields(), returns=union(STORED["messages"], NULL)),
    FunctionSpec("events:all", "query", args=fields(), returns=array(STORED["events"])),
    FunctionSpec("admin/tools:rename", "mutation", args=fields({"name": STRING}), returns=NULL),
    FunctionSpec("admin/tools:wipe", "mutation", "internal", args=fields(), returns=NULL),
    FunctionSpec("admin:tools", "action", args=fields({"n": {"type": "bigint"}}), returns=NUMBER),
    FunctionSpec("health", "query"),
]
