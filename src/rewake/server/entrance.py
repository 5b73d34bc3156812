"""The entrance: who may come in when more requests arrive than the front begins in time.

Floor 7, `server`. Between the parser of a connection and the turnstile.

    bytes came ---> is_crowded? -> is_one_call? -> refusal_unparsed -> bytes of a 503, or None: parse it
    head parsed --> is_crowded? -> refusal(head) -----------> bytes of a 503, or None: he may wait

The answer is made of ready pieces, since it is given thousands of times a second, and who sends a whole call
in one piece is not even parsed: parsing is most of what a refusal costs. All that is unusual is parsed.
The answer has the shape of `http_api/errors.py`, and the headers by which a page may read it.

Not here: when that is (`execution/turnstile.py`), connections (`http_head.py`), lanes, and the same for an
application that is mounted (`http_api/turns.py`). Source: RFC 9110, 15.6.4.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import NamedTuple

from rewake.execution import Lane, Overloaded, Turnstile
from rewake.http_api import lane_at_turnstile
from rewake.protocol import FORWARDING_HEADERS, TrustedProxies
from rewake.tallies import Tallies

_HEAD_BYTES_MAX = 4 * 1024
"""A longer one is unusual."""
_BODY_BYTES_MAX = 64 * 1024
"""A body up to this size is read and thrown away, and the connection kept; before a larger one it ends."""


def _refusal(status: str, code: str, message: str) -> bytes:
    body = json.dumps({"code": code, "message": message}, separators=(",", ":")).encode()
    return (
        f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
        "connection: close\r\n\r\n"
    ).encode() + body


# Where a connection ends.
HEAD_TOO_LARGE = _refusal(
    "431 Request Header Fields Too Large", "RequestHeadTooLarge", "The headers of the request are too large."
)
TOO_MANY = _refusal(
    "429 Too Many Requests",
    "TooManyConcurrentRequests",
    "Too many connections are open. Try again in a moment.",
)
TOO_SLOW = _refusal("408 Request Timeout", "RequestTimeout", "The request took too long to arrive.")

_SHOWN = b"vary: Origin\r\naccess-control-expose-headers: Retry-After\r\n"
_SPECIAL = re.compile(
    rb"\n(?:transfer-encoding|expect|upgrade|connection:(?! *keep-alive\r)"
    rb"|authorization|origin|(?:x-)?forwarded)",
    re.IGNORECASE,
)
"""Headers that say something of framing, of the connection, or of who asks."""
_LENGTH = re.compile(rb"\ncontent-length: *([0-9]{1,5})\r", re.IGNORECASE)

Headers = list[tuple[bytes, bytes]]


class Asked(NamedTuple):
    """The head of a request."""

    url: bytes
    headers: Headers
    """With lowercase names."""
    peer: str
    is_head: bool
    keeps_alive: bool


class Refusal(NamedTuple):
    """An answer, and whether the connection ends with it."""

    answer: bytes
    is_last: bool


class Entrance:
    """The turnstile, as HTTP connections see it."""

    def __init__(
        self,
        turnstile: Turnstile,
        *,
        proxies: TrustedProxies,
        tallies: Tallies,
        origins: frozenset[str] | None = None,
    ) -> None:
        """`origins` are those whose pages may read the answer; None: all."""
        self.turnstile = turnstile
        self._proxies = proxies
        self._tallies = tallies
        self._told: tuple[Overloaded | None, bytes] = None, b""
        self._origins = None if origins is None else {origin.encode() for origin in origins}

    def refusal(self, asked: Asked) -> Refusal | None:
        """The answer for who would wait for too long; None for who may wait."""
        error = self.turnstile.refuses(self.lane_of(asked))
        return None if error is None else self.answer(error, asked)

    def refusal_unparsed(self, lane: Lane) -> bytes | None:
        """The answer to a usual call that came directly from the caller with `lane`, if it would wait for too
        long; None where it may wait.
        """
        error = self.turnstile.refuses(lane)
        return None if error is None else self.answer_unparsed(error)

    def answer_unparsed(self, error: Overloaded) -> bytes:
        """The answer to a usual call that is turned away."""
        self._count(error)
        if error is not self._told[0]:  # Of one lane and turn it is the same.
            head, body = _answer(error.code, error.message, error.retry_seconds or 1)
            self._told = error, b"%b%b\r\n%b" % (head, _SHOWN, body)
        return self._told[1]

    def answer(self, error: Overloaded, asked: Asked) -> Refusal:
        """The answer that says so."""
        self._count(error)
        is_last = not asked.keeps_alive or _has_long_body(asked.headers)
        head, body = _answer(error.code, error.message, error.retry_seconds or 1)
        if not asked.url.startswith(b"/http/"):  # Authors decide there who may read.
            head += self._shown_to(asked.headers)
        if is_last:
            head += b"connection: close\r\n"
        return Refusal(head + b"\r\n" + (b"" if asked.is_head else body), is_last)

    def lane_of(self, asked: Asked) -> Lane:
        """The lane of whoever asks."""
        address = asked.peer
        if any(name in FORWARDING_HEADERS for name, _ in asked.headers):
            told = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in asked.headers]
            address = self._proxies.caller(address, "http", told).address
        return lane_at_turnstile(address, asked.url.decode("latin-1"), asked.headers)

    def _count(self, error: Overloaded) -> None:
        self._tallies.responses[error.status] += 1
        self._tallies.refusals["http", error.code] += 1

    def _shown_to(self, headers: Headers) -> bytes:
        """Headers by which a page may read the answer, as `http_api/cors.py` gives them."""
        origin = next((value for name, value in headers if name == b"origin"), None)
        if origin is None or (self._origins is not None and origin not in self._origins):
            return _SHOWN
        return b"%baccess-control-allow-origin: %b\r\naccess-control-allow-credentials: true\r\n" % (
            _SHOWN,
            origin,
        )


@lru_cache(maxsize=1024)
def lane_of_address(address: str) -> Lane:
    """The lane of usual calls that come directly from `address`."""
    return lane_at_turnstile(address, "", ())


@lru_cache(maxsize=64)
def _answer(code: str, message: str, seconds: int) -> tuple[bytes, bytes]:
    """The part of a head that is the same for everybody, and the body: seconds are few."""
    body = json.dumps({"code": code, "message": message}).encode()
    head = "HTTP/1.1 503 Service Unavailable\r\ncontent-type: application/json\r\n"
    return f"{head}content-length: {len(body)}\r\nretry-after: {seconds}\r\n".encode(), body


def is_one_call(data: bytes) -> bool:
    """Whether `data` is one whole and usual call of the API and nothing else, beyond doubt."""
    head, found, body = data.partition(b"\r\n\r\n")
    return bool(found) and len(head) <= _HEAD_BYTES_MAX and _body_length(head) == len(body)


@lru_cache(maxsize=512)
def _body_length(head: bytes) -> int | None:
    """How long the body behind the head of a usual call is; None where that takes a parser. A client that
    comes back in a flood has the same head each time.
    """
    if not head.startswith(b"POST /api/") or _SPECIAL.search(head):
        return None
    line = head.partition(b"\r\n")[0]
    lengths = _LENGTH.findall(head + b"\r")
    is_framed = len(lengths) == 1 and head.lower().count(b"content-length") == 1
    return int(lengths[0]) if is_framed and line.endswith(b" HTTP/1.1") else None


def _has_long_body(headers: Headers) -> bool:
    """Whether a body follows that is too long to be read for nothing, or that waits for our word."""
    for name, value in headers:
        if name in (b"transfer-encoding", b"expect"):
            return True
        if name == b"content-length" and not (value.isdigit() and int(value) <= _BODY_BYTES_MAX):
            return True
    return False
