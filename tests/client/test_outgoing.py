"""What the client sends is what the house reads: each text through the server's own parser."""

from __future__ import annotations

import json
from uuid import UUID

import pytest

from rewake import protocol
from rewake.client import outgoing
from rewake.protocol import parse_client_message

SESSION = "3f2b1c4e-8d5a-4f6b-9c7d-0a1b2c3d4e5f"


@pytest.mark.parametrize("observed", [None, 0, 2**63 - 1])
def test_connect(observed: int | None) -> None:
    text = outgoing.connect(
        session_id=SESSION, connection_count=2, close_reason="x", max_observed=observed, client_ms=5
    )
    message = parse_client_message(text)
    assert isinstance(message, protocol.Connect)
    assert message.session_id == UUID(SESSION)
    assert (message.connection_count, message.last_close_reason, message.client_ts) == (2, "x", 5)
    assert message.max_observed_timestamp == observed


def test_a_query_set_in_one_step() -> None:
    add = outgoing.add_query(3, path='m"x:f', arguments='{"é":1.0}', journal='j"')
    assert json.loads(add)["udfPath"] == 'm"x:f'
    add = outgoing.add_query(3, path="m:f", arguments='{"é":1.0}', journal='j"')
    text = outgoing.modify_query_set(base=1, new=2, modifications=[add, outgoing.remove_query(1)])
    message = parse_client_message(text)
    assert isinstance(message, protocol.ModifyQuerySet)
    assert (message.base_version, message.new_version) == (1, 2)
    first, second = message.modifications
    assert isinstance(first, protocol.Add)
    assert (first.query_id, protocol.canonical_path(first.udf_path), first.arguments, first.journal) == (
        3,
        "m.js:f",
        '{"é":1.0}',
        'j"',
    )
    assert second == protocol.Remove(1)


@pytest.mark.parametrize(("kind", "parsed"), [("Mutation", protocol.Mutation), ("Action", protocol.Action)])
def test_calls(kind: outgoing.CallKind, parsed: type[protocol.Mutation | protocol.Action]) -> None:
    message = parse_client_message(outgoing.call(kind, 4, path="m:f", arguments="{}"))
    assert isinstance(message, parsed)
    assert (message.request_id, message.udf_path, message.arguments) == (4, "m:f", "{}")


def test_identities() -> None:
    texts = [
        outgoing.authenticate_user(0, "t"),
        outgoing.authenticate_admin(1, "k", {"subject": "s", "issuer": "i"}),
        outgoing.authenticate_admin(2, "k", None),
        outgoing.authenticate_nobody(3),
    ]
    messages = [parse_client_message(text) for text in texts]
    assert all(isinstance(message, protocol.Authenticate) for message in messages)
    assert [(m.base_version, m.token_type, m.value, m.attributes) for m in messages] == [  # type: ignore[union-attr]
        (0, "User", "t", None),
        (1, "Admin", "k", {"subject": "s", "issuer": "i"}),
        (2, "Admin", "k", None),
        (3, "None", None, None),
    ]
