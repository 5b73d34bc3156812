"""A voice: what is said to many at once, and what becomes of those whom it does not reach."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial

from rewake.limits import DEFAULT_LIMITS
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
