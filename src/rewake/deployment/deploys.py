"""Deploys: sources are sent, a plan is made, and the switch is one step.

Floor 5, `deployment`. A plan changes nothing: the archive is unpacked into a folder of its own and loaded in
a process of its own, and what came out is compared with what serves. Finishing a plan stores the archive,
does what the schema asks of existing data while the old code serves, and switches; whoever asked may go away.

    start(archive) | rollback(number) -> Plan: planned -> finish -> working -> done | failed
                                               cancel, expired, or too many: its folder is removed

    folder of a deploy: made by its plan; removed when the plan fails, or when the last process of its code,
    which was replaced, has ended (imports inside of functions happen late)

A plan says against which deploy it was made; where another came first it is refused. With `home` unset the
server serves a folder, or code that tests hand in: then there are no deploys.

Not here: the switch (`execution/code_switch.py`), records and parts (`database/deploys.py`), what a plan says
(`deploy_plan.py`), the doors (`http_api/deploys.py`).
Source: semantics 10.3; docs/decisions/0023-deploys.md.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec
from msgspec.structs import replace

from rewake.database import (
    DEPLOY_PART_BYTES,
    Database,
    DeployNote,
    DeployRecord,
    DocumentCheck,
    OnProgress,
    PushProgress,
    SchemaMismatch,
    Survey,
    active_deploy,
    read_sources,
    sources_stored,
    stored_deploys,
    stored_variables,
)
from rewake.deployment.deploy_errors import (
    DeployMessageInvalid,
    DeployNotFound,
    DeployOutdated,
    DeployPlanNotFound,
    DeploysNotTaken,
    DeployUnderWay,
)
from rewake.deployment.deploy_plan import PlannedChanges, planned_changes
from rewake.deployment.push import PushReport
from rewake.errors import INTERNAL_MESSAGE, Internal, RewakeError
from rewake.execution import (
    Analysis,
    Code,
    Failure,
    ProjectArchive,
    ProjectInvalid,
    ProjectSettings,
    Success,
    Template,
    open_archive,
    read_settings,
)
from rewake.limits import DEPLOY_MESSAGE_LENGTH_MAX, Limits
from rewake.observability import logger
from rewake.schema import schema_from_json
from rewake.storage import Reads
from rewake.values import encode, normalize

_log = logger(__name__)

T = TypeVar("T")


class PlanState(StrEnum):
    """How far a plan is."""

    PLANNED = "planned"
    WORKING = "working"
    DONE = "done"
    FAILED = "failed"


class _Plan(msgspec.Struct, eq=False):
    id: str
    note: DeployNote
    base: int
    """The deploy that served when it was made; 0 for none."""
    changes: PlannedChanges
    is_unchanged: bool
    made: float
    archive: ProjectArchive | None
    """Until it is over."""
    settings: ProjectSettings | None
    """Of its folder; None where nothing changes."""
    state: PlanState = PlanState.PLANNED
    progress: PushProgress | None = None
    number: int = 0
    """Of the deploy that it became."""
    error: RewakeError | None = None
    task: asyncio.Task[None] | None = None


class Store(Protocol):
    """What deploys need of their deployment."""

    server_version: str

    @property
    def analysis(self) -> Analysis: ...

    @property
    def limits(self) -> Limits: ...

    def monotonic(self) -> float: ...

    def label_of(self, key: str) -> str: ...

    async def push(self, code: Code, *, on_progress: OnProgress, deploy: DeployNote | None) -> PushReport: ...

    async def read(self, work: Callable[[Reads], T]) -> T: ...

    async def run_system(self, path: str, args: str) -> Success | Failure: ...


class Deploys:
    """The deploys of one deployment, of one event loop."""

    def __init__(self, store: Store, database: Database) -> None:
        self._store = store
        self._database = database
        self.home: Path | None = None
        """The folder that archives are unpacked in; set by who serves what was deployed, who removes it."""
        self._plans: dict[str, _Plan] = {}
        # One is loaded at a time, and one is finished at a time.
        self._loading = asyncio.Lock()
        self._finishing = asyncio.Lock()
        # Set whenever a plan under way has news; replaced each time.
        self._news: asyncio.Future[None] | None = None

    # What the doors ask.

    async def start(self, data: bytes, *, key: str, message: str) -> dict[str, Any]:
        """Plan a deploy of an archive. Nothing is changed.

        Raises:
            DeploysNotTaken: this server serves a folder.
            ProjectArchiveInvalid, ProjectTooLarge: it is no archive, or too large.
            ProjectInvalid: the project cannot be loaded.
        """
        self._home()
        archive = await asyncio.to_thread(open_archive, data, self._store.limits)
        return await self._planned(archive, key, message, rollback_of=0)

    async def rollback(self, number: int | None, *, key: str, message: str) -> dict[str, Any]:
        """Plan to go back to the sources of an older deploy; None: of the one before.

        Raises:
            DeploysNotTaken: this server serves a folder.
            DeployNotFound: there is none of this number.
            ProjectInvalid: it cannot be loaded any more.
        """
        self._home()
        records = await self._store.read(stored_deploys)
        if number is None:
            serving = records[-1].sources if records else ""
            number = next((int(each.number) for each in reversed(records) if each.sources != serving), 0)
        record = next((each for each in records if each.number == number), None)
        if record is None:
            raise DeployNotFound(number=number)
        data = await self._store.read(lambda reads: read_sources(reads, record.sources))
        archive = await asyncio.to_thread(open_archive, data, self._store.limits)
        words = message or f"Back to deploy {number}" + (f": {record.message}" if record.message else "")
        return await self._planned(archive, key, words[:DEPLOY_MESSAGE_LENGTH_MAX], rollback_of=number)

    def finish(self, id: str) -> dict[str, Any]:
        """Begin to carry a plan out; it goes on by itself. Harmless when done before.

        Raises:
            DeployPlanNotFound: there is none.
        """
        plan = self._plan(id)
        if plan.state is PlanState.PLANNED:
            plan.state = PlanState.WORKING
            plan.task = asyncio.ensure_future(self._carry_out(plan))
        return _described(plan)

    async def progress(self, id: str, *, wait_seconds: float) -> dict[str, Any]:
        """How far a plan is; after news of it, or after `wait_seconds`.

        Raises:
            DeployPlanNotFound: there is none.
        """
        plan = self._plan(id)
        if plan.state is PlanState.WORKING:
            self._news = self._news or asyncio.get_running_loop().create_future()
            await asyncio.wait([self._news], timeout=wait_seconds)
        return _described(plan)

    def cancel(self, id: str) -> None:
        """Forget a plan that was not begun.

        Raises:
            DeployPlanNotFound: there is none.
            DeployUnderWay: it was begun.
        """
        plan = self._plan(id)
        if plan.state is PlanState.WORKING:
            raise DeployUnderWay()
        self._forget(plan)

    async def all(self) -> list[DeployRecord]:
        """The deploys that are kept, the newest first."""
        return list(reversed(await self._store.read(stored_deploys)))

    # What the deployment asks.

    def retired(self, settings: ProjectSettings) -> None:
        """The last process of code that was replaced has ended: its folder goes."""
        if self.home is not None and settings.root.parent == self.home:
            _remove(settings.root)

    async def tend(self) -> None:
        """Forget plans that waited for too long, and sweep what a crash or a newer deploy has left."""
        if self.home is None:
            return
        now = self._store.monotonic()
        for plan in list(self._plans.values()):
            is_over = now - plan.made > self._store.limits.deploy_plan_seconds
            if is_over and plan.state is not PlanState.WORKING:
                self._forget(plan)
        await self._trim()

    async def close(self) -> None:
        """End what is under way: the old code goes on, or the new one, whole."""
        tasks = [plan.task for plan in self._plans.values() if plan.task is not None]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._plans.clear()

    # Planning.

    async def _planned(
        self, archive: ProjectArchive, key: str, message: str, *, rollback_of: int
    ) -> dict[str, Any]:
        if len(message) > DEPLOY_MESSAGE_LENGTH_MAX:
            raise DeployMessageInvalid(limit=DEPLOY_MESSAGE_LENGTH_MAX)
        note = DeployNote(
            sources=archive.digest,
            files=len(archive.files),
            size=archive.size,
            message=message,
            key=key,
            label=self._store.label_of(key),
            version=self._store.server_version,
            summary="{}",
            rollback_of=rollback_of,
        )
        active = await self._store.read(active_deploy)
        base = int(active.number) if active is not None else 0
        is_unchanged = active is not None and active.sources == note.sources
        settings, changes = None, PlannedChanges()
        if not is_unchanged:
            settings, changes = await self._load(archive)
        plan = _Plan(
            id=self._database.environment.random_bytes(12).hex(),
            note=msgspec.structs.replace(note, summary=changes.summary),
            base=base,
            changes=changes,
            is_unchanged=is_unchanged,
            made=self._store.monotonic(),
            archive=archive,
            settings=settings,
        )
        waiting = [each for each in self._plans.values() if each.state is not PlanState.WORKING]
        if len(waiting) >= self._store.limits.deploy_plans_max:
            self._forget(waiting[0])
        self._plans[plan.id] = plan
        return _described(plan)

    async def _load(self, archive: ProjectArchive) -> tuple[ProjectSettings, PlannedChanges]:
        """Unpack an archive, load it in a process of its own, and compare."""
        async with self._loading:
            folder = Path(await asyncio.to_thread(tempfile.mkdtemp, prefix="code-", dir=self._home()))
            try:
                await asyncio.to_thread(archive.write, folder)
                settings = deployed_settings(folder, name=self._database.name)
                template = await Template.load(settings, limits=self._store.limits)
                await template.end()
                return settings, await self._compare(template.analysis)
            except ProjectInvalid as error:
                _remove(folder)
                # The author knows the files, and not where the server lays them.
                error.traceback = (error.traceback or "").replace(f"{folder}/", "")
                raise
            except BaseException:
                _remove(folder)
                raise

    async def _compare(self, after: Analysis) -> PlannedChanges:
        before = self._store.analysis
        survey, counts = await asyncio.to_thread(self._look_round, before, after)
        variables = await self._store.read(stored_variables)
        return planned_changes(before, after, survey=survey, counts=counts, variables=variables)

    def _look_round(self, before: Analysis, after: Analysis) -> tuple[Survey, dict[str, int]]:
        """Count documents, on a connection of our own: it may take a while."""
        reader = self._database.reader()
        try:
            with reader.begin() as snapshot:
                check = DocumentCheck(schema_from_json(after.schema), self._database.schemas)
                survey = check.survey(snapshot)
                counts = dict(survey.documents)
                for name in set(before.table_names) - counts.keys():
                    table = snapshot.catalog.tables.get(name)
                    counts[name] = 0 if table is None else snapshot.count(table)
                return survey, counts
        finally:
            reader.close()

    # Finishing.

    async def _carry_out(self, plan: _Plan) -> None:
        try:
            async with self._finishing:
                await self._switch(plan)
        except RewakeError as error:
            self._over(plan, error)
        except asyncio.CancelledError:
            self._over(plan, Internal("The server stopped meanwhile."))
            raise
        except Exception:
            _log.exception("a deploy failed inside the house")
            self._over(plan, Internal(INTERNAL_MESSAGE))
        else:
            self._over(plan, None)
            await self._trim()

    async def _switch(self, plan: _Plan) -> None:
        active = await self._store.read(active_deploy)
        current = int(active.number) if active is not None else 0
        if current != plan.base:
            raise DeployOutdated(base=plan.base, current=current)
        if plan.is_unchanged:
            plan.number = current
            return
        assert plan.archive is not None, "it waits to be finished"
        assert plan.settings is not None, "it changes something"
        environment = self._database.environment
        await self._keep(plan.archive, plan.note.sources)
        environment.reach("deploy.after_sources")

        def heard(progress: PushProgress) -> None:
            plan.progress = progress
            self._tell()

        await self._store.push(plan.settings, on_progress=heard, deploy=plan.note)
        environment.reach("deploy.after_switch")
        plan.number = current_number(await self._store.read(stored_deploys))

    async def _keep(self, archive: ProjectArchive, sources: str) -> None:
        """Store an archive, in steps that hold no mutation up."""
        if await self._store.read(lambda reads: sources_stored(reads, sources)):
            return
        data = await asyncio.to_thread(archive.pack)
        pieces = [data[at : at + DEPLOY_PART_BYTES] for at in range(0, len(data), DEPLOY_PART_BYTES)]
        for part, piece in enumerate([b"", *pieces]):
            await self._run("keep", sources=sources, part=part, parts=len(pieces), data=piece)
            if part == 1:
                self._database.environment.reach("deploy.in_sources")

    def _over(self, plan: _Plan, error: RewakeError | None) -> None:
        plan.error = error
        plan.state = PlanState.DONE if error is None else PlanState.FAILED
        plan.archive = None
        if error is not None and plan.settings is not None:
            _remove(plan.settings.root)
        self._tell()

    def _tell(self) -> None:
        news, self._news = self._news, None
        if news is not None and not news.done():
            news.set_result(None)

    # Sweeping.

    async def _trim(self) -> None:
        if self._finishing.locked():
            return  # Its parts have no record yet.
        async with self._finishing:
            limits = self._store.limits
            while await self._run("trim", keep=limits.deploys_kept_max, using=[]) is True:
                pass

    def _forget(self, plan: _Plan) -> None:
        del self._plans[plan.id]
        if plan.settings is not None and plan.state is PlanState.PLANNED:
            _remove(plan.settings.root)

    # Small things.

    def _home(self) -> Path:
        if self.home is None:
            raise DeploysNotTaken()
        return self.home

    def _plan(self, id: str) -> _Plan:
        self._home()
        plan = self._plans.get(id)
        if plan is None:
            raise DeployPlanNotFound(plan=id[:80])
        return plan

    async def _run(self, function: str, **args: Any) -> Any:
        result = await self._store.run_system(f"_system/deploys:{function}", encode(normalize(args)))
        if isinstance(result, Failure):
            raise Internal(INTERNAL_MESSAGE)
        return msgspec.json.decode(result.value)


def deployed_settings(folder: Path, *, name: str) -> ProjectSettings:
    """The settings of a deployed project: its folder is one of many, so it gives no name, and places are the
    server's business.

    Raises:
        ProjectInvalid: see `read_settings`.
    """
    return replace(read_settings(folder), name=name)


def current_number(records: list[DeployRecord]) -> int:
    """The number of the newest deploy; 0 where there is none."""
    return int(records[-1].number) if records else 0


def _described(plan: _Plan) -> dict[str, Any]:
    """A plan as the doors tell it."""
    error = plan.error
    described: dict[str, Any] = {
        "plan": plan.id,
        "state": plan.state.value,
        "base": plan.base,
        "number": plan.number,
        "isUnchanged": plan.is_unchanged,
        "rollbackOf": plan.note.rollback_of,
        "files": plan.note.files,
        "bytes": plan.note.size,
        "sources": plan.note.sources,
        "changes": msgspec.to_builtins(plan.changes),
        "progress": None if plan.progress is None else msgspec.to_builtins(plan.progress),
        "error": None,
    }
    if error is not None:
        described["error"] = {"code": error.code, "message": error.message}
        if isinstance(error, SchemaMismatch):
            described["error"]["mismatch"] = msgspec.to_builtins(dict(error.fields))
        if traceback := getattr(error, "traceback", None):
            described["error"]["traceback"] = traceback
    return described


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
