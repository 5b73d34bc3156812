"""Housekeeping: chores are done again and again, and one that fails does not stop it.

What it does on a disk that is full is in `tests/faults/test_disk_worlds.py`.
"""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from rewake.database import TrimResult
from rewake.deployment import housekeeping
from rewake.deployment.housekeeping import Housekeeping
from rewake.limits import DEFAULT_LIMITS, MIB
from rewake.storage import CheckpointResult, FilesHold, StorageFailed
from tests.deployment.stage import Stage, play

_FRAME_BYTES = 4096 + 24


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


def test_what_a_start_wished_for_is_not_done_beside_the_first_answers(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        deployment, begun = stage.deployment, asyncio.Event()
        loop, when = asyncio.get_running_loop(), 0.0

        async def chore() -> None:
            nonlocal when
            when = when or loop.time()
            begun.set()

        house = Housekeeping(deployment._database, deployment._runner, [chore])
        house.hurry()
        started = loop.time()
        house.start()
        await asyncio.wait_for(begun.wait(), 30)
        await house.end()
        assert when - started >= housekeeping._SECONDS

    play(tmp_path, story, keeps_house=False)


class Disk:
    """A write-ahead log that grows by so many bytes a row, and a runner that has it begin anew."""

    def __init__(self, path: Path, *, row_bytes: int) -> None:
        self.engine = SimpleNamespace(path=path)
        self.limits = DEFAULT_LIMITS
        self.row_bytes = row_bytes
        self.log_bytes = 0
        self.lengths: list[int] = []
        self.patience: list[float] = []
        self.readers_end = True
        self.trims = 0

    def checkpoint(self) -> CheckpointResult:
        self.lengths.append(self.log_bytes)
        frames = self.log_bytes // _FRAME_BYTES
        return CheckpointResult(frames, frames)

    async def restart_log(self, patience_seconds: float) -> bool:
        self.patience.append(patience_seconds)
        if self.readers_end:
            self.log_bytes = 0
        return self.readers_end

    async def trim(self) -> TrimResult:
        self.trims += 1
        return TrimResult(0, 0, has_more=False)

    async def tend(self) -> bool:
        return False

    def write(self, rows: int) -> None:
        """Commit rows one after another, with each checkpoint that is due."""

        async def play() -> None:
            house = Housekeeping(cast(Any, self), cast(Any, self), [])
            for _ in range(rows):
                self.log_bytes += self.row_bytes
                house.count_rows(1)
                if house._wanted.is_set():
                    house._wanted.clear()
                    await house._empty_log()

        asyncio.run(play())


_NO_RUNNER = pytest.mark.threads_only("no function runs here")


@_NO_RUNNER
@pytest.mark.parametrize("row_bytes", [5_000, 40_000, 400_000])
def test_a_busy_log_begins_anew_at_the_same_length_however_large_its_rows_are(
    tmp_path: Path, row_bytes: int
) -> None:
    disk = Disk(tmp_path / "data", row_bytes=row_bytes)
    disk.write(20_000)
    # Until a log was long enough nobody knows how large rows are. At least 200 of them go in.
    lengths = [length for length in disk.lengths[6:] if length >= 4 * MIB]
    assert lengths, disk.lengths
    assert max(lengths) <= max(25 * MIB, 200 * row_bytes), lengths
    assert min(lengths) >= 23 * MIB, lengths
    assert set(disk.patience) == {0.01}


@_NO_RUNNER
def test_a_log_that_readers_stay_in_waits_for_them_longer_once_it_is_too_long(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "data", row_bytes=400_000)
    disk.readers_end = False
    disk.write(2_000)
    assert disk.patience[0] == 0.01
    assert disk.patience[-1] == 0.2
    assert disk.lengths[-1] > disk.limits.write_ahead_log_bytes_max


@_NO_RUNNER
def test_mutations_do_not_wait_for_a_backup_which_holds_its_snapshot_for_long(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "data", row_bytes=400_000)
    with FilesHold(tmp_path / "data").shared():
        disk.write(1_000)
    assert len(disk.lengths) > 1
    assert disk.patience == []


@_NO_RUNNER
def test_rows_bring_checkpoints_and_not_chores(tmp_path: Path) -> None:
    disk = Disk(tmp_path / "data", row_bytes=0)

    async def story() -> None:
        house = Housekeeping(cast(Any, disk), cast(Any, disk), [])
        house.start()
        async with asyncio.timeout(60):
            while len(disk.lengths) < 50:
                house.count_rows(1_000)
                await asyncio.sleep(0)
        await house.end()

    asyncio.run(story())
    assert disk.trims < 25


@_NO_RUNNER
def test_a_disk_that_fails_is_not_asked_without_a_pause(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(Disk):
        def checkpoint(self) -> CheckpointResult:
            super().checkpoint()
            raise StorageFailed(detail="no disk")

    disk, pauses = Failing(tmp_path / "data", row_bytes=0), []
    wait_for = asyncio.wait_for

    async def noted(waiting: Any, seconds: float) -> Any:
        pauses.append(seconds)
        return await wait_for(waiting, seconds)

    async def story() -> None:
        house = Housekeeping(cast(Any, disk), cast(Any, disk), [])
        house.start()
        async with asyncio.timeout(60):
            while len(disk.lengths) < 4:
                await asyncio.sleep(0)
        await house.end()

    monkeypatch.setattr(housekeeping, "_SECONDS", 0.05)
    monkeypatch.setattr(asyncio, "wait_for", noted)
    asyncio.run(story())
    assert min(pauses) > 0, pauses
