"""A program in a process of its own that talks to a test in lines of JSON.

One object a line in both directions. A reader thread takes the lines as they come, so a test waits on a
condition variable with a deadline and never on luck. What the program writes to stderr goes to a file and
into the message of whatever fails.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

from tests.clients.deadline import Deadline

WAIT_SECONDS = 60.0

Event = dict[str, Any]
T = TypeVar("T")


class JsonProgram:
    """One running program. `events` holds every object that it has printed so far."""

    def __init__(self, command: Sequence[str], *, name: str, folder: Path, log: Path) -> None:
        self.name = name
        self.events: list[Event] = []
        self._log = log
        self._changed = threading.Condition()
        self._is_over = False
        with log.open("ab") as errors:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=folder,
            )
        self._reader = threading.Thread(target=self._read, name=f"reader of {self.name}", daemon=True)
        self._reader.start()

    def send(self, command: Event) -> None:
        """Hand one object to the program."""
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        self.process.stdin.flush()

    def wait(
        self, is_wanted: Callable[[Event], bool], *, since: int = 0, seconds: float = WAIT_SECONDS
    ) -> Event:
        """The first event from position `since` on that is wanted; waits for it if it did not come yet."""
        return self.wait_for(
            lambda: next((event for event in self.events[since:] if is_wanted(event)), None), seconds=seconds
        )

    def wait_for(self, look: Callable[[], T | None], *, seconds: float = WAIT_SECONDS) -> T:
        """Call `look` now and after every event until it gives something that is not None."""
        deadline = Deadline(seconds)
        with self._changed:
            while True:
                found = look()
                if found is not None:
                    return found
                assert not self._is_over, f"{self.name} ended early\n{self._story()}"
                assert not deadline.is_over, f"waited {seconds} s for {self.name}\n{self._story()}"
                self._changed.wait(deadline.left)

    def finish(self, *, seconds: float = WAIT_SECONDS) -> list[Event]:
        """Wait for the program to end with 0, and give all its events."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"{self.name} did not end in {seconds} s\n{self._story()}") from None
        self._reader.join(seconds)
        assert code == 0, f"{self.name} ended with {code}\n{self._story()}"
        return self.events

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            event = json.loads(line)
            with self._changed:
                self.events.append(event)
                self._changed.notify_all()
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def _story(self) -> str:
        last = "\n".join(json.dumps(event)[:500] for event in self.events[-15:])
        errors = self._log.read_text(encoding="utf-8", errors="replace")[-4000:]
        return f"last events:\n{last}\nstderr:\n{errors}"

    def __enter__(self) -> JsonProgram:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.process.kill()
        self.process.wait(10)
        self._reader.join(10)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    pass  # What was still to be sent has no reader any more.
