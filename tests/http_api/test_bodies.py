"""Reading bodies: content types, sizes, envelopes, and the text of arguments."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from rewake.http_api.bodies import CallBody, arguments_text, parse_json, read_body, read_json
from rewake.http_api.errors import BadJsonBody, BodyTooLarge, BodyTooSlow
from rewake.limits import Limits
from tests.http_api.fake_backend import FakeBackend, assert_error, caller

CALL = b'{"path":"m:f","args":{"n": 1}}'


def chunks(*parts: bytes, then_gone: bool = False) -> Receive:
    """A receive channel that gives `parts`, and then perhaps a client that went away."""
    messages: list[Message] = [
        {"type": "http.request", "body": part, "more_body": then_gone or index < len(parts) - 1}
        for index, part in enumerate(parts)
    ]
    if then_gone:
        messages.append({"type": "http.disconnect"})

    async def receive() -> Message:
        return messages.pop(0)

    return receive


def scope(**headers: str) -> Scope:
    pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    return {"type": "http", "headers": pairs}


def read(receive: Receive, *, bytes_max: int = 100, **headers: str) -> Any:
    limits = Limits(http_body_bytes_max=bytes_max)
    return asyncio.run(read_json(scope(**headers), receive, CallBody, limits))


def test_a_body_that_does_not_come_is_not_waited_for_for_ever() -> None:
    async def never() -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    limits = Limits(http_body_seconds_max=0.05)
    with pytest.raises(BodyTooSlow) as refused:
        asyncio.run(read_json(scope(content_type="application/json"), never, CallBody, limits))
    assert refused.value.status == 408


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate, gzip", "GZIP"])
def test_a_compressed_body_is_not_unpacked(encoding: str) -> None:
    with pytest.raises(BadJsonBody, match="compressed"):
        read(chunks(CALL), content_type="application/json", content_encoding=encoding)
    assert read(chunks(CALL), content_type="application/json", content_encoding="Identity").path == "m:f"


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json", "application/json;"],
)
def test_every_json_content_type_is_read(content_type: str) -> None:
    body = read(chunks(CALL), content_type=content_type)
    assert body.path == "m:f"
    assert bytes(body.args) == b'{"n": 1}'


@pytest.mark.parametrize(
    "content_type", ["text/plain", "application/jsonp", "text/json", "", "json", "text/x+json"]
)
def test_other_content_types_are_refused(content_type: str) -> None:
    # A page on another origin can post text/plain without a preflight; that must not call functions.
    with pytest.raises(BadJsonBody, match=r"^Expected request with `Content-Type: application/json`$"):
        read(chunks(CALL), content_type=content_type)


def test_a_body_may_come_in_pieces() -> None:
    body = read(chunks(CALL[:7], b"", CALL[7:]), content_type="application/json")
    assert body.path == "m:f"


def test_an_announced_size_is_refused_before_reading() -> None:
    with pytest.raises(BadJsonBody, match="larger than 10 bytes"):
        read(chunks(), content_type="application/json", content_length="11", bytes_max=10)


def test_a_size_that_was_not_announced_is_refused_while_reading() -> None:
    with pytest.raises(BadJsonBody, match="larger than 10 bytes"):
        read(chunks(b"x" * 6, b"x" * 6, b"never read"), content_type="application/json", bytes_max=10)


def test_a_body_of_exactly_the_limit_is_read() -> None:
    assert asyncio.run(read_body(scope(), chunks(b"x" * 10), bytes_max=10)) == b"x" * 10
    with pytest.raises(BodyTooLarge):
        asyncio.run(read_body(scope(), chunks(b"x" * 11), bytes_max=10))


def test_a_client_that_goes_away_is_no_body() -> None:
    with pytest.raises(ClientDisconnect):
        read(chunks(CALL[:7], then_gone=True), content_type="application/json")


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        (b"", "truncated"),
        (b"nonsense", "malformed"),
        (b"[]", "Expected `object`"),
        (b"null", "Expected `object`"),
        (b'{"path":"m:f"}', "missing required field `args`"),
        (b'{"path":1,"args":{}}', "Expected `str`"),
        (b'{"path":"\xff","args":{}}', "utf-8"),
        (b'{"path":"m:f","args":NaN}', "malformed"),
        (rb'{"path":"m:f","args":{"body":"cut \ud83d"}}', r"a string holds \ud83d, half of a surrogate pair"),
        (b'{"path":"m:f","args":' + b"[" * 100_000, "nested too deeply"),
    ],
)
def test_what_is_wrong_with_a_body_is_said(text: bytes, detail: str) -> None:
    with pytest.raises(BadJsonBody) as caught:
        parse_json(text, CallBody)
    assert detail in caught.value.message


def test_fields_that_we_do_not_know_are_ignored() -> None:
    assert parse_json(b'{"path":"m:f","args":{},"journal":[null]}', CallBody).path == "m:f"


@pytest.mark.parametrize("text", [b'{"n": 1}', b' { "n":1.5e3 } ', b"1", b'"x"', b"null"])
def test_arguments_keep_their_text(text: bytes) -> None:
    assert arguments_text(msgspec.Raw(text)) == text.strip().decode()
    assert arguments_text(msgspec.Raw(b"[ " + text + b" ]")) == text.strip().decode()
    assert arguments_text(msgspec.Raw(b"[[" + text + b"]]")) == f"[[{text.decode()}]]"


@pytest.mark.parametrize("text", [b"[]", b"[{},{}]"])
def test_an_array_of_arguments_has_one_element(text: bytes) -> None:
    with pytest.raises(BadJsonBody, match="an array of exactly one object"):
        arguments_text(msgspec.Raw(text))


def test_arguments_must_be_utf_8() -> None:
    with pytest.raises(BadJsonBody):
        arguments_text(msgspec.Raw(b'{"a":"\xff"}'))


def test_the_limit_of_the_operator_holds_at_the_door() -> None:
    ask = caller(FakeBackend())
    response = ask.post("/api/query", {"path": "values:same", "args": {"a": "x" * 70_000}})
    assert "larger than" in assert_error(response, 400, "BadJsonBody")
