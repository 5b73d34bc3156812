"""Client messages: the examples of wire 1.5, and every way to break one."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewake.protocol import (
    Action,
    Add,
    Authenticate,
    Connect,
    Event,
    InvalidMessage,
    ModifyQuerySet,
    Mutation,
    Remove,
    canonical_path,
    parse_client_message,
)

SESSION = "3f2b1c4e-8d5a-4f6b-9c7d-0a1b2c3d4e5f"


def connect(**changes: Any) -> str:
    """A Connect message with some fields changed."""
    fields = {
        "type": "Connect",
        "sessionId": SESSION,
        "connectionCount": 0,
        "lastCloseReason": "InitialConnect",
    }
    return json.dumps({**fields, **changes})


def test_connect_of_npm() -> None:
    message = parse_client_message(connect(clientTs=1_700_000_000_000, maxObservedTimestamp="AQAAAAAAAAA="))
    assert isinstance(message, Connect)
    assert message.session_id == UUID(SESSION)
    assert message.max_observed_timestamp == 1
    assert message.client_ts == 1_700_000_000_000


def test_connect_may_leave_out_or_null_what_is_optional() -> None:
    bare = parse_client_message(json.dumps({"type": "Connect", "sessionId": SESSION, "connectionCount": 3}))
    nulls = parse_client_message(
        connect(connectionCount=3, lastCloseReason=None, maxObservedTimestamp=None, clientTs=None)
    )
    assert bare == nulls


def test_a_session_id_in_capitals_is_the_same_session() -> None:
    message = parse_client_message(connect(sessionId=SESSION.upper()))
    assert isinstance(message, Connect)
    assert str(message.session_id) == SESSION


def test_modify_query_set_keeps_arguments_as_they_came() -> None:
    message = parse_client_message(
        '{"type":"ModifyQuerySet","baseVersion":0,"newVersion":1,"modifications":['
        '{"type":"Add","queryId":0,"udfPath":"messages:list","args":[{"limit": 10, "n":1.50}]},'
        '{"type":"Remove","queryId":7}]}'
    )
    assert isinstance(message, ModifyQuerySet)
    add, remove = message.modifications
    assert isinstance(add, Add)
    assert add.arguments == '{"limit": 10, "n":1.50}'
    assert canonical_path(add.udf_path) == "messages.js:list"
    assert remove == Remove(7)


@pytest.mark.parametrize(("name", "kind"), [("Mutation", Mutation), ("Action", Action)])
def test_calls(name: str, kind: type) -> None:
    message = parse_client_message(
        json.dumps({"type": name, "requestId": 4, "udfPath": "m.js:f", "args": [{}], "componentPath": "c"})
    )
    assert type(message) is kind
    assert isinstance(message, Mutation | Action)
    assert (message.request_id, message.arguments, message.component_path) == (4, "{}", "c")


@pytest.mark.parametrize("args", ["[]", "[{},{}]", "[[1],2]", "[[1]]"])
def test_a_wrong_number_of_arguments_is_left_to_the_function_to_refuse(args: str) -> None:
    message = parse_client_message('{"type":"Action","requestId":4,"udfPath":"m:f","args":' + args + "}")
    assert isinstance(message, Action)
    assert message.arguments == args


@pytest.mark.parametrize("field", ["impersonating", "acting_as"])
def test_authenticate_knows_both_names_of_the_user_to_act_as(field: str) -> None:
    message = parse_client_message(
        json.dumps(
            {
                "type": "Authenticate",
                "baseVersion": 0,
                "tokenType": "Admin",
                "value": "k",
                field: {"issuer": "i"},
            }
        )
    )
    assert isinstance(message, Authenticate)
    assert message.attributes == {"issuer": "i"}


def test_authenticate_none_needs_no_value() -> None:
    message = parse_client_message('{"type":"Authenticate","baseVersion":1,"tokenType":"None"}')
    assert message == Authenticate(base_version=1, token_type="None")


def test_events_may_contain_anything() -> None:
    assert parse_client_message('{"type":"Event","eventType":5,"event":[[]],"more":null}') == Event()
    assert parse_client_message('{"type":"Event"}') == Event()


def test_unknown_fields_are_ignored() -> None:
    assert parse_client_message(connect(future={"a": [1]})) == parse_client_message(connect())


@pytest.mark.parametrize(
    ("text", "detail"),
    [
        ("", ""),
        ("nonsense", "malformed"),
        ("[]", "Expected `object`"),
        ("{}", "type"),
        ('{"type":"Hello"}', "Hello"),
        ('{"type":7}', "type"),
        (connect(sessionId="me"), "sessionId"),
        (connect(connectionCount=-1), "connectionCount"),
        (connect(connectionCount=2**32), "connectionCount"),
        (connect(connectionCount="1"), "connectionCount"),
        (connect(maxObservedTimestamp="AQ=="), "maxObservedTimestamp"),
        (connect(maxObservedTimestamp=5), "maxObservedTimestamp"),
        (connect(clientTs="now"), "clientTs"),
        (
            '{"type":"Mutation","requestId":0,"udfPath":"a:b","args":[{"a":"cut \\ud83d"}]}',
            "a string holds \\ud83d, half of a surrogate pair",
        ),
        (connect(clientTs=1e300), "clientTs"),
        ('{"type":"Connect"}', "sessionId"),
        ('{"type":"Mutation","requestId":0,"udfPath":"a b","args":[{}]}', "not a valid path"),
        ('{"type":"Mutation","requestId":0,"udfPath":"a:b","args":{}}', "args"),
        ('{"type":"Mutation","requestId":0,"udfPath":"a:b"}', "args"),
        ('{"type":"Mutation","requestId":1.5,"udfPath":"a:b","args":[{}]}', "requestId"),
        ('{"type":"Authenticate","baseVersion":0,"tokenType":"User"}', "value"),
        ('{"type":"Authenticate","baseVersion":0,"tokenType":"Robot","value":""}', "Robot"),
        (
            '{"type":"ModifyQuerySet","baseVersion":0,"newVersion":1,"modifications":[{"type":"Swap"}]}',
            "Swap",
        ),
        ('{"type":"Mutation","requestId":0,"udfPath":"a:b","args":[{"a":nul}]}', "malformed"),
        (
            '{"type":"Mutation","requestId":0,"udfPath":"a:b","args":[%s]}' % ("[" * 9999 + "]" * 9999),
            "deeply",
        ),
    ],
)
def test_a_broken_message_says_what_is_wrong(text: str, detail: str) -> None:
    with pytest.raises(InvalidMessage) as caught:
        parse_client_message(text)
    assert caught.value.message.startswith("Received Invalid JSON on websocket: ")
    assert detail in caught.value.message
    assert caught.value.code == "WSMessageInvalidJson"


@given(st.text())
def test_no_text_breaks_the_parser(text: str) -> None:
    with pytest.raises(InvalidMessage):
        parse_client_message(text)


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=5))
def test_no_json_value_in_any_field_breaks_the_parser(value: Any) -> None:
    for message in (json.loads(connect()), {"type": "Mutation", "requestId": 0, "udfPath": "a", "args": []}):
        for field in message:
            try:
                parse_client_message(json.dumps({**message, field: value}))
            except InvalidMessage:
                pass
