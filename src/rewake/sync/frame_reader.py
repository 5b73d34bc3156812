"""The frame reader: from the bytes of a socket to what its client said.

Floor 6, `sync`. A plain state machine for the server's side of RFC 6455: bytes in, messages and control
frames out. Between two messages it holds nothing but a few fields: sockets are many, and mostly quiet.
Compressed messages are inflated to at most the size that a message may have, so that a few bytes cannot
become gigabytes.

    receive(bytes) -> texts, BINARY, Ping, PONG, Hangup, and as the last of all a Breach
    text(bytes) -> one text, where that is all there is: most messages come in a piece of their own

What it refuses, with the code of the close frame: a breach of the protocol 1002, text that is no UTF-8 or
does not inflate 1007, a message over the bound 1009. After a hangup or a breach nothing more is heard.

Not here: frames that leave (`frames.py`), what compression was agreed on (`deflation.py`).
Source: RFC 6455, sections 5 and 7.4; RFC 7692, section 7.2.2.
"""

from __future__ import annotations

import zlib
from enum import Enum
from typing import NamedTuple

from websockets.exceptions import ProtocolError
from websockets.frames import Close

try:
    from websockets.speedups import apply_mask
except ImportError:  # Where it was installed without its part in C.
    from websockets.utils import apply_mask

_CONTINUATION, _TEXT, _BINARY, _CLOSE, _PING, _PONG = 0x0, 0x1, 0x2, 0x8, 0x9, 0xA
_FINAL, _RSV1, _RSV_OTHERS = 0x80, 0x40, 0x30
_MASKED = 0x80
_SHORT_HEAD, _LENGTH_OF_TWO = 6, 126
"""A head with a mask and a length below 126; the length that says that two bytes of length follow."""
_CONTROL_BYTES_MAX = 125
_PROTOCOL_ERROR, _INVALID_DATA, _TOO_BIG = 1002, 1007, 1009
_FLUSH = b"\x00\x00\xff\xff"
"""What RFC 7692 cuts off the end of a compressed message."""
_WINDOW_BITS_MAX = 15


class Noise(Enum):
    """What is heard and says nothing."""

    BINARY = "binary"
    """A binary message began. Its contents are not kept."""
    PONG = "pong"


class Ping(NamedTuple):
    """A ping, to be answered with the same payload."""

    payload: bytes


class Hangup(NamedTuple):
    """A close frame, to be answered with the same payload."""

    payload: bytes


class Breach(NamedTuple):
    """The client broke the rules: close with this code."""

    code: int
    reason: str


Heard = str | Noise | Ping | Hangup | Breach


class _Broken(Exception):
    """Ends the reading; carries the breach."""

    def __init__(self, code: int, reason: str) -> None:
        self.breach = Breach(code, reason)


class FrameReader:
    """What one client sends."""

    __slots__ = ("_inflates", "_is_over", "_message", "_message_bytes_max", "_opening", "_rest", "_wanted")

    def __init__(self, *, message_bytes_max: int, inflates: bool = False) -> None:
        """`inflates` says whether compression was agreed on."""
        self._message_bytes_max = message_bytes_max
        self._inflates = inflates
        self._rest: bytearray | None = None  # A frame that has not come whole: all by `receive`.
        self._wanted = 0  # How long it must be before another look is worth while.
        self._opening: int | None = None  # First byte of a message in several frames; None between messages.
        self._message: bytearray | None = None  # What has come of that message, where it is text.
        self._is_over = False  # Set by a hangup or a breach.

    def text(self, data: bytes) -> str | None:
        """The text, where `data` is one message in one frame and nothing else, as most of what comes is; else
        None, and `receive` is to be asked.
        """
        if self._rest is not None or self._opening is not None or self._is_over or len(data) < _SHORT_HEAD:
            return None
        length, start = data[1] - _MASKED, _SHORT_HEAD
        if length == _LENGTH_OF_TWO:
            length, start = int.from_bytes(data[2:4], "big"), start + 2
        elif length > _LENGTH_OF_TWO:
            return None
        # Where there is no mask the length is negative; a text without characters is left to `receive`, too.
        if data[0] != _FINAL | _TEXT or length < 1 or len(data) != start + length:
            return None
        if length > self._message_bytes_max:
            return None
        try:
            return apply_mask(data[start:], data[start - 4 : start]).decode()
        except UnicodeDecodeError:
            return None

    def receive(self, data: bytes) -> list[Heard]:
        """Take in bytes as they come; returns what became whole with them."""
        if self._is_over:
            return []
        whole: bytes | bytearray = data
        if self._rest is not None:
            self._rest += data
            if len(self._rest) < self._wanted:
                return []
            whole = self._rest
        heard: list[Heard] = []
        try:
            taken = self._frames(whole, heard)
        except _Broken as broken:
            heard.append(broken.breach)
            self._end()
            return heard
        if heard and isinstance(heard[-1], Hangup):
            self._end()
        elif taken == len(whole):
            self._rest = None
        elif whole is self._rest:
            del self._rest[:taken]
        else:
            self._rest = bytearray(whole[taken:])
        return heard

    def _frames(self, data: bytes | bytearray, heard: list[Heard]) -> int:
        """Take all whole frames at the beginning of `data`; how many bytes they were."""
        begin, end = 0, len(data)
        while begin < end:
            self._wanted = 2
            if end - begin < 2:
                break
            first, second = data[begin], data[begin + 1]
            length, start = second & 0x7F, begin + 6
            if length >= 126:
                start += 2 if length == 126 else 8
                self._wanted = start - 4 - begin
                if end < start - 4:
                    break
                length = int.from_bytes(data[begin + 2 : start - 4], "big")
            self._check_head(first, second, length)
            self._wanted = start - begin + length
            if end < start + length:
                break
            payload = apply_mask(data[start : start + length], data[start - 4 : start]) if length else b""
            begin = start + length
            self._frame(first, payload, heard)
            if first & 0x0F == _CLOSE:
                break
        return begin

    def _check_head(self, first: int, second: int, length: int) -> None:
        opcode = first & 0x0F
        if not second & 0x80:
            raise _Broken(_PROTOCOL_ERROR, "incorrect masking")
        # A compressed message says so in its first frame, and only there.
        may_compress = self._inflates and opcode in (_TEXT, _BINARY)
        if first & _RSV_OTHERS or (first & _RSV1 and not may_compress):
            raise _Broken(_PROTOCOL_ERROR, "reserved bits must be 0")
        if opcode >= _CLOSE:
            if opcode > _PONG:
                raise _Broken(_PROTOCOL_ERROR, "invalid opcode")
            if length > _CONTROL_BYTES_MAX:
                raise _Broken(_PROTOCOL_ERROR, "control frame too long")
            if not first & _FINAL:
                raise _Broken(_PROTOCOL_ERROR, "fragmented control frame")
            return
        if opcode > _BINARY:
            raise _Broken(_PROTOCOL_ERROR, "invalid opcode")
        if opcode == _CONTINUATION and self._opening is None:
            raise _Broken(_PROTOCOL_ERROR, "unexpected continuation frame")
        if opcode != _CONTINUATION and self._opening is not None:
            raise _Broken(_PROTOCOL_ERROR, "expected a continuation frame")
        if length + len(self._message or b"") > self._message_bytes_max:
            raise self._too_big()

    def _frame(self, first: int, payload: bytes, heard: list[Heard]) -> None:
        """Act on one whole frame whose head was checked."""
        opcode = first & 0x0F
        if opcode == _TEXT and first & _FINAL:
            heard.append(self._text(payload, first))
        elif opcode == _PING:
            heard.append(Ping(payload))
        elif opcode == _PONG:
            heard.append(Noise.PONG)
        elif opcode == _CLOSE:
            self._check_hangup(payload)
            heard.append(Hangup(payload))
        else:
            self._part(opcode, first, payload, heard)

    def _part(self, opcode: int, first: int, payload: bytes, heard: list[Heard]) -> None:
        """A frame of a message in several, or of a binary one."""
        if opcode == _BINARY:
            heard.append(Noise.BINARY)
        if opcode != _CONTINUATION:
            self._opening = first
            self._message = bytearray() if opcode == _TEXT else None
        opening, message = self._opening, self._message
        assert opening is not None
        if message is not None:
            message += payload
        if first & _FINAL:
            self._opening = self._message = None
            if message is not None:
                heard.append(self._text(bytes(message), opening))

    def _text(self, payload: bytes, first: int) -> str:
        if first & _RSV1:
            payload = self._inflate(payload)
        try:
            return payload.decode()
        except UnicodeDecodeError:
            # RFC 6455, section 8.1.
            raise _Broken(_INVALID_DATA, "invalid UTF-8") from None

    def _inflate(self, payload: bytes) -> bytes:
        """A compressed message as it was. Whatever it is made of, no more comes out than may."""
        bound = self._message_bytes_max
        try:
            # The client keeps no window from message to message, so neither do we.
            text = zlib.decompressobj(-_WINDOW_BITS_MAX).decompress(payload + _FLUSH, bound + 1)
        except zlib.error:
            raise _Broken(_INVALID_DATA, "decompression failed") from None
        if len(text) > bound:
            raise self._too_big()
        return text

    def _check_hangup(self, payload: bytes) -> None:
        try:
            Close.parse(payload)
        except ProtocolError as error:
            raise _Broken(_PROTOCOL_ERROR, str(error)) from None
        except UnicodeDecodeError:
            raise _Broken(_INVALID_DATA, "invalid UTF-8") from None

    def _too_big(self) -> _Broken:
        return _Broken(_TOO_BIG, f"over size limit of {self._message_bytes_max} bytes")

    def _end(self) -> None:
        self._is_over = True
        self._rest = self._message = None
