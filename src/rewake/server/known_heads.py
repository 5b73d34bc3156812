"""Known heads: what the parser said of heads of plain calls, for when the same bytes come again.

Floor 7, `server`. A client says the same with each call but for the length of its body, and parsing that
takes longer than the answer. There is no second parser here: a head is known when the parser itself has read
one of the very same bytes, from the beginning of a request to the end of its head; only the digits of
`Content-Length`, on a line of its own, may be others.

    the parser read it -> learn(piece, head)          the next piece -> find(piece) -> (head, body), or None
      `- the same connection says the same again -> head.body(piece)

A piece is found only where it is one whole call and nothing else: where its last byte is the last of the
body. So whoever asks has to know that the parser stands between two requests, and it stands there still
afterwards.

Not here: which calls are plain (`quick_http.py`). Source: RFC 9112, 6.3.
"""

from __future__ import annotations

import msgspec

from rewake.http_api import CallHead

HEADS_MAX = 1024
"""So many are remembered, the oldest go first: some for each program that calls, or each of its users."""
HEAD_BYTES_MAX = 4 * 1024
"""A longer one is parsed each time."""

_END = b"\r\n\r\n"
_LENGTHS = (b"\r\nContent-Length: ", b"\r\ncontent-length: ")
"""As browsers and libraries write it."""


class KnownHead(msgspec.Struct, frozen=True, gc=False):
    """One head, apart from the digits of its length."""

    head: CallHead
    """What the parser made of it."""
    body_bytes_max: int
    before: bytes
    """Up to the digits."""
    after: bytes
    """From there to the end, with the empty line."""

    def body(self, data: bytes) -> bytes | None:
        """The body of the call that `data` is, where it has this head: what `KnownHeads.find` says of who
        says the same again.
        """
        before, after = self.before, self.after
        if not data.startswith(before):
            return None
        begin = len(before)
        stop = data.find(b"\r", begin)
        if not data.startswith(after, stop):
            return None
        body = data[stop + len(after) :]
        return body if _is_length(data[begin:stop], body, bytes_max=self.body_bytes_max) else None


class KnownHeads:
    """The heads that were seen at one listener."""

    def __init__(self, *, body_bytes_max: int) -> None:
        """A call with a larger body is not found."""
        self._body_bytes_max = body_bytes_max
        self._heads: dict[tuple[bytes, bytes, str], KnownHead] = {}

    def __len__(self) -> int:
        return len(self._heads)

    def find(self, data: bytes, address: str) -> tuple[KnownHead, bytes] | None:
        """The head and the body of the call that `data` is, where its head is known from this address."""
        parts = _parts(data)
        if parts is None:
            return None
        before, digits, after, body = parts
        known = self._heads.get((before, after, address))
        if known is None or not _is_length(digits, body, bytes_max=self._body_bytes_max):
            return None
        return known, body

    def learn(self, data: bytes, address: str, head: CallHead) -> None:
        """Remember `head`, where `data` was one call and nothing else. It is what the parser made of the
        first that it found whole in `data`, with which a request begins.
        """
        if head.request_id is not None:
            return  # It has another each time.
        parts = _parts(data)
        if parts is None or not data.startswith(b"POST "):
            return
        before, digits, after, body = parts
        if len(before) + len(digits) + len(after) > HEAD_BYTES_MAX:
            return
        if not _is_length(digits, body, bytes_max=self._body_bytes_max):
            return
        heads = self._heads
        heads[before, after, address] = KnownHead(head, self._body_bytes_max, before, after + _END)
        if len(heads) > HEADS_MAX:
            del heads[next(iter(heads))]


def _is_length(digits: bytes, body: bytes, *, bytes_max: int) -> bool:
    """Whether `digits` are the length of this body as clients write it, and no more than it may be."""
    size = len(body)
    return size <= bytes_max and digits == b"%d" % size


def _parts(data: bytes) -> tuple[bytes, bytes, bytes, bytes] | None:
    """The head up to its length, the digits of that, the rest of the head, and what comes behind it; None
    where the head is not whole or says no length.
    """
    end = data.find(_END)
    if end < 0:
        return None
    begin = data.find(_LENGTHS[0], 0, end)
    if begin < 0 and (begin := data.find(_LENGTHS[1], 0, end)) < 0:
        return None
    begin += len(_LENGTHS[0])
    stop = data.find(b"\r", begin, end + 1)
    return data[:begin], data[begin:stop], data[stop:end], data[end + len(_END) :]
