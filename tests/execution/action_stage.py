"""One action on a registry of the test's own, with a house that the test plays itself."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from rewake.auth import ANONYMOUS, Identity
from rewake.blobs import open_blobs
from rewake.database import Database
from rewake.environment import Clock, Environment, ManualClock
from rewake.execution import CallRecord, Failure, FunctionCall, Registry, Success, Visibility
from rewake.execution.action_run import ActionRun
from rewake.execution.runner import ActionJob
from rewake.functions import FunctionKind
from rewake.limits import DEFAULT_LIMITS, Limits
from rewake.schema import NOTHING_READ
from tests.deployment.stage import load

WAIT_SECONDS = 60.0
SCHEMA = """
    from rewake import Document

    class Note(Document, table="notes"):
        text: str
"""
HEAD = """
    import asyncio
    import time
    from rewake import (
        ActionCtx, ApplicationError, BlockingActionCtx, Id, MutationCtx, QueryCtx,
        action, internal_action, internal_mutation, internal_query, mutation, query,
    )
    from .schema import Note
"""


class Tables:
    """Knows no table: no id fits."""

    def table_number(self, name: str) -> int | None:
        return None

    read_ids = NOTHING_READ

    def table_name(self, number: int) -> str | None:
        return None


class House:
    """Answers what actions ask: at once where `answers` knows the path, else when the test says so."""

    def __init__(self) -> None:
        self.answers: dict[str, Success | Failure] = {}
        self.calls: list[tuple[str, str, str]] = []
        self.open: dict[str, Future[Success | Failure]] = {}
        self._news = threading.Condition()

    def begin(self, kind: FunctionKind, call: FunctionCall) -> Future[Success | Failure]:
        future: Future[Success | Failure] = Future()
        with self._news:
            self.calls.append((kind, call.path, call.args))
            if call.path in self.answers:
                future.set_result(self.answers[call.path])
            else:
                self.open[call.path] = future
            self._news.notify_all()
        return future

    def wait_asked(self, path: str) -> Future[Success | Failure]:
        """Wait until an action waits for `path`."""
        with self._news:
            assert self._news.wait_for(lambda: path in self.open, WAIT_SECONDS), f"nobody asked for {path}"
            return self.open[path]


def registry_of(root: Path, source: str) -> Registry:
    return load(root, schema=SCHEMA, m=HEAD + source)


def job_of(
    path: str,
    args: str = "{}",
    *,
    identity: Identity = ANONYMOUS,
    visibility: Visibility = Visibility.PUBLIC,
    scheduled: str = "",
) -> ActionJob:
    return ActionJob(FunctionCall(path, args), identity, visibility, "0123456789abcdef", scheduled)


def make_run(
    registry: Registry,
    job: ActionJob,
    house: House | None = None,
    *,
    clock: Clock | None = None,
    limits: Limits = DEFAULT_LIMITS,
) -> ActionRun:
    tables: Any = Tables()
    return ActionRun(
        job,
        registry,
        tables=lambda: tables,
        variable={"PLACE": "the stage"}.get,
        begin=(house or House()).begin,
        blobs=lambda: open_blobs("/nowhere"),
        clock=clock or ManualClock(),
        limits=limits,
    )


def in_thread(work: Callable[[], Any]) -> Future[Any]:
    """Run `work` in a thread of its own; daemon, for tests of what never ends."""
    future: Future[Any] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return future


def perform(
    registry: Registry, job: ActionJob, house: House | None = None, *, limits: Limits = DEFAULT_LIMITS
) -> tuple[Success | Failure, CallRecord]:
    """Run an action to its end, in another thread."""
    outcome: tuple[Success | Failure, CallRecord] = in_thread(
        make_run(registry, job, house, limits=limits).work
    ).result(WAIT_SECONDS)
    return outcome


def database_of(limits: Limits = DEFAULT_LIMITS) -> Database:
    return Database.open(":memory:", environment=Environment(), limits=limits)
