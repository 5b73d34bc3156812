"""Whatever is found is what the parser makes of the same bytes; and nothing is found but whole calls."""

from __future__ import annotations

import random
from typing import Any

import httptools
import pytest

from rewake.execution import NO_SOURCE
from rewake.http_api import CallHead
from rewake.protocol import UNKNOWN_CLIENT
from rewake.server.known_heads import HEAD_BYTES_MAX, HEADS_MAX, KnownHead, KnownHeads

PEER = "192.0.2.7"


def head(*, request_id: str | None = None) -> CallHead:
    return CallHead("/api/query", [], None, request_id, UNKNOWN_CLIENT, NO_SOURCE, b"")


HEAD = head()


def call(body: bytes = b"{}", *, length: object = None, lines: str = "Host: here", name: str = "") -> bytes:
    said = len(body) if length is None else length
    text = f"POST /api/query HTTP/1.1\r\n{lines}\r\n{name or 'Content-Length'}: {said}\r\nAccept: */*\r\n\r\n"
    return text.encode("latin-1") + body


def find(known: KnownHeads, data: bytes, address: str) -> tuple[CallHead, bytes] | None:
    """What is found, and would be where the same was said just before."""
    found = known.find(data, address)
    if found is None:
        return None
    assert found[0].body(data) == found[1]
    return found[0].head, found[1]


class Parsed:
    """What httptools makes of a piece: the requests in it."""

    def __init__(self, data: bytes) -> None:
        self.requests: list[tuple[Any, ...]] = []
        self.broke = False
        self.is_between = True
        self.parser = httptools.HttpRequestParser(self)
        try:
            self.parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self.broke = True

    def on_message_begin(self) -> None:
        self.url, self.headers, self.body, self.is_between = b"", [], b"", False

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        lengthless = [each for each in self.headers if each[0] != b"content-length"]
        told = self.parser.get_method(), self.url, self.parser.get_http_version(), lengthless, self.body
        self.requests.append(told)
        self.is_between = True

    @property
    def is_one_call(self) -> bool:
        """Whether it is one whole request and nothing else, of a length that it says."""
        return len(self.requests) == 1 and self.is_between and not self.broke


def test_a_head_is_known_with_another_length() -> None:
    known = KnownHeads(body_bytes_max=60_000)
    assert find(known, call(), PEER) is None
    known.learn(call(), PEER, HEAD)
    assert find(known, call(), PEER) == (HEAD, b"{}")
    assert find(known, call(b"x" * 60_000), PEER) == (HEAD, b"x" * 60_000)
    assert find(known, call(b""), PEER) == (HEAD, b"")
    assert find(known, call(), "192.0.2.8") is None
    assert find(known, call(lines="Host: there"), PEER) is None


def test_what_is_not_one_whole_call_is_not_found() -> None:
    known = KnownHeads(body_bytes_max=60_000)
    known.learn(call(), PEER, HEAD)
    found = known.find(call(), PEER)
    assert found is not None
    before = found[0]
    for data in (
        call()[:-1],
        call() + b"P",
        call() + call(),
        b"\r\n" + call(),
        call(length="+2"),
        call(length=" 2"),
        call(length="2 "),
        call(length="1_0", body=b"x" * 10),
        call(length="²"),
        call(length=""),
        call(length="0000000000002"),
        call(length="9" * 5_000),
        call(b"x" * 60_001),
        b"",
        b"\r\n\r\n",
        b"Content-Length: \r\n\r\n",
    ):
        assert find(known, data, PEER) is None, data
        assert before.body(data) is None, data


def test_a_head_that_has_not_come_whole_is_not_found_whatever_its_length_says() -> None:
    known = KnownHeads(body_bytes_max=60_000)
    last = b"POST /api/query HTTP/1.1\r\nHost: here\r\nContent-Length: "
    known.learn(last + b"2\r\n\r\n{}", PEER, HEAD)
    assert find(known, last + b"2\r\n\r\n{}", PEER) == (HEAD, b"{}")
    for digits in (b"%d" % number for number in range(2_000)):
        assert find(known, last + digits, PEER) is None, digits


def test_what_is_not_one_whole_call_is_not_learnt() -> None:
    known = KnownHeads(body_bytes_max=60_000)
    for data in (
        call() + call(),
        call()[:-1],
        b"GET" + call()[4:],
        call(lines="X: Content-Length: 2", name="X-Length"),
        call(lines="X: " + "y" * HEAD_BYTES_MAX),
        call(name="CONTENT-LENGTH"),
        b"",
    ):
        known.learn(data, PEER, HEAD)
        assert len(known) == 0, data
    known.learn(call(), PEER, head(request_id="mine"))
    assert len(known) == 0


def test_the_oldest_goes() -> None:
    known = KnownHeads(body_bytes_max=60_000)
    pieces = [call(lines=f"Host: number-{number}") for number in range(HEADS_MAX + 1)]
    for data in pieces:
        known.learn(data, PEER, HEAD)
    assert len(known) == HEADS_MAX
    assert find(known, pieces[0], PEER) is None
    assert find(known, pieces[1], PEER) == (HEAD, b"{}")


PARTS = [
    b"POST /api/query HTTP/1.1",
    b"\r\n",
    b"\r\n",
    b"\r\n\r\n",
    b"\n",
    b"\r",
    b"Content-Length: ",
    b"content-length: ",
    b"Content-Length:",
    b"Transfer-Encoding: chunked",
    b"X: Content-Length: 2",
    b"Host: here",
    b" folded",
    b"2",
    b"02",
    b"0",
    b"12",
    b"{}",
    b"GET / HTTP/1.1",
    b"\x00",
]


def near(chance: random.Random) -> bytes:
    """A call with something changed."""
    lines = chance.choice(["Host: here", "X: Content-Length: 2", "A: b\r\nC: d", "x: y\r\n folded"])
    body = chance.choice([b"", b"{}", b"\r\n\r\n{}", b"\r\nContent-Length: 2\r\n\r\n{}", b"x" * 12])
    name = chance.choice(["Content-Length", "content-length", "Content-length"])
    data = call(body, lines=lines, name=name)
    for _ in range(chance.choice([0, 0, 1, 1, 2])):
        at = chance.randrange(len(data) + 1)
        cut = chance.choice([0, 0, 1, 2, 5])
        data = data[:at] + chance.choice(PARTS) + data[at + cut :]
    return data


@pytest.mark.parametrize("seed", range(5))
def test_the_parser_agrees(seed: int) -> None:
    chance = random.Random(seed)
    known = KnownHeads(body_bytes_max=60_000)
    learnt: dict[int, tuple[Any, ...]] = {}
    heads: list[CallHead] = []
    seen: list[KnownHead] = []
    found = 0
    for _ in range(4_000):
        data = near(chance)
        told = find(known, data, PEER)
        again = [each for each in seen if each.body(data) is not None]
        # A connection that heard one of these before says of the same pieces that they are calls.
        assert all(told is not None and each.head is told[0] for each in again), (seed, data)
        assert again or told is None or all(each.head is not told[0] for each in seen), (seed, data)
        parsed = Parsed(data)
        if told is not None:
            found += 1
            if len(seen) < 50 and not again:
                seen.append(known.find(data, PEER)[0])  # type: ignore[index]
            assert parsed.is_one_call, (seed, data)
            ((*request, body),) = parsed.requests
            assert request == list(learnt[id(told[0])]), (seed, data)
            assert body == told[1], (seed, data)
        elif parsed.requests and parsed.requests[0][0] == b"POST":
            # As the connection does: the first request of a piece that ended in it.
            mine = head()
            before = len(known)
            known.learn(data, PEER, mine)
            if len(known) > before:
                assert parsed.is_one_call, (seed, data)
                heads.append(mine)
                learnt[id(mine)] = parsed.requests[0][:-1]
    assert found > 100, seed
