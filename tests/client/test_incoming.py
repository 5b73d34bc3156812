"""What a server says, parsed: what the house writes, and what nobody may."""

from __future__ import annotations

import msgspec
import pytest

from rewake.client import incoming
from rewake.client.incoming import ProtocolBroken, parse_server_message, parse_text, parse_ts, raw_bytes
from rewake.protocol import StateVersion, server_messages

ONE, TWO = StateVersion(0, 0, 0), StateVersion(1, 2, 2**63 - 1)


def test_what_the_house_writes_is_read() -> None:
    head = server_messages.transition_head(start=ONE, end=TWO, skew=b"-3", server_ns=10**18)
    updated = server_messages.query_updated_tail(value='{"a":1.0}', log_lines=["[LOG] 'é'"], journal="j")
    failed = server_messages.query_failed_tail(message="no", data="null", log_lines=[], journal=None)
    parts = [
        server_messages.MODIFICATION_HEAD % 4 + updated,
        server_messages.MODIFICATION_HEAD % 5 + failed,
        server_messages.query_removed(6),
    ]
    text = head + server_messages.MODIFICATION_SEPARATOR.join(parts) + server_messages.TRANSITION_END
    message = parse_server_message(text)
    assert isinstance(message, incoming.Transition)
    assert (message.start_version.state, message.end_version.state) == (ONE, TWO)
    assert message.client_clock_skew == -3
    first, second, third = message.modifications
    assert isinstance(first, incoming.QueryUpdated)
    assert (first.query_id, raw_bytes(first.value), first.journal) == (4, b'{"a":1.0}', "j")
    assert first.log_lines == ["[LOG] 'é'"]
    assert isinstance(second, incoming.QueryFailed)
    assert (second.error_message, raw_bytes(second.error_data)) == ("no", b"null")
    assert third == incoming.QueryRemoved(6)


def test_outcomes_of_calls_are_read() -> None:
    text = server_messages.mutation_succeeded(1, result="null", ts=7, log_lines=["x"])
    message = parse_server_message(text)
    assert isinstance(message, incoming.MutationResponse)
    assert (message.request_id, raw_bytes(message.result), parse_ts(message.ts)) == (1, b"null", 7)
    assert raw_bytes(message.error_data) is None
    message = parse_server_message(
        server_messages.action_failed(2, message='a "b"', data='{"c":1.0}', log_lines=[])
    )
    assert isinstance(message, incoming.ActionResponse)
    assert (parse_text(message.result), raw_bytes(message.error_data)) == ('a "b"', b'{"c":1.0}')


def test_the_other_messages_are_read() -> None:
    assert parse_server_message(server_messages.PING) == incoming.Ping()
    assert parse_server_message(server_messages.fatal_error("x")) == incoming.FatalError("x")
    text = server_messages.auth_error(error="x", base_version=3, update_attempted=False)
    assert parse_server_message(text) == incoming.AuthError(
        error="x", base_version=3, auth_update_attempted=False
    )


def test_unknown_fields_are_ignored() -> None:
    assert parse_server_message('{"type": "Ping", "more": 1}') == incoming.Ping()


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff",
        b'{"type": "TransitionChunk"}',
        b'{"type": "MutationResponse", "requestId": 1, "success": true, "result": 1}',
        b'{"type": "Transition"}',
    ],
)
def test_anything_else_breaks_the_protocol(text: bytes) -> None:
    with pytest.raises(ProtocolBroken):
        parse_server_message(text)


@pytest.mark.parametrize("text", [None, "", "AAAA", "not base64", "//////////8="])
def test_a_timestamp_that_is_none(text: str | None) -> None:
    with pytest.raises(ProtocolBroken):
        parse_ts(text)


def test_an_error_text_that_is_none() -> None:
    with pytest.raises(ProtocolBroken):
        parse_text(msgspec.Raw(b"1"))
