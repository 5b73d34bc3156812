"""The action worker's own end of the pipe, with the test as its front."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from pathlib import Path

import pytest

from rewake.execution import Failure, Success
from rewake.execution.action_desk import STOPPING
from rewake.execution.action_worker import ActionWorker
from rewake.execution.worker_messages import (
    Act,
    Acted,
    Answer,
    Call,
    EndWave,
    FromFront,
    FromWorker,
    PipeBroken,
    StopAction,
)
from tests.execution.action_stage import WAIT_SECONDS, database_of, in_thread, job_of, registry_of

SOURCE = """
    @action
    async def ask(ctx: ActionCtx, path: str) -> float:
        return await ctx.run_query(path)

    @action
    async def both(ctx: ActionCtx) -> list[float]:
        return await asyncio.gather(ctx.run_query("a:one"), ctx.run_mutation("a:two", n=2))

    @action
    def wait(ctx: BlockingActionCtx) -> None:
        ctx.run_action("a:never")
"""


class Front:
    def __init__(self, root: Path) -> None:
        self.said: queue.Queue[FromFront | None] = queue.Queue()
        self.heard: queue.Queue[FromWorker] = queue.Queue()
        self.database = database_of()
        worker = ActionWorker(
            read=self.said.get,
            send=self.heard.put,
            database=self.database,
            registry=registry_of(root, SOURCE),
        )
        self.working = in_thread(worker.work)

    def act(self, number: int, path: str, args: str = "{}") -> None:
        self.said.put(Act.of(number, job_of(path, args)))

    def hear(self) -> FromWorker:
        return self.heard.get(timeout=WAIT_SECONDS)

    def hear_call(self) -> Call:
        message = self.hear()
        assert isinstance(message, Call)
        return message

    def hear_acted(self) -> tuple[int, Success | Failure]:
        message = self.hear()
        assert isinstance(message, Acted)
        return message.number, message.result


@pytest.fixture
def front(tmp_path: Path) -> Iterator[Front]:
    front = Front(tmp_path)
    yield front
    front.said.put(None)
    front.working.exception(WAIT_SECONDS)
    front.database.close()


def test_an_action_asks_through_the_pipe_and_tells_what_it_came_to(front: Front) -> None:
    front.act(7, "m:ask", '{"path":"a:number"}')
    call = front.hear_call()
    assert (call.action, call.kind, call.path, call.args) == (7, "query", "a:number", "{}")
    front.said.put(Answer(call.number, Success("3.0")))
    assert front.hear_acted() == (7, Success("3.0"))


def test_answers_find_the_calls_that_they_belong_to(front: Front) -> None:
    front.act(1, "m:both")
    calls = {call.path: call for call in (front.hear_call(), front.hear_call())}
    assert calls["a:one"].number != calls["a:two"].number
    assert calls["a:two"].args == '{"n":2.0}'
    front.said.put(Answer(calls["a:two"].number, Success("2.0")))
    front.said.put(Answer(calls["a:one"].number, Success("1.0")))
    assert front.hear_acted() == (1, Success("[1.0,2.0]"))


def test_a_failed_call_fails_the_action_that_does_not_catch_it(front: Front) -> None:
    front.act(1, "m:ask", '{"path":"a:number"}')
    front.said.put(Answer(front.hear_call().number, Failure("Uncaught ConvexError\n", '"no"')))
    number, result = front.hear_acted()
    assert isinstance(result, Failure)
    assert (number, result.data) == (1, '"no"')


def test_a_stopped_action_says_so_and_an_answer_that_comes_too_late_is_dropped(front: Front) -> None:
    front.act(1, "m:wait")
    call = front.hear_call()
    front.said.put(StopAction(1, "over its time\n"))
    assert front.hear_acted() == (1, Failure("over its time\n"))
    front.said.put(Answer(call.number, Success("null")))
    front.said.put(Answer(999, Success("null")))
    front.act(2, "m:ask", '{"path":"a:number"}')
    assert front.hear_call().action == 2


def test_the_end_of_the_pipe_stops_what_runs(front: Front) -> None:
    front.act(1, "m:wait")
    front.hear_call()
    front.said.put(None)
    assert front.hear_acted() == (1, Failure(STOPPING))
    assert front.working.result(WAIT_SECONDS) is None


def test_what_is_for_another_kind_of_worker_breaks_the_pipe(front: Front) -> None:
    front.said.put(EndWave())
    assert isinstance(front.working.exception(WAIT_SECONDS), PipeBroken)
