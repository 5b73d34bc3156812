"""Whose work it is: sessions, users, addresses and actions have lanes of their own."""

from __future__ import annotations

from rewake.auth import ANONYMOUS, User
from rewake.database import ReplayKey
from rewake.execution.calls import NO_SOURCE, CalledFrom, RequestSource
from rewake.execution.lanes import Lane, Standing, lane_of

HOME = RequestSource(ip="10.0.0.1", called_from=CalledFrom.HTTP_API)
OFFICE = RequestSource(ip="10.0.0.2", called_from=CalledFrom.HTTP_API)


def lane(source: RequestSource = HOME, *, user: str = "", session: str = "", request_id: str = "r") -> Lane:
    identity = User.from_attributes({"subject": user}) if user else ANONYMOUS
    return lane_of(identity, source, request_id=request_id, replay=ReplayKey(session, 1) if session else None)


def test_a_session_is_a_lane_wherever_and_whoever_it_is() -> None:
    assert lane(HOME, session="s") == lane(OFFICE, session="s", user="ann")
    assert lane(session="s") != lane(session="t")


def test_over_http_a_user_is_a_lane_and_without_one_an_address() -> None:
    assert lane(HOME, user="ann") == lane(OFFICE, user="ann") != lane(HOME, user="bob")
    assert lane(HOME) == lane(HOME, request_id="other") != lane(OFFICE)
    assert lane(NO_SOURCE) == lane(RequestSource(user_agent="x"))
    assert lane(HOME).standing is Standing.CALLER


def test_what_an_action_calls_has_the_lane_of_that_action_and_is_not_turned_away() -> None:
    source = RequestSource(ip="10.0.0.1", called_from=CalledFrom.ACTION)
    assert lane(source, request_id="a") == lane(source, request_id="a", user="ann")
    assert lane(source, request_id="a") != lane(source, request_id="b")
    assert lane(source).standing is Standing.BEGUN


def test_names_of_different_kinds_never_meet() -> None:
    assert len({lane(session="x").name, lane(user="x").name, lane(RequestSource(ip="x")).name}) == 3
