"""The Runner: where function runs happen, seen from the front.

Floor 3, `execution`. The front process hands in jobs and gets back encoded results, read sets and log lines,
nothing else; so that the same interface is served by threads of this process (`inline_runner.py`) and by
worker processes.

    mutate(job) ----------> one writer, in groups ------> on_group(report), then the outcomes of the group
    open_wave(jobs) ------> one snapshot, many queries --> Wave(ts, runs), extended by more(jobs)
    act(job) -------------> a thread of its own; its calls come back through Calls

The order in which news leaves a group is part of the contract: first `on_group` with its commit log rows,
then the outcomes of its mutations. Nothing of a group leaves before its COMMIT returned (DESIGN D4).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from rewake.auth import Identity, identity_of
from rewake.database import (
    DeployNote,
    Invocation,
    OnProgress,
    ReadSet,
    SchemaChange,
    TrimResult,
    is_cron,
    no_progress,
)
from rewake.errors import Unavailable
from rewake.execution.analysis import Analysis
from rewake.execution.calls import (
    NO_SOURCE,
    CalledFrom,
    Failure,
    FunctionCall,
    MutationOutcome,
    RequestSource,
    Success,
    Visibility,
)
from rewake.execution.lanes import HOUSE, WAVES, Lane
from rewake.execution.loader import ProjectSettings
from rewake.execution.registry import Registry
from rewake.functions import FunctionKind
from rewake.storage import LogRow
from rewake.tallies import Histogram


class MutationJob(msgspec.Struct, frozen=True):
    """One mutation to run. `invocation` names it in the commit log and, over a websocket, for replays."""

    call: FunctionCall
    identity: Identity
    visibility: Visibility
    invocation: Invocation
    request_id: str
    scheduled: str = ""
    """The id of the job that it runs for, whose state changes in the same transaction; empty without one."""
    source: RequestSource = NO_SOURCE
    keys: tuple[str, ...] = ()
    """What it may store files under (`mutation_files.py`)."""
    lane: Lane = HOUSE
    """Whose it is, as far as waiting for the writer is concerned."""


class QueryJob(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One query to run, as it crosses to a reader's process, too."""

    call: FunctionCall
    asker: str
    """The fingerprint of who asks: all of an identity that a run may depend on."""
    visibility: Visibility
    journal: str | None = None
    """What an earlier run left behind (wire 1.10)."""
    trace: str = ""
    """The span that asks, as a `traceparent`; empty where traces are not wanted."""
    asked_at: float = 0.0
    """When it was handed over, in monotonic seconds; told together with `trace`."""
    called_from: CalledFrom = CalledFrom.UNKNOWN

    @property
    def identity(self) -> Identity:
        """Who asks."""
        return identity_of(self.asker)


class ActionJob(msgspec.Struct, frozen=True):
    """One action to run."""

    call: FunctionCall
    identity: Identity
    visibility: Visibility
    request_id: str
    scheduled: str = ""
    """The id of the job that it runs for; empty without one."""
    source: RequestSource = NO_SOURCE

    @property
    def source_of_calls(self) -> RequestSource:
        """Where what the action calls comes from. Once the scheduled function in it is cancelled, what is
        scheduled on its behalf is created cancelled.
        """
        source = self.source if is_cron(self.scheduled) else self.source.within(self.scheduled)
        return msgspec.structs.replace(source, called_from=CalledFrom.ACTION)

    @property
    def is_socket(self) -> bool:
        """Whether it is a websocket: it has places and a time of its own, since it lasts."""
        return False

    def close_socket(self, reason: str) -> None:
        """Have a websocket end as its application expects it to."""


class Calls(Protocol):
    """The house as a running action reaches it: each call is a run of its own."""

    async def call_from_action(
        self,
        kind: FunctionKind,
        call: FunctionCall,
        identity: Identity,
        *,
        request_id: str,
        source: RequestSource,
    ) -> Success | Failure:
        """Run a function, internal ones too. Never raises what a caller can cause."""
        ...


class QueryRun(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a query run came to and what it depended on, as it crosses from a reader's process, too.

    `code_hash` names the code that ran: a run of replaced code is not registered or cached.
    """

    result: Success | Failure
    journal: str | None
    packed_read_set: bytes
    """What was read, by `ReadSet.to_wire`: of most runs nobody ever looks at it."""
    read_identity: bool
    read_clock: bool
    code_hash: str
    seconds: float = 0.0
    """How long it took."""
    is_lost: bool = False
    """Whether what it read was lost with its process: what is said here is the least of it."""

    @property
    def read_set(self) -> ReadSet:
        """What was read."""
        return ReadSet.from_wire(self.packed_read_set)


class GroupReport(msgspec.Struct, frozen=True):
    """What one commit group wrote. `last_ts` is the log position that it brings.

    Rows may come without documents (`LogRow.keys_only`): who needs those reads the log.
    """

    rows: tuple[LogRow, ...]
    last_ts: int
    mutations: int = 0
    """How many mutations ran in the group, failed ones too; 0 where that is not known any more."""
    commit_seconds: float = 0.0
    """How long COMMIT took, which waits for the disk."""

    @property
    def tablets(self) -> set[int]:
        """The tables that were written to."""
        return {write.tablet for row in self.rows for write in row.writes}


class WorkerFacts(msgspec.Struct, frozen=True):
    """One worker process."""

    role: str
    """`template`, `writer`, `reader` or `actions`."""
    pid: int


class RunnerFigures(msgspec.Struct, frozen=True):
    """How much a runner has to do at the moment."""

    mutations_queued: int
    """Handed in, and not yet answered."""
    actions_running: int
    actions_queued: int
    """Wait for a place."""
    workers: tuple[WorkerFacts, ...] = ()
    waits: Mapping[str, Histogram] = msgspec.field(default_factory=dict)
    """How long work waited, by queue: `writer` and `readers`."""


class Wave(Protocol):
    """One snapshot on which queries run. Close it soon: an open one holds the write-ahead log."""

    @property
    def ts(self) -> int:
        """The timestamp of the snapshot; all runs see exactly the commits up to it."""
        ...

    @property
    def runs(self) -> Sequence[QueryRun]:
        """The runs of the jobs that opened the wave, in their order."""
        ...

    async def more(self, jobs: Sequence[QueryJob]) -> Sequence[QueryRun]:
        """Run further queries on the same snapshot; where it was let go, on one of the same timestamp."""
        ...

    async def close(self) -> None:
        """End the snapshot."""
        ...


class OpensWaves(Protocol):
    """Whoever gives waves."""

    async def open_wave(self, jobs: Sequence[QueryJob], *, at: int | None = None, lane: Lane = WAVES) -> Wave:
        """As `Runner.open_wave`."""
        ...


async def asked_by_wave(readers: OpensWaves, job: QueryJob, lane: Lane) -> tuple[QueryRun, int]:
    """`Runner.ask` where there are waves only."""
    wave = await readers.open_wave([job], lane=lane)
    try:
        return wave.runs[0], wave.ts
    finally:
        await wave.close()


class RunnerClosed(Unavailable):
    """The server is stopping. Nothing was written; the client sends the call again when it is back."""

    code = "ServerStopping"
    template = "The server is stopping. Try again in a moment."


Code = Registry | ProjectSettings
"""A version of a project: loaded into this process, or where worker processes are to load it from."""


class Runner(Protocol):
    """Runs functions. Started once, closed once."""

    @property
    def analysis(self) -> Analysis:
        """What is known of the code that serves now."""
        ...

    async def start(self, on_group: Callable[[GroupReport], None], calls: Calls | None = None) -> int:
        """Open the database; `on_group` hears of every group in `ts` order, and `calls` is what actions call
        through. Returns the latest timestamp.
        """
        ...

    def mutate(self, job: MutationJob) -> Awaitable[MutationOutcome]:
        """Run one mutation; returns after its group was committed and `on_group` was told.

        Raises:
            Unavailable: the group could not be written (a full disk); nothing of it was.
            Overloaded: it would wait for too long, or has; it was not begun.
        """
        ...

    async def act(self, job: ActionJob) -> Success | Failure:
        """Run one action, at most once.

        Raises:
            TooManyActions: as many run as the server takes.
            RunnerClosed: the server is stopping; the action did not begin.
        """
        ...

    async def end_actions(self) -> None:
        """Let no further action begin, give those that run a little time, and have them end. The first step
        of closing: what they are at may still write.
        """
        ...

    async def open_wave(
        self, jobs: Sequence[QueryJob], *, at: int | None = None, lane: Lane = WAVES, is_all: bool = False
    ) -> Wave:
        """Take a snapshot (the latest, or the one at timestamp `at`) and run `jobs` on it. Where these are
        all that will run on the latest, it is let go before they are heard.

        Raises:
            Overloaded: it would wait for a reader for too long, or has; nothing ran.
        """
        ...

    def ask(self, job: QueryJob, *, lane: Lane = WAVES) -> Awaitable[tuple[QueryRun, int]]:
        """Run one query on the latest snapshot; gives its timestamp, too. What is raised: as `open_wave`."""
        ...

    async def push(
        self,
        code: Code,
        *,
        invocation: str,
        on_progress: OnProgress = no_progress,
        deploy: DeployNote | None = None,
    ) -> SchemaChange:
        """Switch to new code: its schema and hashes are committed, and everything after that commit runs it.

        What the new schema asks of existing data is done before, in the background; `on_progress` hears how
        far that is, and `deploy` is what the same commit writes down of it. No call fails meanwhile.
        Whatever is raised, the code from before goes on serving. One push at a time.

        Raises:
            ProjectInvalid: the code cannot be loaded.
            SchemaMismatch: a stored document does not fit the new schema.
        """
        ...

    async def tend(self) -> bool:
        """Build staged indexes and remove what is left of dropped ones, one small step; whether there was
        anything to do.
        """
        ...

    async def trim(self) -> TrimResult:
        """Forget old log rows and replay records, one small step of them."""
        ...

    async def restart_log(self, patience_seconds: float) -> bool:
        """Have the write-ahead log begin anew, where the readers that are in it end within that time, while
        mutations wait; whether they did. For after a checkpoint, which moves most of it.

        Raises:
            StorageFailed: the disk failed.
        """
        ...

    def code_hash(self, path: str) -> str | None:
        """The hash of the code that serves `path` now, or None where nothing does."""
        ...

    def figures(self) -> RunnerFigures:
        """How much there is to do at the moment."""
        ...

    async def close(self) -> None:
        """Finish what was begun and stop."""
        ...
