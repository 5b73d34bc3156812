"""A template is a fork where the process is alone, and a fresh interpreter elsewhere; both behave alike."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rewake.execution import template_process
from rewake.execution.loader import ProjectInvalid, read_settings
from rewake.execution.template_process import TemplateProcess
from rewake.execution.worker_failures import WorkerLost
from rewake.execution.worker_process import Template

QUERY = """
import os
from rewake import query

@query
def parent(ctx) -> int:
    return os.getppid()
"""
# In a process of its own: this one has threads. It says what it is, and what the template knows.
AHEAD = """
import asyncio, os, sys
from pathlib import Path
from rewake.execution.loader import read_settings
from rewake.execution.template_process import TemplateProcess
from rewake.execution.worker_process import Template

print("once")
settings = read_settings(Path(sys.argv[1]))
process = TemplateProcess.ahead()
command = Path(f"/proc/{process.pid}/cmdline").read_bytes().split(b"\\0")
print("a fork" if command == Path("/proc/self/cmdline").read_bytes().split(b"\\0") else "fresh")
process.begin(settings)
if sys.argv[2] == "late":
    # All that it has to say is there before anybody listens.
    while b"parent" not in process.pipe.recv(1 << 16, __import__("socket").MSG_PEEK):
        pass

async def main():
    template = await Template.load(settings, process=process)
    print([each.path.function for each in template.analysis.functions])
    await template.end()
    print("ended", template.is_alive)

runner = sys.argv[3]
if runner == "uvloop":
    import uvloop
    uvloop.run(main())
else:
    asyncio.run(main())
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "backend").mkdir()
    (tmp_path / "backend" / "families.py").write_text(QUERY)
    return tmp_path


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is a fresh interpreter")
@pytest.mark.parametrize("listening", ["at once", "late"])
@pytest.mark.parametrize("runner", ["asyncio", "uvloop"])
def test_a_fork_loads_the_project_before_anybody_listens(project: Path, listening: str, runner: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", AHEAD, str(project), listening, runner],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    # What had been printed, but not yet written, was not written twice.
    assert done.stdout.splitlines() == ["once", "a fork", "['parent']", "ended False"]


def test_a_process_with_threads_is_not_forked(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("forked beside another thread"))
    over = threading.Event()
    beside = threading.Thread(target=over.wait)
    beside.start()
    try:
        process = TemplateProcess.ahead()
    finally:
        over.set()
        beside.join()

    async def story() -> None:
        template = await Template.load(read_settings(project), process=process)
        assert [each.path.function for each in template.analysis.functions] == ["parent"]
        await template.end()

    asyncio.run(story())


def test_a_system_that_forbids_it_gets_a_fresh_interpreter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(template_process.sys, "platform", "darwin")
    monkeypatch.setattr(os, "fork", lambda: pytest.fail("forked where that is not safe"))
    process = TemplateProcess.ahead()
    process.give_up()
    process.wait()


def test_a_project_that_cannot_be_loaded_is_told_by_one_that_began_early(project: Path) -> None:
    (project / "backend" / "families.py").write_text("1 / 0")
    settings = read_settings(project)
    process = TemplateProcess.start()
    process.begin(settings)

    async def story() -> None:
        with pytest.raises(ProjectInvalid, match="ZeroDivisionError"):
            await Template.load(settings, process=process)

    asyncio.run(story())
    process.wait()


def test_one_that_died_early_is_lost(project: Path) -> None:
    settings = read_settings(project)
    process = TemplateProcess.start()
    process.kill()
    process.wait()
    process.begin(settings)

    async def story() -> None:
        with pytest.raises(WorkerLost):
            await Template.load(settings, process=process)

    asyncio.run(story())
