"""Frames: messages as parts of a stream.

Floor 3, `execution`. A frame is a length and a body. Nothing here does I/O: `FrameDecoder` is fed bytes in
any portions.

Not here: what the bodies say (`worker_messages.py`).
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

FRAME_BYTES_MAX = 2**30
"""Far above any honest frame: a longer one means that the stream is out of step."""

_length = struct.Struct(">I")


class PipeBroken(Exception):
    """What came through a pipe is no message."""


def framed(body: bytes) -> bytes:
    """A body as a frame."""
    return _length.pack(len(body)) + body


class FrameDecoder:
    """Cuts a stream into the bodies of its frames."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def is_between_frames(self) -> bool:
        """Whether the stream could end here in good order."""
        return not self._buffer

    def feed(self, data: bytes) -> Sequence[bytes]:
        """Take the next bytes of the stream; returns the bodies that they complete.

        Raises:
            PipeBroken: a frame says that it is longer than any can be.
        """
        if not self._buffer and len(data) >= _length.size:
            # Mostly one whole frame comes, and nothing else.
            (length,) = _length.unpack_from(data)
            if len(data) == _length.size + length <= FRAME_BYTES_MAX:
                return (data[_length.size :],)
        self._buffer += data
        bodies = []
        position = 0
        while len(self._buffer) - position >= _length.size:
            (length,) = _length.unpack_from(self._buffer, position)
            if length > FRAME_BYTES_MAX:
                raise PipeBroken(f"a frame of {length} bytes")
            end = position + _length.size + length
            if end > len(self._buffer):
                break
            bodies.append(bytes(self._buffer[position + _length.size : end]))
            position = end
        del self._buffer[:position]
        return bodies
