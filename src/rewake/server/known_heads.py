"""Known heads: what the parser said of heads of plain calls, for when the same bytes come again.

Floor 7, `server`. A client says the same with each call but for the length of its body, and parsing that
takes longer than the answer. There is no second parser here: a head is known when the parser itself has read
one of the very same bytes, from the beginning of a request to the end of its head; only the digits of
`Content-Length`, on a line of its own, may be others.

    the parser read it -> learn(piece, head)          the next piece -> find(piece) -> (head, body), or None

A piece is found only where it is one whole call and nothing else: where its last byte is the last of the
body. So whoever asks has to know that the parser stands between two requests, and it stands there still
afterwards.

Not here: which calls are plain (`quick_http.py`). Source: RFC 9112, 6.3.
"""

from __future__ import annotations

from rewake.http_api import CallHead

HEADS_MAX = 1024
"""So many are remembered, the oldest go first: some for each program that calls, or each of its users."""
HEAD_BYTES_MAX = 4 * 1024
"""A longer one is parsed each time."""

_END = b"\r\n\r\n"
_LENGTHS = (b"\r\nContent-Length: ", b"\r\ncontent-length: ")
"""As browsers and libraries write it."""
_DIGITS_MAX = 6


class KnownHeads:
    """The heads that were seen at one listener."""

    def __init__(self, *, body_bytes_max: int) -> None:
        """A call with a larger body is not found."""
        self._body_bytes_max = body_bytes_max
        self._heads: dict[tuple[bytes, bytes, str], CallHead] = {}

    def __len__(self) -> int:
        return len(self._heads)

    def find(self, data: bytes, address: str) -> tuple[CallHead, bytes] | None:
        """The head and the body of the call that `data` is, where its head is known from this address."""
        end = data.find(_END)
        if end < 0:
            return None
        begin = data.find(_LENGTHS[0], 0, end)
        if begin < 0:
            begin = data.find(_LENGTHS[1], 0, end)
        begin += len(_LENGTHS[0])
        stop = data.find(b"\r", begin, end + 1)
        head = self._heads.get((data[:begin], data[stop:end], address))
        if head is None:
            return None
        body = data[end + len(_END) :]
        if len(body) > self._body_bytes_max or not _is_length(data[begin:stop], len(body)):
            return None
        return head, body

    def learn(self, data: bytes, address: str, head: CallHead) -> None:
        """Remember `head`, where `data` was one call and nothing else. It is what the parser made of the
        first that it found whole in `data`, with which a request begins.
        """
        if head.request_id is not None:
            return  # It has another each time.
        end = data.find(_END)
        begin = max(data.find(name, 0, end) for name in _LENGTHS) + len(_LENGTHS[0])
        stop = data.find(b"\r", begin, end + 1)
        if not data.startswith(b"POST ") or not 0 < end <= HEAD_BYTES_MAX or begin < len(_LENGTHS[0]):
            return
        if not _is_length(data[begin:stop], len(data) - end - len(_END)):
            return
        heads = self._heads
        heads[data[:begin], data[stop:end], address] = head
        if len(heads) > HEADS_MAX:
            del heads[next(iter(heads))]


def _is_length(digits: bytes, length: int) -> bool:
    return digits.isdigit() and len(digits) <= _DIGITS_MAX and int(digits) == length
