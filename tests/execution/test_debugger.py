"""`breakpoint()` in functions: a prompt in the terminal with `--workers 0`, a clear word with workers."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rewake.cli.starter_project import write_starter
from tests.cli.command import Running, free_port, run_apart
from tests.cli.terminal import Terminal

PROMPT = "(Pdb) "


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A starter project that stops in both of its functions."""
    folder = tmp_path / "chat"
    write_starter(folder, keep=False)
    file = folder / "backend" / "messages.py"
    text = file.read_text()
    stops = text.replace("    if not body.strip", "    breakpoint()\n    if not body.strip")
    stops = stops.replace("    return ctx.db.query", "    breakpoint()\n    return ctx.db.query")
    assert stops.count("breakpoint()") == 2
    file.write_text(stops)
    return folder


def test_functions_stop_in_the_terminal_that_runs_the_server(project: Path) -> None:
    # No limit on time ends what waits at the prompt.
    variables = {"REWAKE_LIMIT_FUNCTION_SECONDS_MAX": "0.1", "REWAKE_LIMIT_SYSTEM_SECONDS_MAX": "0.5"}
    dev = ("dev", "--workers", "0", "--port", str(free_port()))
    with Terminal(*dev, cwd=project, variables=variables) as terminal, ThreadPoolExecutor() as others:
        terminal.wait_for("Watching")
        terminal.wait_for("ready")
        sent = others.submit(run_apart, "run", "messages:send", "body=stopped", cwd=project)
        terminal.wait_for(PROMPT)
        terminal.type("p body + '!'")
        terminal.wait_for("'stopped!'")
        terminal.wait_for(PROMPT)
        terminal.type("import threading; threading.Event().wait(1.5)")
        terminal.wait_for(PROMPT)
        # At the prompt, files may be looked at.
        terminal.type("p open('pyproject.toml').readline()")
        terminal.wait_for("[")
        terminal.wait_for(PROMPT)
        terminal.type("c")
        done = sent.result(30)
        assert done.code == 0, done.err
        read = others.submit(run_apart, "run", "messages:list_recent", "limit=3", cwd=project)
        terminal.wait_for(PROMPT)
        terminal.type("p 'limit is', limit")
        terminal.wait_for("('limit is', 3")
        terminal.wait_for(PROMPT)
        terminal.type("c")
        done = read.result(30)
        assert done.code == 0, done.err
        assert '"body": "stopped"' in done.out
        # Whoever quits the prompt fails the call; the server goes on.
        left = others.submit(run_apart, "run", "messages:send", "body=left", cwd=project)
        terminal.wait_for(PROMPT)
        terminal.type("q")
        done = left.result(30)
        assert done.code == 1
        assert "BdbQuit" in done.err
        again = others.submit(run_apart, "run", "messages:send", "body=again", cwd=project)
        terminal.wait_for(PROMPT)
        terminal.type("c")
        assert again.result(30).code == 0
        terminal.process.send_signal(signal.SIGTERM)
        terminal.wait_for("stopped")


def test_several_that_stop_at_once_take_turns(project: Path) -> None:
    dev = ("dev", "--workers", "0", "--port", str(free_port()))
    with Terminal(*dev, cwd=project) as terminal, ThreadPoolExecutor() as others:
        terminal.wait_for("ready")
        calls = [
            others.submit(run_apart, "run", "messages:list_recent", f"limit={limit}", cwd=project)
            for limit in (11, 12)
        ]
        seen = set()
        for _ in calls:
            terminal.wait_for(PROMPT)
            terminal.type("p 'limit', limit")
            terminal.wait_for("('limit', 1")
            terminal.wait_for(PROMPT)
            place = terminal.text.rindex("('limit', 1")
            seen.add(terminal.text[place + len("('limit', 1")])
            terminal.type("c")
        assert seen == {"1", "2"}
        assert [call.result(30).code for call in calls] == [0, 0]


def test_with_workers_it_names_the_way_to_stop(project: Path) -> None:
    with Running("dev", "--port", str(free_port()), cwd=project) as dev:
        dev.wait_for("ready ")
        done = run_apart("run", "messages:send", "body=x", cwd=project)
        assert done.code == 1
        assert "breakpoint() cannot stop here" in done.err
        assert "--workers 0" in done.err


@pytest.mark.parametrize("chosen", ["", "pdb.set_trace"])
def test_a_debugger_that_the_environment_names_is_used(chosen: str) -> None:
    text = (
        "from rewake.execution import let_functions_stop\n"
        "let_functions_stop()\n"
        "breakpoint()\n"
        "print('on it goes')\n"
    )
    ours = subprocess.run(
        [sys.executable, "-c", text],
        env={"PYTHONPATH": ":".join(sys.path), "PYTHONBREAKPOINT": chosen},
        input="c\n",
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ours.returncode == 0, ours.stderr
    assert PROMPT in ours.stdout
    assert "on it goes" in ours.stdout
    another = subprocess.run(
        [sys.executable, "-c", text],
        env={"PYTHONPATH": ":".join(sys.path), "PYTHONBREAKPOINT": "builtins.vars"},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert another.returncode == 0, another.stderr
    assert another.stdout == "on it goes\n"
