"""Frames: messages as parts of a stream.

Floor 3, `execution`. A frame is a length and a body. Nothing here does I/O: `FrameDecoder` is fed bytes in
any portions.

Not here: what the bodies say (`worker_messages.py`).
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence

FRAME_BYTES_MAX = 2**30
"""Far above any honest frame: a longer one means that the stream is out of step."""

_length = struct.Struct(">I")
_LENGTH_BYTES = _length.size
_unpack_length = _length.unpack_from
_pack_length = _length.pack


class PipeBroken(Exception):
    """What came through a pipe is no message."""


def framed(bodies: Iterable[bytes]) -> bytes:
    """Bodies as frames, one after the other."""
    parts: list[bytes] = []
    for body in bodies:
        parts += (_pack_length(len(body)), body)
    return b"".join(parts)


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
        stream: bytes | bytearray = data
        if self._buffer:
            self._buffer += data
            stream = self._buffer
        bodies = []
        position, size = 0, len(stream)
        while (begin := position + _LENGTH_BYTES) <= size:
            (length,) = _unpack_length(stream, position)
            if length > FRAME_BYTES_MAX:
                raise PipeBroken(f"a frame of {length} bytes")
            end = begin + length
            if end > size:
                break
            bodies.append(bytes(stream[begin:end]))
            position = end
        # Mostly whole frames come, and nothing is kept.
        if self._buffer:
            del self._buffer[:position]
        elif position < size:
            self._buffer += data[position:]
        return bodies
