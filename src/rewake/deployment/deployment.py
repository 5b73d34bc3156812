"""A deployment: one database, the code that serves it, and everyone who watches.

Floor 5. What the doors see of the house is this object: it makes the ports of `sync` and `http_api` true.

    push(code)      -> existing data made ready in the background, then schema and code in one commit group;
                       a failure leaves all as it was
    mutate, query   -> execution, reactivity
    on_group        -> reactivity first, then the outcomes (the runner keeps that order)

Nothing here is global: one process may hold many deployments.

Not here: sockets and HTTP (`sync`, `http_api`), listening (`server`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from rewake.auth import ANONYMOUS, Admin, AdminKey, Identity, User
from rewake.database import (
    CursorSeal,
    Database,
    GroupCommit,
    Invocation,
    OnProgress,
    PushProgress,
    ReplayKey,
    no_progress,
)
from rewake.deployment.push import PushReport, differences
from rewake.environment import Environment
from rewake.errors import InvalidInput, Unauthenticated
from rewake.execution import (
    Analysis,
    CallLog,
    Code,
    Failure,
    FunctionCall,
    FunctionNotFound,
    GroupReport,
    InlineRunner,
    MutationJob,
    MutationOutcome,
    Registry,
    Runner,
    Success,
    Visibility,
    WorkerPlan,
    WorkerRunner,
    failure_of,
)
from rewake.limits import DEFAULT_LIMITS, Limits
from rewake.observability import logger
from rewake.protocol import FunctionPath
from rewake.reactivity import LiveListener, LiveQueries, LiveSession, visibility_of
from rewake.values import encode, normalize

_log = logger(__name__)

_HOUSEKEEPING_SECONDS = 1.0
_TENDING_STEPS = 8
"""Steps of background work on indexes between two checkpoints."""
_CHECKPOINT_ROWS = 200
"""About two thousand pages, 8 MiB: what the write-ahead log has blocks for already (decision 0004)."""


class TokensNotSupported(Unauthenticated):
    """This server does not check user tokens yet. Connect without one, or with the admin key."""

    code = "NoAuthProvider"
    template = (
        "No auth provider found matching the given token (no providers configured). This version of Rewake "
        "does not check user tokens yet."
    )


class InvalidHeader(InvalidInput):
    """The Authorization header is neither `Bearer {token}` nor `Convex {admin key}`."""

    code = "InvalidHeaderFailure"
    template = "The Authorization header must be `Bearer {{token}}` or `Convex {{admin key}}`."


class Deployment:
    """One deployment. Open it in the event loop that will use it."""

    def __init__(
        self,
        database: Database,
        runner: Runner,
        *,
        name: str,
        version: str,
        admin_key: AdminKey,
        call_log: CallLog,
        is_redacted: bool,
    ) -> None:
        self._database = database
        self._runner = runner
        self._admin_key = admin_key
        self._housekeeping: asyncio.Task[None] | None = None
        self._is_open = False
        self._push_lock = asyncio.Lock()
        self._wants_checkpoint = asyncio.Event()
        self._rows_since_checkpoint = 0
        self.live = LiveQueries(
            runner, environment=database.environment, limits=database.limits, position=database.last_ts()
        )
        self.deployment_name = name
        self.server_version = version
        self.call_log = call_log
        self.is_redacted = is_redacted
        self.push_progress: PushProgress | None = None
        """How far the push under way is, where it has work to do on existing data; else None."""

    @classmethod
    async def open(
        cls,
        *,
        data: Path | str,
        registry: Registry | None = None,
        workers: WorkerPlan | None = None,
        name: str,
        version: str,
        admin_key: AdminKey,
        environment: Environment | None = None,
        limits: Limits = DEFAULT_LIMITS,
        is_redacted: bool = False,
        keeps_house: bool = True,
        on_progress: OnProgress = no_progress,
    ) -> Deployment:
        """Open the data file at `data` (`:memory:` for one that is gone at close) and push code onto it:
        `registry`, to run in threads of this process, or what `workers` says, to run in processes of its own.
        Without `keeps_house` nothing happens between calls: no checkpoint, no trimming, no work on staged
        and dropped indexes. `on_progress` as for `push`.

        Raises:
            DataFileRefused: the file cannot be used; it was not touched.
            SchemaMismatch: a stored document does not fit the schema; nothing was changed.
        """
        database = await asyncio.to_thread(
            Database.open, data, environment=environment or Environment(), limits=limits
        )
        try:
            call_log = CallLog()
            runner: Runner
            code: Code
            if workers is not None:
                runner, code = WorkerRunner(database, workers, call_log=call_log), workers.template.settings
            else:
                assert registry is not None, "a deployment needs code: a registry or workers"
                runner, code = InlineRunner(database, registry, call_log=call_log), registry
            deployment = cls(
                database,
                runner,
                name=name,
                version=version,
                admin_key=admin_key,
                call_log=call_log,
                is_redacted=is_redacted,
            )
            await runner.start(deployment._on_group)
        except BaseException:
            database.close()
            raise
        try:
            await deployment.push(code, on_progress=on_progress)
        except BaseException:
            await deployment.close()
            raise
        deployment._is_open = True
        if keeps_house:
            deployment._housekeeping = asyncio.create_task(deployment._keep_house())
        return deployment

    async def close(self) -> None:
        """Finish what was begun and give the data file up."""
        self._is_open = False
        if self._housekeeping is not None:
            # Not cancelled: a checkpoint under way would go on in its thread, on a connection that we close.
            self._wants_checkpoint.set()
            await self._housekeeping
            self._housekeeping = None
        await self.live.close()
        await self._runner.close()
        await asyncio.to_thread(self._database.close)

    # Code.

    @property
    def analysis(self) -> Analysis:
        """What is known of the code that serves now."""
        return self._runner.analysis

    @property
    def registry(self) -> Registry:
        """The code itself, where it runs in this process."""
        assert isinstance(self._runner, InlineRunner), "functions run in other processes"
        return self._runner.registry

    async def push(self, code: Code, *, on_progress: OnProgress = no_progress) -> PushReport:
        """Switch to new code and schema in one step, without a pause. One push at a time.

        Where the schema asks something of existing data, that is done before, while the old code goes on
        serving; `on_progress` hears how far it is, and `push_progress` says it.

        Raises:
            ProjectInvalid: workers cannot load it; the old code goes on serving.
            SchemaMismatch: a stored document does not fit the new schema; the old code goes on serving.
        """

        def heard(progress: PushProgress) -> None:
            self.push_progress = progress
            on_progress(progress)

        async with self._push_lock:
            before = self._runner.analysis
            invocation = self.environment.random_bytes(16).hex()
            try:
                changes = await self._runner.push(code, invocation=invocation, on_progress=heard)
            finally:
                self.push_progress = None
            self._wants_checkpoint.set()
            return differences(before, self._runner.analysis, changes)

    async def change(self, work: Callable[[GroupCommit], Any]) -> Any:
        """Run a change of the house's own on the writer, as a group for itself (an import, a test), where
        functions run in this process.
        """
        assert isinstance(self._runner, InlineRunner), "the writer is in another process"
        return await self._runner.change(work)

    # What the doors ask.

    @property
    def environment(self) -> Environment:
        """Time, chance and fault points."""
        return self._database.environment

    @property
    def cursors(self) -> CursorSeal:
        """Seals and opens the page cursors of this deployment."""
        return self._database.cursors

    @property
    def limits(self) -> Limits:
        """The bounds that this deployment runs under."""
        return self._database.limits

    @property
    def last_ts(self) -> int:
        """The log position: the newest commit that live queries have been told of."""
        return self.live.position

    def now_ns(self) -> int:
        """Wall clock, nanoseconds since the epoch."""
        return self.environment.clock.now_ns()

    def monotonic(self) -> float:
        """Seconds since some fixed moment."""
        return self.environment.clock.monotonic()

    async def latest_ts(self) -> int:
        """The newest committed timestamp."""
        return self.live.position

    async def ready(self) -> bool:
        """Whether functions can be called now."""
        return self._is_open

    def open_session(self, listener: LiveListener) -> LiveSession:
        """A new set of live queries, empty and anonymous."""
        return self.live.open_session(listener)

    async def mutate(
        self,
        call: FunctionCall,
        identity: Identity,
        *,
        request_id: str,
        replay: ReplayKey | None = None,
        visibility: Visibility | None = None,
    ) -> MutationOutcome:
        """Run a mutation, or find the outcome that `replay` had before; returns after COMMIT.

        Internal functions are found by administrators, unless `visibility` says otherwise.
        """
        refusal = self._refuse_component(call)
        if refusal is not None:
            return MutationOutcome(refusal, self.live.position)
        invocation = Invocation(self.environment.random_bytes(16).hex(), replay)
        return await self._runner.mutate(
            MutationJob(call, identity, visibility or visibility_of(identity), invocation, request_id)
        )

    async def act(self, call: FunctionCall, identity: Identity, *, request_id: str) -> Success | Failure:
        """Run an action. There are none yet, so each is a function that cannot be found or is of another
        kind.
        """
        refusal = self._refuse_component(call)
        if refusal is not None:
            return refusal
        try:
            facts = self.analysis.find(call.path, visibility_of(identity))
        except FunctionNotFound as error:
            return failure_of(error, root=None)
        actual = facts.kind.capitalize()
        return Failure(
            f"Trying to execute {facts.path.canonical} as Action, but it is defined as {actual}.\n"
        )

    async def query(
        self,
        call: FunctionCall,
        identity: Identity,
        *,
        request_id: str,
        at: int | None = None,
        visibility: Visibility | None = None,
    ) -> tuple[Success | Failure, int]:
        """Answer a query at the latest timestamp, from the shared cache if it can; or on the snapshot at
        `at`. `visibility` as for `mutate`.
        """
        seen = visibility or visibility_of(identity)
        refusal = self._refuse_component(call)
        if refusal is not None:
            return refusal, self.live.position
        if at is not None:
            results, ts = await self.live.read_many([call], identity, seen, at=at)
            return results[0].result, ts
        result, ts = await self.live.query(call, identity, seen)
        return result.result, ts

    async def query_many(
        self, calls: Sequence[FunctionCall], identity: Identity, *, request_id: str
    ) -> tuple[list[Success | Failure], int]:
        """Run several queries on one snapshot."""
        results, ts = await self.live.read_many(calls, identity, visibility_of(identity), at=None)
        return [
            self._refuse_component(call) or result.result for call, result in zip(calls, results, strict=True)
        ], ts

    def kind_of(self, path: str, component: str) -> Literal["query", "mutation", "action"] | None:
        """What kind of function lives at `path`, internal ones too."""
        if component:
            return None
        try:
            return self.analysis.find(path, Visibility.INTERNAL).kind
        except FunctionNotFound:
            return None

    def _refuse_component(self, call: FunctionCall) -> Failure | None:
        if not call.component:
            return None
        try:
            path = FunctionPath.parse(call.path).public
        except InvalidInput:
            path = call.path
        return Failure(f"Could not find public function for '{path}' in '{call.component}'.\n")

    # Who is calling.

    async def authenticate(
        self, token_type: str, value: str | None, impersonating: object | None
    ) -> Identity:
        """The identity behind a websocket's token. User tokens are not checked yet, so they are refused."""
        if token_type == "None":
            return ANONYMOUS
        if token_type == "Admin":
            self._admin_key.check(value or "")
            return Admin(acting_as=_user_of(impersonating))
        raise TokensNotSupported()

    async def authenticate_header(self, authorization: str | None) -> Identity:
        """The identity behind an `Authorization` header (wire 4.2)."""
        if authorization is None:
            return ANONYMOUS
        scheme, _, rest = authorization.strip().partition(" ")
        rest = rest.strip()
        if not rest or scheme.lower() not in ("bearer", "convex"):
            raise InvalidHeader()
        if scheme.lower() == "bearer":
            raise TokensNotSupported()
        key, acting_as = _split_acting_as(rest, self._admin_key)
        self._admin_key.check(key)
        return Admin(acting_as=acting_as)

    def _on_group(self, report: GroupReport) -> None:
        """Hear of a commit group: live queries first, before anybody is answered."""
        self.live.on_group(report)
        self._rows_since_checkpoint += len(report.rows)
        if self._rows_since_checkpoint >= _CHECKPOINT_ROWS:
            self._wants_checkpoint.set()

    async def _keep_house(self) -> None:
        """Checkpoint and trim off the path of acknowledgements, for ever: every so often, and after many
        commits.
        """
        while self._is_open:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wants_checkpoint.wait(), _HOUSEKEEPING_SECONDS)
            self._wants_checkpoint.clear()
            self._rows_since_checkpoint = 0
            try:
                await asyncio.to_thread(self._database.checkpoint)
                # In small steps, so that mutations pass between them.
                while self._is_open and (await self._runner.trim()).has_more:
                    pass
                await self._tend_indexes()
            except asyncio.CancelledError:
                raise
            except Exception:
                _log.exception("housekeeping failed; it is tried again")

    async def _tend_indexes(self) -> None:
        """Build staged indexes, and clear away dropped ones, for a while."""
        for _ in range(_TENDING_STEPS):
            if not self._is_open or not await self._runner.tend():
                return
        self._wants_checkpoint.set()


def _user_of(attributes: object | None) -> User | None:
    if attributes is None:
        return None
    if not isinstance(attributes, dict):
        raise Unauthenticated("The identity to act as must be an object of user attributes.")
    fields: dict[str, Any] = dict(attributes)
    if "tokenIdentifier" not in fields:
        if not isinstance(fields.get("issuer"), str) or not isinstance(fields.get("subject"), str):
            raise Unauthenticated(
                "The identity to act as needs `tokenIdentifier`, or both `issuer` and `subject`."
            )
        fields["tokenIdentifier"] = f"{fields['issuer']}|{fields['subject']}"
    try:
        return User(encode(normalize(fields)))
    except InvalidInput as error:
        raise Unauthenticated(f"The identity to act as is not a value: {error.message}") from None


def _split_acting_as(text: str, key: AdminKey) -> tuple[str, User | None]:
    """Take `key:{base64 JSON}` apart (wire 4.2). An environment prefix such as `prod:` stays with the key."""
    import base64
    import binascii

    import msgspec

    head, colon, tail = text.rpartition(":")
    if not colon or "|" in tail:
        return text, None
    try:
        attributes = msgspec.json.decode(base64.b64decode(tail, validate=True))
    except (binascii.Error, msgspec.DecodeError, ValueError):
        raise InvalidHeader("The identity after the admin key is not base64 of a JSON object.") from None
    return head, _user_of(attributes)
