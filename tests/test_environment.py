"""Time, chance and fault points can be held by a test."""

import asyncio
import re
import subprocess
import sys
from itertools import islice
from pathlib import Path

import pytest

from rewake.environment import (
    FAULT_DISK_VARIABLE,
    KILL_POINT_VARIABLE,
    ManualClock,
    RandomTexts,
    pause,
    process_environment,
    seeded_environment,
    sync_directory,
)


def test_a_manual_clock_moves_only_by_hand():
    clock = ManualClock()
    before = clock.now_ns()
    assert clock.now_ns() == before
    clock.advance(1.5)
    assert clock.now_ns() == before + 1_500_000_000
    assert clock.monotonic() == 1.5


def test_setting_the_wall_clock_back_leaves_the_monotonic_one():
    clock = ManualClock()
    clock.advance(-10)
    assert clock.monotonic() == 0.0
    assert clock.now_ns() < ManualClock().now_ns()


def test_chance_follows_from_the_seed():
    assert seeded_environment(7).random_bytes(16) == seeded_environment(7).random_bytes(16)
    assert seeded_environment(7).random_bytes(16) != seeded_environment(8).random_bytes(16)


def test_without_a_kill_point_nothing_happens_at_one(monkeypatch):
    monkeypatch.delenv(KILL_POINT_VARIABLE, raising=False)
    process_environment().reach("group.before_commit")


def test_the_named_point_kills_the_process_at_the_given_count():
    program = (
        "from rewake.environment import process_environment\n"
        "environment = process_environment()\n"
        "for n in range(5):\n"
        "    print(n, flush=True)\n"
        "    environment.reach('other')\n"
        "    environment.reach('point')\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env={KILL_POINT_VARIABLE: "point:3"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode == -9
    assert ended.stdout.split() == ["0", "1", "2"]


def test_a_disk_for_tests_is_named_by_whoever_registers_it(monkeypatch):
    assert process_environment().disk is None
    monkeypatch.setenv(FAULT_DISK_VARIABLE, f"{__name__}:a_disk")
    monkeypatch.setitem(sys.modules, __name__, sys.modules[__name__])
    assert process_environment().disk == "unix"


def test_a_process_that_is_spared_has_no_kill_point(monkeypatch):
    monkeypatch.setenv(KILL_POINT_VARIABLE, "point:1")
    process_environment(spared=True).reach("point")


def a_disk() -> str:
    return "unix"


def test_a_pause_is_over_in_its_time_and_can_be_given_up() -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        begin = loop.time()
        await pause(0.01)
        assert loop.time() - begin >= 0.009
        waiting = asyncio.ensure_future(pause(3_600))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(story())


def test_a_directory_is_made_durable_and_nothing_else_is_taken_for_one(tmp_path: Path) -> None:
    sync_directory(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(NotADirectoryError):
        sync_directory(tmp_path / "file")


def test_texts_of_chance_have_their_length_and_never_come_again() -> None:
    texts = list(islice(RandomTexts(seeded_environment(1), 8), 1_000))
    assert len(set(texts)) == 1_000
    assert all(re.fullmatch("[0-9a-f]{16}", text) for text in texts)
