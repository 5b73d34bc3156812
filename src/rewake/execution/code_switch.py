"""The code switch: schema and module hashes of a new version become the stored ones.

Floor 3, `execution`, in the writer. The schema change and the hashes of the modules are one mutation of one
group. The hashes are documents, so every live query whose module changed wakes through the commit log like on
any other write, and queries of unchanged modules sleep on.

    open group -> schema change -> module documents -> COMMIT -> whoever runs functions takes the new code
    older snapshot -> are its module documents those of our code? -> run | CodeReplaced

Not here: validating and backfilling in the background on large data (a later issue), loading code
(`loader.py`), what a push changed for people (`deployment/push.py`).
Source: semantics 2.5, 7.1.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any

import msgspec

from rewake.database import (
    CallResult,
    GroupCommit,
    Invocation,
    SchemaChange,
    SchemaMismatch,
    Snapshot,
    WriteTransaction,
    apply_schema,
    store_modules,
    stored_modules,
)
from rewake.errors import InvalidInput
from rewake.execution.registry import Registry
from rewake.schema import TableDefinition


class DocumentSource(msgspec.Struct, frozen=True):
    """What the author wrote for a table, for advice where a document does not fit it."""

    class_name: str
    module: str
    annotations: dict[str, str]
    """Type hints of the fields as they stand in the file."""


def apply_code(group: GroupCommit, registry: Registry, *, invocation: str) -> tuple[SchemaChange, int]:
    """Make schema and module hashes of `registry` the stored ones, as one mutation of the writer's open
    group; returns what changed and the timestamp at which it will be committed.

    Raises:
        SchemaMismatch: a stored document does not fit; nothing of the mutation is kept. Its field `source` is
            the DocumentSource of the table, or None.
    """
    changes: list[SchemaChange] = []

    def body(transaction: WriteTransaction) -> CallResult:
        changes.append(apply_schema(transaction, registry.schema))
        store_modules(transaction, registry.module_hashes)
        return CallResult("null")

    performed = group.perform(Invocation(invocation), body)
    if performed.error is not None:
        if isinstance(performed.error, SchemaMismatch):
            table = registry.schema.tables.get(str(performed.error.fields["table"]))
            performed.error.fields["source"] = document_source(table)
        raise performed.error
    return changes[0], performed.ts


class CodeReplaced(InvalidInput):
    """The code that belongs to an older timestamp is no longer here. Read at a newer one."""

    code = "CodeReplaced"
    template = (
        "The code that served at timestamp {ts} has been replaced by a push, and new code is never run on "
        "older data. Read at a newer timestamp: `/api/query_ts` gives the latest."
    )


def check_code(snapshot: Snapshot, registry: Registry) -> None:
    """Make sure that `registry` is the code that served at an older snapshot.

    Raises:
        CodeReplaced: it is not.
    """
    if stored_modules(snapshot.transaction()) != dict(registry.module_hashes):
        raise CodeReplaced(ts=snapshot.ts)


def document_source(table: TableDefinition | None) -> DocumentSource | None:
    """What the author wrote for `table`, where that is a class."""
    if table is None or table.document_class is None:
        return None
    document: type[Any] = table.document_class
    return DocumentSource(
        document.__name__, document.__module__.rpartition(".")[2], _annotations_of(document)
    )


def _annotations_of(document: type[Any]) -> dict[str, str]:
    try:
        body = ast.parse(textwrap.dedent(inspect.getsource(document))).body[0]
    except (OSError, TypeError, SyntaxError):
        return {}
    return {
        node.target.id: ast.unparse(node.annotation)
        for node in getattr(body, "body", [])
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
