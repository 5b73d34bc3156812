"""Server messages: the shapes of wire 1.6, and chunks that join to what was cut."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewake.protocol import ZERO_VERSION, StateVersion
from rewake.protocol.server_messages import (
    MODIFICATION_HEAD,
    MODIFICATION_SEPARATOR,
    PING,
    TRANSITION_END,
    action_failed,
    action_succeeded,
    auth_error,
    clock_skew,
    fatal_error,
    json_string,
    json_strings,
    mutation_failed,
    mutation_succeeded,
    query_failed_tail,
    query_removed,
    query_updated_tail,
    transition_chunks,
    transition_head,
)

LINES = ("[LOG] 'hi'",)


def transition(*modifications: bytes, skew: int | None = -12) -> Any:
    """A Transition put together from its pieces, and read back."""
    head = transition_head(
        start=ZERO_VERSION,
        end=StateVersion(1, 0, 1_700_000_000_000_000_000),
        skew=clock_skew(skew),
        server_ns=1_700_000_000_012_345_678,
    )
    return json.loads(head + MODIFICATION_SEPARATOR.join(modifications) + TRANSITION_END)


def test_a_transition_has_every_field_that_clients_read() -> None:
    tail = query_updated_tail(value="[1.0]", log_lines=LINES, journal=None)
    assert transition(MODIFICATION_HEAD % 3 + tail, query_removed(4)) == {
        "type": "Transition",
        "startVersion": {"querySet": 0, "identity": 0, "ts": "AAAAAAAAAAA="},
        "endVersion": {"querySet": 1, "identity": 0, "ts": "AAAqNv6clxc="},
        "clientClockSkew": -12,
        "serverTs": 1_700_000_000_012_345_678,
        "modifications": [
            {"type": "QueryUpdated", "queryId": 3, "value": [1.0], "logLines": list(LINES), "journal": None},
            {"type": "QueryRemoved", "queryId": 4},
        ],
    }


def test_an_empty_transition_without_skew() -> None:
    message = transition(skew=None)
    assert message["modifications"] == []
    assert message["clientClockSkew"] is None


def test_error_data_is_present_only_where_there_is_some() -> None:
    bare = json.loads(
        MODIFICATION_HEAD % 0 + query_failed_tail(message="no", data=None, log_lines=(), journal="j")
    )
    assert bare == {
        "type": "QueryFailed",
        "queryId": 0,
        "errorMessage": "no",
        "logLines": [],
        "journal": "j",
    }
    null = json.loads(
        MODIFICATION_HEAD % 0 + query_failed_tail(message="", data="null", log_lines=(), journal=None)
    )
    assert null["errorData"] is None


def test_responses_to_mutations() -> None:
    assert json.loads(mutation_succeeded(0, result="null", ts=1, log_lines=LINES)) == {
        "type": "MutationResponse",
        "requestId": 0,
        "success": True,
        "result": None,
        "ts": "AQAAAAAAAAA=",
        "logLines": list(LINES),
    }
    assert json.loads(mutation_failed(1, message="no\n", data='{"a":1.0}', log_lines=())) == {
        "type": "MutationResponse",
        "requestId": 1,
        "success": False,
        "result": "no\n",
        "ts": None,
        "logLines": [],
        "errorData": {"a": 1.0},
    }


def test_responses_to_actions_have_no_ts() -> None:
    assert json.loads(action_succeeded(3, result='"ok"', log_lines=())) == {
        "type": "ActionResponse",
        "requestId": 3,
        "success": True,
        "result": "ok",
        "logLines": [],
    }
    assert json.loads(action_failed(3, message="no", data=None, log_lines=LINES)) == {
        "type": "ActionResponse",
        "requestId": 3,
        "success": False,
        "result": "no",
        "logLines": list(LINES),
    }


def test_last_messages() -> None:
    assert json.loads(auth_error(error="who?", base_version=2, update_attempted=True)) == {
        "type": "AuthError",
        "error": "who?",
        "baseVersion": 2,
        "authUpdateAttempted": True,
    }
    assert json.loads(fatal_error('"quoted"')) == {"type": "FatalError", "error": '"quoted"'}
    assert json.loads(PING) == {"type": "Ping"}


def test_a_lone_surrogate_in_a_text_becomes_a_replacement_character() -> None:
    assert json.loads(json_string("a\ud800b")) == "a\ufffdb"
    assert json.loads(json_strings(["\udfff", "plain"])) == ["\ufffd", "plain"]


@given(st.text())
def test_any_other_text_arrives_as_it_was(text: str) -> None:
    assert json.loads(json_string(text)) == text


@given(st.text(min_size=1), st.integers(4, 20))
def test_chunks_join_to_the_transition_and_stay_in_bounds(text: str, chunk_bytes: int) -> None:
    whole = text.encode()
    parts = [json.loads(part) for part in transition_chunks(whole, chunk_bytes=chunk_bytes)]
    assert "".join(part["chunk"] for part in parts) == text
    assert all(0 < len(part["chunk"].encode()) <= chunk_bytes for part in parts)
    assert [part["partNumber"] for part in parts] == list(range(len(parts)))
    assert {part["totalParts"] for part in parts} == {len(parts)}
    assert {part["transitionId"] for part in parts} == {str(len(whole))}
    assert {part["type"] for part in parts} == {"TransitionChunk"}


def test_a_chunk_must_hold_any_character() -> None:
    with pytest.raises(AssertionError):
        list(transition_chunks(b"{}", chunk_bytes=3))
