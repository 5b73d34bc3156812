"""Limits: every bound of the house, with its unit and its reason.

Floor 0. A constant here is part of the contract with official clients (spec/semantics 1.2, 5.8) or keeps a
stranger from exhausting the server. Those that an operator may change are fields of `Limits`.

Not here: the errors that name them, which live beside each check.
"""

from __future__ import annotations

from dataclasses import dataclass

KIB = 1024
MIB = 1024 * KIB

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

SCHEMA_STEP_ROWS_MAX = 4_096
"""Index entries in one background step, however fast they are: what a step writes is what a checkpoint has to
move."""
SCHEMA_SWITCH_ROWS_MAX = 512
"""Documents that the transaction which switches to new code may look at by itself. With less than these to
check and to index no background work is begun at all."""

# Functions (semantics 5.8, wire 1.9, 6.4).
ARGUMENTS_BYTES_MAX = 16 * MIB
RETURN_BYTES_MAX = 16 * MIB
LOG_LINES_MAX = 256
LOG_LINE_BYTES_MAX = 32 * KIB
ERROR_MESSAGE_BYTES_MAX = 64 * KIB
NESTED_CALLS_MAX = 8
QUERY_OPERATORS_MAX = 256
FUNCTIONS_SCHEDULED_MAX = 1_000
SCHEDULED_ARGUMENTS_BYTES_MAX = 16 * MIB
LIMIT_WARNING_SHARE = 0.8
"""A run that used this part of a limit gets a log line that says so."""

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


@dataclass(frozen=True, slots=True)
class Limits:
    """What an operator may set. Each default is the official product's, so applications move unchanged."""

    documents_read_max: int = 32_000
    """Documents scanned in one transaction."""
    bytes_read_max: int = 16 * MIB
    """Bytes of documents scanned in one transaction."""
    intervals_read_max: int = 4_096
    """Index ranges in one transaction's read set, after merging."""
    documents_written_max: int = 16_000
    """Documents written in one transaction."""
    bytes_written_max: int = 16 * MIB
    """Bytes written in one transaction."""

    socket_message_bytes_max: int = 64 * MIB
    """One incoming websocket message."""
    socket_mutations_waiting_max: int = 1_000
    """Mutations of one socket that wait their turn; more close it with 1013."""
    socket_actions_running_max: int = 1_000
    """Actions of one socket in flight; more close it with 1013."""
    socket_silence_seconds: float = 15.0
    """After so long without a message of ours we send a Ping (clients give up at 30 and 60)."""
    socket_ping_seconds: float = 5.0
    """How often a websocket ping frame goes out."""
    socket_inactivity_seconds: float = 120.0
    """A socket from which no frame came for so long is closed."""
    socket_backlog_bytes_max: int = 64 * MIB
    """Bytes waiting for a slow reader before it is dropped."""
    socket_backlog_seconds_max: float = 30.0
    """A reader that takes nothing for so long while bytes wait is dropped."""
    transitions_waiting_max: int = 2
    """Transitions computed and not yet handed to the kernel, per socket (wire 1.8)."""
    chunk_bytes: int = 5_000_000
    """npm clients get a larger Transition in parts of this size (wire 1.9)."""
    frame_bytes_max: int = 4 * MIB
    """Other clients get large messages in continuation frames of this size (Rust takes at most 16 MiB)."""

    http_head_bytes_max: int = 1 * MIB
    """Method, address and headers of one request; the parser hands them over as a whole."""
    http_body_bytes_max: int = 20 * MIB
    """Body of one API request."""
    http_batch_queries_max: int = 1_000
    """Queries in one `/api/query_batch`: they share a snapshot, which must not be held for long."""
    group_seconds: float = 0.002
    """A group of mutations stops gathering after about so much execution, and commits."""
    group_mutations_max: int = 256
    """Mutations in one commit group."""
    schema_step_seconds: float = 0.010
    """How long one background step of a schema change (building an index, removing one) may hold the writer;
    mutations go on between two steps."""
    function_seconds_max: float = 15.0
    """One run of a query or mutation in a worker process. A longer one is cut off with its process, which
    is started again; other calls do not notice."""
    worker_memory_bytes_max: int = 512 * MIB
    """Memory that functions of one worker process may take beyond what loading the project took."""
    log_retention_seconds: float = 3600.0
    """How long commit log rows are kept for reads at an older timestamp."""
    log_retention_bytes: int = 256 * MIB
    """Commit log rows are trimmed above this size, oldest first."""
    replay_retention_seconds: float = 14 * 86_400.0
    """How long an acknowledged mutation can be recognised when a client sends it again."""
    cache_bytes_max: int = 100 * MIB
    """Shared query results that no live query holds."""
    wave_queries_max: int = 256
    """Query runs in one wave; sessions beyond it go into the next."""
    clock_result_seconds: float = 15.0
    """How long a cached result that read the clock serves new readers."""


DEFAULT_LIMITS = Limits()
