"""A backend under test: one deployment in memory, called from plain functions.

Floor 8, `testing`. It is the engine that serves: the same deployment, writer, readers and hub, with time,
chance and faults from the test's hand. What a test calls crosses the same checks as a client's call.

    test -> Caller.query -> encoded call -> Deployment (on a loop of its own) -> result -> typed value
                  .run   -> the writer is parked, and its open transaction is the test's until the block ends

Everything has settled when a call returns: live queries have heard of the mutation before the test goes on.

Not here: what pytest sees of it (`plugin.py`), live queries (`live_query.py`), sockets (nothing listens).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Literal, ParamSpec, TypeVar, overload

import httpx

from rewake.auth import ANONYMOUS, Admin, AdminKey, Identity, User
from rewake.deployment import Deployment
from rewake.environment import ManualClock, seeded_environment
from rewake.execution import (
    CalledFrom,
    Failure,
    FunctionCall,
    FunctionNotFound,
    FunctionRecord,
    Registry,
    RequestSource,
    Success,
    Visibility,
    collect_project,
    encoded_arguments,
    read_settings,
)
from rewake.functions import (
    ActionFunction,
    BlockingActionFunction,
    MutationCtx,
    MutationFunction,
    QueryCtx,
    QueryFunction,
    RegisteredFunction,
)
from rewake.limits import DEFAULT_LIMITS, Limits
from rewake.loop_thread import LoopThread
from rewake.schema import Document, Schema
from rewake.testing.collected import collected, documents_seen_by
from rewake.testing.controls import Faults, HandClock
from rewake.testing.crons import CronWork, TestCron
from rewake.testing.live_query import LiveQuery
from rewake.testing.outcomes import value_of
from rewake.testing.run_block import RunUnderWay, open_block
from rewake.testing.scheduled import ScheduledFunction, ScheduledWork
from rewake.testing.site import fetch
from rewake.testing.stored_files import read_file, store_file
from rewake.testing.users import ISSUER, user_of
from rewake.testing.variables import TestVariables

P = ParamSpec("P")
R = TypeVar("R")

_IN_MEMORY = ":memory:"


class _Stage:
    """What all callers of one backend share."""

    def __init__(self, registry: Registry, *, data: Path | str, seed: int, limits: Limits) -> None:
        clock = ManualClock()
        self.clock = HandClock(clock)
        self.faults = Faults()
        self.environment = seeded_environment(seed, clock=clock)
        self.environment.reach = self.faults.reach
        self.live: list[LiveQuery[Any]] = []
        self.is_running = False
        """Whether a `run` block holds the writer."""
        self.log_lines: tuple[str, ...] = ()
        self.loop = LoopThread("rewake-testing")
        try:
            self.deployment = self.loop.run(
                Deployment.open(
                    data=data,
                    registry=registry,
                    name="testing",
                    version="testing",
                    admin_key=AdminKey("testing|key"),
                    environment=self.environment,
                    limits=limits,
                    keeps_house=False,
                )
            )
            if data != _IN_MEMORY:
                self.loop.run(self.deployment.scheduler.recover())
                self.loop.run(self.deployment.crons.recover())
        except BaseException:
            self.loop.close()
            raise
        self.scheduled = ScheduledWork(self.deployment, self.loop, self.clock)
        self.crons = CronWork(self.deployment, self.loop)

    def refuse_inside_run(self, what: str) -> None:
        if self.is_running:
            raise RunUnderWay(what=what)

    def settle(self) -> None:
        """Wait until every open live query has heard of every commit."""
        self.live = [live for live in self.live if live.is_open]
        for live in self.live:
            live.settle()

    def traceback_of(self, result: Success | Failure) -> str | None:
        if isinstance(result, Success):
            return None
        records = self.deployment.call_log.records
        return records[-1].traceback if records and records[-1].error == result.message else None

    def close(self) -> None:
        for live in self.live:
            live.close()
        self.live.clear()
        self.loop.run(self.deployment.close())
        self.loop.close()


_TESTER = RequestSource(called_from=CalledFrom.TESTER)


class Caller:
    """The backend as one caller sees it."""

    def __init__(self, stage: _Stage, identity: Identity, source: RequestSource = _TESTER) -> None:
        self._stage = stage
        self.identity = identity
        self._source = source

    # Other callers.

    def as_user(self, subject: str | None = None, issuer: str = ISSUER, **claims: Any) -> Caller:
        """The backend as a signed-in user sees it. Claims in Python spelling (`email_verified=True`).

        Without a subject, the same claims are the same user and others another.
        """
        return Caller(self._stage, user_of(subject, issuer, claims), self._source)

    def as_anonymous(self) -> Caller:
        """The backend as somebody sees it who did not sign in."""
        return Caller(self._stage, ANONYMOUS, self._source)

    def as_admin(self) -> Caller:
        """The backend as a holder of the admin key sees it, acting as this caller's user if it has one."""
        user = self.identity.acting_as if isinstance(self.identity, Admin) else self.identity
        return Caller(self._stage, Admin(user if isinstance(user, User) else None), self._source)

    def with_request_metadata(self, *, ip: str | None = None, user_agent: str | None = None) -> Caller:
        """The same caller at this address, with this program: what `ctx.meta.get_request_metadata()` says."""
        limits = self._stage.deployment.limits
        return Caller(
            self._stage,
            self.identity,
            RequestSource.of(ip=ip, user_agent=user_agent, limits=limits, called_from=CalledFrom.TESTER),
        )

    # Calling.

    @overload
    def query(self, function: QueryFunction[P, R], /, *args: P.args, **arguments: P.kwargs) -> R: ...
    @overload
    def query(self, function: str, /, **arguments: Any) -> Any: ...
    @overload
    def query(self, function: Callable[[QueryCtx], R], /) -> R: ...
    def query(self, function: Any, /, *args: Any, **arguments: Any) -> Any:
        """Call a query, as itself (internal ones too) or by its path, as a client would. A plain function of
        a `ctx` is run on the spot, with the context of a query; what it raises and returns stays as it is.

        Raises:
            ApplicationError: the function raised one; with the same data.
            FunctionFailed: anything else went wrong in it, its arguments and result included.
        """
        _refuse_positional("query", args)
        if not isinstance(function, RegisteredFunction | str):
            _refuse_named(arguments)
            with self._opened("query") as ctx:
                return function(ctx)
        record, call, visibility = self._prepared(function, arguments)
        deployment = self._stage.deployment
        result, _ = self._stage.loop.run(
            deployment.query(call, self.identity, request_id="", visibility=visibility, source=_TESTER)
        )
        return self._value(result, record)

    @overload
    def mutation(self, function: MutationFunction[P, R], /, *args: P.args, **arguments: P.kwargs) -> R: ...
    @overload
    def mutation(self, function: str, /, **arguments: Any) -> Any: ...
    @overload
    def mutation(self, function: Callable[[MutationCtx], R], /) -> R: ...
    def mutation(self, function: Any, /, *args: Any, **arguments: Any) -> Any:
        """Call a mutation, as itself (internal ones too) or by its path, as a client would. A plain function
        of a `ctx` is what `run` takes.

        Live queries have heard of it when this returns.

        Raises:
            ApplicationError: the function raised one; with the same data. Nothing was written.
            FunctionFailed: anything else went wrong in it, its arguments and result included.
            Unavailable: an armed fault or a full disk; nothing was written.
        """
        _refuse_positional("mutation", args)
        if not isinstance(function, RegisteredFunction | str):
            _refuse_named(arguments)
            return self.run(function)
        self._stage.refuse_inside_run("a mutation")
        record, call, visibility = self._prepared(function, arguments)
        deployment = self._stage.deployment
        outcome = self._stage.loop.run(
            deployment.mutate(call, self.identity, request_id="", source=self._source, visibility=visibility)
        )
        self._stage.settle()
        return self._value(outcome.result, record)

    @overload
    def action(self, function: ActionFunction[P, R], /, *args: P.args, **arguments: P.kwargs) -> R: ...
    @overload
    def action(
        self, function: BlockingActionFunction[P, R], /, *args: P.args, **arguments: P.kwargs
    ) -> R: ...
    @overload
    def action(self, function: str, /, **arguments: Any) -> Any: ...
    def action(self, function: Any, /, *args: Any, **arguments: Any) -> Any:
        """Call an action, as itself (internal ones too) or by its path, as a client would; returns when it is
        over.

        Raises:
            ApplicationError: the action raised one; with the same data.
            FunctionFailed: anything else went wrong in it, its arguments and result included.
        """
        _refuse_positional("action", args)
        self._stage.refuse_inside_run("an action")
        record, call, visibility = self._prepared(function, arguments)
        deployment = self._stage.deployment
        result = self._stage.loop.run(
            deployment.act(call, self.identity, request_id="", source=self._source, visibility=visibility)
        )
        self._stage.settle()
        return self._value(result, record)

    def fetch(self, path: str, *, method: str = "GET", **request: Any) -> httpx.Response:
        """Ask an HTTP action, as at the site port; `request` is what httpx takes (`json`, ...)."""
        stage = self._stage
        stage.refuse_inside_run("a request")
        asked = fetch(stage.deployment, self.identity, self._source, path=path, method=method, **request)
        response, stage.log_lines = stage.loop.run(asked)
        stage.settle()
        return response

    @overload
    def watch(
        self, function: QueryFunction[P, R], /, *args: P.args, **arguments: P.kwargs
    ) -> LiveQuery[R]: ...
    @overload
    def watch(self, function: str, /, **arguments: Any) -> LiveQuery[Any]: ...
    def watch(self, function: Any, /, *args: Any, **arguments: Any) -> LiveQuery[Any]:
        """Subscribe to a query. Internal queries can be watched by administrators."""
        _refuse_positional("watch", args)
        record, call, _ = self._prepared(function, arguments)
        live: LiveQuery[Any] = LiveQuery(
            self._stage.loop, self._stage.deployment, call, self.identity, record
        )
        self._stage.live.append(live)
        return live

    # The database itself.

    @overload
    def run(self) -> AbstractContextManager[MutationCtx]: ...
    @overload
    def run(self, work: Callable[[MutationCtx], R], /) -> R: ...
    def run(self, work: Callable[[MutationCtx], Any] | None = None) -> Any:
        """Run code of the test's own as one mutation: for seeding and for looking.

        `run(lambda ctx: ...)` returns what the code returns; `with run() as ctx:` takes a block. An exception
        undoes what was written and goes on to the test. The code runs in the test's thread, and may open
        files.
        """
        if work is None:
            return self._opened("mutation")
        with self._opened("mutation") as ctx:
            return work(ctx)

    @contextmanager
    def _opened(self, kind: Literal["query", "mutation"]) -> Iterator[Any]:
        stage = self._stage
        stage.refuse_inside_run("another block")
        with open_block(stage.loop, stage.deployment, self.identity, kind, self._source) as ctx:
            stage.is_running = True
            try:
                yield ctx
            finally:
                stage.is_running = False
        stage.settle()

    # Steps of a call.

    def _prepared(
        self, function: RegisteredFunction[..., Any] | str, arguments: Mapping[str, Any]
    ) -> tuple[FunctionRecord | None, FunctionCall, Visibility | None]:
        registry = self._stage.deployment.registry
        record: FunctionRecord | None
        if isinstance(function, str):
            path, visibility = function, None
            try:
                record = registry.find(function, Visibility.INTERNAL)
            except FunctionNotFound:
                record = None
        else:
            record, visibility = registry.record_of(function), Visibility.INTERNAL
            path = record.path.public
        return record, FunctionCall(path, encoded_arguments(record, arguments)), visibility

    def _value(self, result: Success | Failure, record: FunctionRecord | None) -> Any:
        self._stage.log_lines = result.log_lines
        return value_of(result, record, traceback=self._stage.traceback_of(result))


class Backend(Caller):
    """One deployment, called anonymously. Use as a context manager, or `close` it.

    It lives in memory, or in the file `data`: opened again by another backend, that is what a restart finds.
    Give a restart another `seed`, or it gives out the same ids again.
    """

    def __init__(
        self,
        registry: Registry,
        *,
        data: Path | str = _IN_MEMORY,
        seed: int = 0,
        limits: Limits = DEFAULT_LIMITS,
    ) -> None:
        super().__init__(_Stage(registry, data=data, seed=seed, limits=limits), ANONYMOUS)
        self._collect: Callable[[Schema | None], Registry] | None = None

    @classmethod
    def from_project(
        cls,
        path: Path | str = ".",
        *,
        data: Path | str = _IN_MEMORY,
        seed: int = 0,
        limits: Limits | None = None,
    ) -> Backend:
        """The project at `path`, a folder with `backend/` or `[tool.rewake]`, whose limits hold where none
        are given.

        Its modules are imported once and stay, so the functions and classes that a test imports are its own.

        Raises:
            ProjectInvalid: it cannot be loaded as it stands.
        """
        settings = read_settings(Path(path))
        bounds = settings.limits if limits is None else limits
        return cls(collect_project(settings), data=data, seed=seed, limits=bounds)

    @classmethod
    def from_modules(
        cls,
        *modules: ModuleType,
        schema: Schema | None = None,
        documents: Sequence[type[Document]] = (),
        data: Path | str = _IN_MEMORY,
        seed: int = 0,
        limits: Limits = DEFAULT_LIMITS,
    ) -> Backend:
        """Imported modules: `backend.messages` is `messages`, and what has no package keeps its name.

        Document classes that the modules import are part of the schema; `schema` and `documents` add more.
        """

        def collect(with_schema: Schema | None) -> Registry:
            return collected(modules, schema=with_schema, documents=documents)

        backend = cls(collect(schema), data=data, seed=seed, limits=limits)
        backend._collect = collect
        return backend

    @classmethod
    def from_functions(
        cls,
        *functions: RegisteredFunction[..., Any],
        schema: Schema | None = None,
        documents: Sequence[type[Document]] = (),
        data: Path | str = _IN_MEMORY,
        seed: int = 0,
        limits: Limits = DEFAULT_LIMITS,
    ) -> Backend:
        """A few functions, also ones that a test defines on the spot. `send` of a module `messages` is
        `messages:send`. Where nothing else is given, the schema is of the document classes that they see.
        """
        if schema is None and not documents:
            documents = list(dict.fromkeys(kind for f in functions for kind in documents_seen_by(f)))
        modules: dict[str, ModuleType] = {}
        for function in functions:
            name = function.__module__
            module = modules.setdefault(name, ModuleType(name))
            setattr(module, function.exported_name or function.__name__, function)
        return cls.from_modules(
            *modules.values(), schema=schema, documents=documents, data=data, seed=seed, limits=limits
        )

    @property
    def clock(self) -> HandClock:
        """The time that functions and commits see."""
        return self._stage.clock

    @property
    def env(self) -> TestVariables:
        """The environment variables: `backend.env["NAME"] = "value"`."""
        stage = self._stage
        return TestVariables(stage.loop, stage.deployment, stage.settle, stage.refuse_inside_run)

    @property
    def faults(self) -> Faults:
        """Faults to arm."""
        return self._stage.faults

    @property
    def log_lines(self) -> tuple[str, ...]:
        """What the last call or request printed, such as `[LOG] hello`."""
        return self._stage.log_lines

    @property
    def deployment(self) -> Deployment:
        """The deployment itself; it lives in a loop of its own (`loop`)."""
        return self._stage.deployment

    @property
    def loop(self) -> LoopThread:
        """Where coroutines of `deployment` can be run."""
        return self._stage.loop

    # Functions that run later.

    def scheduled(self) -> list[ScheduledFunction]:
        """What is scheduled and has not begun, the one that is due first first."""
        return self._stage.scheduled.pending()

    def run_scheduled(self, *, at_most: int = 1_000) -> int:
        """Run the scheduled functions that are due now, and what becomes due by them; returns how many. One
        that fails says so in its document of `_scheduled_functions`.

        Raises:
            ScheduledWithoutEnd: more than `at_most` are due.
        """
        return self._run_scheduled(lambda: self._stage.scheduled.run_due(at_most=at_most))

    def finish_scheduled(self, *, advance: bool = True, at_most: int = 100) -> int:
        """Run scheduled functions until none is pending, moving the clock to each; returns how many ran.
        Without `advance` the clock stays, as with `run_scheduled`.

        Raises:
            ScheduledWithoutEnd: more than `at_most` are pending.
        """
        work = self._stage.scheduled.run_all if advance else self._stage.scheduled.run_due
        return self._run_scheduled(lambda: work(at_most=at_most))

    # What runs again and again.

    def crons(self) -> list[TestCron]:
        """The crons of the project, in order of their names, with what came of their last runs."""
        return self._stage.crons.listed()

    def run_crons(self) -> int:
        """Run the crons that are due now; returns how many. An interval is due at once, others when the clock
        has been moved there; what was missed meanwhile is skipped, as after a downtime.
        """
        return self._run_scheduled(self._stage.crons.run_due)

    def _run_scheduled(self, work: Callable[[], int]) -> int:
        self._stage.refuse_inside_run("scheduled functions")
        try:
            return work()
        finally:
            self._stage.settle()

    # Files.

    def store(self, data: bytes, *, content_type: str | None = None) -> str:
        """Store a file as an upload would; returns its id."""
        self._stage.refuse_inside_run("storing a file")
        id = self._stage.loop.run(store_file(self.deployment, data, content_type=content_type))
        self._stage.settle()
        return id

    def read_file(self, id: str) -> bytes | None:
        """The bytes of a file, or None where there is none (any more)."""
        return self._stage.loop.run(read_file(self.deployment, id))

    def push(self, registry: Registry) -> None:
        """Switch to other code and schema, as a deploy does.

        Raises:
            SchemaMismatch: a stored document does not fit; the old code goes on serving.
        """
        self._stage.refuse_inside_run("a push")
        self._stage.loop.run(self.deployment.push(registry))
        self._stage.settle()

    def push_schema(self, schema: Schema) -> None:
        """Switch to another explicit schema under the same functions.

        Raises:
            SchemaMismatch: a stored document does not fit; the old schema stays.
            ValueError: the backend was made from a project; `push` what it should become.
        """
        if self._collect is None:
            raise ValueError("Only a backend from modules or functions can be given another schema.")
        self.push(self._collect(schema))

    def close(self) -> None:
        """Give everything up. What was in memory is gone."""
        self._stage.close()

    def __enter__(self) -> Backend:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _refuse_positional(name: str, args: tuple[Any, ...]) -> None:
    if args:
        raise TypeError(f"{name} takes arguments by name")


def _refuse_named(arguments: Mapping[str, Any]) -> None:
    if arguments:
        raise TypeError("a function on the spot takes `ctx` and nothing else: let it close over the rest")
