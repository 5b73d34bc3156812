"""Python's own clocks and random numbers, while functions run in worker processes."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from tests.execution.worker_stage import Stage, play

# By every road: an attribute, a name bound at import, a class written in C. With the milliseconds in a unit.
CLOCKS = {
    "time.time()": 1e3,
    "float(time.time_ns())": 1e-6,
    "early()": 1e3,
    "time.clock_gettime(time.CLOCK_REALTIME)": 1e3,
    "datetime.now(UTC).timestamp()": 1e3,
    "datetime.utcnow().replace(tzinfo=UTC).timestamp()": 1e3,
    "datetime.now().timestamp()": 1e3,
    "datetime.today().timestamp()": 1e3,
    "Moment().at.timestamp()": 1e3,
}
TEXTS = (
    "time.ctime()",
    "time.asctime()",
    "time.strftime('%c')",
    "list(time.localtime())",
    "list(time.gmtime())",
    "str(date.today())",
)
MEASURES = (
    "time.monotonic()",
    "float(time.monotonic_ns())",
    "time.perf_counter()",
    "float(time.perf_counter_ns())",
    "since()",
)
CHANCE = (
    "random.random()",
    "early_random()",
    "random.randint(0, 2**40)",
    "random.choice(range(2**40))",
    "random.Random().random()",
    "random.SystemRandom().random()",
    "os.urandom(8).hex()",
    "secrets.token_hex()",
    "secrets.randbelow(2**40)",
    "str(uuid.uuid4())",
    "str(uuid.uuid1())",
)
MAIN = """
    import logging, os, random, secrets, threading, time, uuid
    from datetime import UTC, date, datetime
    from random import random as early_random
    from time import monotonic as since, time as early
    import msgspec
    from rewake import ActionCtx, MutationCtx, QueryCtx, action, mutation, query

    class Moment(msgspec.Struct):
        at: datetime = msgspec.field(default_factory=datetime.now)

    @query
    def ask(ctx: QueryCtx, what: str) -> object:
        return eval(what)

    @mutation
    def ask_writing(ctx: MutationCtx, what: str) -> object:
        return eval(what)

    @mutation
    def ask_nested(ctx: MutationCtx, what: str) -> object:
        return [ctx.run_query(ask, what=what), ctx.run_query(ask, what=what)]

    @query
    def plain(ctx: QueryCtx) -> str:
        print("a"); logging.warning("b")
        return "c"

    @query
    def in_a_thread(ctx: QueryCtx) -> list[float]:
        found = []
        thread = threading.Thread(target=lambda: found.append(time.time()))
        thread.start()
        thread.join()
        return [time.time(), *found]

    @query
    def kinds(ctx: QueryCtx) -> list[bool]:
        now = datetime.now(UTC)
        return [
            type(now) is datetime,
            isinstance(now, datetime),
            msgspec.json.decode(msgspec.json.encode(now), type=datetime) == now,
        ]
"""


def _tell(stage: Stage) -> list[tuple[str, str]]:
    return [(line.code, str(line)) for line in stage.call_log.records[-1].log_lines]


@pytest.mark.parametrize("asking", ["ask", "ask_writing"])
def test_standard_clocks_stand_still_at_the_time_of_the_run(tmp_path: Path, asking: str) -> None:
    async def story(stage: Stage) -> None:
        ask: Any = stage.query if asking == "ask" else stage.mutate
        for clock, ms in CLOCKS.items():
            now, first, second = await ask(f"main:{asking}", what=f"[ctx.now, {clock}, {clock}]")
            assert first == second, clock
            assert first * ms == pytest.approx(now, abs=2e-3), clock
        for clock in (*TEXTS, *MEASURES):
            first, second = await ask(f"main:{asking}", what=f"[{clock}, {clock}]")
            assert first == second, clock

    play(tmp_path, story, main=MAIN)


def test_between_runs_time_goes_on_and_ends_are_told_apart(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        for clock in ("time.time()", "time.monotonic()", "time.perf_counter()"):
            before = await stage.mutate("main:ask_writing", what=clock)
            assert await stage.mutate("main:ask_writing", what=clock) > before
        frozen, real = await stage.query("main:in_a_thread")
        assert real > frozen, "a thread runs no function"

    play(tmp_path, story, main=MAIN)


def test_a_nested_call_sees_its_callers_time(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        first, second = await stage.mutate("main:ask_nested", what="[time.time(), time.monotonic(), ctx.now]")
        assert first == second

    play(tmp_path, story, main=MAIN)


def test_looking_at_a_clock_is_known_and_said_once(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        for clock in (*CLOCKS, *TEXTS, *MEASURES):
            _, (run,) = await stage.runs("main:ask", what=f"[{clock}, {clock}]")
            assert run.read_clock, clock
            ((code, text),) = _tell(stage)
            assert code == "warning:StandardClockRead"
            assert "`ctx.now`" in text
        _, (run,) = await stage.runs("main:ask", what="time.time()")
        assert "<string>:1 reads a clock" in _tell(stage)[0][1]
        _, (run,) = await stage.runs("main:plain")
        assert not run.read_clock, "that `logging` writes down when does not make the result depend on it"
        assert [code for code, _ in _tell(stage)] == ["", ""]

    play(tmp_path, story, main=MAIN)


def test_random_numbers_are_the_runs_own_and_that_is_said_once(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        for chance in CHANCE:
            _, (run,) = await stage.runs("main:ask", what=f"[{chance}, {chance}]")
            codes = [code for code, _ in _tell(stage)]
            assert codes.count("warning:StandardRandomUsed") == 1, chance
            assert run.read_clock is ("uuid1" in chance)
            first, second = json.loads(run.result.value)
            assert first != second, chance
        seeded = "[random.seed(5), random.random(), random.Random(5).random()]"
        _, first, second = await stage.query("main:ask", what=seeded)
        assert first == second
        one = await stage.query("main:ask", what="random.random()")
        assert await stage.query("main:ask", what="random.random()") != one

    play(tmp_path, story, main=MAIN)


def test_values_keep_their_classes(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        assert await stage.query("main:kinds") == [True, True, True]

    play(tmp_path, story, main=MAIN)


def test_functions_in_the_servers_own_process_find_python_as_it_is(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        _, (run,) = await stage.runs("main:ask", what="[time.time(), random.random()]")
        assert not run.read_clock
        assert _tell(stage) == []

    play(tmp_path, story, main=MAIN, place="threads")


ALONE = """
    import json, os, random, secrets, sys, threading, time, uuid
    from random import Random
    from types import SimpleNamespace
    from rewake.environment import Environment
    from rewake.execution.output import LogLines
    from rewake.execution.current_run import current
    from rewake.execution.standard_sources import install_standard_sources, source_exchange

    clock = Environment().clock
    hold, release = source_exchange()
    hold()
    assert abs(time.time() - clock.now_ns() / 1e9) < 60, "nothing is held before"
    release()
    install_standard_sources()
    install_standard_sources()
    hold, release = source_exchange()
    assert "pytest" not in sys.modules

    def run(seed):
        host = SimpleNamespace(
            now_ms=1_700_000_000_123.0,
            chance=Random(seed),
            has_read_clock=False,
            standard_sources=None,
            log_lines=LogLines(),
        )
        current.run = host
        hold()
        try:
            assert abs(clock.now_ns() / 1e9 - time.time()) > 1e6, "the house's own clock is real"
            made = [random.random(), os.urandom(4).hex(), secrets.token_hex(), str(uuid.uuid4())]
            made += [Random().random(), random.SystemRandom().random()]
            return made, [time.time(), time.ctime(0), time.ctime(None)]
        finally:
            release()
            current.run = None

    assert run(1) == run(1)
    assert run(1)[0] != run(2)[0]
    assert run(1)[1][0] == 1_700_000_000.123
    real = lambda: [time.time_ns(), time.monotonic_ns(), random.random(), os.urandom(8), str(uuid.uuid1())]
    assert all(now != then for now, then in zip(real(), real()))
    assert abs(time.time() - clock.now_ns() / 1e9) < 60
    print("alone", time.monotonic.__name__)
"""


def test_one_seed_is_one_course_and_outside_a_run_all_is_real() -> None:
    done = subprocess.run(
        [sys.executable, "-c", dedent(ALONE)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.stdout, done.stderr) == ("alone monotonic\n", "")
