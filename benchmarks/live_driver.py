"""The live generator from outside: start it beside a subject, tell it what to do, take its figures."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from benchmarks.subjects import ROOT, Subject

COMMAND_SECONDS_MAX = 180.0
STOP_SECONDS_MAX = 30.0


@dataclass(frozen=True, slots=True)
class LiveGenerator:
    """A process that holds live sessions of one subject."""

    subject: Subject
    process: subprocess.Popen[str]

    def ask(self, do: str, **options: Any) -> dict[str, Any]:
        """Have one command of `benchmarks.live.Live` carried out.

        Raises:
            SystemExit: something failed, or nothing came back; a figure with failures is worth nothing.
        """
        seconds = COMMAND_SECONDS_MAX + options.get("seconds", 0.0)
        alarm = threading.Timer(seconds, self.process.kill)
        alarm.start()
        try:
            assert self.process.stdin is not None
            assert self.process.stdout is not None
            self.process.stdin.write(json.dumps({"do": do, **options}) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        finally:
            alarm.cancel()
        if not line:
            raise SystemExit(f"benchmarks: the live generator ended in {do!r}:\n{self.subject.log_tail()}")
        answer: dict[str, Any] = json.loads(line)
        if answer["failures"]:
            said = f"{answer['failures']} failures, first: {answer['first_failure']}"
            raise SystemExit(f"benchmarks: {do} on {self.subject.name}: {said}\n{self.subject.log_tail()}")
        shown = {name: value for name, value in answer.items() if name not in {"failures", "first_failure"}}
        figures = ", ".join(
            f"{name} {value:,.2f}" if isinstance(value, float) else f"{name} {value:,}"
            for name, value in shown.items()
        )
        print(f"    {self.subject.name}, {do}: {figures}", flush=True)
        return answer


@contextmanager
def live(subject: Subject) -> Iterator[LiveGenerator]:
    """A live generator for `subject`; its sessions end with it."""
    command = [sys.executable, "-m", "benchmarks.live", "--port", str(subject.port)]
    command += ["--subject", subject.kind, "--server-pid", str(subject.process.pid)]
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )
    try:
        yield LiveGenerator(subject, process)
    finally:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.close()
        except BrokenPipeError:
            pass
        try:
            process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
