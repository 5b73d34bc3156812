"""The front's end of a pipe hears everything that a dead worker said."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
import uvloop
from msgspec.structs import replace

from rewake.execution.loader import LoadingTooSlow, read_settings
from rewake.execution.worker_failures import WorkerLost
from rewake.execution.worker_messages import EndWave, Fork, FromWorker, LogLine, Ready, pack
from rewake.execution.worker_process import Template, Worker
from rewake.limits import DEFAULT_LIMITS
from rewake.storage import DataDirectoryMissing

Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.fixture(params=[asyncio.run, uvloop.run], ids=["asyncio", "uvloop"])
def run(request: pytest.FixtureRequest) -> Run:
    chosen: Run = request.param
    return chosen


async def _connected() -> tuple[Worker, socket.socket, list[FromWorker]]:
    ours, theirs = socket.socketpair()
    worker = Worker()
    heard: list[FromWorker] = []
    worker.hear = heard.append
    await worker.connect(ours)
    return worker, theirs, heard


def test_a_write_that_fails_loses_nothing_that_was_said_before(run: Run) -> None:
    async def story() -> None:
        worker, theirs, heard = await _connected()
        for pid in range(100):
            theirs.sendall(pack(Ready(pid)))
        theirs.close()
        # The loop has not read a byte of it when this fails.
        for _ in range(20):
            worker.send(EndWave())
        await worker.ended
        assert heard == [Ready(pid) for pid in range(100)]
        assert not worker.is_alive
        worker.send(EndWave())
        worker.close()

    run(asyncio.wait_for(story(), 20))


def test_everything_that_is_said_is_heard(run: Run) -> None:
    async def story() -> None:
        worker, theirs, heard = await _connected()
        said = [LogLine(10, "rewake.test", "x" * 50_000)] + [Ready(pid) for pid in range(5_000)]
        worker.send(EndWave())
        await asyncio.to_thread(lambda: [theirs.sendall(pack(message)) for message in said])
        theirs.close()
        await worker.ended
        assert heard == said[1:]

    run(story())


def test_closing_lets_the_other_end_finish(run: Run) -> None:
    async def story() -> None:
        worker, theirs, heard = await _connected()
        worker.send(EndWave())
        worker.close()
        worker.close()
        loop = asyncio.get_running_loop()
        theirs.setblocking(False)
        received = b""
        while data := await loop.sock_recv(theirs, 1000):
            received += data
        assert received == pack(EndWave())
        theirs.setblocking(True)
        theirs.sendall(pack(Ready(1)))
        theirs.close()
        await worker.ended
        assert heard == [Ready(1)]

    run(asyncio.wait_for(story(), 20))


def test_a_question_to_a_dead_worker_is_answered_by_its_loss(run: Run) -> None:
    async def story() -> None:
        worker, theirs, _ = await _connected()
        asking = asyncio.ensure_future(worker.ask(EndWave()))
        await asyncio.to_thread(theirs.recv, 10)
        theirs.close()
        with pytest.raises(WorkerLost):
            await asking
        with pytest.raises(WorkerLost):
            await worker.ask(EndWave())

    run(asyncio.wait_for(story(), 20))


def test_a_template_whose_import_never_ends_names_the_file(tmp_path: Path) -> None:
    folder = tmp_path / "backend"
    folder.mkdir()
    (folder / "alpha.py").write_text("")
    (folder / "beta.py").write_text("import time\ntime.sleep(1e6)\n")
    limits = replace(DEFAULT_LIMITS, load_seconds_max=10.0)
    with pytest.raises(LoadingTooSlow, match=r"while backend/beta\.py was being imported"):
        asyncio.run(Template.load(read_settings(tmp_path), limits=limits))


def test_a_worker_that_is_ready_before_anybody_waits_for_it_is_heard(tmp_path: Path) -> None:
    (tmp_path / "backend").mkdir()
    (tmp_path / "pyproject.toml").write_text('[tool.rewake]\nfunctions = "backend"\n')

    async def story() -> None:
        template = await Template.load(read_settings(tmp_path))
        fork = Fork("reader", "app", str(tmp_path / "x" / "data"), "FULL", DEFAULT_LIMITS, "", False)
        workers = [await template.fork(fork, claim=None) for _ in range(2)]
        # Its directory is missing: it says so at once, and ends.
        await asyncio.wait([worker.ended for worker in workers])
        for worker in workers:
            with pytest.raises(DataDirectoryMissing):
                await worker.ready()
        abandoned = await template.fork(fork, claim=None)
        await abandoned.ended
        await template.end()

    asyncio.run(asyncio.wait_for(story(), 60))
