"""Signals become a wish to stop, and commands that only talk to a server load none."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys

import pytest

from rewake.cli.event_loop import Stopping, run_loop
from rewake.cli.failure import ExitCode


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (signal.SIGINT, ExitCode.INTERRUPTED),
        (signal.SIGTERM, ExitCode.OK),
        (signal.SIGHUP, ExitCode.OK),
    ],
)
def test_signals_are_a_wish_to_stop(number: signal.Signals, code: ExitCode) -> None:
    async def story() -> ExitCode:
        stopping = Stopping()
        stopping.listen()
        assert not stopping.is_wished
        os.kill(os.getpid(), number)
        await asyncio.wait_for(stopping.wait(), 30)
        assert stopping.is_wished
        return stopping.exit_code

    assert run_loop(story()) is code


def test_a_second_ctrl_c_waits_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    codes: list[int] = []
    monkeypatch.setattr(os, "_exit", codes.append)

    async def story() -> ExitCode:
        stopping = Stopping()
        stopping.listen()
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.wait_for(stopping.wait(), 30)
        os.kill(os.getpid(), signal.SIGINT)
        while not codes:
            await asyncio.wait([asyncio.ensure_future(stopping.wait())])
        return stopping.exit_code

    run_loop(story())
    assert codes == [130]


@pytest.mark.parametrize("module", ["calling", "watching", "variables", "sql"])
def test_who_only_talks_to_a_server_loads_none(module: str) -> None:
    program = f"import sys, rewake.cli.commands, rewake.cli.event_loop, rewake.cli.{module}\n"
    program += "print([name for name in sys.modules if name.startswith(('rewake.server', 'uvicorn'))])"
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told == "[]\n"
