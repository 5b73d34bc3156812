"""Database: transactions over documents, and what is taken down about them.

Floor 2. Tables, ids, indexes and schemas mean something here; functions and clients do not. Start reading at
`reads.py` and `writes.py` (one transaction), then `group_commit.py` (many in one commit), `read_set.py` (who
must hear of it), `catalog.py` (tables and indexes as documents).
"""

from rewake.database.active_schema import ActiveSchemas, StoredSchema, stored_form
from rewake.database.catalog import (
    SYSTEM_TABLES,
    Catalog,
    CatalogCache,
    IndexState,
    Table,
    TableIndex,
)
from rewake.database.cursors import Cursor, CursorSeal
from rewake.database.database import Database
from rewake.database.environment_variables import (
    BUILT_IN_VARIABLES,
    VARIABLE_REFUSALS,
    announce_addresses,
    change_variables,
    check_variable,
    read_variable,
    read_variables,
    stored_variable,
    stored_variables,
)
from rewake.database.errors import (
    IndexNotFound,
    IndexNotReady,
    IndexStaged,
    InvalidArgument,
    InvalidCreationTimeField,
    InvalidCursor,
    InvalidIdField,
    NewDocumentMismatch,
    NonexistentDocument,
    SchemaEnforcementError,
    SchemaMismatch,
    SchemaOutrun,
    SchemaWorkLeft,
    SnapshotInFuture,
    SnapshotTooOld,
    SystemTableRefused,
    TableNotFound,
    TooManyTables,
    WriteInterrupted,
)
from rewake.database.group_commit import (
    CallResult,
    CommitResult,
    GroupCommit,
    Invocation,
    Performed,
    ReplayKey,
    TrimResult,
)
from rewake.database.index_building import BuildingStep, take_step
from rewake.database.modules import module_read_set, record_module_read, store_modules, stored_modules
from rewake.database.read_set import Interval, ReadSet
from rewake.database.reads import Part, ReadTransaction, SystemReads
from rewake.database.rollout import OnProgress, PushProgress, Rollout, no_progress
from rewake.database.scheduled import (
    CannotCancelItself,
    InvalidScheduledId,
    ScheduledJob,
    begun_jobs,
    due_jobs,
    next_due_ms,
    pending_jobs,
    schedule,
    touches_schedule,
)
from rewake.database.scheduled import cancel as cancel_scheduled
from rewake.database.scheduled import claim as claim_scheduled
from rewake.database.scheduled import finish as finish_scheduled
from rewake.database.scheduled import has_finished as has_finished_scheduled
from rewake.database.scheduled import put_back as put_back_scheduled
from rewake.database.scheduled import state_of as scheduled_state
from rewake.database.scheduled import trim_finished as trim_scheduled
from rewake.database.schema_change import (
    DeclaredSchema,
    SchemaChange,
    apply_schema,
    declare_schema,
    fail_schema,
)
from rewake.database.schema_check import CheckProgress, DocumentCheck, Evidence, Survey
from rewake.database.schema_records import SchemaState, note_validated
from rewake.database.snapshots import Reader, Snapshot
from rewake.database.usage import (
    Measure,
    ScheduledArgumentsTooLarge,
    TooManyBytesRead,
    TooManyBytesWritten,
    TooManyDocumentsRead,
    TooManyFunctionsScheduled,
    TooManyReads,
    TooManyWrites,
    Usage,
)
from rewake.database.verification import PROBLEMS_MAX, Problem, Verdict, verify
from rewake.database.writes import WriteTransaction

__all__ = [
    "BUILT_IN_VARIABLES",
    "PROBLEMS_MAX",
    "SYSTEM_TABLES",
    "VARIABLE_REFUSALS",
    "ActiveSchemas",
    "BuildingStep",
    "CallResult",
    "CannotCancelItself",
    "Catalog",
    "CatalogCache",
    "CheckProgress",
    "CommitResult",
    "Cursor",
    "CursorSeal",
    "Database",
    "DeclaredSchema",
    "DocumentCheck",
    "Evidence",
    "GroupCommit",
    "IndexNotFound",
    "IndexNotReady",
    "IndexStaged",
    "IndexState",
    "Interval",
    "InvalidArgument",
    "InvalidCreationTimeField",
    "InvalidCursor",
    "InvalidIdField",
    "InvalidScheduledId",
    "Invocation",
    "Measure",
    "NewDocumentMismatch",
    "NonexistentDocument",
    "OnProgress",
    "Part",
    "Performed",
    "Problem",
    "PushProgress",
    "ReadSet",
    "ReadTransaction",
    "Reader",
    "ReplayKey",
    "Rollout",
    "ScheduledArgumentsTooLarge",
    "ScheduledJob",
    "SchemaChange",
    "SchemaEnforcementError",
    "SchemaMismatch",
    "SchemaOutrun",
    "SchemaState",
    "SchemaWorkLeft",
    "Snapshot",
    "SnapshotInFuture",
    "SnapshotTooOld",
    "StoredSchema",
    "Survey",
    "SystemReads",
    "SystemTableRefused",
    "Table",
    "TableIndex",
    "TableNotFound",
    "TooManyBytesRead",
    "TooManyBytesWritten",
    "TooManyDocumentsRead",
    "TooManyFunctionsScheduled",
    "TooManyReads",
    "TooManyTables",
    "TooManyWrites",
    "TrimResult",
    "Usage",
    "Verdict",
    "WriteInterrupted",
    "WriteTransaction",
    "announce_addresses",
    "apply_schema",
    "begun_jobs",
    "cancel_scheduled",
    "change_variables",
    "check_variable",
    "claim_scheduled",
    "declare_schema",
    "due_jobs",
    "fail_schema",
    "finish_scheduled",
    "has_finished_scheduled",
    "module_read_set",
    "next_due_ms",
    "no_progress",
    "note_validated",
    "pending_jobs",
    "put_back_scheduled",
    "read_variable",
    "read_variables",
    "record_module_read",
    "schedule",
    "scheduled_state",
    "store_modules",
    "stored_form",
    "stored_modules",
    "stored_variable",
    "stored_variables",
    "take_step",
    "touches_schedule",
    "trim_scheduled",
    "verify",
]
