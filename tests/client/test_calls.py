"""Calls on their way. What happens in which order is `test_conversation.py`'s; here are the single steps."""

from __future__ import annotations

import json

import pytest

from rewake.client.calls import SENT_MAX, Calls
from rewake.client.errors import ConnectionLost
from rewake.client.incoming import ActionResponse, MutationResponse, ProtocolBroken, parse_server_message
from rewake.client.instructions import Outcome, Settle
from rewake.protocol import encode_ts


def response(number: int, kind: str = "Mutation", **fields: object) -> MutationResponse | ActionResponse:
    message = {"type": f"{kind}Response", "requestId": number, "success": True, "result": 7, "logLines": []}
    if kind == "Mutation":
        message["ts"] = encode_ts(5)
    parsed = parse_server_message(json.dumps(message | fields))
    assert isinstance(parsed, MutationResponse | ActionResponse)
    return parsed


def test_mutations_and_actions_share_one_count() -> None:
    calls = Calls()
    assert [calls.begin(kind, "m:f", "{}") for kind in ("Mutation", "Action", "Mutation")] == [0, 1, 2]
    assert [json.loads(text)["requestId"] for text in calls.due()] == [0, 2, 1]
    assert list(calls.due()) == []


def test_a_full_house_of_one_kind_does_not_hold_up_the_other() -> None:
    calls = Calls()
    for _ in range(SENT_MAX + 1):
        calls.begin("Action", "m:f", "{}")
    calls.begin("Mutation", "m:f", "{}")
    assert len(list(calls.due())) == SENT_MAX + 1
    calls.take(response(0, "Action"))
    assert len(list(calls.due())) == 1


def test_a_failure_settles_at_once_with_its_data() -> None:
    calls = Calls()
    calls.begin("Mutation", "m:f", "{}")
    list(calls.due())
    outcome = calls.take(response(0, success=False, result="no", ts=None, errorData=None, logLines=["x"]))
    assert outcome == Outcome("m:f", None, "no", b"null", ("x",))
    assert len(calls) == 0


def test_a_commit_waits_for_its_timestamp() -> None:
    calls = Calls()
    calls.begin("Mutation", "m:f", "{}")
    list(calls.due())
    assert calls.take(response(0)) == Outcome("m:f", b"7")
    assert list(calls.settle_until(4)) == []
    assert list(calls.settle_until(5)) == [Settle(0, Outcome("m:f", b"7"))]
    assert calls.take(response(0)) is None


def test_what_is_given_up_frees_its_place_and_is_not_sent_again() -> None:
    calls = Calls()
    for _ in range(3):
        calls.begin("Mutation", "m:f", "{}")
    list(calls.due())
    calls.give_up(0)
    calls.give_up(1)
    calls.give_up(9)
    assert calls.take(response(0)) is None
    assert calls.lose_socket() == []
    calls.begin_socket()
    assert [json.loads(text)["requestId"] for text in calls.due()] == [2]


def test_a_commit_that_is_given_up_settles_nobody() -> None:
    calls = Calls()
    calls.begin("Mutation", "m:f", "{}")
    list(calls.due())
    calls.take(response(0))
    calls.give_up(0)
    assert list(calls.settle_until(9)) == []


def test_actions_under_way_are_lost_with_the_socket() -> None:
    calls = Calls()
    calls.begin("Action", "m:f", "{}")
    list(calls.due())
    [settle] = calls.lose_socket()
    assert isinstance(settle.outcome, ConnectionLost)


def test_all_are_given_up_at_once() -> None:
    calls = Calls()
    for _ in range(2):
        calls.begin("Mutation", "m:f", "{}")
    list(calls.due())
    calls.give_up(0)
    assert calls.give_up_all() == [1]
    assert len(calls) == 0


def test_an_answer_of_the_other_kind_breaks_the_protocol() -> None:
    calls = Calls()
    calls.begin("Mutation", "m:f", "{}")
    list(calls.due())
    with pytest.raises(ProtocolBroken):
        calls.take(response(0, "Action"))


def test_old_calls_are_those_from_before_the_socket() -> None:
    calls = Calls()
    calls.begin("Mutation", "m:f", "{}")
    assert not calls.has_old
    calls.begin_socket()
    assert calls.has_old
    list(calls.due())
    calls.take(response(0))
    assert not calls.has_old
