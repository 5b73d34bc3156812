"""Frames: one message of ours as the bytes of a websocket.

Floor 6, `sync`. Server frames carry no mask, so a message is a few bytes of head before its parts as they
are, and a part that thousands of sockets share is never copied for one of them. Large messages go out in
continuation frames: one frame above 16 MiB sends a Rust client into an endless reconnect loop (wire 1.9).

Not here: frames that arrive (`frame_reader.py`), how a message is deflated (`deflation.py`).
Source: RFC 6455, section 5.2.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import lru_cache

_TEXT = 0x1
_CLOSE, _PING, _PONG = 0x8, 0x9, 0xA
_CONTINUATION = 0x0
_FINAL = 0x80
_DEFLATED = 0x40
_CONTROL_BYTES_MAX = 125

JOIN_BYTES_MAX = 32 * 1024
"""Messages up to this size are joined before the write: copying is cheaper than a scattered write."""


def text_frames(
    parts: Sequence[bytes], size: int, *, frame_bytes_max: int, is_deflated: bool = False
) -> list[bytes | memoryview]:
    """Buffers to write for one text message made of `parts`, together `size` bytes long.

    A message that `is_deflated` says so in its first frame (RFC 7692, section 6).
    """
    first = _TEXT | _DEFLATED if is_deflated else _TEXT
    if size <= frame_bytes_max:
        return [_head(first | _FINAL, size) + parts[0], *parts[1:]]
    whole = memoryview(b"".join(parts))
    buffers: list[bytes | memoryview] = []
    for begin in range(0, size, frame_bytes_max):
        piece = whole[begin : begin + frame_bytes_max]
        opcode = first if begin == 0 else _CONTINUATION
        final = _FINAL if begin + frame_bytes_max >= size else 0
        buffers += (_head(opcode | final, len(piece)), piece)
    return buffers


@lru_cache(maxsize=4096)
def frame_head(size: int, *, is_deflated: bool = False) -> bytes:
    """The head of a text message of `size` bytes that goes out in one frame; most sizes come again."""
    return _head(_TEXT | _FINAL | (_DEFLATED if is_deflated else 0), size)


def pong_frame(payload: bytes) -> bytes:
    """The answer to a ping with this payload."""
    return _head(_PONG | _FINAL, len(payload)) + payload


def close_frame(code: int | None, reason: str = "") -> bytes:
    """A close frame; `code` None: one without status."""
    payload = b"" if code is None else struct.pack("!H", code) + reason.encode()
    return close_echo(payload[:_CONTROL_BYTES_MAX])


def close_echo(payload: bytes) -> bytes:
    """The answer to a close frame with this payload."""
    return _head(_CLOSE | _FINAL, len(payload)) + payload


def _head(first_byte: int, length: int) -> bytes:
    """The head of a frame without mask."""
    if length < 126:
        return bytes((first_byte, length))
    if length < 65536:
        return struct.pack("!BBH", first_byte, 126, length)
    return struct.pack("!BBQ", first_byte, 127, length)


PING_FRAME = _head(_PING | _FINAL, 0)
"""A ping without payload."""
