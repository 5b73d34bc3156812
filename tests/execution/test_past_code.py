"""Code from before the last push, in processes of its own: it answers at its timestamps, for a while."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from rewake.execution.code_switch import CodeReplaced
from tests.execution.worker_stage import FORGETFUL, MAIN, CallFailed, Stage, play

OTHER = MAIN.replace("counter.value\n", "counter.value + 100\n")


async def replaced(stage: Stage) -> int:
    """A timestamp from before a push of other code."""
    before = await stage.outcome("main:increment", name="a")
    await stage.push(main=OTHER)
    await stage.mutate("main:increment", name="a")
    return before.ts


async def ask_until_refused(stage: Stage, ts: int) -> None:
    """Read again and again; what is answered is right."""
    while True:
        assert await stage.query("main:get", at=ts, name="a") == 1


def test_many_read_at_an_older_time_while_others_go_on(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        ts = await replaced(stage)
        reads = [stage.query("main:get", at=ts, name="a") for _ in range(20)]
        latest = [stage.query("main:get", name="a") for _ in range(20)]
        assert await asyncio.gather(*reads, *latest) == [1.0] * 20 + [102.0] * 20
        roles = [worker.role for worker in stage.runner.figures().workers]
        assert roles.count("past reader") == 1
        assert roles.count("past template") == 1

    play(tmp_path, story)


def test_a_reader_of_the_past_that_dies_is_replaced(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        ts = await replaced(stage)
        first = await stage.query("main:reader_process", at=ts)
        os.kill(int(first), signal.SIGKILL)
        second = await stage.query("main:reader_process", at=ts)
        assert second != first
        assert await stage.query("main:get", at=ts, name="a") == 1
        with pytest.raises(CallFailed):
            await stage.query("main:crash_reading", at=ts)
        assert await stage.query("main:get", at=ts, name="a") == 1
        assert await stage.query("main:get", name="a") == 102

    play(tmp_path, story)


def test_what_its_template_takes_with_it_is_refused_as_replaced(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        ts = await replaced(stage)
        (template,) = [each.pid for each in stage.runner.figures().workers if each.role == "past template"]
        os.kill(template, signal.SIGKILL)
        with pytest.raises(CodeReplaced):
            await ask_until_refused(stage, ts)
        assert await stage.query("main:get", name="a") == 102

    play(tmp_path, story)


def test_it_goes_when_its_time_is_over(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        ts = await replaced(stage)
        with pytest.raises(CodeReplaced):
            await ask_until_refused(stage, ts)
        assert all(not worker.role.startswith("past") for worker in stage.runner.figures().workers)

    play(tmp_path, story, limits=FORGETFUL)
