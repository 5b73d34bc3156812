"""The picture: what happens on the way from one Transition to the next."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rewake.environment import seeded_environment
from rewake.execution import Success
from rewake.limits import DEFAULT_LIMITS
from rewake.protocol import ModifyQuerySet, parse_client_message
from rewake.sync.broadcast import Broadcast
from rewake.sync.faults import (
    BaseVersionMismatch,
    NewVersionTooLow,
    QueryIdMisused,
    TooManyQueries,
    WaveBroken,
)
from rewake.sync.picture import Picture
from rewake.sync.ports import LiveResult
from rewake.tallies import Tallies
from tests.sync.fake_backend import FakeBackend, FakeLiveResult


def step(base: int, new: int, *changes: int) -> ModifyQuerySet:
    """A change of the query set: positive ids are added, negative ones (after 1) removed."""
    modifications: list[dict[str, Any]] = [
        {"type": "Add", "queryId": change, "udfPath": "a:b", "args": [{}]}
        if change > 0
        else {"type": "Remove", "queryId": -change}
        for change in changes
    ]
    message = parse_client_message(
        json.dumps(
            {"type": "ModifyQuerySet", "baseVersion": base, "newVersion": new, "modifications": modifications}
        )
    )
    assert isinstance(message, ModifyQuerySet)
    return message


def finish(picture: Picture, ts: int, **results: str) -> list[int]:
    """End a wave; the query ids of the Transition. Results are named like `q1`."""
    updates = [(int(name[1:]), FakeLiveResult(Success(value))) for name, value in results.items()]
    rendered: list[LiveResult] = []

    def render(live: LiveResult) -> bytes:
        rendered.append(live)
        return b',"type":"QueryUpdated"}'

    parts = picture.finish_wave(ts, updates, render=render, skew=b"null", server_ns=0)
    return [each["queryId"] for each in json.loads(b"".join(parts))["modifications"]]


def test_steps_must_follow_each_other() -> None:
    picture = Picture()
    picture.modify(step(0, 2))
    with pytest.raises(
        BaseVersionMismatch, match="Base version 0 passed up doesn't match the current version 2"
    ):
        picture.modify(step(0, 3))
    with pytest.raises(NewVersionTooLow):
        picture.modify(step(2, 2))


def test_ids_live_from_add_to_the_confirmed_removal() -> None:
    picture = Picture()
    picture.modify(step(0, 1, 1))
    with pytest.raises(QueryIdMisused):
        picture.modify(step(1, 2, 1))
    picture.begin_wave()
    assert finish(picture, 5, q1="1.0") == [1]
    picture.modify(step(1, 3, -1))
    with pytest.raises(QueryIdMisused):
        picture.modify(step(3, 4, 1))
    with pytest.raises(QueryIdMisused):
        picture.modify(step(3, 4, -1))
    picture.begin_wave()
    assert finish(picture, 6) == [1]
    picture.modify(step(3, 4, 1))


def test_a_result_is_rendered_once_for_all_sessions() -> None:
    live = FakeLiveResult(Success("1.0"))
    rendered: list[LiveResult] = []

    def render(result: LiveResult) -> bytes:
        rendered.append(result)
        return b"}"

    for _ in range(3):
        picture = Picture()
        picture.modify(step(0, 1, 1))
        picture.begin_wave()
        picture.finish_wave(5, [(1, live)], render=render, skew=b"null", server_ns=0)
    assert rendered == [live]


def test_a_wave_owes_every_new_query_an_answer() -> None:
    picture = Picture()
    picture.modify(step(0, 1, 1, 2))
    picture.begin_wave()
    with pytest.raises(WaveBroken, match=r"\{2\}"):
        finish(picture, 5, q1="1.0")


def test_time_does_not_go_back() -> None:
    picture = Picture()
    picture.begin_wave()
    finish(picture, 5)
    picture.begin_wave()
    with pytest.raises(WaveBroken):
        finish(picture, 4)


def test_the_version_moves_to_what_the_wave_covered() -> None:
    picture = Picture()
    picture.modify(step(0, 3))
    picture.change_identity()
    picture.begin_wave()
    picture.modify(step(3, 4))
    picture.change_identity()
    finish(picture, 9)
    assert picture.version == (3, 1, 9)
    assert picture.identity_version == 2


def test_there_are_so_many_queries_also_for_who_adds_and_removes_without_a_wave() -> None:
    picture = Picture(3)
    picture.modify(step(0, 1, 1, 2, 3))
    picture.begin_wave()
    finish(picture, 5, q1="1.0", q2="1.0", q3="1.0")
    with pytest.raises(TooManyQueries, match=r"\(limit: 3\)"):
        picture.modify(step(1, 2, 4))
    picture.modify(step(1, 2, -1))
    with pytest.raises(TooManyQueries):
        picture.modify(step(2, 3, 4))
    picture.begin_wave()
    finish(picture, 6)
    picture.modify(step(2, 3, 4))


def test_what_takes_more_than_one_step_is_not_shown_in_one() -> None:
    picture = Picture()
    picture.modify(step(0, 1, 1))
    picture.begin_wave()
    finish(picture, 5, q1="1.0")
    before = picture.version

    def shown(ts: int, value: str) -> list[int] | None:
        wave = Broadcast(
            ts,
            FakeBackend(seeded_environment(1)),
            limits=DEFAULT_LIMITS,
            render=lambda live: b',"type":"QueryUpdated"}',
            tallies=Tallies(),
        )
        text = picture.show(wave, [(1, FakeLiveResult(Success(value)))], skew_length=4)
        if text is None:
            return None
        modifications = json.loads(b"".join(text.parts(b"null")))["modifications"]
        return [each["queryId"] for each in modifications]

    assert shown(4, "2.0") is None, "time does not go back"
    picture.begin_wave()
    assert shown(6, "2.0") is None, "a wave is under way"
    finish(picture, 6)
    picture.change_identity()
    assert shown(7, "2.0") is None, "the client is somebody else"
    picture.begin_wave()
    finish(picture, 7)
    picture.modify(step(1, 2))
    assert shown(8, "2.0") is None, "the client has asked for something"
    picture.begin_wave()
    finish(picture, 8)
    assert before.ts == 5
    assert shown(8, "2.0") == [1]
    assert shown(9, "2.0") == [], "the client has that answer"
    assert shown(9, "3.0") == [1]
    assert picture.version == (2, 1, 9)
