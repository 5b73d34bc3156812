"""When a provider is asked for its keys, and what goes on while it does not answer."""

from __future__ import annotations

import asyncio
import base64
import itertools
import json
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rewake.auth import AuthProviderDiscoveryFailed, CustomJwtProvider
from rewake.auth.key_sets import KeySet, parse_key_set
from rewake.auth.provider_keys import Ask, Join, KeyShelf, ProviderKeyRing, Refuse, Use, Wait
from rewake.auth.providers import Provider
from rewake.auth.verification import ProviderKeys
from rewake.environment import ManualClock
from rewake.limits import DEFAULT_LIMITS
from tests.auth.issuer import Issuer

LIMITS = replace(
    DEFAULT_LIMITS,
    provider_keys_fresh_seconds=300.0,
    provider_keys_kept_seconds=3600.0,
    provider_request_pause_seconds=2.0,
)
OLD, NEW = ProviderKeys(KeySet([]), "old"), ProviderKeys(KeySet([]), "new")
DOWN = AuthProviderDiscoveryFailed(issuer="https://a.com")


def known(_: ProviderKeys) -> bool:
    return True


def unknown(_: ProviderKeys) -> bool:
    return False


def shelf_with(keys: ProviderKeys = OLD, at: float = 0.0) -> KeyShelf:
    shelf = KeyShelf(LIMITS)
    shelf.begin(at)
    shelf.succeed(keys)
    return shelf


def look(shelf: KeyShelf, now: float, knows: Any = known, since: int | None = None) -> Any:
    return shelf.next_step(now, since=shelf.requests if since is None else since, knows=knows)


# The rules.


def test_a_provider_is_not_asked_for_every_token_where_keys_are_never_fresh() -> None:
    shelf = KeyShelf(replace(LIMITS, provider_keys_fresh_seconds=0.0))
    shelf.begin(0)
    shelf.succeed(OLD)
    assert look(shelf, 1) == Use(OLD)
    assert isinstance(look(shelf, 2), Ask)


def test_the_first_token_asks_and_the_others_join() -> None:
    shelf = KeyShelf(LIMITS)
    assert isinstance(look(shelf, 0), Ask)
    shelf.begin(0)
    assert isinstance(look(shelf, 0, since=0), Join)
    shelf.succeed(OLD)
    assert look(shelf, 0, since=0) == Use(OLD)


def test_fresh_keys_are_used_and_old_ones_fetched_again() -> None:
    shelf = shelf_with()
    assert look(shelf, 300) == Use(OLD)
    assert isinstance(look(shelf, 300.1), Ask)
    shelf.begin(300.1)
    assert isinstance(look(shelf, 300.1), Join)
    shelf.succeed(NEW)
    assert look(shelf, 301) == Use(NEW)


def test_while_a_provider_is_down_its_keys_go_on_for_a_while() -> None:
    shelf = shelf_with()
    shelf.begin(400)
    shelf.fail(DOWN)
    assert look(shelf, 400) == look(shelf, 429) == Use(OLD)
    assert look(shelf, 430) == Use(OLD, refreshes=True)
    shelf.begin(430)
    assert look(shelf, 435) == Use(OLD), "nobody waits for a provider that was down"
    shelf.fail(DOWN)
    assert look(shelf, 3600) == Use(OLD, refreshes=True)
    assert isinstance(look(shelf, 3600.1), Ask), "they are too old now"
    shelf.begin(3601)
    shelf.fail(DOWN)
    assert look(shelf, 3602, since=shelf.requests - 1) == Refuse(DOWN)


def test_an_unknown_key_asks_once_for_each_token() -> None:
    shelf = shelf_with()
    assert isinstance(look(shelf, 100, unknown, since=1), Ask)
    shelf.begin(100)
    assert isinstance(look(shelf, 100, unknown, since=1), Join)
    shelf.succeed(NEW)
    assert look(shelf, 100, unknown, since=1) == Use(NEW), "there is no better answer"


def test_a_request_from_before_may_have_missed_the_key() -> None:
    shelf = shelf_with()
    shelf.begin(100)
    since = shelf.requests  # The token arrives now.
    assert isinstance(look(shelf, 100.5, unknown, since=since), Join)
    shelf.succeed(NEW)
    assert look(shelf, 100.5, unknown, since=since) == Wait(pytest.approx(1.5))
    assert isinstance(look(shelf, 102, unknown, since=since), Ask)


def test_however_many_unknown_keys_come_requests_keep_their_distance() -> None:
    shelf, asked = shelf_with(), []
    now = 10.0
    while now < 20:
        step = look(shelf, now, unknown)
        if isinstance(step, Ask):
            asked.append(now)
            shelf.begin(now)
            shelf.succeed(OLD)
        now += 0.125
    assert len(asked) == 5
    assert all(later - earlier >= 2 for earlier, later in itertools.pairwise(asked))


def test_an_unknown_key_is_refused_at_once_while_the_provider_is_down() -> None:
    shelf = shelf_with()
    shelf.begin(100)
    shelf.fail(DOWN)
    assert look(shelf, 101, unknown) == Refuse(DOWN)
    assert look(shelf, 101, known) == Use(OLD)
    assert isinstance(look(shelf, 102, unknown), Ask)


@settings(deadline=None)
@given(st.data())
def test_it_never_hangs_and_never_hurries(data: st.DataObject) -> None:
    """Whatever happens in whatever order: a step is always possible, and requests keep their distance."""
    shelf, now, last = KeyShelf(LIMITS), 0.0, -10.0
    for _ in range(30):
        now += data.draw(st.sampled_from([0, 0.5, 2, 40, 301, 4000]))
        knows = data.draw(st.sampled_from([known, unknown]))
        step = look(shelf, now, knows, since=data.draw(st.integers(0, shelf.requests)))
        if isinstance(step, Ask) or (isinstance(step, Use) and step.refreshes):
            assert now - last >= 2 or shelf.requests == 0
            shelf.begin(now)
            last = now
        elif isinstance(step, Join):
            assert shelf.is_asking
        elif isinstance(step, Wait):
            assert 0 < step.seconds <= 2
        if shelf.is_asking and data.draw(st.booleans()):
            if data.draw(st.booleans()):
                shelf.succeed(NEW)
            else:
                shelf.fail(DOWN)


# The driver.

PROVIDER = CustomJwtProvider("https://a.com", "https://a.com/keys")


class Provided:
    """A provider that answers when the test says so."""

    def __init__(self) -> None:
        self.asked = 0
        self.answers: asyncio.Queue[ProviderKeys | Exception] = asyncio.Queue()

    async def fetch(self, provider: Provider) -> ProviderKeys:
        self.asked += 1
        answer = await self.answers.get()
        if isinstance(answer, Exception):
            raise answer
        return answer


def play(story: Callable[[ProviderKeyRing, Provided, ManualClock], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        provided, clock = Provided(), ManualClock()
        ring = ProviderKeyRing(provided.fetch, clock=clock, limits=LIMITS)
        try:
            await asyncio.wait_for(story(ring, provided, clock), 20)
        finally:
            await ring.close()

    asyncio.run(run())


def test_many_tokens_are_one_request() -> None:
    async def story(ring: ProviderKeyRing, provided: Provided, clock: ManualClock) -> None:
        waiting = [asyncio.ensure_future(ring.keys_of(PROVIDER, knows=known)) for _ in range(50)]
        provided.answers.put_nowait(OLD)
        assert await asyncio.gather(*waiting) == [OLD] * 50
        assert provided.asked == 1

    play(story)


def test_a_caller_that_goes_away_does_not_take_the_request_along() -> None:
    async def story(ring: ProviderKeyRing, provided: Provided, clock: ManualClock) -> None:
        gone = asyncio.ensure_future(ring.keys_of(PROVIDER, knows=known))
        stays = asyncio.ensure_future(ring.keys_of(PROVIDER, knows=known))
        while not provided.asked:
            await asyncio.wait([gone], timeout=0)
        gone.cancel()
        provided.answers.put_nowait(OLD)
        assert await stays == OLD

    play(story)


def test_a_failure_is_told_to_all_who_wait() -> None:
    async def story(ring: ProviderKeyRing, provided: Provided, clock: ManualClock) -> None:
        waiting = [asyncio.ensure_future(ring.keys_of(PROVIDER, knows=known)) for _ in range(3)]
        provided.answers.put_nowait(DOWN)
        told = await asyncio.gather(*waiting, return_exceptions=True)
        assert [str(each) for each in told] == ["Auth provider discovery of https://a.com failed"] * 3
        assert len(set(map(id, told))) == 3
        # Within the pause nobody asks again.
        with pytest.raises(AuthProviderDiscoveryFailed):
            await ring.keys_of(PROVIDER, knows=known)
        assert provided.asked == 1
        clock.advance(2)
        provided.answers.put_nowait(NEW)
        assert await ring.keys_of(PROVIDER, knows=known) == NEW

    play(story)


def test_a_mistake_of_the_house_is_a_failure_like_any_other() -> None:
    async def story(ring: ProviderKeyRing, provided: Provided, clock: ManualClock) -> None:
        provided.answers.put_nowait(RuntimeError("a mistake"))
        with pytest.raises(AuthProviderDiscoveryFailed) as caught:
            await ring.keys_of(PROVIDER, knows=known)
        assert "mistake" not in str(caught.value)

    play(story)


def test_keys_are_refreshed_behind_the_backs_of_callers_after_an_outage() -> None:
    async def story(ring: ProviderKeyRing, provided: Provided, clock: ManualClock) -> None:
        for answer in (OLD, DOWN):
            provided.answers.put_nowait(answer)
            assert await ring.keys_of(PROVIDER, knows=known) == OLD
            clock.advance(301)
        assert await ring.keys_of(PROVIDER, knows=known) == OLD
        while provided.asked < 3:
            await asyncio.wait([asyncio.ensure_future(asyncio.Event().wait())], timeout=0)
        # Now it hangs, and still nobody waits.
        assert await ring.keys_of(PROVIDER, knows=known) == OLD
        provided.answers.put_nowait(NEW)
        while await ring.keys_of(PROVIDER, knows=known) != NEW:
            await asyncio.wait([asyncio.ensure_future(asyncio.Event().wait())], timeout=0)

    play(story)


def test_an_unknown_key_waits_out_the_pause() -> None:
    async def story(ring: ProviderKeyRing, provided: Provided, clock: ManualClock) -> None:
        limits = replace(LIMITS, provider_request_pause_seconds=0.01)
        ring = ProviderKeyRing(provided.fetch, clock=_Running(clock), limits=limits)
        provided.answers.put_nowait(OLD)
        assert await ring.keys_of(PROVIDER, knows=known) == OLD
        provided.answers.put_nowait(NEW)
        assert await ring.keys_of(PROVIDER, knows=lambda keys: keys is NEW) == NEW
        assert provided.asked == 2

    play(story)


class _Running:
    """A clock on which each look takes a millisecond."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock

    def now_ns(self) -> int:
        return self._clock.now_ns()

    def monotonic(self) -> float:
        self._clock.advance(0.001)
        return self._clock.monotonic()


def test_keys_of_a_provider_that_is_gone_are_forgotten() -> None:
    async def story(ring: ProviderKeyRing, provided: Provided, clock: ManualClock) -> None:
        provided.answers.put_nowait(OLD)
        await ring.keys_of(PROVIDER, knows=known)
        ring.forget_others(())
        provided.answers.put_nowait(NEW)
        assert await ring.keys_of(PROVIDER, knows=known) == NEW

    play(story)


def test_keys_in_the_configuration_need_no_request() -> None:
    async def story(ring: ProviderKeyRing, provided: Provided, clock: ManualClock) -> None:
        inline = json.dumps(Issuer().key_set()).encode()
        provider = replace_jwks(inline)
        keys = await ring.keys_of(provider, knows=known)
        assert [key.key_id for key in keys.keys.keys] == [key.key_id for key in parse_key_set(inline).keys]
        with pytest.raises(AuthProviderDiscoveryFailed):
            await ring.keys_of(replace_jwks(b"nonsense"), knows=known)
        assert provided.asked == 0

    play(story)


def replace_jwks(text: bytes) -> CustomJwtProvider:
    return CustomJwtProvider("https://a.com", f"data:;base64,{base64.b64encode(text).decode()}")
