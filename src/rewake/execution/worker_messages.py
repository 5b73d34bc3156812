"""What crosses the pipe between the front process and its workers.

Floor 3, `execution`. Tagged records of plain data, each a frame (`pipe_frames.py`). Whatever is no message
raises `PipeBroken`, after which the process at the other end is as good as dead.

    front -> template   Begin, Fork                template -> front   Loading, Loaded | Failed
    front -> writer     Mutate, HouseWork, Apply   writer -> front     Ready, Told, LogLine
    front -> reader     OpenWave, More, EndWave    reader -> front     Ready, Ran | Failed, LogLine
                        LookRound, Check                               Surveyed, Checked | Failed
    front -> actor      Act, StopAction, Answer    actor -> front      Ready, Call, Printed, Acted, LogLine
                        Serve, Exchanged                               Exchanged

Not here: who sends what when (`worker.py` in the worker, `writer_desk.py` and `worker_runner.py` in front).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from rewake.auth import identity_of
from rewake.database import (
    CheckProgress,
    DeployNote,
    Evidence,
    Invocation,
    ReplayKey,
    SchemaChange,
    Survey,
    TrimResult,
)
from rewake.execution.analysis import Analysis
from rewake.execution.call_log import CallRecord, RunLogLine
from rewake.execution.calls import (
    Failure,
    FunctionCall,
    MutationOutcome,
    RequestSource,
    Success,
    Visibility,
)
from rewake.execution.error_facts import ErrorFacts
from rewake.execution.http_exchange import HttpEvent, HttpJob, HttpRequestHead
from rewake.execution.loader import ProjectSettings
from rewake.execution.pipe_frames import PipeBroken, framed
from rewake.execution.runner import ActionJob, MutationJob, QueryJob, QueryRun
from rewake.execution.schema_steps import SchemaStep, Stepped
from rewake.functions import FunctionKind
from rewake.limits import Limits
from rewake.storage import LogRow


class _Message(msgspec.Struct, array_like=True, tag=True):
    """A record that crosses the pipe."""


# From the front.


class Begin(_Message):
    """Load a project and be ready to fork workers for it."""

    root: str
    functions: str
    case: str
    generated: str | None
    name: str | None
    path: list[str]
    """`sys.path` of the front process, where the project's libraries are found."""

    @classmethod
    def of(cls, settings: ProjectSettings, path: Sequence[str]) -> Begin:
        return cls(
            str(settings.root),
            settings.functions,
            settings.case,
            settings.generated,
            settings.name,
            list(path),
        )

    @property
    def settings(self) -> ProjectSettings:
        """What to load."""
        return ProjectSettings(Path(self.root), self.functions, self.case, self.generated, self.name)


class Fork(_Message):
    """Make a worker. Beside this message come descriptors: its pipe, its mark, and the claim on the data file
    where there is one, which it shares as long as it lives.
    """

    role: str
    name: str
    data: str
    durability: str
    limits: Limits
    files: str
    is_armed: bool
    """Whether kill points of a crash test apply: a worker that takes the place of a dead one is spared."""


class Mutate(_Message):
    """Run a mutation."""

    number: int
    path: str
    args: str
    component: str
    identity: str
    visibility: Visibility
    invocation: str
    session: str | None
    request: int
    request_id: str
    scheduled: str
    source: RequestSource
    keys: tuple[str, ...]

    @classmethod
    def of(cls, number: int, job: MutationJob) -> Mutate:
        replay = job.invocation.replay
        return cls(
            number,
            job.call.path,
            job.call.args,
            job.call.component,
            job.identity.fingerprint,
            job.visibility,
            job.invocation.id,
            replay.session if replay is not None else None,
            replay.request if replay is not None else 0,
            job.request_id,
            job.scheduled,
            job.source,
            job.keys,
        )

    @property
    def job(self) -> MutationJob:
        """The inverse of `of`."""
        replay = ReplayKey(self.session, self.request) if self.session is not None else None
        return MutationJob(
            FunctionCall(self.path, self.args, self.component),
            identity_of(self.identity),
            self.visibility,
            Invocation(self.invocation, replay),
            self.request_id,
            self.scheduled,
            self.source,
            self.keys,
        )


class Trim(_Message):
    """Forget old log rows, a step of them."""

    number: int


class RestartLog(_Message):
    """Have the write-ahead log begin anew."""

    number: int
    patience_seconds: float


class Step(_Message):
    """Do a step of a schema change."""

    number: int
    invocation: str
    step: SchemaStep


class Apply(_Message):
    """Make the schema and the hashes of the worker's own code the stored ones."""

    number: int
    invocation: str
    evidence: Evidence | None
    is_start: bool
    deploy: DeployNote | None = None


class OpenWave(_Message):
    """Take a snapshot (the latest, or the one at `at`) and run queries on it."""

    jobs: Sequence[QueryJob]
    at: int | None
    is_in_parts: bool = False
    """Whether there will be no `More`: the snapshot is let go at once, and there may be several answers."""
    is_short: bool = False
    """The same with one answer, before which the snapshot is let go. No `EndWave` follows."""


class More(_Message):
    """Run further queries on the snapshot."""

    jobs: Sequence[QueryJob]


class EndWave(_Message):
    """Let the snapshot go. Nothing is answered."""


class LookRound(_Message):
    """Begin to check the stored documents against the schema of the worker's own code."""


class Check(_Message):
    """Go on with it, a step."""


class Act(_Message):
    """Run an action."""

    number: int
    path: str
    args: str
    component: str
    identity: str
    visibility: Visibility
    request_id: str
    scheduled: str
    source: RequestSource

    @classmethod
    def of(cls, number: int, job: ActionJob) -> Act:
        call = job.call
        return cls(
            number,
            call.path,
            call.args,
            call.component,
            job.identity.fingerprint,
            job.visibility,
            job.request_id,
            job.scheduled,
            job.source,
        )

    @property
    def job(self) -> ActionJob:
        """The inverse of `of`."""
        call, identity = FunctionCall(self.path, self.args, self.component), identity_of(self.identity)
        return ActionJob(call, identity, self.visibility, self.request_id, self.scheduled, self.source)


class Serve(_Message):
    """Answer an HTTP request."""

    number: int
    request: HttpRequestHead
    identity: str
    refusal: str | None
    request_id: str
    source: RequestSource

    @classmethod
    def of(cls, number: int, job: HttpJob) -> Serve:
        return cls(number, job.request, job.identity.fingerprint, job.refusal, job.request_id, job.source)

    @property
    def job(self) -> HttpJob:
        """The inverse of `of`."""
        return HttpJob.of(
            self.request,
            identity_of(self.identity),
            request_id=self.request_id,
            refusal=self.refusal,
            source=self.source,
        )


class Exchanged(_Message):
    """Something of the exchange that the HTTP action with this number is; in both directions."""

    number: int
    event: HttpEvent


class StopAction(_Message):
    """Have an action end soon."""

    number: int
    reason: str


class Answer(_Message):
    """What a call of an action came to."""

    number: int
    result: Success | Failure


# From workers.


class Call(_Message):
    """An action calls another function. `number` is the call's, to be answered under."""

    number: int
    action: int
    kind: FunctionKind
    path: str
    args: str
    trace: str = ""


class Printed(_Message):
    """A running action printed something."""

    number: int
    line: RunLogLine


class Acted(_Message):
    """An action is over."""

    number: int
    result: Success | Failure
    record: CallRecord


class Loading(_Message):
    """This file of the project is imported next."""

    file: str


class Loaded(_Message):
    """The project is loaded; workers can be forked."""

    analysis: Analysis


class Ready(_Message):
    """The worker has opened the database."""

    pid: int


class Failed(_Message):
    """What was asked cannot be done."""

    error: ErrorFacts


class Outcome(msgspec.Struct, frozen=True, array_like=True):
    """What a piece of the writer's work came to: result, error, trimmed, changed, stepped or restarted."""

    number: int
    ts: int = 0
    result: Success | Failure | None = None
    error: ErrorFacts | None = None
    record: CallRecord | None = None
    trimmed: TrimResult | None = None
    changed: SchemaChange | None = None
    stepped: Stepped | None = None
    has_restarted: bool = False

    @property
    def mutated(self) -> MutationOutcome:
        """As the outcome of a mutation that came to a result."""
        assert self.result is not None
        return MutationOutcome(self.result, self.ts)


class Prepared(msgspec.Struct, array_like=True):
    """What the members of a group came to, should its COMMIT succeed. It lies beside the writer's mark, and
    is read when the writer dies before it can tell.
    """

    outcomes: list[Outcome]


class Told(_Message):
    """A group is over: its rows are durable, and its members have these outcomes."""

    rows: list[LogRow]
    last_ts: int
    outcomes: list[Outcome]
    commit_seconds: float = 0.0


class Ran(_Message):
    """The queries of OpenWave or More, on the snapshot at `ts`."""

    ts: int
    runs: list[QueryRun]
    records: list[CallRecord]
    """Of the runs, for the call log."""


class Surveyed(_Message):
    """What there is to do before the switch to the worker's own code."""

    survey: Survey


class Checked(_Message):
    """How far the check is."""

    progress: CheckProgress


class LogLine(_Message):
    """Something that the house has to say from inside a worker."""

    level: int
    logger: str
    text: str


HouseWork = Trim | RestartLog | Step  # What a writer does among mutations.
_ToWriter = Mutate | HouseWork | Apply
_ToReader = OpenWave | More | EndWave | LookRound | Check
FromFront = Begin | Fork | _ToWriter | _ToReader | Act | Serve | Exchanged | StopAction | Answer
_FromActor = Call | Printed | Acted | Exchanged
FromWorker = Loading | Loaded | Ready | Failed | Told | Ran | Surveyed | Checked | LogLine | _FromActor

_encoder = msgspec.msgpack.Encoder()
_from_front: msgspec.msgpack.Decoder[FromFront] = msgspec.msgpack.Decoder(FromFront)
_from_worker: msgspec.msgpack.Decoder[FromWorker] = msgspec.msgpack.Decoder(FromWorker)
_prepared = msgspec.msgpack.Decoder(Prepared)


def pack(*messages: FromFront | FromWorker) -> bytes:
    """Messages as frames, one after the other."""
    return framed(map(_encoder.encode, messages))


def unpack_from_front(bodies: Iterable[bytes]) -> list[FromFront]:
    """Messages as a worker reads them, many at a time: a group comes in few portions.

    Raises:
        PipeBroken: one of them is none.
    """
    try:
        return [*map(_from_front.decode, bodies)]
    except (msgspec.MsgspecError, ValueError) as error:
        raise PipeBroken(str(error)) from None


def unpack_from_worker(bodies: Iterable[bytes]) -> list[FromWorker]:
    """Messages as the front reads them. Raises as `unpack_from_front`."""
    try:
        return [*map(_from_worker.decode, bodies)]
    except (msgspec.MsgspecError, ValueError) as error:
        raise PipeBroken(str(error)) from None


def packed(outcome: Outcome) -> Outcome:
    """The same outcome, as bytes that messages take as they are: it lies beside the mark and is told."""
    return msgspec.Raw(_encoder.encode(outcome))  # type: ignore[return-value]


def pack_prepared(prepared: Prepared) -> bytes:
    """What a writer leaves behind before COMMIT."""
    return _encoder.encode(prepared)


def unpack_prepared(body: bytes) -> Prepared:
    """The inverse of `pack_prepared`; nothing was prepared where nothing was left behind."""
    return _prepared.decode(body) if body else Prepared([])
