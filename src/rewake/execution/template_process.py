"""The process of a template: a fresh interpreter, or a fork of a server that is only just starting.

Floor 3, `execution`. Either way it loads the house, waits for `Begin` at its pipe and knows nothing of the
front: what the front opens later does not cross over.

    start   a fresh interpreter, at any time
    ahead   as soon as a server knows that it wants one. Where the process is still alone with itself (Linux,
            one thread) a fork shares what is imported so far, and the project loads while the rest is
            imported. Elsewhere a fresh interpreter, which is begun early at least

A fork of a process with threads could inherit a lock that nobody gives back, so it is tried before there are
any, and not at all on systems whose own libraries forbid it.

Not here: what is said through the pipe (`worker_process.py`), the template's own side (`worker.py`).
"""

from __future__ import annotations

import gc
import os
import signal
import socket
import subprocess
import sys
import traceback
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from rewake.execution.loader import ProjectSettings
from rewake.execution.worker_messages import Begin, pack

_PROGRAM = "import gc; gc.disable(); import sys; from rewake.execution.worker import main; main(sys.argv[1:])"
"""Until the house is imported there is no garbage, and looking for it takes long."""


class TemplateProcess:
    """A process that waits for its project, or loads it."""

    def __init__(
        self, process: subprocess.Popen[bytes] | int, pipe: socket.socket, descriptors: socket.socket
    ):
        self.pipe = pipe
        """The front's end. Whoever talks through it takes it over, and closes it."""
        self.descriptors = descriptors
        """What crosses this goes to the next worker."""
        self.has_begun = False
        self._process = process
        self._is_gone = False  # A fork that was waited for: its number may be another's now.

    @classmethod
    def start(cls) -> TemplateProcess:
        """A fresh interpreter."""
        pipe, theirs = socket.socketpair()
        descriptors, channel = socket.socketpair()
        with theirs, channel:
            # From this thread on purpose: the process dies with the thread that started it.
            arguments = [theirs.fileno(), channel.fileno(), os.getpid()]
            process = subprocess.Popen(
                [sys.executable, *_safe_path(), "-c", _PROGRAM, *map(str, arguments)],
                pass_fds=(theirs.fileno(), channel.fileno()),
                stdin=subprocess.DEVNULL,
            )
        return cls(process, pipe, descriptors)

    @classmethod
    def ahead(cls) -> TemplateProcess:
        """A fork of this process where that is safe, else a fresh interpreter."""
        if not _is_alone():
            return cls.start()
        pipe, theirs = socket.socketpair()
        descriptors, channel = socket.socketpair()
        # What is buffered would be written twice.
        sys.stdout.flush()
        sys.stderr.flush()
        front = os.getpid()
        before = signal.pthread_sigmask(signal.SIG_BLOCK, _stopping_signals())
        try:
            process = os.fork()
            if process == 0:
                _become_template(theirs, channel, front, fronts_ends=(pipe, descriptors))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
        theirs.close()
        channel.close()
        return cls(process, pipe, descriptors)

    def begin(self, settings: ProjectSettings) -> None:
        """Have it load a project, before anybody listens to what it says."""
        assert not self.has_begun, "a template loads one project"
        self.has_begun = True
        # One that has died already is noticed by who listens.
        with suppress(OSError):
            self.pipe.sendall(pack(Begin.of(settings, sys.path)))

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process if isinstance(self._process, int) else self._process.pid

    def kill(self) -> None:
        """End the process and all its workers now."""
        if not isinstance(self._process, int):
            self._process.kill()
        elif not self._is_gone:
            os.kill(self._process, signal.SIGKILL)

    def wait(self) -> None:
        """Wait until it is gone."""
        if not isinstance(self._process, int):
            self._process.wait()
        elif not self._is_gone:
            with suppress(ChildProcessError):
                os.waitpid(self._process, 0)
            self._is_gone = True

    def give_up(self) -> None:
        """End a process that nobody has use for."""
        self.pipe.close()
        self.descriptors.close()
        self.kill()
        self.wait()


def _become_template(
    pipe: socket.socket, channel: socket.socket, front: int, *, fronts_ends: tuple[socket.socket, ...]
) -> NoReturn:
    """Go on as a template. Nothing of the front's own work is ever returned to."""
    try:
        for number in _stopping_signals():
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _stopping_signals())
        for end in fronts_ends:
            end.close()
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        gc.disable()
        from rewake.execution.worker import main

        main([str(pipe.detach()), str(channel.detach()), str(front)])
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(1)


def _stopping_signals() -> set[signal.Signals]:
    # Asked for when needed: not every system that imports this has all of them.
    return {signal.SIGINT, signal.SIGTERM, signal.SIGHUP}


def _is_alone() -> bool:
    """Whether this process has one thread, of any language, on a system where it may fork."""
    if sys.platform != "linux":
        return False
    try:
        return len(list(Path("/proc/self/task").iterdir())) == 1
    except OSError:
        return False


def _safe_path() -> list[str]:
    """Keep the working directory off the module path of the worker where it is not on ours."""
    return [] if "" in sys.path or os.getcwd() in sys.path else ["-P"]
