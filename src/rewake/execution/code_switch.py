"""The code switch: schema, module hashes and crons of a new version become the stored ones.

Floor 3, `execution`, in the writer. The schema change, the hashes of the modules, the crons and the record of
a deploy are one mutation of one group. The hashes are documents, so every live query whose module changed
wakes through the commit log like on any other write, and queries of unchanged modules sleep on.

    open group -> schema change -> module documents -> COMMIT -> whoever runs functions takes the new code
    older snapshot -> are its module documents those of our code? -> run | CodeReplaced

Not here: what is done before in the background (`rollout_driver.py`), loading code (`loader.py`), what a push
changed for people (`deployment/push.py`).
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
    DeployNote,
    Evidence,
    GroupCommit,
    Invocation,
    SchemaChange,
    SchemaMismatch,
    Snapshot,
    WriteTransaction,
    apply_schema,
    check_declared,
    note_deploy,
    remember_declared,
    store_crons,
    store_modules,
    stored_modules,
)
from rewake.errors import InvalidInput
from rewake.execution.registry import Registry
from rewake.observability import logger
from rewake.schema import TableDefinition

_log = logger(__name__)


class DocumentSource(msgspec.Struct, frozen=True):
    """What the author wrote for a table, for advice where a document does not fit it."""

    class_name: str
    module: str
    annotations: dict[str, str]
    """Type hints of the fields as they stand in the file."""


def apply_code(
    group: GroupCommit,
    registry: Registry,
    *,
    invocation: str,
    evidence: Evidence | None = None,
    is_start: bool = False,
    deploy: DeployNote | None = None,
) -> tuple[SchemaChange, int]:
    """Make schema, module hashes and crons of `registry` the stored ones, as one mutation of the writer's
    open group; returns what changed and the timestamp at which it will be committed. `evidence` is what was
    found out before about the documents; `deploy` is what is written down of the deploy that the code came
    with. At a start no code serves yet, so environment variables that are
    missing are told of and refuse nothing: there would be nobody to set them with.

    Raises:
        RequiredVariablesMissing, VariableValueRefused: what `registry` declares is not set; nothing is kept.
        SchemaMismatch: a stored document does not fit; nothing of the mutation is kept. Its field `source` is
            the DocumentSource of the table, or None.
        SchemaWorkLeft: something has to be done in the background first; nothing of the mutation is kept.
        DeploySourcesMissing: the sources of `deploy` are not stored; nothing of the mutation is kept.
    """
    changes: list[SchemaChange] = []

    def body(transaction: WriteTransaction) -> CallResult:
        try:
            check_declared(transaction.reads, registry.variables)
        except InvalidInput as missing:
            if not is_start:
                raise
            _log.warning("%s", missing.message)
        remember_declared(transaction, registry.variables)
        changes.append(apply_schema(transaction, registry.schema, evidence))
        store_modules(transaction, registry.module_hashes)
        store_crons(transaction, registry.crons, chance=invocation)
        note_deploy(transaction, deploy)
        return CallResult("null")

    performed = group.perform(Invocation(invocation), body)
    if performed.error is not None:
        if isinstance(performed.error, SchemaMismatch):
            name_source(performed.error, registry)
        raise performed.error
    return changes[0], performed.ts


def name_source(mismatch: SchemaMismatch, registry: Registry) -> None:
    """Add what the author wrote for the table as the field `source`."""
    table = registry.schema.tables.get(str(mismatch.fields["table"]))
    mismatch.fields["source"] = document_source(table)


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
