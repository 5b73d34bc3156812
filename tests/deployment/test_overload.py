"""Overload, through the whole house: who is turned away never ran, who is not is served once, in turn."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from rewake.auth import ANONYMOUS
from rewake.database import ReplayKey
from rewake.execution import CalledFrom, FunctionCall, RequestSource, Success
from rewake.execution.waiting_line import Overloaded, ReadersOverloaded, WriterOverloaded
from rewake.limits import DEFAULT_LIMITS
from tests.deployment.stage import Stage, play, value_of

SLOW = """
    from rewake import MutationCtx, QueryCtx, mutation, query

    def _work() -> int:
        "Some milliseconds."
        return sum(number % 7 for number in range(60_000))

    @mutation
    def add(ctx: MutationCtx, who: str, n: int) -> None:
        _work()
        ctx.db.insert("rows", {"who": who, "n": n})

    @query
    def rows(ctx: QueryCtx) -> list[dict[str, object]]:
        return ctx.db.query("rows").collect()

    @query
    def look(ctx: QueryCtx, n: int) -> int:
        _work()
        return n
"""
NARROW = replace(DEFAULT_LIMITS, queue_wait_seconds_max=0.05, group_mutations_max=2)
PATIENT = replace(NARROW, queue_wait_seconds_max=600.0)
HTTP = RequestSource(ip="10.0.0.1", called_from=CalledFrom.HTTP_API)


async def add(
    stage: Stage, who: str, n: int, *, source: RequestSource = HTTP, session: str | None = None
) -> int | Overloaded:
    """`n` where it was done, and the error where it was not."""
    call = FunctionCall("slow:add", json.dumps({"who": who, "n": n}))
    replay = None if session is None else ReplayKey(session, n)
    try:
        outcome = await stage.deployment.mutate(call, ANONYMOUS, request_id=who, source=source, replay=replay)
    except Overloaded as error:
        return error
    assert isinstance(outcome.result, Success), outcome.result
    return n


async def rows_of(stage: Stage) -> dict[str, list[int]]:
    found: dict[str, list[int]] = {}
    for row in await stage.query("slow:rows"):
        found.setdefault(row["who"], []).append(int(row["n"]))
    return found


def test_of_a_crowd_that_is_too_large_some_are_served_once_and_the_others_never_ran(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        asked = range(200)
        came = await asyncio.gather(*(add(stage, "crowd", n, session=f"session {n}") for n in asked))
        served = [each for each in came if isinstance(each, int)]
        refused = [each for each in came if isinstance(each, Overloaded)]
        assert served
        assert refused
        assert sorted((await rows_of(stage))["crowd"]) == served
        for error in refused:
            assert isinstance(error, WriterOverloaded)
            assert error.retry_seconds is not None
            assert 1 <= error.retry_seconds <= 60
        # As if nothing had been: those who were turned away come again.
        assert [await add(stage, "again", n) for n in range(5)] == list(range(5))
        page, _ = await stage.deployment.metrics.page()
        (waited,) = [
            line for line in page.splitlines() if b'queue_wait_seconds_count{queue="writer"}' in line
        ]
        assert float(waited.split()[-1]) >= len(served)

    play(tmp_path, story, limits=NARROW, seconds=300, slow=SLOW)


def test_at_a_load_that_is_not_too_large_nobody_is_turned_away(tmp_path: Path) -> None:
    async def client(stage: Stage, number: int) -> list[Any]:
        return [await add(stage, f"client {number}", n, session=f"session {number}") for n in range(20)]

    async def story(stage: Stage) -> None:
        came = await asyncio.gather(*(client(stage, number) for number in range(8)))
        assert came == [list(range(20))] * 8
        assert await rows_of(stage) == {f"client {number}": list(range(20)) for number in range(8)}

    play(tmp_path, story, seconds=300, slow=SLOW)


def test_a_session_beside_a_flood_is_served_in_its_turn_and_the_flood_in_its_order(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        done = 0

        async def flood(n: int) -> None:
            nonlocal done
            assert await add(stage, "flood", n) == n
            done += 1

        flooding = [asyncio.ensure_future(flood(n)) for n in range(150)]
        while not done:
            await asyncio.sleep(0)
        before = done
        assert await add(stage, "gentle", 1, session="gentle") == 1
        assert done - before <= 20, "what the writer had, and a turn"
        await asyncio.gather(*flooding)
        assert (await rows_of(stage)) == {"flood": list(range(150)), "gentle": [1]}

    play(tmp_path, story, limits=PATIENT, seconds=300, slow=SLOW)


def test_what_an_action_calls_is_not_turned_away_and_neither_is_the_house(tmp_path: Path) -> None:
    action = RequestSource(called_from=CalledFrom.ACTION)

    async def story(stage: Stage) -> None:
        crowd = [asyncio.ensure_future(add(stage, "crowd", n, session=f"session {n}")) for n in range(200)]
        begun = [asyncio.ensure_future(add(stage, "action", n, source=action)) for n in range(40)]
        await asyncio.sleep(0)
        result = await stage.deployment.run_system("_system/files:give_up", '{"keys":[]}')
        assert value_of(result) == 0
        assert await asyncio.gather(*begun) == list(range(40))
        assert any(isinstance(each, Overloaded) for each in await asyncio.gather(*crowd))

    play(tmp_path, story, limits=NARROW, seconds=300, slow=SLOW)


def test_queries_are_turned_away_too_and_live_queries_are_not(tmp_path: Path) -> None:
    async def look(stage: Stage, n: int) -> int | Overloaded:
        call = FunctionCall("slow:look", json.dumps({"n": n}))
        source = RequestSource(ip=f"10.0.0.{n}", called_from=CalledFrom.HTTP_API)
        try:
            result, _ = await stage.deployment.query(call, ANONYMOUS, request_id="r", source=source)
        except Overloaded as error:
            return error
        assert value_of(result) == n
        return n

    async def story(stage: Stage) -> None:
        crowd = [asyncio.ensure_future(look(stage, n)) for n in range(300)]
        await asyncio.sleep(0)
        wave = await stage.deployment.live._runner.open_wave([])
        await wave.close()
        came = await asyncio.gather(*crowd)
        assert any(isinstance(each, int) for each in came)
        assert {type(each) for each in came if not isinstance(each, int)} == {ReadersOverloaded}
        assert await look(stage, 1) == 1

    play(tmp_path, story, limits=NARROW, seconds=300, slow=SLOW)


@pytest.mark.threads_only("workers finish what was handed in when they are drained: their own tests")
def test_a_house_that_closes_finishes_what_waits(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        stage.late = [asyncio.ensure_future(add(stage, "late", n)) for n in range(30)]  # type: ignore[attr-defined]
        await asyncio.sleep(0)
        await stage.deployment._runner.close()
        assert await asyncio.gather(*stage.late) == list(range(30))  # type: ignore[attr-defined]

    play(tmp_path, story, limits=PATIENT, seconds=300, slow=SLOW)
