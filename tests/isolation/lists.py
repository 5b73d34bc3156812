"""The application of the histories: lists that are only appended to, so that each read tells its own past."""

from __future__ import annotations

from rewake import Document, Index, MutationCtx, QueryCtx, mutation, query


class Entry(Document, table="lists"):
    key: str
    values: list[str]
    by_key = Index("key")


@mutation
def append(ctx: MutationCtx, key: str, value: str) -> list[str]:
    entry = ctx.db.query(Entry).with_index(Entry.by_key, key=key).unique()
    if entry is None:
        ctx.db.insert(Entry(key=key, values=[value]))
        return [value]
    ctx.db.patch(entry.id, values=[*entry.values, value])
    return [*entry.values, value]


@query
def read(ctx: QueryCtx, key: str) -> list[str]:
    entry = ctx.db.query(Entry).with_index(Entry.by_key, key=key).unique()
    return [] if entry is None else entry.values
