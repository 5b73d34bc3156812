"""What a worker process takes on itself."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from msgspec.structs import replace

from rewake.limits import DEFAULT_LIMITS, MIB
from tests.execution.worker_stage import CallFailed, Stage, play

TIGHT = replace(DEFAULT_LIMITS, worker_memory_bytes_max=128 * MIB)


def test_a_breakpoint_says_where_it_can_stop(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        with pytest.raises(CallFailed, match="--workers 0"):
            await stage.query("main:stop_here")

    play(tmp_path, story)


def test_a_function_that_takes_all_memory_fails_and_its_process_lives(tmp_path: Path) -> None:
    text = (
        r"^Function execution ran out of memory \(maximum memory usage: 128 MB\)\n"
        r"\[setting worker_memory_bytes_max, "
    )

    async def story(stage: Stage) -> None:
        before = await stage.mutate("main:writer_process")
        with pytest.raises(CallFailed, match=text):
            await stage.mutate("main:hoard")
        for name in ("hoard_reading", "double"):
            with pytest.raises(CallFailed, match=text):
                await stage.query(f"main:{name}")
        assert await stage.query("main:get", name="hoard") == 0
        assert await stage.mutate("main:writer_process") == before

    play(tmp_path, story, limits=TIGHT)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux counts what is meant")
def test_a_process_whose_memory_earlier_runs_have_used_up_gives_its_place_to_a_fresh_one(
    tmp_path: Path,
) -> None:
    async def story(stage: Stage) -> None:
        for ask, path in ((stage.mutate, "main:keep"), (stage.query, "main:keep_reading")):
            assert [await ask(path), await ask(path)] == [1, 2]
            with pytest.raises(CallFailed, match="ran out of memory"):
                await ask(path)
            assert sorted(await asyncio.gather(ask(path), ask(path))) == [1, 2]
        assert await stage.mutate("main:increment", name="a") == 1

    play(tmp_path, story, limits=TIGHT, readers=1)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a process looks at its pipe")
def test_a_process_ends_with_the_one_that_made_it() -> None:
    child = "import os, sys; from rewake.execution.worker_bounds import die_with; die_with(int(sys.argv[1]))"
    child += "; print(os.getpid(), flush=True); sys.stdin.read()"
    parent = (
        "import os, subprocess, sys; subprocess.run([sys.executable, '-c', sys.argv[1], str(os.getpid())])"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", parent, child], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    assert process.stdin is not None
    assert process.stdout.readline()
    os.kill(process.pid, signal.SIGKILL)
    # The end of its output is its own end: nobody else holds the other end any more.
    assert process.stdout.read() == b""
    process.stdin.close()
    process.stdout.close()
    process.wait(20)
