"""The token verifier: from the text of a token to its user, with the providers of the moment.

Floor 1, `auth`. The driver around `verification.py`: it fetches keys where it must, and is bounded in time,
so a socket that waits for it goes on.

Source: wire 5.4.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from rewake.auth.identity import User
from rewake.auth.provider_fetching import Get, HttpGet, ProviderFetcher
from rewake.auth.provider_keys import ProviderKeyRing
from rewake.auth.providers import Provider
from rewake.auth.tokens import parse_token
from rewake.auth.verification import is_known, provider_of, verified_user
from rewake.environment import Clock
from rewake.limits import Limits


class TokenVerifier:
    """Judges the tokens of one deployment. It belongs to one event loop."""

    def __init__(self, *, clock: Clock, limits: Limits, get: Get | None = None) -> None:
        self._clock = clock
        self._limits = limits
        self._fetcher = ProviderFetcher(get or HttpGet(), limits)
        self._ring = ProviderKeyRing(self._fetcher.fetch, clock=clock, limits=limits)

    async def verify(self, text: str, providers: Sequence[Provider], *, is_redacted: bool) -> User:
        """The user behind a token.

        Raises:
            Unauthenticated: it is not good, or cannot be checked.
        """
        token = parse_token(text, bytes_max=self._limits.token_bytes_max)
        provider = provider_of(token, providers, is_redacted=is_redacted)
        provided = await self._ring.keys_of(provider, knows=lambda keys: is_known(token, keys))
        now_ns, leeway = self._clock.now_ns(), self._limits.token_leeway_seconds
        user = verified_user(token, provider, provided, now_ns=now_ns, leeway_seconds=leeway)
        return replace(user, token=text)

    def forget_others(self, providers: Sequence[Provider]) -> None:
        """Drop the keys of providers that are no longer configured."""
        self._ring.forget_others(tuple(providers))

    async def close(self) -> None:
        """End requests under way and let connections go."""
        await self._ring.close()
        await self._fetcher.close()
