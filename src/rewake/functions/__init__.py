"""Functions: what authors import. Floor 2, blind to the database.

@query / @mutation ... -> RegisteredFunction          registration.py
ctx                    -> QueryCtx, MutationCtx       context.py, call_options.py, meta.py
                       -> ActionCtx                   actions.py
ctx.db                 -> DatabaseReader / Writer     database.py, query.py, pages.py
ctx.auth               -> UserIdentity                user_identity.py
crons                  -> Crons                       crons.py
ctx.storage            -> StorageReader / Writer      storage.py
auth_config.py         -> Clerk, Oidc, CustomJwt ...   auth_providers.py
what all that needs    -> Host, Transaction           ports.py
"""

from rewake.functions.actions import ActionCtx, ActionHost, ActionMeta, BlockingActionCtx
from rewake.functions.auth_providers import Auth0, AuthConfigInvalid, Clerk, CustomJwt, Oidc, WorkOS, env
from rewake.functions.call_options import PLAIN_CALL, CallOptions, InvalidCallLimit
from rewake.functions.context import (
    Auth,
    MutationCtx,
    NestedCalls,
    NestedQueries,
    NotSignedIn,
    QueryCtx,
)
from rewake.functions.crons import Cron, Crons, InvalidCron
from rewake.functions.database import (
    DatabaseReader,
    DatabaseWriter,
    InvalidArgument,
    SystemReader,
    TableReader,
    TableWriter,
)
from rewake.functions.env import Env, VariableNotSet
from rewake.functions.http import (
    BLOCKING_CONTEXT_KEY,
    CONTEXT_KEY,
    HTTP_METHODS,
    HttpRoute,
    HttpRouter,
    InvalidRoute,
    blocking_http_context,
    find_route,
    http_context,
)
from rewake.functions.meta import Meta, MutationMeta
from rewake.functions.metadata import (
    DeploymentMetadata,
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
from rewake.functions.storage import (
    ActionFilesHost,
    ActionStorage,
    AsyncActionStorage,
    AsyncContent,
    AsyncStoredFile,
    Content,
    FileHead,
    StorageReader,
    StorageWriter,
    StoredFile,
    metadata_of,
)
from rewake.functions.user_identity import UserIdentity

__all__ = [
    "BLOCKING_CONTEXT_KEY",
    "CONTEXT_KEY",
    "HTTP_METHODS",
    "PLAIN_CALL",
    "ActionCtx",
    "ActionFilesHost",
    "ActionFunction",
    "ActionHost",
    "ActionMeta",
    "ActionStorage",
    "AsyncActionStorage",
    "AsyncContent",
    "AsyncScheduler",
    "AsyncStoredFile",
    "Auth",
    "Auth0",
    "AuthConfigInvalid",
    "BlockingActionCtx",
    "BlockingActionFunction",
    "CallOptions",
    "Clerk",
    "Content",
    "Cron",
    "Crons",
    "CustomJwt",
    "DatabaseReader",
    "DatabaseWriter",
    "DeploymentMetadata",
    "Env",
    "FileHead",
    "FunctionKind",
    "FunctionMetadata",
    "Host",
    "HttpRoute",
    "HttpRouter",
    "InvalidArgument",
    "InvalidCallLimit",
    "InvalidCron",
    "InvalidPaginationOptions",
    "InvalidQuery",
    "InvalidRoute",
    "InvalidSchedule",
    "Meta",
    "MutationCtx",
    "MutationFunction",
    "MutationMeta",
    "NestedCalls",
    "NestedQueries",
    "NotSignedIn",
    "Oidc",
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
    "StorageReader",
    "StorageWriter",
    "StoredFile",
    "SystemReader",
    "TableReader",
    "TableWriter",
    "Transaction",
    "TransactionMetric",
    "TransactionMetrics",
    "UserIdentity",
    "VariableNotSet",
    "WorkOS",
    "WritableTransaction",
    "action",
    "blocking_http_context",
    "env",
    "find_route",
    "http_context",
    "internal_action",
    "internal_mutation",
    "internal_query",
    "metadata_of",
    "mutation",
    "query",
]
