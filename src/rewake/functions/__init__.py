"""Functions: what authors import. Floor 2, blind to the database.

@query / @mutation ... -> RegisteredFunction          registration.py
ctx                    -> QueryCtx, MutationCtx       context.py, meta.py
                       -> ActionCtx                   actions.py
ctx.db                 -> DatabaseReader / Writer     database.py, query.py, pages.py
what all that needs    -> Host, Transaction           ports.py
"""

from rewake.functions.actions import ActionCtx, ActionHost, ActionMeta, BlockingActionCtx
from rewake.functions.context import Auth, MutationCtx, NotSignedIn, QueryCtx, UserIdentity
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
    FunctionKind,
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
    ActionFunction,
    BlockingActionFunction,
    MutationFunction,
    QueryFunction,
    RegisteredFunction,
    RegistrationError,
    action,
    internal_action,
    internal_mutation,
    internal_query,
    mutation,
    query,
)
from rewake.functions.scheduler import AsyncScheduler, InvalidSchedule, Scheduler

__all__ = [
    "ActionCtx",
    "ActionFunction",
    "ActionHost",
    "ActionMeta",
    "AsyncScheduler",
    "Auth",
    "BlockingActionCtx",
    "BlockingActionFunction",
    "DatabaseReader",
    "DatabaseWriter",
    "FunctionKind",
    "FunctionMetadata",
    "Host",
    "InvalidArgument",
    "InvalidPaginationOptions",
    "InvalidQuery",
    "InvalidSchedule",
    "Meta",
    "MutationCtx",
    "MutationFunction",
    "MutationMeta",
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
    "Scheduler",
    "SystemReader",
    "TableReader",
    "TableWriter",
    "Transaction",
    "TransactionMetric",
    "TransactionMetrics",
    "UserIdentity",
    "WritableTransaction",
    "action",
    "internal_action",
    "internal_mutation",
    "internal_query",
    "mutation",
    "query",
]
