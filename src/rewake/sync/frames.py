"""Frames: one message of ours as the bytes of a websocket.

Floor 6, `sync`. Server frames carry no mask, so a message is a few bytes of head before its parts as they
are, and a part that thousands of sockets share is never copied for one of them. Large messages go out in
continuation frames: one frame above 16 MiB sends a Rust client into an endless reconnect loop (wire 1.9).

Not here: frames that arrive; the `websockets` core parses those.
Source: RFC 6455, section 5.2.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

_TEXT = 0x1
_CONTINUATION = 0x0
_FINAL = 0x80


def text_frames(parts: Sequence[bytes], size: int, *, frame_bytes_max: int) -> list[bytes | memoryview]:
    """Buffers to write for one text message made of `parts`, together `size` bytes long."""
    if size <= frame_bytes_max:
        return [_head(_TEXT | _FINAL, size) + parts[0], *parts[1:]]
    whole = memoryview(b"".join(parts))
    buffers: list[bytes | memoryview] = []
    for begin in range(0, size, frame_bytes_max):
        piece = whole[begin : begin + frame_bytes_max]
        opcode = _TEXT if begin == 0 else _CONTINUATION
        final = _FINAL if begin + frame_bytes_max >= size else 0
        buffers += (_head(opcode | final, len(piece)), piece)
    return buffers


def _head(first_byte: int, length: int) -> bytes:
    """The head of a frame without mask."""
    if length < 126:
        return bytes((first_byte, length))
    if length < 65536:
        return struct.pack("!BBH", first_byte, 126, length)
    return struct.pack("!BBQ", first_byte, 127, length)
