"""Semantics 6.3, 6.4: actions of a whole deployment, in threads of the server and in their own process."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from rewake.auth import ANONYMOUS, Identity, User
from rewake.execution import Failure, FunctionCall, RunnerClosed, Success, action_workers
from rewake.execution.action_desk import STOPPING
from rewake.limits import DEFAULT_LIMITS
from tests.deployment.stage import RUNS_IN, Stage, play, value_of

SCHEMA = """
    from rewake import Document, Index

    class Note(Document, table="notes"):
        text: str
        by_text = Index("text")
"""
SOURCE = """
    import asyncio
    import os
    import threading
    import time
    import urllib.request
    from typing import Any
    from rewake import (
        ActionCtx, ApplicationError, BlockingActionCtx, MutationCtx, QueryCtx, action, internal_action,
        internal_mutation, internal_query, mutation, query,
    )
    from .schema import Note

    @internal_mutation
    def write(ctx: MutationCtx, text: str) -> str:
        print("writing", text)
        if text == "refused":
            raise ApplicationError({"code": "refused"})
        ctx.db.insert(Note(text=text))
        return text

    @query
    def texts(ctx: QueryCtx) -> list[str]:
        return [note.text for note in ctx.db.query(Note)]

    @internal_query
    def count(ctx: QueryCtx) -> int:
        return len(ctx.db.query(Note).collect())

    @internal_query
    def who(ctx: QueryCtx) -> str | None:
        identity = ctx.auth.get_user_identity()
        return None if identity is None else identity.subject

    @action
    async def work(ctx: ActionCtx, text: str) -> list[int]:
        print("working")
        before = await ctx.run_query(count)
        await ctx.run_mutation(write, text=text)
        return [before, await ctx.run_query(count)]

    @action
    def work_blocking(ctx: BlockingActionCtx, text: str) -> list[int]:
        print("working")
        before = ctx.run_query(count)
        ctx.run_mutation(write, text=text)
        return [before, ctx.run_query(count)]

    @action
    async def half(ctx: ActionCtx) -> None:
        await ctx.run_mutation(write, text="kept")
        await ctx.run_mutation(write, text="refused")

    @action
    async def who_calls(ctx: ActionCtx) -> str | None:
        return await ctx.run_query(who)

    @action
    async def process(ctx: ActionCtx) -> float:
        return os.getpid()

    @action
    async def block(ctx: ActionCtx, file: str) -> str:
        await ctx.run_mutation(write, text="blocks")
        while not os.path.exists(file):
            time.sleep(0.01)
        return "version 1"

    @action
    async def wait(ctx: ActionCtx) -> str:
        await ctx.run_mutation(write, text="waits")
        await asyncio.sleep(3600)
        return "never"

    @action
    def cling(ctx: BlockingActionCtx) -> None:
        ctx.run_mutation(write, text="clings")
        while True:
            try:
                time.sleep(0.01)
            except BaseException:
                pass

    @action
    async def many(ctx: ActionCtx, n: int) -> list[str]:
        return await asyncio.gather(*(ctx.run_mutation(write, text=str(i)) for i in range(n)))

    @action
    async def nested(ctx: ActionCtx, depth: int) -> int:
        return 0 if depth == 0 else 1 + await ctx.run_action(nested, depth=depth - 1)

    @action
    async def reach_out(ctx: ActionCtx, file: str) -> str:
        with open(file, "w") as opened:
            opened.write("actions may")
        with urllib.request.urlopen("file://" + file) as answer:
            return answer.read().decode()

    @action
    async def crash(ctx: ActionCtx) -> None:
        await ctx.run_mutation(write, text="before")
        os.kill(os.getpid(), 9)

    @action
    async def forget(ctx: ActionCtx) -> None:
        asyncio.ensure_future(asyncio.sleep(3600))
        ctx.run_query(count)

    kept: list[Any] = []

    @action
    async def keep(ctx: ActionCtx) -> None:
        kept.append(ctx)

    @action
    async def use_kept(ctx: ActionCtx) -> None:
        await kept[0].run_query(count)

    @mutation
    def no_actions_here(ctx: MutationCtx) -> bool:
        return hasattr(ctx, "run_action")

    @internal_action
    async def hidden(ctx: ActionCtx) -> str:
        return "seen"

    @action
    async def calls_hidden(ctx: ActionCtx) -> str:
        return await ctx.run_action(hidden)

    @action
    async def at_once(ctx: ActionCtx, calls: int) -> int:
        return len(await asyncio.gather(*(ctx.run_query(texts) for _ in range(calls))))

    @action
    async def one_by_one(ctx: ActionCtx, calls: int) -> int:
        for _ in range(calls):
            await ctx.run_query(texts)
        return calls

    @action
    async def wait_at_once(ctx: ActionCtx, calls: int) -> int:
        return len(await asyncio.gather(*(ctx.run_action("m:wait") for _ in range(calls))))

    @action
    async def wrong_kind(ctx: ActionCtx) -> None:
        await ctx.run_query("m:write", text="x")
"""


@pytest.fixture(autouse=True, params=["threads", "processes"])
def place(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where actions run."""
    RUNS_IN["place"] = request.param
    yield request.param
    RUNS_IN["place"] = "threads"


async def begin(stage: Stage, path: str, identity: Identity = ANONYMOUS, /, **args: Any) -> Success | Failure:
    return await stage.deployment.act(FunctionCall(path, json.dumps(args)), identity, request_id="r")


async def act(stage: Stage, path: str, identity: Identity = ANONYMOUS, /, **args: Any) -> Any:
    return value_of(await begin(stage, path, identity, **args))


async def until_written(stage: Stage, text: str) -> None:
    while text not in await stage.query("m:texts"):
        await asyncio.sleep(0)


def run(root: Path, story: Any, **options: Any) -> None:
    play(root, story, schema=SCHEMA, m=SOURCE, **options)


@pytest.mark.parametrize("name", ["work", "work_blocking"])
def test_6_4_each_call_of_an_action_is_a_run_of_its_own(tmp_path: Path, name: str) -> None:
    async def story(stage: Stage) -> None:
        result = await begin(stage, f"m:{name}", text="a")
        assert result == Success("[0.0,1.0]", ("[LOG] 'working'",)), "what it calls has its own lines"
        printed = {record.path: [str(line) for line in record.log_lines] for record in records(stage)}
        assert printed["m:write"] == ["[LOG] 'writing' 'a'"]
        assert await stage.query("m:texts") == ["a"]

    run(tmp_path, story)


def records(stage: Stage) -> list[Any]:
    return stage.deployment.call_log.records


def test_6_4_nothing_of_a_failed_action_is_undone(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        result = await begin(stage, "m:half")
        assert isinstance(result, Failure)
        assert result.data == '{"code":"refused"}', "data passes through"
        assert await stage.query("m:texts") == ["kept"]

    run(tmp_path, story)


def test_6_4_the_callers_identity_goes_along(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        user = User.from_attributes({"tokenIdentifier": "i|ann", "issuer": "i", "subject": "ann"})
        assert await act(stage, "m:who_calls", user) == "ann"
        assert await act(stage, "m:who_calls") is None

    run(tmp_path, story)


def test_6_4_actions_run_apart_from_queries_and_mutations(tmp_path: Path, place: str) -> None:
    async def story(stage: Stage) -> None:
        assert (await act(stage, "m:process") == os.getpid()) is (place == "threads")
        assert await act(stage, "m:reach_out", file=str(tmp_path / "file")) == "actions may"
        assert await stage.mutate("m:no_actions_here") is False

    run(tmp_path, story)


def test_6_4_blocking_code_in_one_action_stops_nobody(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        gate = tmp_path / "gate"
        blocked = [asyncio.ensure_future(begin(stage, "m:block", file=str(gate))) for _ in range(5)]
        await until_written(stage, "blocks")
        assert len(await act(stage, "m:many", n=30)) == 30
        assert not any(each.done() for each in blocked)
        gate.touch()
        assert [value_of(result) for result in await asyncio.gather(*blocked)] == ["version 1"] * 5

    run(tmp_path, story)


def test_6_4_many_at_once(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        results = await asyncio.gather(*(begin(stage, "m:work", text=str(n)) for n in range(100)))
        assert all(isinstance(result, Success) for result in results)
        assert sorted(await stage.query("m:texts")) == sorted(str(n) for n in range(100))

    run(tmp_path, story)


def test_6_4_internal_actions_are_for_actions_and_the_house(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        result = await begin(stage, "m:hidden")
        assert result == Failure("Could not find public function for 'm:hidden'.\n")
        assert await act(stage, "m:calls_hidden") == "seen"
        result = await begin(stage, "m:wrong_kind")
        assert isinstance(result, Failure)
        assert "Trying to execute m.js:write as Query, but it is defined as Mutation." in result.message

    run(tmp_path, story)


def test_5_8_more_actions_than_places_are_refused_with_the_official_code(tmp_path: Path) -> None:
    limits = replace(DEFAULT_LIMITS, actions_running_max=3, action_wait_seconds=0.05, action_grace_seconds=0)

    async def story(stage: Stage) -> None:
        waiting = [asyncio.ensure_future(begin(stage, "m:wait")) for _ in range(3)]
        while len(await stage.query("m:texts")) < 3:
            await asyncio.sleep(0)
        with pytest.raises(Exception, match="limited to 3 concurrent actions") as refused:
            await begin(stage, "m:process")
        assert getattr(refused.value, "code", None) == "TooManyConcurrentRequests"
        assert not any(each.done() for each in waiting)

    run(tmp_path, story, limits=limits)


def test_5_8_an_action_has_so_many_calls_under_way(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        assert await act(stage, "m:at_once", calls=5) == 5
        assert await act(stage, "m:one_by_one", calls=12) == 12, "those that are over do not count"
        result = await begin(stage, "m:wait_at_once", calls=6)
        assert isinstance(result, Failure)
        assert "Too many calls under way at once in a single action (limit: 5)" in result.message

    limits = replace(DEFAULT_LIMITS, action_calls_running_max=5, action_grace_seconds=0)
    run(tmp_path, story, limits=limits)


def test_6_4_actions_that_call_actions_without_end_are_told(tmp_path: Path) -> None:
    limits = replace(DEFAULT_LIMITS, actions_running_max=5, action_wait_seconds=0.05)

    async def story(stage: Stage) -> None:
        assert await act(stage, "m:nested", depth=4) == 4
        result = await begin(stage, "m:nested", depth=1000)
        assert isinstance(result, Failure)
        assert "Too many concurrent requests." in result.message
        assert await act(stage, "m:nested", depth=4) == 4, "all places are free again"

    run(tmp_path, story, limits=limits)


def test_5_8_an_action_over_its_time_is_ended(tmp_path: Path) -> None:
    limits = replace(DEFAULT_LIMITS, action_seconds_max=0.3)

    async def story(stage: Stage) -> None:
        assert await begin(stage, "m:wait") == Failure(
            "Function execution timed out (maximum duration: 0.3s)\n"
            "[setting action_seconds_max, observed more than 0.3, limit 0.3]\n"
        )
        assert await stage.query("m:texts") == ["waits"], "what it did before stays"

    run(tmp_path, story, limits=limits)


def test_6_4_an_action_that_does_not_end_is_left_behind_with_its_process(
    tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if place == "threads":
        pytest.skip("a thread cannot be ended")
    monkeypatch.setattr(action_workers, "_STOP_SECONDS", 0.05)
    limits = replace(DEFAULT_LIMITS, action_seconds_max=0.3)

    async def story(stage: Stage) -> None:
        before = await act(stage, "m:process")
        assert isinstance(await begin(stage, "m:cling"), Failure)
        while await act(stage, "m:process") == before:
            await asyncio.sleep(0)

    run(tmp_path, story, limits=limits)


def test_6_4_closing_gives_actions_a_little_time_and_then_ends_them(tmp_path: Path) -> None:
    limits = replace(DEFAULT_LIMITS, action_grace_seconds=0.1)

    async def story(stage: Stage) -> None:
        waiting = asyncio.ensure_future(begin(stage, "m:wait"))
        await until_written(stage, "waits")
        await stage.deployment.close()
        assert await waiting == Failure(STOPPING)
        with pytest.raises(RunnerClosed):
            await begin(stage, "m:process")

    run(tmp_path, story, limits=limits)


def test_6_4_the_death_of_their_process_fails_what_ran_and_nothing_else(tmp_path: Path, place: str) -> None:
    if place == "threads":
        pytest.skip("it is the process of the test")

    async def story(stage: Stage) -> None:
        process = await act(stage, "m:process")
        waiting = asyncio.ensure_future(begin(stage, "m:wait"))
        await until_written(stage, "waits")
        lost = Failure("Transient error while executing action\n")
        assert await begin(stage, "m:crash") == lost
        assert await waiting == lost
        assert await act(stage, "m:work", text="after") == [2, 3]
        assert await stage.query("m:texts") == ["waits", "before", "after"], "nothing ran twice"
        assert await act(stage, "m:process") != process

    run(tmp_path, story)


def test_6_4_a_killed_process_is_replaced_while_calls_come_in(tmp_path: Path, place: str) -> None:
    if place == "threads":
        pytest.skip("it is the process of the test")

    async def story(stage: Stage) -> None:
        outcomes = []
        for n in range(5):
            os.kill(int(await act(stage, "m:process")), signal.SIGKILL)
            outcomes += await asyncio.gather(*(begin(stage, "m:work", text=f"{n}/{i}") for i in range(5)))
        done = sum(isinstance(outcome, Success) for outcome in outcomes)
        written = await stage.query("m:texts")
        assert len(written) == len(set(written)), "at most once"
        assert len(written) >= done

    run(tmp_path, story)


def test_6_4_an_action_goes_on_with_its_own_code_while_new_code_takes_over(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        gate = tmp_path / "gate"
        before = asyncio.ensure_future(begin(stage, "m:block", file=str(gate)))
        await until_written(stage, "blocks")
        await stage.push(schema=SCHEMA, m=SOURCE.replace("version 1", "version 2"))
        after = asyncio.ensure_future(begin(stage, "m:block", file=str(gate)))
        while (await stage.query("m:texts")).count("blocks") < 2:
            await asyncio.sleep(0)
        gate.touch()
        assert (value_of(await before), value_of(await after)) == ("version 1", "version 2")

    run(tmp_path, story)


def test_6_4_what_is_not_awaited_is_warned_of_and_ctx_ends_with_the_action(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        result = await begin(stage, "m:forget")
        assert result.log_lines == (
            "[WARN] 1 unawaited operation(s): [run_query(m:count)]. Async operations should be awaited or "
            "they might not run.",
        )
        await begin(stage, "m:keep")
        result = await begin(stage, "m:use_kept")
        assert isinstance(result, Failure)
        assert result.message.startswith("This `ctx` belongs to a run of m:keep that is over.")

    run(tmp_path, story)
