"""A transport that writes once: what is written to it within a turn of the event loop leaves in one piece.

Floor 7, `server`. uvicorn writes the head of a response and its body one after the other, and each write goes
to the kernel at once, where it costs more than everything else that is done for a small response. Here they
wait for each other, until the turn ends or whoever writes says that this was all.

    write(head), write(body) -> flush -> one write of the transport below

Large bodies are not copied. Not here: when a response is complete (`http_head.py`), sync sockets, which
gather by themselves (`sync/uvicorn_socket.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

_JOIN_BYTES_MAX = 32 * 1024
"""Up to this size, copying is cheaper than a scattered write, and more is not held back."""

_Bytes = bytes | bytearray | memoryview


class GatheringTransport(asyncio.Transport):
    """Stands in front of the transport of one connection."""

    def __init__(self, below: asyncio.Transport) -> None:
        super().__init__()
        self.below = below
        self.gathered: list[_Bytes] = []
        """What waits for `flush`."""
        self._size = 0

    # Writing.

    def write(self, data: _Bytes) -> None:
        """Write `data`, by the next turn of the loop."""
        if not data:
            return
        if not self.gathered:
            asyncio.get_running_loop().call_soon(self.flush)
        self.gathered.append(data)
        self._size += len(data)
        if self._size > _JOIN_BYTES_MAX:
            self.flush()

    def writelines(self, list_of_data: Iterable[_Bytes]) -> None:
        """Write several pieces."""
        for data in list_of_data:
            self.write(data)

    def write_through(self, head: bytes, body: bytes = b"") -> None:
        """Write what is all there is to write for now, in one piece and at once. Heads are small."""
        if self.gathered or len(body) > _JOIN_BYTES_MAX:
            self.writelines((head, body))
            self.flush()
        elif not self.below.is_closing():
            self.below.write(head + body)

    def flush(self) -> None:
        """Hand on what was gathered. Harmless when that was done."""
        if not self.gathered:
            return
        gathered, self.gathered = self.gathered, []
        size, self._size = self._size, 0
        if self.below.is_closing():
            return  # Nobody is left to read it.
        if size > _JOIN_BYTES_MAX:
            self.below.writelines(gathered)
        else:
            self.below.write(b"".join(gathered))

    def write_eof(self) -> None:
        """Write no more."""
        self.flush()
        self.below.write_eof()

    def can_write_eof(self) -> bool:
        """As the transport below."""
        return self.below.can_write_eof()

    def get_write_buffer_size(self) -> int:
        """Bytes that wait, here or below."""
        return self._size + self.below.get_write_buffer_size()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """As the transport below."""
        return self.below.get_write_buffer_limits()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """As the transport below."""
        self.below.set_write_buffer_limits(high, low)

    # The end.

    def close(self) -> None:
        """Close, after everything that was written."""
        self.flush()
        self.below.close()

    def abort(self) -> None:
        """Cut the connection; what waits is lost."""
        self.gathered, self._size = [], 0
        self.below.abort()

    def is_closing(self) -> bool:
        """As the transport below."""
        return self.below.is_closing()

    # Everything else is that of the transport below.

    def is_reading(self) -> bool:
        """As the transport below."""
        return self.below.is_reading()

    def pause_reading(self) -> None:
        """As the transport below."""
        self.below.pause_reading()

    def resume_reading(self) -> None:
        """As the transport below."""
        self.below.resume_reading()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """As the transport below."""
        self.below.set_protocol(protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """As the transport below."""
        return self.below.get_protocol()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As the transport below."""
        return self.below.get_extra_info(name, default)
