"""Housekeeping: chores are done again and again, and one that fails does not stop it.

What it does on a disk that is full is in `tests/faults/test_disk_worlds.py`.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from rewake.deployment.housekeeping import Housekeeping
from tests.deployment.stage import Stage, play


def test_chores_go_on_after_one_that_fails(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def story(stage: Stage) -> None:
        deployment, done = stage.deployment, asyncio.Event()
        rounds: list[int] = []

        async def chore() -> None:
            rounds.append(len(rounds))
            house.hurry()
            if len(rounds) == 1:
                raise RuntimeError("a chore failed")
            done.set()

        house = Housekeeping(deployment._database, deployment._runner, [chore])
        house.start()
        house.count_rows(1_000_000)
        await asyncio.wait_for(done.wait(), 30)
        await house.end()
        ended = len(rounds)
        house.hurry()
        await asyncio.sleep(0)
        assert len(rounds) == ended
        await house.end()

    with caplog.at_level(logging.ERROR):
        play(tmp_path, story, keeps_house=False)
    assert [record.getMessage() for record in caplog.records] == ["housekeeping failed; it is tried again"]
