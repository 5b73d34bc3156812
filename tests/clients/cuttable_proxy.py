"""A TCP proxy between a client and a server whose wire a test can cut.

    client -- proxy -- server        `cut()`    both sides of every connection are reset; new ones too
                                     `deafen()` what the server says is dropped, what the client says passes
                                     `mend()`   back to normal for new connections

A mutation sent while the proxy is deaf is carried out and its answer lost: the case that replay exists for.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from types import TracebackType

BLOCK = 65_536


class CuttableProxy:
    """A proxy on a port of its own, run by a thread of its own."""

    def __init__(self, target_port: int) -> None:
        self.connections = 0
        """How many connections were let through to the server so far."""
        self.bytes_dropped = 0
        """How much of what the server said was dropped while deaf."""
        self._target_port = target_port
        self._is_cut = False
        self._is_deaf = False
        self._dropped_before = 0
        self._writers: set[asyncio.StreamWriter] = set()
        self._changed = threading.Condition()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="proxy", daemon=True)
        self._ready: threading.Event = threading.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def is_deaf(self) -> bool:
        """Whether what the server says is dropped."""
        return self._is_deaf

    def cut(self) -> None:
        """Reset every connection, and every new one until `mend`."""
        self._call(self._cut_now)

    def deafen(self) -> None:
        """From now on drop what the server says."""

        def deafen_now() -> None:
            self._is_deaf, self._dropped_before = True, self.bytes_dropped

        self._call(deafen_now)

    def mend(self) -> None:
        """Let new connections through again, both ways."""

        def mend_now() -> None:
            self._is_cut = self._is_deaf = False

        self._call(mend_now)

    def wait_dropped(self, seconds: float) -> None:
        """Return once something was dropped since `deafen`, or nobody is left to say anything."""

        def is_over() -> bool:
            return self.bytes_dropped > self._dropped_before or not self._writers

        with self._changed:
            assert self._changed.wait_for(is_over, seconds), "the server said nothing"

    def _call(self, step: object) -> None:
        async def run() -> None:
            step()  # type: ignore[operator]

        asyncio.run_coroutine_threadsafe(run(), self._loop).result(10)

    def _cut_now(self) -> None:
        self._is_cut = True
        for writer in list(self._writers):
            _reset(writer)

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._listen())
        self._loop.run_forever()

    async def _listen(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port: int = self._server.sockets[0].getsockname()[1]
        self._ready.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._is_cut:
            _reset(writer)
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            _reset(writer)
            return
        self.connections += 1
        pair = {writer, far_writer}
        self._writers |= pair
        pumps = [
            asyncio.ensure_future(self._pump(reader, far_writer, says_server=False)),
            asyncio.ensure_future(self._pump(far_reader, writer, says_server=True)),
        ]
        await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
        for pump in pumps:
            pump.cancel()
        with self._changed:
            self._writers -= pair
            self._changed.notify_all()
        for each in pair:
            each.close()

    async def _pump(
        self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, says_server: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while block := await source.read(BLOCK):
                if says_server and self._is_deaf:
                    with self._changed:
                        self.bytes_dropped += len(block)
                        self._changed.notify_all()
                    continue
                target.write(block)
                await target.drain()

    def __enter__(self) -> CuttableProxy:
        self._thread.start()
        assert self._ready.wait(10)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        async def close() -> None:
            self._server.close()
            for writer in list(self._writers):
                _reset(writer)
            # With their wires reset the tasks end by themselves.
            others = asyncio.all_tasks() - {asyncio.current_task()}
            if others:
                await asyncio.wait(others, timeout=5)

        asyncio.run_coroutine_threadsafe(close(), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST: no goodbye, as when a cable is pulled and put back."""
    line: socket.socket | None = writer.get_extra_info("socket")
    if line is not None:
        with contextlib.suppress(OSError):
            line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
