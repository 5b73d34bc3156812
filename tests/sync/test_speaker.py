"""Who a socket speaks for, and what they may ask."""

from __future__ import annotations

import msgspec
import pytest

from rewake.auth import Admin, User
from rewake.protocol import Action, Mutation
from rewake.sync.faults import ComponentCallNotAllowed, TokenExpired
from rewake.sync.speaker import NOBODY, Speaker
from tests.sync.story import FakeFacts

CALL = Mutation(udf_path="m:f", args=[msgspec.Raw(b"{}")], request_id=1)
INNER = Action(udf_path="m:f", args=[msgspec.Raw(b"{}")], request_id=1, component_path="inner")
ADMIN = Admin()


@pytest.mark.parametrize("speaker", [NOBODY, Speaker(User("{}")), Speaker(ADMIN)])
def test_a_component_is_named_by_administrators_only(speaker: Speaker) -> None:
    facts = FakeFacts()
    assert speaker.refuses_call(CALL, facts) is None
    refusal = speaker.refuses_call(INNER, facts)
    assert isinstance(refusal, ComponentCallNotAllowed) == (speaker.identity is not ADMIN)


def test_a_token_that_has_ended_calls_nothing() -> None:
    facts = FakeFacts()
    speaker = Speaker(User("{}", expires_ns=facts.now_ns() + 10**9))
    assert speaker.refuses_call(CALL, facts) is None
    facts.clock.advance(1.0)
    assert speaker.has_expired(facts)
    assert isinstance(speaker.refuses_call(CALL, facts), TokenExpired)


def test_who_is_asked_for_holds_what_is_said_meanwhile() -> None:
    asked = NOBODY.checking()
    assert asked.held is not None
    asked.held.append(CALL)
    again = asked.checking()
    assert (NOBODY.held, again.held) == (None, type(asked.held)())
