"""Rewake: a reactive backend for Python.

The front page: what authors import. It stands on no floor; the house never imports it back.

    from rewake import Document, Id, Index, MutationCtx, QueryCtx, mutation, query
"""

from rewake.errors import ApplicationError, FunctionFailed
from rewake.functions import (
    ActionCtx,
    BlockingActionCtx,
    HttpRouter,
    MutationCtx,
    PaginationOptions,
    PaginationResult,
    Query,
    QueryCtx,
    UserIdentity,
    action,
    blocking_http_context,
    http_context,
    internal_action,
    internal_mutation,
    internal_query,
    mutation,
    query,
)
from rewake.schema import (
    CommitTs,
    Document,
    Id,
    Index,
    SearchIndex,
    VectorIndex,
    define_schema,
    define_table,
    field,
    gt,
    gte,
    lt,
    lte,
    v,
)
from rewake.values import UNSET, Int64, Unset

__all__ = [
    "UNSET",
    "ActionCtx",
    "ApplicationError",
    "BlockingActionCtx",
    "CommitTs",
    "Document",
    "FunctionFailed",
    "HttpRouter",
    "Id",
    "Index",
    "Int64",
    "MutationCtx",
    "PaginationOptions",
    "PaginationResult",
    "Query",
    "QueryCtx",
    "SearchIndex",
    "Unset",
    "UserIdentity",
    "VectorIndex",
    "action",
    "blocking_http_context",
    "define_schema",
    "define_table",
    "field",
    "gt",
    "gte",
    "http_context",
    "internal_action",
    "internal_mutation",
    "internal_query",
    "lt",
    "lte",
    "mutation",
    "query",
    "v",
]
