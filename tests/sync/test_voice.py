"""A voice: what is said to many at once, and what becomes of those whom it does not reach."""

from __future__ import annotations

import asyncio
import json
import logging
import re
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewake.limits import DEFAULT_LIMITS
from rewake.protocol import StateVersion
from rewake.protocol.timestamps import decode_ts, encode_ts
from rewake.sync import voice
from tests.sync.crowd import Crowd, Member


def play(story: Callable[[Crowd], Coroutine[None, None, None]]) -> None:
    async def run() -> None:
        crowd = Crowd(DEFAULT_LIMITS)
        await story(crowd)
        await crowd.house.live.close()

    asyncio.run(run())


async def commit(crowd: Crowd, *values: int) -> None:
    for value in values:
        crowd.house.runner.commit_and_deliver(("a", value))
        await crowd.rest()


async def singing(crowd: Crowd, *skews: int, window_bits: int = 0) -> list[Member]:
    """Members that watch one query and are told of it with one voice."""
    members = [crowd.join(client="npm", window_bits=window_bits, skew_ms=skew) for skew in skews]
    for member in members:
        member.modify(adds=[("m:get", "a")])
    await crowd.rest()
    await commit(crowd, 1, 2)
    assert all(sings(member) for member in members)
    for member in members:
        member.transport.written = b""
    return members


def sings(member: Member) -> bool:
    return member.socket._connection._voice is not None


def test_clients_with_the_same_skew_are_handed_the_same_bytes() -> None:
    async def story(crowd: Crowd) -> None:
        members = await singing(crowd, 5, 5, 7)
        handed: dict[int, bytes] = {}
        for number, member in enumerate(members):
            member.transport.write = partial(handed.__setitem__, number)  # type: ignore[method-assign]
        await commit(crowd, 3)
        assert handed[0] is handed[1]
        assert handed[0].replace(b'"clientClockSkew":5', b'"clientClockSkew":7') == handed[2] != handed[0]

    play(story)


def test_whoever_leaves_knows_what_it_was_told() -> None:
    async def story(crowd: Crowd) -> None:
        one, other = await singing(crowd, 5, 5)
        await commit(crowd, 3)
        one.mutate("b", 1)
        await crowd.rest()
        assert not sings(one)
        assert sings(other)
        session = one.socket._connection._session
        assert session.version.ts == crowd.house.live.position
        assert one.transport.written.count(b'"Transition"') == 2
        assert one.transport.written.count(b'"QueryUpdated"') == 1, "it has the answer already"

    play(story)


def test_whose_bytes_wait_leaves_and_is_told_no_more_than_two_transitions() -> None:
    for window_bits in (0, 15):

        async def story(crowd: Crowd, window_bits: int = window_bits) -> None:
            slow, quick = await singing(crowd, 5, 5, window_bits=window_bits)
            slow.transport.room = 10
            await commit(crowd, 3)
            assert not sings(slow)
            assert sings(quick)
            assert slow.socket.unsent_bytes() > 0
            await commit(crowd, 4, 5, 6)
            assert slow.transport.written.count(b'"Transition"') == 2
            slow.transport.drain()
            await crowd.rest()
            assert slow.transport.written.endswith(b'"v0 m:get a 6"}]}')
            assert quick.transport.written.count(b'"Transition"') == 4
            await commit(crowd, 7, 8, 9)
            assert sings(slow)

        play(story)


def test_a_ping_that_waits_ends_it_too() -> None:
    async def story(crowd: Crowd) -> None:
        slow, quick = await singing(crowd, 5, 5)
        slow.transport.room = 0
        slow.socket.write_ping()
        assert (sings(slow), sings(quick)) == (False, True)
        await commit(crowd, 3)
        assert b'"Transition"' in slow.transport.written

    play(story)


def test_a_transport_that_breaks_ends_its_socket_alone() -> None:
    async def story(crowd: Crowd) -> None:
        bad, good = await singing(crowd, 5, 5)

        def write(data: bytes) -> None:
            bad.transport.write = type(bad.transport).write.__get__(bad.transport)  # type: ignore[method-assign]
            raise RuntimeError("the transport is closed")

        bad.transport.write = write  # type: ignore[method-assign]
        await commit(crowd, 3)
        assert bad.socket._connection.has_ended
        assert b'"Transition"' not in bad.transport.written
        await commit(crowd, 4)
        assert good.transport.written.count(b'"Transition"') == 2

    play(story)


def test_a_tick_is_no_reason_to_leave() -> None:
    async def story(crowd: Crowd) -> None:
        members = await singing(crowd, 5, 5)
        for value in range(10):
            crowd.clock.advance(2.0)
            crowd.door._tick()
            await commit(crowd, value)
        assert all(sings(member) for member in members)
        assert b'"Ping"' not in members[0].transport.written, "a Transition is a message like any other"
        assert members[0].transport.written.count(b"\x89\x00") > 2
        crowd.clock.advance(15.0)
        crowd.door._tick()
        assert b'"Ping"' in members[0].transport.written

    play(story)


def test_a_user_whose_token_ended_is_told_nothing_more() -> None:
    async def story(crowd: Crowd) -> None:
        members = [crowd.join(client="npm", window_bits=0, skew_ms=5) for _ in range(3)]
        for member, seconds in zip(members, (10, 30, 30), strict=True):
            member.authenticate("anna", seconds=seconds)
            await crowd.rest()
            member.modify(adds=[("m:get", "a")])
        await crowd.rest()
        await commit(crowd, 1, 2, 3)
        assert all(sings(member) for member in members)
        crowd.clock.advance(10.0)
        for member in members:
            member.transport.written = b""
        await commit(crowd, 4)
        assert [b'"v0 m:get a 4"' in member.transport.written for member in members] == [False, True, True]
        assert members[0].socket._connection.has_ended
        assert sings(members[1])

    play(story)


def test_whoever_hangs_up_is_forgotten() -> None:
    async def story(crowd: Crowd) -> None:
        gone, other = await singing(crowd, 5, 5)
        gone.transport.is_cut = True
        gone.socket.connection_lost(None)
        await commit(crowd, 3)
        assert other.transport.written.count(b'"Transition"') == 1
        assert crowd.door.socket_count == 1

    play(story)


# Some in each turn of the loop.


@pytest.fixture
def two_a_turn() -> Iterator[None]:
    with patch.object(voice, "SOCKETS_A_TURN", 2):
        yield


async def begin_to_tell(crowd: Crowd, value: int) -> tuple[Member, Member]:
    """Commit, and go on until the first members were told. Gives one of them, and one who is still to be."""
    before = told(crowd)
    crowd.house.runner.commit_and_deliver(("a", value))
    while told(crowd) == before:
        await asyncio.sleep(0)
    by_time = sorted(crowd.members, key=transitions, reverse=True)
    assert transitions(by_time[0]) > transitions(by_time[-1])
    return by_time[0], by_time[-1]


def transitions(member: Member) -> int:
    """How many it was sent, since it sings."""
    return member.transport.written.count(b'"Transition"')


def told(crowd: Crowd) -> list[int]:
    """The same for all, those who were sent most first."""
    return sorted(map(transitions, crowd.members), reverse=True)


def values(member: Member) -> list[int]:
    """The results of its first query that it was sent, in order."""
    return [int(value) for value in re.findall(rb'"value":"v0 m:get a (\d+)"', member.transport.written)]


@pytest.mark.usefixtures("two_a_turn")
def test_many_are_told_some_in_each_turn() -> None:
    async def story(crowd: Crowd) -> None:
        await singing(crowd, 5, 5, 5, 5, 5)
        await begin_to_tell(crowd, 3)
        assert told(crowd) == [1, 1, 0, 0, 0]
        await asyncio.sleep(0)
        assert told(crowd) == [1, 1, 1, 1, 0]
        await asyncio.sleep(0)
        assert told(crowd) == [1, 1, 1, 1, 1]
        assert crowd.door.tallies.transitions == 5 * 4
        await commit(crowd, 4)
        assert told(crowd) == [2] * 5

    play(story)


@pytest.mark.usefixtures("two_a_turn")
def test_those_whose_frames_differ_share_a_turn() -> None:
    async def story(crowd: Crowd) -> None:
        await singing(crowd, 1, 2, 3, 4)
        await begin_to_tell(crowd, 3)
        assert told(crowd) == [1, 1, 0, 0]
        await asyncio.sleep(0)
        assert told(crowd) == [1, 1, 1, 1]

    play(story)


@pytest.mark.usefixtures("two_a_turn")
def test_the_next_wave_runs_while_this_one_is_told() -> None:
    async def story(crowd: Crowd) -> None:
        members = await singing(crowd, *[5] * 60)
        await begin_to_tell(crowd, 3)
        crowd.house.runner.commit_and_deliver(("a", 4))
        while 2 not in told(crowd):
            assert 0 in told(crowd)
            await asyncio.sleep(0)
        assert told(crowd) == [2] * 2 + [1] * 58, "nothing else is shown before everybody was told"
        await crowd.rest()
        assert all(values(member) == [3, 4] for member in members)

    play(story)


@pytest.mark.usefixtures("two_a_turn")
def test_whoever_joins_meanwhile_is_told_with_the_others_from_the_next_wave_on() -> None:
    async def story(crowd: Crowd) -> None:
        await singing(crowd, *[5] * 10)
        late = crowd.join(client="npm", window_bits=0, skew_ms=5)
        late.modify(adds=[("m:get", "a")])
        await crowd.rest()
        await commit(crowd, 3)
        await begin_to_tell(crowd, 4)
        assert sings(late)
        assert 1 in told(crowd), "others are still to be told"
        assert values(late) == [2, 3, 4]
        await commit(crowd, 5)
        assert values(late) == [2, 3, 4, 5]
        assert sings(late)
        late.mutate("b", 1)
        await begin_to_tell(crowd, 6)
        await crowd.rest()
        assert values(late) == [2, 3, 4, 5, 6]

    play(story)


@pytest.mark.usefixtures("two_a_turn")
def test_whoever_says_something_was_told_before() -> None:
    async def story(crowd: Crowd) -> None:
        members = await singing(crowd, *[5] * 10)
        _, last = await begin_to_tell(crowd, 3)
        last.modify(adds=[("m:get", "b")])
        assert told(crowd) == [1] * 10
        await crowd.rest()
        assert values(last) == [3]
        assert [sings(member) for member in members] == [member is not last for member in members]

    play(story)


@pytest.mark.usefixtures("two_a_turn")
def test_whoever_hangs_up_before_it_was_told_is_no_mistake(caplog: pytest.LogCaptureFixture) -> None:
    async def story(crowd: Crowd) -> None:
        await singing(crowd, *[5] * 10)
        _, last = await begin_to_tell(crowd, 3)
        last.transport.is_cut = True  # It takes nothing any more.
        last.socket.connection_lost(None)
        await commit(crowd, 4)
        assert told(crowd) == [2] * 9 + [0]
        assert crowd.door.tallies.sockets_closed == {"left": 1}

    with caplog.at_level(logging.INFO, "rewake"):
        play(story)
    assert caplog.text == ""


@pytest.mark.usefixtures("two_a_turn")
def test_what_is_left_to_tell_goes_before_the_end() -> None:
    async def story(crowd: Crowd) -> None:
        await singing(crowd, *[5] * 10)
        _, last = await begin_to_tell(crowd, 3)
        crowd.clock.advance(DEFAULT_LIMITS.socket_inactivity_seconds)
        last.socket._connection.tick()
        assert last.socket._connection.has_ended
        assert last.transport.written.index(b"m:get a 3") < last.transport.written.index(b"InactiveClient")

    play(story)


@pytest.mark.usefixtures("two_a_turn")
def test_whose_bytes_waited_for_a_moment_is_told_like_the_others() -> None:
    async def story(crowd: Crowd) -> None:
        members = await singing(crowd, *[5] * 10)
        for member in members:
            member.transport.room = 10
        first, _ = await begin_to_tell(crowd, 3)
        assert all(sings(member) for member in members), "nobody leaves in the middle"
        first.transport.drain()
        assert told(crowd) == [1] * 10
        assert not any(sings(member) for member in members)
        for member in members:
            member.transport.drain()
        await commit(crowd, 4, 5)
        assert all(values(member) == [3, 4, 5] for member in members)

    play(story)


def test_a_frame_that_cannot_be_made_ends_those_whom_it_is_for() -> None:
    async def story(crowd: Crowd) -> None:
        members = await singing(crowd, 5, 7, 5, 7)
        make = voice.SharedText.frame

        def frame(text: voice.SharedText, skew: bytes, *others: Any) -> bytes:
            if skew == b"7":
                raise ValueError("a mistake of the house")
            return make(text, skew, *others)

        with patch.object(voice.SharedText, "frame", frame):
            await commit(crowd, 3)
        assert [member.socket._connection.has_ended for member in members] == [False, True, False, True]
        await commit(crowd, 4)
        assert [transitions(member) for member in members] == [2, 0, 2, 0]

    play(story)


WHO = st.integers(0, 4)
EVENTS = st.one_of(
    st.tuples(st.just("commit")),
    st.tuples(st.just("commit")),
    st.tuples(st.just("pause"), st.integers(1, 4)),
    st.tuples(st.just("pause"), st.integers(1, 4)),
    st.tuples(st.just("modify"), WHO),
    st.tuples(st.just("mutate"), WHO),
    st.tuples(st.just("slow"), WHO),
    st.tuples(st.just("drain"), WHO),
    st.tuples(st.just("tick")),
    st.tuples(st.just("leave"), WHO),
)


@settings(max_examples=200, deadline=None)
@given(events=st.lists(EVENTS, min_size=5, max_size=40), sockets_a_turn=st.sampled_from([1, 2]))
def test_whatever_happens_meanwhile_each_is_told_one_after_the_other_to_the_last(
    events: list[tuple[Any, ...]], sockets_a_turn: int
) -> None:
    async def story(crowd: Crowd) -> None:
        members = await singing(crowd, 5, 5, 5, 7, 7)
        versions = [member.socket._connection._voice.footing.version for member in members]  # type: ignore[union-attr]
        for value, (event, *details) in enumerate(events):
            who = members[details[0]] if details and event != "pause" else members[0]
            if event == "commit":
                crowd.house.runner.commit_and_deliver(("a", value))
            elif event == "pause":
                for _ in range(details[0]):
                    await asyncio.sleep(0)
            elif event == "modify":
                who.modify(adds=[("m:get", "b")])
            elif event == "mutate":
                who.mutate("a", value)
            elif event == "slow":
                who.transport.room = 10
            elif event == "drain":
                who.transport.drain()
            elif event == "tick":
                crowd.clock.advance(6.0)
                crowd.door._tick()
            elif not who.transport.is_cut:
                who.transport.is_cut = True
                who.socket.connection_lost(None)
        for member in members:
            member.transport.drain()
        await crowd.rest()
        crowd.house.runner.commit_and_deliver(("a", 99))
        await crowd.rest()
        for member, version in zip(members, versions, strict=True):
            check_chain(member.transport.written, version)
            if not member.transport.is_cut and not member.socket._connection.has_ended:
                assert values(member)[-1] == 99

    with patch.object(voice, "SOCKETS_A_TURN", sockets_a_turn):
        play(story)


def check_chain(written: bytes, version: StateVersion) -> None:
    """Each Transition begins where the last one ended, and none goes back."""
    last = {"querySet": version.query_set, "identity": version.identity, "ts": encode_ts(version.ts)}
    for found in re.finditer(rb'"startVersion":(\{[^}]*\}),"endVersion":(\{[^}]*\})', written):
        start, end = json.loads(found[1]), json.loads(found[2])
        assert start == last
        assert decode_ts(end["ts"]) >= decode_ts(start["ts"])
        last = end
