"""Limits: every bound of the house, with its unit and its reason.

Floor 0. A constant here is part of the contract with official clients (spec/semantics 1.2, 5.8) or keeps a
stranger from exhausting the server. Those that an operator may change are fields of `Limits`; each says its
unit and between which bounds it may be set, and `docs/reference/limits.md` has a row for it.

Not here: the errors that name them, which live beside each check; where an operator writes them down
(`execution/limit_settings.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import msgspec

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
_MILLION = 1_000_000

# Values (semantics 1.2).
ARRAY_LENGTH_MAX = 8192
OBJECT_FIELDS_MAX = 1024
VALUE_NESTING_MAX = 64
VALUE_BYTES_MAX = 32 * MIB
DOCUMENT_NESTING_MAX = 16
DOCUMENT_BYTES_MAX = 1 * MIB
FIELD_NAME_LENGTH_MAX = 1024
IDENTIFIER_LENGTH_MAX = 64
SAFE_INTEGER_MAX = 2**53
"""Largest magnitude of a Python int that a Float64 field takes: above it neighbours collide."""

# Schema (semantics 2.4).
INDEXES_PER_TABLE_MAX = 64
INDEX_FIELDS_MAX = 16
TABLES_MAX = 10_000

# Environment variables (semantics 6.9).
VARIABLE_NAME_LENGTH_MAX = 256
VARIABLE_VALUE_BYTES_MAX = 8 * KIB
VARIABLES_MAX = 512
VARIABLES_BYTES_MAX = 512 * KIB
"""Names and values of all together."""

# Keys of administrators (wire 5.2).
ADMIN_KEYS_MAX = 1_000
"""Keys that were issued, those included that are not good any more: each check looks among them all."""
KEY_LABEL_LENGTH_MAX = 128
KEY_USE_SECONDS = 3600.0
"""How exactly it is taken down when a key was last used: one small write a key in so long a time."""

# Imports (semantics 10.5).
JSON_ARRAY_BYTES_MAX = 8 * MIB
"""A file that is one JSON array: it is held in memory as a whole."""
IMPORT_LINE_BYTES_MAX = 8 * MIB
"""One line of a file: a document with every character escaped fits."""
IMPORT_PARTS_MAX = 10_000
"""Parts of one upload."""
IMPORT_FILES_MAX = 20_000
"""Files of the application in one archive: their documents are part of the one transaction that switches."""
IMPORTS_KEPT = 100
"""Imports that are over and can be looked at."""
ARCHIVE_ENTRIES_MAX = 200_000
"""Entries of one ZIP archive; a file of the application is one."""
ARCHIVE_DIRECTORY_BYTES_MAX = 64 * MIB
"""The directory of a ZIP archive, which is read into memory."""
ARCHIVE_RATIO_MAX = 250
"""How many times as large as packed an archive may be: text packs to a twentieth, a bomb to a thousandth."""
ARCHIVE_RATIO_BYTES_FREE = 64 * MIB
"""Up to so much unpacked, how well it was packed does not matter."""

# Deploys.
DEPLOY_MESSAGE_LENGTH_MAX = 1_000
"""Characters of what is said about a deploy; it stands in a list."""

SCHEMA_STEP_ROWS_MAX = 4_096
"""Index entries in one background step, however fast they are: what a step writes is what a checkpoint has to
move."""
SCHEMA_SWITCH_ROWS_MAX = 512
"""Documents that the transaction which switches to new code may look at by itself. With less than these to
check and to index no background work is begun at all."""

# Backups.
BACKUP_LOG_BYTES_MAX = 8 * GIB
"""How far the write-ahead log may grow while a data file is copied, before the copy gives up."""

# Functions (semantics 3.2, 5.8).
QUERY_OPERATORS_MAX = 256
LIMIT_WARNING_SHARE = 0.8
"""A run that used this part of a limit gets a log line that says so."""

# Sign-in.
PROVIDER_KEYS_MAX = 100
"""Keys in the key set of one auth provider."""

# HTTP actions.
HTTP_WINDOW_BYTES = 256 * KIB
"""Bytes of one body, in one direction, that are under way between the door and a handler: what a slow reader
costs in memory."""
HTTP_PART_BYTES_MAX = 64 * KIB
"""One message of a body between processes; others pass between two."""

# Pages (semantics 3.6).
PAGE_ITEMS_MAX = 32_000
PAGE_ITEMS_SPLIT = 6_144
"""A page with more items should be split: it nears what one array may hold."""
PAGE_READ_SHARE = 0.75
"""Part of what a transaction may still read that one page may: some is left for what its function reads
besides."""
PAGE_SPLIT_SHARE = 0.75
"""A page that read more than this part of what it may should be split."""

# Tables: numbers below are kept for the system (wire 3.1).
USER_TABLE_NUMBER_MIN = 10_001


Unit = Literal[
    "actions",
    "bytes",
    "calls",
    "connections",
    "deploys",
    "documents",
    "files",
    "functions",
    "imports",
    "lines",
    "mutations",
    "queries",
    "processes",
    "ranges",
    "rows",
    "runs",
    "seconds",
    "sockets",
    "transitions",
    "websockets",
]


class Setting(msgspec.Struct, frozen=True):
    """What a field of `Limits` may be set to."""

    name: str
    unit: Unit
    least: float
    most: float
    default: float

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers make sense."""
        return type(self.default) is int


_BOUNDS: list[tuple[Any, float, float, float]] = []
# Unit, least, most and default of each field of `Limits`, in their order.


def _setting(default: float, unit: Unit, least: float, most: float) -> Any:
    """A field with its default, its unit, and the least and the most that an operator may set it to."""
    _BOUNDS.append((unit, least, most, default))
    return default


class Limits(msgspec.Struct, frozen=True):
    """What an operator may set. Each default is the official product's, so applications move unchanged."""

    documents_read_max: int = _setting(32_000, "documents", 1, 100 * _MILLION)
    """Documents scanned in one transaction."""
    bytes_read_max: int = _setting(16 * MIB, "bytes", 1 * KIB, 64 * GIB)
    """Bytes of documents scanned in one transaction."""
    intervals_read_max: int = _setting(4_096, "ranges", 1, _MILLION)
    """Index ranges in one transaction's read set, after merging."""
    documents_written_max: int = _setting(16_000, "documents", 1, 10 * _MILLION)
    """Documents written in one transaction."""
    bytes_written_max: int = _setting(16 * MIB, "bytes", 1 * KIB, 1 * GIB)
    """Bytes written in one transaction."""
    functions_scheduled_max: int = _setting(1_000, "functions", 1, _MILLION)
    """Functions that one mutation may schedule."""
    scheduled_arguments_bytes_max: int = _setting(16 * MIB, "bytes", 1 * KIB, 1 * GIB)
    """Arguments of all functions that one mutation schedules, together."""
    scheduled_call_arguments_bytes_max: int = _setting(4 * MIB, "bytes", 1 * KIB, 1 * GIB)
    """Arguments of one scheduled function."""

    files_read_max: int = _setting(1_000, "files", 1, _MILLION)
    """Files whose bytes one mutation may read."""
    file_bytes_read_max: int = _setting(64 * MIB, "bytes", 1 * KIB, 64 * GIB)
    """Bytes of files that one mutation may read; others wait meanwhile."""
    files_written_max: int = _setting(100, "files", 1, 10_000)
    """Files that one mutation may store."""
    file_bytes_written_max: int = _setting(16 * MIB, "bytes", 1 * KIB, 1 * GIB)
    """Bytes of files that one mutation may store; others wait until they are durable."""

    arguments_bytes_max: int = _setting(16 * MIB, "bytes", 1 * KIB, 1 * GIB)
    """Arguments of one call."""
    return_bytes_max: int = _setting(16 * MIB, "bytes", 1 * KIB, 1 * GIB)
    """Result of one call."""
    nested_calls_max: int = _setting(8, "calls", 1, 64)
    """Functions that are under way at once in one transaction, the outermost included."""
    log_lines_max: int = _setting(256, "lines", 1, 100_000)
    """Log lines of one run; the last one says that more were left out."""
    log_line_bytes_max: int = _setting(32 * KIB, "bytes", 64, 16 * MIB)
    """One log line; a longer one is cut."""
    error_message_bytes_max: int = _setting(64 * KIB, "bytes", 256, 16 * MIB)
    """Text of one error; a longer one is cut."""
    function_seconds_max: float = _setting(1.0, "seconds", 0.01, 3600.0)
    """Processor time of a query's or mutation's own code, libraries that it calls included and the database
    not. It is interrupted, in worker processes."""
    system_seconds_max: float = _setting(15.0, "seconds", 0.1, 3600.0)
    """One run of a query or mutation in a worker process, database and waiting included. A longer one is cut
    off with its process, which is started again; other calls do not notice."""
    action_seconds_max: float = _setting(600.0, "seconds", 0.1, 86_400.0)
    """One run of an action. A longer one is told to end, and its caller is given a failure."""
    mounted_sockets_max: int = _setting(256, "websockets", 1, 100_000)
    """Websockets of mounted applications that are open at once. Each has a thread."""
    mounted_socket_seconds_max: float = _setting(3_600.0, "seconds", 0.1, 604_800.0)
    """How long a websocket of a mounted application may be open; its client then connects again."""
    actions_running_max: int = _setting(64, "actions", 1, 10_000)
    """Actions that run at once in one deployment; more wait for a place."""
    action_calls_running_max: int = _setting(1_000, "calls", 1, 100_000)
    """Functions and other requests to the house that one action has under way at once."""
    queries_under_way_max: int = _setting(10_000, "queries", 1, _MILLION)
    """Queries that were asked once and have no answer yet, in one deployment. Live queries take turns."""
    mutations_under_way_max: int = _setting(10_000, "mutations", 1, _MILLION)
    """Mutations that have no answer yet, in one deployment."""
    queue_wait_seconds_max: float = _setting(1.0, "seconds", 0.01, 3600.0)
    """How long a mutation or query should wait for the writer or a reader at most; who would wait longer is
    told to come back, and nothing ran."""
    arguments_under_way_bytes_max: int = _setting(256 * MIB, "bytes", 1 * KIB, 1024 * GIB)
    """Arguments of all calls under way: calls may be few and yet fill the memory. One alone is always
    taken."""
    actions_waiting_max: int = _setting(10_000, "actions", 0, _MILLION)
    """Actions that wait for a place."""
    action_wait_seconds: float = _setting(10.0, "seconds", 0.0, 3600.0)
    """How long an action waits for a place before it is refused."""
    action_grace_seconds: float = _setting(5.0, "seconds", 0.0, 3600.0)
    """How long a stopping server waits for running actions before it ends them."""
    scheduled_running_max: int = _setting(8, "functions", 1, 10_000)
    """Scheduled functions that run at once."""
    scheduled_retention_seconds: float = _setting(7 * 86_400.0, "seconds", 60.0, 365 * 86_400.0)
    """How long a scheduled function that is over can be looked at."""
    crons_running_max: int = _setting(8, "functions", 1, 10_000)
    """Crons that run at once."""
    cron_splay_seconds: int = _setting(60, "seconds", 0, 60)
    """Within how many seconds of its minute a cron begins: each in a second of its own, which stays."""
    cron_runs_kept: int = _setting(5, "runs", 1, 1_000)
    """Runs of one cron that can be looked at, skipped ones included."""
    export_kept_seconds: float = _setting(7 * 86_400.0, "seconds", 60.0, 365 * 86_400.0)
    """How long the archive of a snapshot export can be fetched."""
    action_memory_bytes_max: int = _setting(2048 * MIB, "bytes", 16 * MIB, 1024 * GIB)
    """Memory that the actions of one process may take together beyond what loading the project took."""
    worker_memory_bytes_max: int = _setting(512 * MIB, "bytes", 16 * MIB, 1024 * GIB)
    """Memory that functions of one worker process may take beyond what loading the project took."""

    socket_message_bytes_max: int = _setting(64 * MIB, "bytes", 64 * KIB, 1 * GIB)
    """One incoming websocket message."""
    socket_mutations_waiting_max: int = _setting(1_000, "mutations", 1, _MILLION)
    """Mutations of one socket that wait their turn; more close it with 1013."""
    socket_mutations_waiting_bytes_max: int = _setting(64 * MIB, "bytes", 1 * KIB, 16 * GIB)
    """Arguments of the mutations of one socket that wait their turn; more close it with 1013."""
    socket_actions_running_max: int = _setting(1_000, "actions", 1, _MILLION)
    """Actions of one socket in flight; more close it with 1013."""
    socket_silence_seconds: float = _setting(15.0, "seconds", 0.1, 29.0)
    """After so long without a message of ours we send a Ping (clients give up at 30 and 60)."""
    socket_ping_seconds: float = _setting(5.0, "seconds", 0.1, 3600.0)
    """How often a websocket ping frame goes out."""
    socket_inactivity_seconds: float = _setting(120.0, "seconds", 1.0, 86_400.0)
    """A socket from which no frame came for so long is closed."""
    socket_backlog_bytes_max: int = _setting(64 * MIB, "bytes", 64 * KIB, 16 * GIB)
    """Bytes waiting for a slow reader before it is dropped."""
    socket_backlog_seconds_max: float = _setting(30.0, "seconds", 1.0, 3600.0)
    """A reader that takes nothing for so long while bytes wait is dropped."""
    transitions_waiting_max: int = _setting(2, "transitions", 1, 1_000)
    """Transitions computed and not yet handed to the kernel, per socket (wire 1.8)."""
    chunk_bytes: int = _setting(5_000_000, "bytes", 1 * KIB, 15 * MIB)
    """npm clients get a larger Transition in parts of this size (wire 1.9)."""
    socket_deflate_bytes_min: int = _setting(1 * KIB, "bytes", 0, 1 * GIB)
    """Smaller messages to clients that offer compression are sent as they are; 0 compresses nothing."""
    frame_bytes_max: int = _setting(4 * MIB, "bytes", 1 * KIB, 15 * MIB)
    """Other clients get large messages in continuation frames of this size (Rust takes at most 16 MiB)."""

    token_bytes_max: int = _setting(64 * KIB, "bytes", 1 * KIB, 1 * MIB)
    """The token of a user."""
    token_leeway_seconds: float = _setting(5.0, "seconds", 0.0, 600.0)
    """How far the clock of an issuer may be off: for `nbf`, and for `exp` of custom JWTs."""
    provider_keys_fresh_seconds: float = _setting(300.0, "seconds", 0.0, 86_400.0)
    """After so long the keys of an auth provider are fetched again."""
    provider_keys_kept_seconds: float = _setting(86_400.0, "seconds", 0.0, 30 * 86_400.0)
    """How long keys go on while their provider cannot be reached."""
    provider_request_seconds_max: float = _setting(10.0, "seconds", 0.1, 60.0)
    """How long an auth provider may take to give its keys. A socket that authenticates waits for it."""
    provider_request_pause_seconds: float = _setting(1.0, "seconds", 0.01, 3600.0)
    """The least time between two requests to one auth provider, whatever tokens come in."""
    provider_answer_bytes_max: int = _setting(512 * KIB, "bytes", 1 * KIB, 16 * MIB)
    """One answer of an auth provider."""

    sockets_max: int = _setting(50_000, "sockets", 1, _MILLION)
    """Websockets that are open at once."""
    sockets_per_address_max: int = _setting(1_000, "sockets", 1, _MILLION)
    """Websockets from one address; those behind a trusted proxy are counted each by its own."""
    socket_queries_max: int = _setting(10_000, "queries", 1, _MILLION)
    """Live queries of one socket; more are a mistake of the page, which is told so for good."""

    upload_seconds_max: float = _setting(120.0, "seconds", 1.0, 86_400.0)
    """How long the upload of one file may take, from its first byte to its last."""
    upload_url_seconds: float = _setting(3600.0, "seconds", 1.0, 30 * 86_400.0)
    """How long an upload URL is good for."""

    import_upload_bytes_max: int = _setting(16 * GIB, "bytes", 1 * KIB, 16_384 * GIB)
    """One file to import, as it is sent. It lies beside the data file until the import is over."""
    import_unpacked_bytes_max: int = _setting(64 * GIB, "bytes", 1 * KIB, 65_536 * GIB)
    """What the entries of one ZIP archive may have unpacked, together. None is unpacked to the disk."""
    import_wait_seconds: float = _setting(3600.0, "seconds", 1.0, 30 * 86_400.0)
    """How long an upload may pause between two parts, and an import wait to be confirmed."""
    imports_waiting_max: int = _setting(8, "imports", 1, 1_000)
    """Uploads and imports that are not over at once."""

    http_connections_max: int = _setting(20_000, "connections", 1, _MILLION)
    """Connections for plain requests that are open at once."""
    http_connections_per_address_max: int = _setting(1_000, "connections", 1, _MILLION)
    """Connections for plain requests from one address; a trusted proxy has no such bound."""
    http_head_seconds_max: float = _setting(20.0, "seconds", 0.05, 3600.0)
    """How long the head of a request may take, from the connection or its first byte."""
    http_body_seconds_max: float = _setting(120.0, "seconds", 0.05, 86_400.0)
    """How long the body of an API request may take. Uploads and HTTP actions have bounds of their own."""
    http_stall_seconds_max: float = _setting(60.0, "seconds", 0.05, 3600.0)
    """How long a client may send nothing of a body, or take nothing of an answer."""
    user_agent_bytes_max: int = _setting(1 * KIB, "bytes", 0, 64 * KIB)
    """What functions are told of a caller's `User-Agent`; a longer one is cut. Each socket keeps it."""
    http_head_bytes_max: int = _setting(1 * MIB, "bytes", 8 * KIB, 64 * MIB)
    """Method, address and headers of one request; the parser hands them over as a whole."""
    http_body_bytes_max: int = _setting(20 * MIB, "bytes", 1 * KIB, 1 * GIB)
    """Body of one API request."""
    http_action_body_bytes_max: int = _setting(20 * MIB, "bytes", 1 * KIB, 1 * GIB)
    """Body of an HTTP action's request or response that is held in memory as a whole. Streams have no
    limit."""
    http_batch_queries_max: int = _setting(1_000, "queries", 1, 100_000)
    """Queries in one `/api/query_batch`: they share a snapshot, which must not be held for long."""
    group_seconds: float = _setting(0.002, "seconds", 0.0, 1.0)
    """A group of mutations stops gathering after about so much execution, and commits."""
    group_mutations_max: int = _setting(256, "mutations", 1, 100_000)
    """Mutations in one commit group."""
    write_ahead_log_bytes_max: int = _setting(256 * MIB, "bytes", 1 * MIB, 1024 * GIB)
    """The write-ahead log: longer, mutations wait a moment for running reads, so that it can begin anew."""
    schema_step_seconds: float = _setting(0.010, "seconds", 0.001, 1.0)
    """How long one background step of a schema change (building an index, removing one) may hold the writer;
    mutations go on between two steps."""
    deploy_archive_bytes_max: int = _setting(16 * MIB, "bytes", 1 * KIB, 256 * MIB)
    """The archive of one deploy. It is kept in the data file as long as the deploy is."""
    deploy_bytes_max: int = _setting(64 * MIB, "bytes", 1 * KIB, 1 * GIB)
    """Its files, unpacked."""
    deploy_files_max: int = _setting(2_000, "files", 1, 100_000)
    """Its files."""
    deploy_plans_max: int = _setting(8, "deploys", 1, 1_000)
    """Plans that wait to be finished; the oldest goes where one more is made."""
    deploy_plan_seconds: float = _setting(900.0, "seconds", 1.0, 86_400.0)
    """How long a plan may wait."""
    deploys_kept_max: int = _setting(50, "deploys", 1, 1_000)
    """Deploys that can be rolled back to."""
    load_seconds_max: float = _setting(30.0, "seconds", 0.5, 3600.0)
    """Importing the modules of a project, all together, at a start and at a push."""
    code_kept_seconds: float = _setting(30.0, "seconds", 0.0, 3600.0)
    """How long code that was replaced still answers reads at timestamps from before the push."""
    log_retention_seconds: float = _setting(3600.0, "seconds", 60.0, 365 * 86_400.0)
    """How long commit log rows are kept for reads at an older timestamp."""
    log_retention_bytes: int = _setting(256 * MIB, "bytes", 1 * MIB, 1024 * GIB)
    """Commit log rows are trimmed above this size, oldest first."""
    replay_retention_seconds: float = _setting(14 * 86_400.0, "seconds", 60.0, 365 * 86_400.0)
    """How long an acknowledged mutation can be recognised when a client sends it again."""
    sql_seconds_max: float = _setting(10.0, "seconds", 0.1, 3600.0)
    """How long one SQL statement of an administrator may hold its snapshot."""
    sql_rows_max: int = _setting(10_000, "rows", 1, 10 * _MILLION)
    """Rows in the answer to one SQL statement; it says that there are more."""
    sql_bytes_max: int = _setting(16 * MIB, "bytes", 1 * KIB, 1 * GIB)
    """Bytes of the cells in the answer to one SQL statement."""
    sql_under_way_max: int = _setting(2, "processes", 1, 100)
    """SQL statements that a server runs at once, each in a process of its own."""
    cache_bytes_max: int = _setting(100 * MIB, "bytes", 0, 1024 * GIB)
    """Shared query results that no live query holds."""
    wave_queries_max: int = _setting(256, "queries", 1, 100_000)
    """Query runs in one wave; sessions beyond it go into the next."""
    clock_result_seconds: float = _setting(15.0, "seconds", 0.0, 3600.0)
    """How long a cached result that read the clock serves new readers."""


DEFAULT_LIMITS = Limits()

SETTINGS: Mapping[str, Setting] = MappingProxyType(
    {name: Setting(name, *bounds) for name, bounds in zip(Limits.__struct_fields__, _BOUNDS, strict=True)}
)
"""The fields of `Limits` by name, in their order."""
