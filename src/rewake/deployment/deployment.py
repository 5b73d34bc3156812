"""A deployment: one database, the code that serves it, and everyone who watches.

Floor 5. What the doors see of the house is this object: it makes the ports of `sync` and `http_api` true.

    push(code)      -> existing data made ready in the background, then schema and code in one commit group;
                       a failure leaves all as it was
    mutate, query   -> execution, reactivity
    on_group        -> reactivity first, then the outcomes (the runner keeps that order)

Nothing here is global: one process may hold many deployments.

Not here: how functions are called (`function_calls.py`), sockets and HTTP (`sync`, `http_api`), listening
(`server`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from rewake.auth import AdminKey, Identity
from rewake.database import (
    VARIABLES_TABLET,
    CursorSeal,
    Database,
    DeployNote,
    GroupCommit,
    OnProgress,
    PushProgress,
    Snapshot,
    StagedVerdict,
    no_progress,
    staged_verdicts,
)
from rewake.deployment.callers import Callers
from rewake.deployment.deploys import Deploys
from rewake.deployment.exports import Exports
from rewake.deployment.feeds import Feeds
from rewake.deployment.function_calls import FunctionCalls
from rewake.deployment.house_reads import HouseReads
from rewake.deployment.housekeeping import Housekeeping
from rewake.deployment.importing import Imports
from rewake.deployment.keys import Keys
from rewake.deployment.metrics import Metrics
from rewake.deployment.origins import Origins, announce
from rewake.deployment.push import PushReport, differences
from rewake.deployment.sign_in import SignIn
from rewake.deployment.sql import Sql
from rewake.deployment.staged_news import StagedNews
from rewake.deployment.variables import Variables
from rewake.environment import Environment
from rewake.execution import (
    CallLog,
    Code,
    GroupReport,
    InlineRunner,
    Registry,
    Runner,
    WorkerPlan,
    WorkerRunner,
)
from rewake.files import Files
from rewake.limits import DEFAULT_LIMITS, Limits
from rewake.scheduling import Scheduler, cron_scheduler
from rewake.storage import Reads
from rewake.tallies import Tallies
from rewake.tracing import NO_TRACING, Tracing

T = TypeVar("T")


class Deployment(FunctionCalls):
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
        tallies: Tallies,
        tracing: Tracing = NO_TRACING,
    ) -> None:
        super().__init__(database, runner, tallies=tallies, tracing=tracing)
        self.sign_in = SignIn(self, clock=self._clock, limits=database.limits)
        """Tokens of users."""
        self._is_open = False
        self._push_lock = asyncio.Lock()
        # Those who hear of commits besides the live queries, by the table that they ask about.
        self._followers: dict[int, list[Callable[[], None]]] = {}
        self.follow(self.sign_in.variables_changed, tablet=VARIABLES_TABLET)
        self._reads = HouseReads(database)
        self._staged_news = StagedNews()
        self.scheduler = Scheduler(self)
        """Functions that run later; it serves by itself where the deployment keeps house."""
        self.crons = cron_scheduler(self)
        """What runs again and again; as `scheduler`."""
        self.variables = Variables(self)
        """Environment variables."""
        self.files = Files(self, uploads=database.uploads, blobs=lambda: database.blobs, tallies=tallies)
        """What clients send and fetch; swept where the deployment keeps house."""
        self.exports = Exports(self, database)
        """Archives of everything."""
        self.feeds = Feeds(database)
        """For programs that keep a copy of the tables."""
        self.sql = Sql(database.engine.path, database.limits)
        """SQL that reads."""
        calls = self._queries, self._writes
        self.metrics = Metrics(self, runner, database, tallies, calls=calls, call_log=call_log)
        """What it tells of its work."""
        self.keys = Keys(self, admin_key)
        """Who is an administrator."""
        self.deploys = Deploys(self, database)
        """Code that is sent to it."""
        self._callers = Callers(self.keys, self.sign_in)
        self.imports = Imports(self, database)
        """Files that become tables; swept where the deployment keeps house."""
        self._house = Housekeeping(database, runner, self._chores())
        self.deployment_name = name
        self.server_version = version
        self.call_log = call_log
        self.is_redacted = is_redacted
        self.origins: Origins | None = None
        """Where it is reached; set by `serve_at`."""
        self.push_progress: PushProgress | None = None
        """How far the push under way is, where it has work to do on existing data; else None."""

    def _chores(self) -> tuple[Callable[[], Awaitable[object]], ...]:
        """What is done now and then, in this order."""
        return (
            self._tell_staged,
            self.scheduler.trim,
            partial(self.exports.unless_reading_files, self.files.sweep),
            self.imports.sweep,
            self.exports.tend,
            self.keys.tend,
            self.deploys.tend,
            self.metrics.sample,
        )

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
        files: str = "",
        is_redacted: bool = False,
        keeps_house: bool = True,
        on_progress: OnProgress = no_progress,
        deploy: DeployNote | None = None,
        tracing: Tracing = NO_TRACING,
    ) -> Deployment:
        """Open the data file at `data` (`:memory:` for one that is gone at close) and push code onto it:
        `registry`, to run in threads of this process, or what `workers` says, to run in processes of its own.
        Without `keeps_house` nothing happens between calls: no checkpoint, no trimming, no work on staged and
        dropped indexes. `files` is the place of files (`blobs/place.py`); `on_progress` and `deploy` as for
        `push`.

        Raises:
            DataFileRefused: the file cannot be used; it was not touched.
            SchemaMismatch: a stored document does not fit the schema; nothing was changed.
        """
        database = await asyncio.to_thread(
            Database.open,
            data,
            name=name,
            environment=environment or Environment(),
            limits=limits,
            files=files,
        )
        try:
            call_log, tallies = CallLog(clock=database.environment.clock), Tallies()
            runner: Runner
            code: Code
            if workers is not None:
                runner = WorkerRunner(database, workers, call_log=call_log, tallies=tallies)
                code = workers.template.settings
            else:
                assert registry is not None, "a deployment needs code: a registry or workers"
                runner = InlineRunner(database, registry, call_log=call_log, tracing=tracing)
                code = registry
            deployment = cls(
                database,
                runner,
                name=name,
                version=version,
                admin_key=admin_key,
                call_log=call_log,
                is_redacted=is_redacted,
                tallies=tallies,
                tracing=tracing,
            )
            if isinstance(runner, WorkerRunner):
                runner.on_retired = deployment.deploys.retired
            await runner.start(deployment._on_group, deployment)
        except BaseException:
            database.close()
            raise
        try:
            await deployment.push(code, on_progress=on_progress, deploy=deploy)
            await deployment.keys.load()
            await deployment.imports.start()
            await deployment.exports.start()
        except BaseException:
            await deployment.close()
            raise
        deployment._is_open = True
        if keeps_house:
            deployment._house.start()
            await deployment.scheduler.start()
            await deployment.crons.start()
        return deployment

    async def close(self) -> None:
        """Finish what was begun and give the data file up."""
        self._is_open = False
        await self.deploys.close()
        await self.end_actions()
        # What came of scheduled ones is kept.
        await self.scheduler.close()
        await self.crons.close()
        await self.exports.close()
        await self.feeds.close()
        await self._house.end()
        await self.imports.close()
        await self.live.close()
        await self.sign_in.close()
        await self._runner.close()
        await self._reads.close()
        await asyncio.to_thread(self._database.close)
        await asyncio.to_thread(self.tracing.close)

    async def end_actions(self) -> None:
        """Begin no further action and no scheduled function, and give actions that run a little time: the
        first step of closing. Queries and mutations go on.
        """
        self.scheduler.stop()
        self.crons.stop()
        await self._runner.end_actions()

    # Code.

    @property
    def registry(self) -> Registry:
        """The code itself, where it runs in this process."""
        assert isinstance(self._runner, InlineRunner), "functions run in other processes"
        return self._runner.registry

    async def push(
        self, code: Code, *, on_progress: OnProgress = no_progress, deploy: DeployNote | None = None
    ) -> PushReport:
        """Switch to new code and schema in one step, without a pause. One push at a time.

        Where the schema asks something of existing data, that is done before, while the old code goes on
        serving; `on_progress` hears how far it is, and `push_progress` says it. `deploy` is written down by
        the commit that switches.

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
                changes = await self._runner.push(
                    code, invocation=invocation, on_progress=heard, deploy=deploy
                )
            finally:
                self.push_progress = None
            self.tallies.deployed_ns = self.environment.clock.now_ns()
            await self.sign_in.look_over()
            self._house.hurry()
            return differences(before, self._runner.analysis, changes)

    async def change(self, work: Callable[[GroupCommit], Any]) -> Any:
        """Run a change of the house's own on the writer, as a group for itself (an import, a test), where
        functions run in this process.
        """
        assert isinstance(self._runner, InlineRunner), "the writer is in another process"
        return await self._runner.change(work)

    # What the scheduler asks.

    def follow(self, listener: Callable[[], None], *, tablet: int) -> None:
        """Have `listener` called after each commit group that writes to a table, after the live queries."""
        self._followers.setdefault(tablet, []).append(listener)

    async def read(self, work: Callable[[Reads], T]) -> T:
        """Run a short read of the house's own on the latest snapshot, in a thread."""
        return await self.look(lambda snapshot: work(snapshot.reads))

    async def staged_verdicts(self) -> Mapping[str, StagedVerdict]:
        """What is known of documents against staged validators, by table."""
        return await self.look(lambda snapshot: staged_verdicts(snapshot.catalog))

    async def look(self, work: Callable[[Snapshot], T]) -> T:
        """As `read`, for who needs more of the snapshot."""
        return await self._reads.read(work)

    # What the doors ask.

    @property
    def cursors(self) -> CursorSeal:
        """Seals and opens the page cursors of this deployment."""
        return self._database.cursors

    @property
    def limits(self) -> Limits:
        """The bounds that this deployment runs under."""
        return self._database.limits

    async def ready(self) -> bool:
        """Whether functions can be called now."""
        return self._is_open

    async def serve_at(self, origins: Origins) -> None:
        """From now on clients and HTTP actions are reached at `origins`: tell functions, and have URLs of
        files begin so. Nothing is written where that is as before.
        """
        self.origins = origins
        await announce(origins, self.variables)

    @property
    def site_url(self) -> str | None:
        """The origin of HTTP actions, once a server listens."""
        return None if self.origins is None else self.origins.site

    @property
    def public_url(self) -> str | None:
        """Where the operator says that clients reach the deployment."""
        return self.origins.cloud if self.origins is not None and self.origins.is_said else None

    # Who is calling.

    async def authenticate(
        self, token_type: str, value: str | None, impersonating: object | None
    ) -> Identity:
        """The identity behind a websocket's token."""
        return await self._callers.by_token(token_type, value, impersonating)

    async def authenticate_header(self, authorization: str | None) -> Identity:
        """The identity behind an `Authorization` header (wire 4.2)."""
        return await self._callers.by_header(authorization)

    def label_of(self, key: str) -> str:
        """What the key of this id is for; empty for the deployment's own."""
        return next((each.label for each in self.keys.all() if each.id == key), "")

    def check_identity(self, identity: Identity) -> None:
        """Return while what an identity rests on is good.

        Raises:
            Unauthenticated: it is not any more.
        """
        self.keys.check_current(identity)

    def on_identities_lost(self, listener: Callable[[], None]) -> None:
        """Have `listener` called when identities may have stopped being good."""
        self.keys.listen(listener)

    def _on_group(self, report: GroupReport) -> None:
        """Hear of a commit group: live queries first, before anybody is answered."""
        self.live.on_group(report)
        self.metrics.on_group(report)
        if report.rows:
            for tablet in report.tablets & self._followers.keys():
                for follower in self._followers[tablet]:
                    follower()
            self._house.count_rows(len(report.rows))

    async def tend_schema(self) -> None:
        """Build staged indexes, clear away dropped ones and check staged validators, for a while."""
        await self._house.tend()
        await self._tell_staged()

    async def _tell_staged(self) -> None:
        if any("stagedDocumentType" in table for table in self.analysis.schema["tables"]):
            self._staged_news.hear(await self.staged_verdicts())
