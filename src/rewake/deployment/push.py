"""A push: from the code that serves to the code that will, in one commit.

Floor 5, `deployment`. The schema change, the hashes of the modules and the switch of the registry happen in
one commit group of the writer. The hashes are documents, so every live query whose module changed wakes
through the commit log like on any other write, and queries of unchanged modules sleep on.

    open group -> schema change -> module documents -> COMMIT -> registry switched, by the writer, before
    the next group

Not here: validating and backfilling in the background on large data (a later issue), loading code
(`execution/loader.py`).
Source: semantics 2.5, 7.1.
"""

from __future__ import annotations

from dataclasses import dataclass

from rewake.database import (
    CallResult,
    GroupCommit,
    Invocation,
    SchemaChange,
    WriteTransaction,
    apply_schema,
    store_modules,
)
from rewake.execution import Registry


@dataclass(frozen=True, slots=True)
class PushReport:
    """What a push changed, for people. Names in order."""

    tables_added: tuple[str, ...]
    indexes_added: tuple[str, ...]
    indexes_removed: tuple[str, ...]
    functions_added: tuple[str, ...]
    functions_changed: tuple[str, ...]
    functions_removed: tuple[str, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing changed."""
        return not any(getattr(self, name) for name in self.__slots__)


def apply_code(group: GroupCommit, registry: Registry, *, invocation: str) -> tuple[SchemaChange, int]:
    """Make schema and module hashes of `registry` the stored ones, as one mutation of the writer's open
    group; returns what changed and the timestamp at which it will be committed.

    Raises:
        SchemaMismatch: a stored document does not fit; nothing of the mutation is kept.
    """
    changes: list[SchemaChange] = []

    def body(transaction: WriteTransaction) -> CallResult:
        changes.append(apply_schema(transaction, registry.schema))
        store_modules(transaction, registry.module_hashes)
        return CallResult("null")

    performed = group.perform(Invocation(invocation), body)
    if performed.error is not None:
        raise performed.error
    return changes[0], performed.ts


def differences(before: Registry, after: Registry, changes: SchemaChange) -> PushReport:
    """Compare two versions of a project."""
    old = {path.public: record for path, record in before.functions.items()}
    new = {path.public: record for path, record in after.functions.items()}
    return PushReport(
        tables_added=tuple(changes.tables_added),
        indexes_added=tuple(changes.indexes_added),
        indexes_removed=tuple(changes.indexes_removed),
        functions_added=tuple(sorted(new.keys() - old.keys())),
        functions_changed=tuple(
            sorted(
                name for name in new.keys() & old.keys() if before.code_hash(name) != after.code_hash(name)
            )
        ),
        functions_removed=tuple(sorted(old.keys() - new.keys())),
    )
