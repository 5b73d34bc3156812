"""Functions: what authors import. Floor 2, blind to the database.

@query / @mutation ... -> RegisteredFunction          registration.py
ctx                    -> QueryCtx, MutationCtx       context.py, call_options.py, meta.py
ctx.db                 -> DatabaseReader / Writer     database.py, query.py, pages.py
what all that needs    -> Host, Transaction           ports.py
"""

from rewake.functions.call_options import PLAIN_CALL, CallOptions, InvalidCallLimit
from rewake.functions.context import (
    Auth,
    MutationCtx,
    NestedCalls,
    NestedQueries,
    NotSignedIn,
    QueryCtx,
    UserIdentity,
)
from rewake.functions.database import (
    DatabaseReader,
    DatabaseWriter,
    InvalidArgument,
    SystemReader,
    TableReader,
    TableWriter,
)
from rewake.functions.meta import Meta, MutationMeta
from rewake.functions.metadata import (
    DeploymentMetadata,
    FunctionMetadata,
    RequestMetadata,
    TransactionMetric,
    TransactionMetrics,
)
from rewake.functions.pages import (
    InvalidPaginationOptions,
    PageEnds,
    PageStatus,
    PaginationOptions,
    PaginationResult,
)
from rewake.functions.ports import Host, Transaction, WritableTransaction
from rewake.functions.query import InvalidQuery, Query
from rewake.functions.registration import (
    FunctionKind,
    MutationFunction,
    QueryFunction,
    RegisteredFunction,
    RegistrationError,
    internal_mutation,
    internal_query,
    mutation,
    query,
)

__all__ = [
    "PLAIN_CALL",
    "Auth",
    "CallOptions",
    "DatabaseReader",
    "DatabaseWriter",
    "DeploymentMetadata",
    "FunctionKind",
    "FunctionMetadata",
    "Host",
    "InvalidArgument",
    "InvalidCallLimit",
    "InvalidPaginationOptions",
    "InvalidQuery",
    "Meta",
    "MutationCtx",
    "MutationFunction",
    "MutationMeta",
    "NestedCalls",
    "NestedQueries",
    "NotSignedIn",
    "PageEnds",
    "PageStatus",
    "PaginationOptions",
    "PaginationResult",
    "Query",
    "QueryCtx",
    "QueryFunction",
    "RegisteredFunction",
    "RegistrationError",
    "RequestMetadata",
    "SystemReader",
    "TableReader",
    "TableWriter",
    "Transaction",
    "TransactionMetric",
    "TransactionMetrics",
    "UserIdentity",
    "WritableTransaction",
    "internal_mutation",
    "internal_query",
    "mutation",
    "query",
]
