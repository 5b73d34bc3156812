"""The entrance: who is told to come back, in which bytes, and that no parser would read them otherwise."""

from __future__ import annotations

import json
from typing import Any

import httptools
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from rewake.environment import Environment, ManualClock
from rewake.execution import Lane, Turnstile
from rewake.http_api import lane_at_turnstile
from rewake.limits import DEFAULT_LIMITS
from rewake.protocol import LOOPBACK
from rewake.server.entrance import Asked, Entrance, is_one_call
from rewake.tallies import Tallies

BODY = b'{"path":"notes:add","args":{},"format":"json"}'
CALL = (
    b"POST /api/mutation HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
)
PEER = "10.0.0.9"
PLAIN = lane_at_turnstile(PEER, "", ())


class Nobody:
    """Who waits at the turnstile and is never heard of again."""

    def begin(self) -> None:
        pass

    def turn_away(self, error: Any) -> None:
        pass


def crowded(*, origins: frozenset[str] | None = None, lane: Lane = PLAIN) -> Entrance:
    """An entrance at which so many wait in `lane` that one more of it is turned away."""
    clock = ManualClock()
    limits = replace(DEFAULT_LIMITS, queue_wait_seconds_max=0.1)
    ready: list[Any] = []
    turnstile = Turnstile(limits, Environment(clock=clock), soon=ready.append)
    while turnstile.has_room():
        pass
    while turnstile.refuses(lane) is None:
        turnstile.wait(Nobody(), lane)
    return Entrance(turnstile, proxies=LOOPBACK, tallies=Tallies(), origins=origins)


def unparsed(entrance: Entrance, data: bytes, lane: Lane) -> bytes | None:
    """As connections ask."""
    return entrance.refusal_unparsed(lane) if is_one_call(data) else None


def asked(url: bytes = b"/api/query", peer: str = PEER, **headers: str) -> Asked:
    told = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return Asked(url, told, peer, is_head=False, keeps_alive=True)


def parsed(answer: bytes) -> tuple[str, dict[str, str], bytes]:
    head, _, body = answer.partition(b"\r\n\r\n")
    line, *fields = head.decode().split("\r\n")
    headers = dict(field.split(": ", 1) for field in fields)
    assert len(headers) == len(fields)
    return line, headers, body


def test_the_answer_says_when_to_come_back_in_the_shape_of_all_errors() -> None:
    entrance = crowded()
    refusal = entrance.refusal(asked())
    assert refusal is not None
    assert not refusal.is_last
    line, headers, body = parsed(refusal.answer)
    assert line == "HTTP/1.1 503 Service Unavailable"
    assert headers["content-type"] == "application/json"
    assert int(headers["content-length"]) == len(body)
    told = json.loads(body)
    assert set(told) == {"code", "message"}
    assert told["code"] == "ServerFullError"
    assert f"try again in {headers['retry-after']} seconds" in told["message"]
    assert unparsed(entrance, CALL, PLAIN) == refusal.answer, "the same, with and without a parser"


def test_refusals_are_counted() -> None:
    entrance, tallies = crowded(), None
    for _ in range(3):
        entrance.refusal(asked())
    assert unparsed(entrance, CALL, PLAIN) is not None
    tallies = entrance._tallies
    assert tallies.refusals == {("http", "ServerFullError"): 4}
    assert tallies.responses == {503: 4}


@pytest.mark.parametrize(
    ("head", "is_last"),
    [
        ({}, False),
        ({"content_length": "1000"}, False),
        ({"content_length": "100000"}, True),
        ({"content_length": "-1"}, True),
        ({"transfer_encoding": "chunked"}, True),
        ({"content_length": "3", "expect": "100-continue"}, True),
    ],
)
def test_before_a_body_that_is_long_or_waits_for_our_word_the_connection_ends(
    head: dict[str, str], is_last: bool
) -> None:
    refusal = crowded().refusal(asked(**head))
    assert refusal is not None
    assert refusal.is_last is is_last
    assert (parsed(refusal.answer)[1].get("connection") == "close") is is_last


def test_a_client_that_keeps_no_connection_is_told_the_end_and_head_has_no_body() -> None:
    entrance = crowded()
    closing = entrance.refusal(asked()._replace(keeps_alive=False))
    assert closing is not None
    assert closing.is_last
    head = entrance.refusal(asked()._replace(is_head=True))
    assert head is not None
    assert parsed(head.answer)[2] == b""


def test_pages_may_read_it_where_they_may_call() -> None:
    open_to_all, named = crowded(), crowded(origins=frozenset({"https://mine.example"}))
    for entrance, origin, is_shown in [
        (open_to_all, "https://any.example", True),
        (named, "https://mine.example", True),
        (named, "https://any.example", False),
    ]:
        refusal = entrance.refusal(asked(origin=origin))
        assert refusal is not None
        headers = parsed(refusal.answer)[1]
        assert headers["vary"] == "Origin"
        assert headers["access-control-expose-headers"] == "Retry-After"
        assert headers.get("access-control-allow-origin") == (origin if is_shown else None)
    action = open_to_all.refusal(asked(b"/http/hook", origin="https://any.example"))
    assert action is not None
    assert "access-control-allow-origin" not in parsed(action.answer)[1], "authors say who may read there"


def test_a_flood_of_one_address_is_not_the_flood_of_others() -> None:
    entrance = crowded()
    for other in [
        asked(peer="10.0.0.10"),
        asked(authorization="Bearer me"),
        asked(b"/healthz"),
        asked(peer="127.0.0.1", x_forwarded_for="203.0.113.9"),
    ]:
        assert entrance.refusal(other) is None, other
    assert entrance.refusal(asked(peer="127.0.0.1", x_forwarded_for=PEER)) is not None
    assert entrance.refusal(asked(x_forwarded_for="203.0.113.9")) is not None, "no proxy that is trusted"


def test_made_up_tokens_are_few_lanes() -> None:
    entrance = crowded()
    lanes = {entrance.lane_of(asked(authorization=f"Bearer {n}")).name for n in range(1_000)}
    assert len(lanes) == 8


@pytest.mark.parametrize(
    "data",
    [
        CALL[:-1],
        CALL + b"P",
        CALL + CALL,
        CALL.replace(b"POST", b"GET"),
        CALL.replace(b"/api/", b"/http/"),
        CALL.replace(b"HTTP/1.1", b"HTTP/1.0"),
        CALL.replace(b"Host: here", b"Connection: close"),
        CALL.replace(b"Host: here", b"connection: Upgrade\r\nUpgrade: websocket"),
        CALL.replace(b"Host: here", b"TRANSFER-ENCODING: chunked"),
        CALL.replace(b"Host: here", b"Content-Length: 3"),
        CALL.replace(b"Host: here", b"content-length : 3"),
        CALL.replace(b"Host: here", b"Expect: 100-continue"),
        CALL.replace(b"Host: here", b"Authorization: Bearer me"),
        CALL.replace(b"Host: here", b"Origin: https://any.example"),
        CALL.replace(b"Host: here", b"X-Forwarded-For: 203.0.113.9"),
        CALL.replace(b"Host: here", b"Forwarded: for=203.0.113.9"),
        CALL.replace(b"Content-Length: %d" % len(BODY), b"Host: there"),
        b"\r\n" + CALL,
        b"",
    ],
)
def test_what_is_unusual_in_any_way_is_for_the_parser(data: bytes) -> None:
    entrance = crowded()
    assert unparsed(entrance, CALL, PLAIN) is not None
    assert unparsed(entrance, data, PLAIN) is None


class Heard:
    """What a parser says of bytes."""

    def __init__(self) -> None:
        self.begun = self.ended = 0
        self.body = b""

    def on_message_begin(self) -> None:
        self.begun += 1

    def on_body(self, body: bytes) -> None:
        self.body += body

    def on_message_complete(self) -> None:
        self.ended += 1


PIECES = st.sampled_from(
    [
        b"\r\n",
        b"\n",
        b" ",
        b"\t",
        b":",
        b"0",
        b"7",
        b"\x00",
        b"Content-Length: 7\r\n",
        b"Connection: keep-alive\r\n",
    ]
)


@given(st.lists(st.tuples(st.integers(0, len(CALL)), PIECES), max_size=4))
def test_what_is_refused_unparsed_a_parser_reads_as_one_whole_request_or_not_at_all(
    changes: list[tuple[int, bytes]],
) -> None:
    data = CALL
    for place, piece in changes:
        data = data[:place] + piece + data[place:]
    if unparsed(crowded_once(), data, PLAIN) is None:
        return
    heard = Heard()
    parser = httptools.HttpRequestParser(heard)
    try:
        parser.feed_data(data)
    except httptools.HttpParserError:
        return  # It would have been a 400: nobody is confused by a 503 and the next request.
    assert (heard.begun, heard.ended) == (1, 1)
    assert parser.should_keep_alive()
    assert not parser.should_upgrade()
    assert data.endswith(b"\r\n\r\n" + heard.body)


_CROWDED: list[Entrance] = []


def crowded_once() -> Entrance:
    if not _CROWDED:
        _CROWDED.append(crowded())
    return _CROWDED[0]
