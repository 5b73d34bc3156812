"""Deflation: what permessage-deflate agrees on, and messages made smaller once for all who receive them.

Floor 6, `sync`. Neither side keeps a window from message to message: a window takes more memory than all the
rest of a quiet socket. So a deflated text depends on nothing but itself, and the result that thousands of
sockets share is deflated once. A whole message is made of pieces that lie at byte borders:

    head of this socket   shared tail     end
    stored as it is       deflated once   stored as it is, and a flush without its last four bytes

    agree(offers) -> Agreement | None         Deflater.message(parts, size, bits) -> smaller parts | None

Not here: frames (`frames.py`), messages that arrive (`frame_reader.py`).
Source: RFC 7692; RFC 1951, section 3.2.4.
"""

from __future__ import annotations

import struct
import zlib
from collections import OrderedDict, deque
from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

from rewake.limits import MIB

WINDOW_BITS_MAX = 15
_WINDOW_BITS = [str(bits) for bits in range(8, WINDOW_BITS_MAX + 1)]
"""What may be offered. zlib has no window of 8 bits for a stream without a head."""
_NAME = "permessage-deflate"
_OFFERS_LENGTH_MAX = 512
_LEVEL, _MEMORY_LEVEL = 3, 5
"""Measured with 50 rows: beside level 6 and 8, half the time or less for 2 % more bytes."""
_PIECE_BYTES_MIN = 256
"""A shorter piece is stored: it would hardly get smaller."""
_MESSAGE_BYTES_MAX = 1 * MIB
"""The event loop waits while a message is deflated: above this, for tens of milliseconds."""
_REMEMBERED_BYTES_MAX = 4 * MIB


class Agreement(NamedTuple):
    """What client and server agreed on."""

    window_bits: int
    """How far back we may refer."""
    answer: str
    """The server's `Sec-WebSocket-Extensions`."""


@lru_cache(maxsize=64)
def agree(offers: str) -> Agreement | None:
    """The agreement with a client that sent `offers` as its `Sec-WebSocket-Extensions`; None: no compression.

    The first offer that can be met is taken. A header that cannot be read offers nothing.
    """
    if len(offers) > _OFFERS_LENGTH_MAX:
        return None
    for offer in offers.split(","):
        name, *parameters = (word.strip() for word in offer.split(";"))
        if name.lower() == _NAME and (agreement := _agree(parameters)) is not None:
            return agreement
    return None


def _agree(parameters: Sequence[str]) -> Agreement | None:
    """The agreement on one offer; None where it cannot be met. Source: RFC 7692, section 7.1."""
    bits = WINDOW_BITS_MAX
    answer = f"{_NAME}; server_no_context_takeover; client_no_context_takeover"
    seen: set[str] = set()
    for parameter in parameters:
        name, equals, value = (word.strip() for word in parameter.partition("="))
        value = value[1:-1] if len(value) >= 2 and value[0] == value[-1] == '"' else value
        if name in seen:
            return None
        seen.add(name)
        if name in ("server_no_context_takeover", "client_no_context_takeover"):
            is_met = not equals
        elif name == "client_max_window_bits":
            is_met = not equals or value in _WINDOW_BITS
        else:
            is_met = name == "server_max_window_bits" and value in _WINDOW_BITS and value != "8"
            if is_met:
                bits = int(value)
                answer += f"; server_max_window_bits={bits}"
        if not is_met:
            return None
    return Agreement(bits, answer)


class Deflater:
    """Makes the messages of one door smaller. Remembers what it did last: it is wanted again at once."""

    def __init__(self, *, message_bytes_min: int) -> None:
        """Messages below `message_bytes_min` stay as they are; 0 stands for all."""
        self._message_bytes_min = message_bytes_min
        self._remembered: OrderedDict[bytes, bytes] = OrderedDict()
        self._remembered_bytes = 0

    @property
    def is_on(self) -> bool:
        """Whether there is any compression at all."""
        return self._message_bytes_min > 0

    def message(self, parts: Sequence[bytes], size: int, bits: int) -> list[bytes] | None:
        """The payload of a compressed message with the text `parts`, `size` bytes long; None where that does
        not pay. `bits` is the window that its client allows for.
        """
        if not self._message_bytes_min <= size <= _MESSAGE_BYTES_MAX:
            return None
        pieces = self._pieces(parts) if bits == WINDOW_BITS_MAX else [_deflated(b"".join(parts), bits)]
        # The flush that RFC 7692, section 7.2.1 wants has one byte more than the four that are left out.
        pieces.append(b"\x00")
        return pieces if sum(map(len, pieces)) < size else None

    def _pieces(self, parts: Sequence[bytes]) -> list[bytes]:
        if len(parts) == 1:
            return [_deflated(parts[0], WINDOW_BITS_MAX)]
        pieces: list[bytes] = []
        plain: list[bytes] = []
        for part in parts:
            if len(part) < _PIECE_BYTES_MIN:
                plain.append(part)
                continue
            if plain:
                pieces += _own(b"".join(plain))
                plain = []
            pieces.append(self._shared(part))
        if plain:
            pieces += _own(b"".join(plain))
        return pieces

    def _shared(self, part: bytes) -> bytes:
        """A part that other sockets send, too."""
        remembered = self._remembered
        deflated = remembered.get(part)
        if deflated is not None:
            return deflated
        deflated = remembered[part] = _deflated(part, WINDOW_BITS_MAX)
        self._remembered_bytes += len(part) + len(deflated)
        while self._remembered_bytes > _REMEMBERED_BYTES_MAX:
            oldest, its = remembered.popitem(last=False)
            self._remembered_bytes -= len(oldest) + len(its)
        return deflated


def _deflated(text: bytes, bits: int) -> bytes:
    """`text` as blocks that end at a byte border and refer to nothing outside of themselves."""
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -bits, _MEMORY_LEVEL)
    return compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH)


def _own(text: bytes) -> list[bytes]:
    """What one socket alone sends: many small answers together, or no more than the head of a message."""
    size = len(text)
    if size >= 2 * _PIECE_BYTES_MIN:
        return [_deflated(text, WINDOW_BITS_MAX)]
    return [struct.pack("<BHH", 0, size, size ^ 0xFFFF), text]


class PlainCount:
    """How much waits in front of the kernel, counted as it was before it was made smaller.

    Whoever judges a slow reader counts in texts: what was handed in, less what still waits. Made for a socket
    when bytes come to wait, and given up when they are gone.
    """

    __slots__ = ("_done", "_ends", "_plain", "_wire")

    def __init__(self) -> None:
        # Running totals: of messages handed in, of each that waits, and of those that are out.
        self._wire = self._plain = 0
        self._ends: deque[tuple[int, int]] = deque()
        self._done = (0, 0)

    def wrote(self, *, wire: int, plain: int) -> None:
        """A message of `plain` bytes was handed in as `wire`."""
        self._wire += wire
        self._plain += plain
        self._ends.append((self._wire, self._plain))

    def unsent(self, wire: int) -> int:
        """How many bytes of text wait where `wire` bytes do. Of a message that has begun, what is out counts
        as text: too little, but it moves.
        """
        delivered = self._wire - wire
        while self._ends and self._ends[0][0] <= delivered:
            self._done = self._ends.popleft()
        done_wire, done_plain = self._done
        return max(wire, self._plain - done_plain - max(0, delivered - done_wire))
