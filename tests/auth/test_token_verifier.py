"""From the text of a token to its user, with an issuer that rotates, hangs and falls over."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

import pytest
from msgspec.structs import replace

from rewake.auth import (
    AuthProviderDiscoveryFailed,
    CustomJwtProvider,
    InvalidAuthHeader,
    OidcProvider,
    Provider,
    TokenRejected,
    User,
)
from rewake.auth.provider_fetching import Answer, RequestFailed
from rewake.auth.token_verifier import TokenVerifier
from rewake.environment import ManualClock
from rewake.limits import DEFAULT_LIMITS
from tests.auth.issuer import APPLICATION, ISSUER, Issuer

LIMITS = replace(DEFAULT_LIMITS, provider_request_pause_seconds=0.01)
OIDC: list[Provider] = [OidcProvider(ISSUER, APPLICATION)]
CUSTOM: list[Provider] = [CustomJwtProvider(ISSUER, f"{ISSUER}/keys", "RS256", APPLICATION)]


@dataclass
class World:
    """An issuer, the clock, and a verifier that asks it."""

    issuer: Issuer
    clock: ManualClock = field(default_factory=ManualClock)
    is_down: bool = False
    requests: int = 0
    verifier: TokenVerifier = field(init=False)

    def __post_init__(self) -> None:
        self.verifier = TokenVerifier(clock=self.clock, limits=LIMITS, get=self)

    async def __call__(self, url: str, *, bytes_max: int) -> Answer:
        self.requests += 1
        if self.is_down:
            raise RequestFailed("it is down")
        page = self.issuer.discovery() if url.endswith("configuration") else self.issuer.key_set()
        return Answer(200, "application/json", json.dumps(page).encode())

    async def close(self) -> None:
        return

    async def verify(self, text: str, providers: list[Provider]) -> User:
        return await self.verifier.verify(text, providers, is_redacted=False)


def play(story: Callable[[World], Coroutine[Any, Any, None]]) -> None:
    async def run() -> None:
        world = World(Issuer())
        try:
            await asyncio.wait_for(story(world), 20)
        finally:
            await world.verifier.close()

    asyncio.run(run())


@pytest.mark.parametrize(("providers", "requests"), [(OIDC, 2), (CUSTOM, 1)], ids=["oidc", "custom"])
def test_keys_are_fetched_once_for_many_tokens(providers: list[Provider], requests: int) -> None:
    async def story(world: World) -> None:
        for _ in range(3):
            assert '"subject":"ada"' in (await world.verify(world.issuer.token(), providers)).attributes
        assert world.requests == requests

    play(story)


@pytest.mark.parametrize("providers", [OIDC, CUSTOM], ids=["oidc", "custom"])
def test_a_new_key_is_good_as_soon_as_the_issuer_shows_it(providers: list[Provider]) -> None:
    async def story(world: World) -> None:
        before = world.issuer.token()
        await world.verify(before, providers)
        world.clock.advance(1)
        world.issuer.rotate("second")
        await world.verify(world.issuer.token(), providers)
        await world.verify(before, providers)
        # It takes the old one back: no longer good once the keys are not fresh.
        world.issuer.rotate("third", keeps_old=False)
        world.clock.advance(LIMITS.provider_keys_fresh_seconds + 1)
        old = Issuer(key_name="second").token(exp=10**10)
        with pytest.raises(TokenRejected):
            await world.verify(old, providers)

    play(story)


@pytest.mark.parametrize("providers", [OIDC, CUSTOM], ids=["oidc", "custom"])
def test_an_issuer_that_is_down(providers: list[Provider]) -> None:
    async def story(world: World) -> None:
        await world.verify(world.issuer.token(), providers)
        world.is_down = True
        world.clock.advance(LIMITS.provider_keys_fresh_seconds + 1)
        await world.verify(world.issuer.token(exp=10**10), providers)
        world.clock.advance(1)
        with pytest.raises(AuthProviderDiscoveryFailed):
            await world.verify(world.issuer.token(header={"kid": "new"}, exp=10**10), providers)
        # Not for ever.
        world.clock.advance(LIMITS.provider_keys_kept_seconds + 1)
        with pytest.raises(AuthProviderDiscoveryFailed):
            await world.verify(world.issuer.token(exp=10**10), providers)
        world.is_down = False
        world.clock.advance(1)
        await world.verify(world.issuer.token(exp=10**10), providers)

    play(story)


def test_strangers_cause_no_requests() -> None:
    async def story(world: World) -> None:
        for text in ("garbage", "a.b.c", Issuer(url="https://evil.com").token(), world.issuer.token(aud="x")):
            with pytest.raises(Exception, match=r"parse|provider"):
                await world.verify(text, OIDC)
        with pytest.raises(InvalidAuthHeader, match="too large"):
            await world.verify(world.issuer.token(x="y" * LIMITS.token_bytes_max), OIDC)
        assert world.requests == 0

    play(story)
