"""Every action in a thread of its own: what one does with its thread is no business of the others."""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterator
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import pytest

from rewake.execution import CallRecord, Failure, FunctionCall, Registry, Success
from rewake.execution.action_threads import NO_THREAD, ActionThreads
from rewake.execution.runner import ActionJob
from rewake.functions import FunctionKind
from tests.execution.action_stage import WAIT_SECONDS, House, database_of, job_of, registry_of

SOURCE = """
    import threading

    gate = threading.Event()

    @action
    async def block(ctx: ActionCtx) -> str:
        gate.wait()
        return "let through"

    @action
    def quick(ctx: BlockingActionCtx) -> str:
        return threading.current_thread().name

    @action
    def ask(ctx: BlockingActionCtx) -> float:
        return ctx.run_query("a:number")
"""


class Stage:
    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.house = House()
        self.asked_by: list[int] = []
        self.outcomes: queue.Queue[tuple[int, Success | Failure, CallRecord]] = queue.Queue()
        self.database = database_of()
        self.threads = ActionThreads(self.database, begin_call=self._begin, done=self._done)

    def _begin(
        self, number: int, job: ActionJob, kind: FunctionKind, call: FunctionCall
    ) -> Future[Success | Failure]:
        self.asked_by.append(number)
        return self.house.begin(kind, call)

    def _done(self, number: int, result: Success | Failure, record: CallRecord) -> None:
        self.outcomes.put((number, result, record))

    def start(self, number: int, path: str) -> None:
        self.threads.start(number, job_of(path), self.registry)

    def next(self) -> tuple[int, Success | Failure]:
        number, result, _ = self.outcomes.get(timeout=WAIT_SECONDS)
        return number, result


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Stage]:
    stage = Stage(registry_of(tmp_path, SOURCE))
    yield stage
    stage.threads.close("closed\n")
    stage.database.close()


def gate(stage: Stage) -> threading.Event:
    [function] = [
        each.function for path, each in stage.registry.functions.items() if path.function == "block"
    ]
    event: threading.Event = function.handler.__globals__["gate"]
    return event


def test_one_that_blocks_its_thread_stops_nobody(stage: Stage) -> None:
    for number in range(1, 5):
        stage.start(number, "m:block")
    stage.start(5, "m:quick")
    assert stage.next() == (5, Success('"rewake action m:quick"'))
    gate(stage).set()
    assert {stage.next() for _ in range(4)} == {(n, Success('"let through"')) for n in range(1, 5)}


def test_a_call_is_made_on_behalf_of_the_action_that_makes_it(stage: Stage) -> None:
    stage.house.answers["a:number"] = Success("1.0")
    stage.start(7, "m:ask")
    assert stage.next() == (7, Success("1.0"))
    assert stage.asked_by == [7]


def test_an_action_is_stopped_by_its_number(stage: Stage) -> None:
    stage.start(1, "m:ask")
    stage.house.wait_asked("a:number")
    stage.threads.stop(2, "another\n")
    stage.threads.stop(1, "enough\n")
    assert stage.next() == (1, Failure("enough\n"))
    stage.threads.stop(1, "again\n")


def test_closing_stops_all_of_them_and_lets_none_begin(stage: Stage) -> None:
    stage.start(1, "m:ask")
    stage.house.wait_asked("a:number")
    stage.threads.close("the end\n")
    assert stage.next() == (1, Failure("the end\n"))
    stage.start(2, "m:quick")
    number, result = stage.next()
    assert number == 2
    assert isinstance(result, Failure)
    assert result.message.startswith("The server is stopping.")


def test_without_a_thread_an_action_fails_and_the_others_go_on(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: Any) -> None:
        raise RuntimeError("can't start new thread")

    with monkeypatch.context() as patched:
        patched.setattr(threading.Thread, "start", refuse)
        stage.start(1, "m:quick")
    assert stage.next() == (1, Failure(NO_THREAD))
    stage.start(2, "m:quick")
    assert stage.next()[0] == 2
