"""Worker processes as the front sees them: a pipe, a mark, and an end.

Floor 3, `execution`. A `Template` loads one version of the code and forks `Worker`s of it. Both are `_Peer`s:
messages come to `hear`, once, in order; whatever ends the process, `ended` is told once, after the last
message. Closing the pipe lets a worker finish what it has; `kill` does not.

    Template.load(settings) -> analysis
                            -> fork(...) -> Worker -> send, hear, ended

Not here: what workers are for (`writer_seat.py`, `reader_pool.py`), how the template's process comes to be
(`template_process.py`), their own side (`worker.py`).
"""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from rewake.execution.analysis import Analysis
from rewake.execution.loader import LoadingTooSlow, ProjectSettings
from rewake.execution.pipe_frames import FrameDecoder, PipeBroken
from rewake.execution.run_mark import RunMark
from rewake.execution.template_process import TemplateProcess
from rewake.execution.worker_failures import WorkerLost
from rewake.execution.worker_messages import (
    Begin,
    Failed,
    Fork,
    FromFront,
    FromWorker,
    Loaded,
    Loading,
    LogLine,
    Ready,
    pack,
    unpack_from_worker,
)
from rewake.handoff import Handoff
from rewake.limits import Limits
from rewake.observability import logger

_log = logger(__name__)


class _Sending(asyncio.Protocol):
    """The half of a pipe that is only written to.

    A transport whose write fails drops what it has not read yet: of a writer that died, the news of a group
    that is committed. So writing has a transport of its own, and the other reads to the end.
    """

    def __init__(self, early: Callable[[bytes], None]) -> None:
        self._early = early

    def data_received(self, data: bytes) -> None:
        """What a template that has begun already said before we stopped to read: older than what follows."""
        self._early(data)


class _Peer(asyncio.Protocol):
    """The front's end of one pipe."""

    def __init__(self) -> None:
        self.hear: Callable[[FromWorker], None] = lambda message: None
        """Set by whoever uses the process; a message that nobody expects is dropped."""
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done when the pipe has ended, after the last message."""
        self.is_alive = True
        """Whether the other end has not ended as far as we know."""
        self.loading = ""
        """The file of the project that was imported last; of a template."""
        # Who waits for the next message, instead of `hear`.
        self._asked: Handoff[FromWorker] | None = None
        self._decoder = FrameDecoder()
        self._sending: asyncio.WriteTransport | None = None

    async def connect(self, end: socket.socket) -> None:
        """Take over our end of the pipe."""
        loop = asyncio.get_running_loop()
        # (In `connection_made` it would be too early: uvloop begins to read after that, whatever was asked
        # for.) From here on only the other half reads, so everything is heard in order.
        sending, _ = await loop.create_unix_connection(lambda: _Sending(self.data_received), sock=end.dup())
        sending.pause_reading()
        self._sending = sending
        await loop.create_unix_connection(lambda: self, sock=end)

    def send(self, *messages: FromFront) -> None:
        """Send messages, in one write; into the void where the process has ended."""
        if self._sending is not None and self.is_alive and not self._sending.is_closing():
            self._sending.write(pack(*messages))

    def close(self) -> None:
        """End the pipe: the process finishes what it has and ends."""
        if self._sending is not None and not self._sending.is_closing():
            self._sending.write_eof()

    def kill(self) -> None:
        """End the process now."""
        raise NotImplementedError

    def ask(self, message: FromFront) -> Handoff[FromWorker]:
        """Send `message`; to be awaited is the one that comes back.

        Raises, where it is awaited:
            WorkerLost: the process ended first.
            RewakeError: what the process says cannot be done.
        """
        self.send(message)
        return self.expect()

    def expect(self) -> Handoff[FromWorker]:
        """The next message, which goes to whoever awaits this."""
        assert self._asked is None or self._asked.done(), "one question at a time"
        asked: Handoff[FromWorker] = Handoff()
        if self.is_alive:
            self._asked = asked
        else:
            asked.set_exception(WorkerLost())
        return asked

    # Called by the transport.

    def data_received(self, data: bytes) -> None:
        try:
            messages = unpack_from_worker(self._decoder.feed(data))
        except PipeBroken:
            _log.exception("a worker process sent what is no message, and is ended")
            self.kill()
            return
        for message in messages:
            if isinstance(message, Loading):
                self.loading = message.file
            elif isinstance(message, LogLine):
                logger(message.logger).log(message.level, "%s", message.text)
            else:
                self._hear(message)

    def _hear(self, message: FromWorker) -> None:
        asked, self._asked = self._asked, None
        try:
            if asked is None or asked.done():
                self.hear(message)
            elif isinstance(message, Failed):
                asked.set_exception(message.error.error())
            else:
                asked.set_result(message)
        except Exception:
            _log.exception("a message of a worker process could not be taken in")

    def eof_received(self) -> bool:
        return False

    def connection_lost(self, error: Exception | None) -> None:
        if self._sending is not None:
            self._sending.close()
        self.is_alive = False
        if not self.ended.done():
            self.ended.set_result(None)
        asked, self._asked = self._asked, None
        if asked is not None and not asked.done():
            asked.set_exception(WorkerLost())


class Worker(_Peer):
    """A writer or a reader."""

    def __init__(self) -> None:
        super().__init__()
        self.mark = RunMark.make()
        self.marked: tuple[int, float] | None = None
        """What it was running when it ended, and since when; set as its pipe ends."""
        self.left = b""
        """What it had left behind beside its mark; set as its pipe ends."""
        self.is_cut_off = False
        """Whether it is being killed because a run takes too long; set by whoever does it."""
        self.pid = 0
        self._pid_descriptor = -1
        self.begun: Handoff[FromWorker]
        """Its first message; set as it is forked, for it may be ready before anybody waits for that."""

    async def ready(self) -> None:
        """Wait until it has opened the database.

        Raises:
            WorkerLost, RewakeError: it could not.
        """
        message = await self.begun
        assert isinstance(message, Ready)
        self.pid = message.pid
        if hasattr(os, "pidfd_open"):
            # Names this very process, also when its number has gone to another.
            with suppress(OSError):
                self._pid_descriptor = os.pidfd_open(self.pid)

    def kill(self) -> None:
        """End the process now."""
        if not self.is_alive:
            return
        with suppress(ProcessLookupError):
            if self._pid_descriptor >= 0:
                signal.pidfd_send_signal(self._pid_descriptor, signal.SIGKILL)  # type: ignore[attr-defined,unused-ignore]
            elif self.pid:
                os.kill(self.pid, signal.SIGKILL)

    def connection_lost(self, error: Exception | None) -> None:
        if self._pid_descriptor >= 0:
            os.close(self._pid_descriptor)
            self._pid_descriptor = -1
        self.marked, self.left = self.mark.read(), self.mark.left()
        self.mark.close()
        super().connection_lost(error)


class Template(_Peer):
    """One version of the code, loaded in a process that workers are forked from."""

    def __init__(self, settings: ProjectSettings, process: TemplateProcess) -> None:
        super().__init__()
        self.settings = settings
        self.analysis = Analysis()
        """What is known of the code; set by `load`."""
        self._process = process

    @classmethod
    async def load(
        cls,
        settings: ProjectSettings,
        *,
        limits: Limits | None = None,
        process: TemplateProcess | None = None,
    ) -> Template:
        """Load a project in a new process, or in `process`, which may have begun with it. It has the
        `load_seconds_max` of `limits` for that; without any, of the project.

        Raises:
            ProjectInvalid: it cannot be loaded; LoadingTooSlow: it was not, in time.
            WorkerLost: the process ended meanwhile.
        """
        template = cls(settings, process := process or TemplateProcess.start())
        begun = template.expect()  # Before anything is read: one that has begun may have said it already.
        try:
            await template.connect(process.pipe)
        except BaseException:
            # There is no pipe whose end `end` could wait for.
            process.give_up()
            raise
        try:
            if not process.has_begun:
                template.send(Begin.of(settings, sys.path))
            async with asyncio.timeout(seconds := (limits or settings.limits).load_seconds_max):
                message = await begun
        except TimeoutError:
            await template.end()
            raise LoadingTooSlow.of(seconds, template.loading) from None
        except BaseException:
            await template.end()
            raise
        assert isinstance(message, Loaded)
        template.analysis = message.analysis
        return template

    async def fork(self, fork: Fork, *, claim: int | None) -> Worker:
        """A new worker, not yet ready, which shares the `claim` on the data file.

        Raises:
            WorkerLost: the template has ended.
        """
        worker = Worker()
        worker.begun = worker.expect()
        ours, theirs = socket.socketpair()
        with theirs:
            await worker.connect(ours)
            passed = [theirs.fileno(), worker.mark.descriptor, *([] if claim is None else [claim])]
            try:
                socket.send_fds(self._process.descriptors, [b"."], passed)
            except OSError:
                raise WorkerLost() from None
        self.send(fork)
        return worker

    @property
    def pid(self) -> int:
        """The number of the process."""
        return self._process.pid

    def kill(self) -> None:
        """End the process and all its workers now."""
        self._process.kill()

    async def end(self) -> None:
        """End the process, and wait until it is gone. Its workers should have ended before."""
        self.kill()
        await self.ended
        await asyncio.to_thread(self._process.wait)

    def connection_lost(self, error: Exception | None) -> None:
        super().connection_lost(error)
        self._process.descriptors.close()


async def all_ended(workers: Sequence[Worker], seconds: float) -> None:
    """Wait until workers whose pipes were closed have ended, but not for ever."""
    endings = [worker.ended for worker in workers]
    if endings:
        await asyncio.wait(endings, timeout=seconds)
    for worker in workers:
        worker.kill()
    with suppress(WorkerLost):
        await asyncio.gather(*endings)
