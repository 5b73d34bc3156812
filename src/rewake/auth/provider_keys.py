"""Provider keys: when to ask a provider for its keys, and which ones to go on with.

Floor 1, `auth`. `KeyShelf` decides and remembers, for one provider; `ProviderKeyRing` carries that out. Keys
are asked for by the first token, again when they are no longer fresh, and when a token names a key that is
not among them. However many tokens wait, one request is under way, and after one there is a pause.

    known key, fresh             use
    known key, no longer fresh   ask; if that fails, use, and ask again behind the backs of callers
    unknown key, or none yet     ask, once for every token; if that fails, say so

While a provider is down its keys go on for `provider_keys_kept_seconds`; a key that it took back is good for
`provider_keys_fresh_seconds` at most while it answers.

Not here: requests (`provider_fetching.py`), judging tokens (`verification.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress

import msgspec

from rewake.auth.key_sets import KeySetInvalid, parse_key_set
from rewake.auth.providers import CustomJwtProvider, Provider, data_of
from rewake.auth.verification import AuthProviderDiscoveryFailed, ProviderKeys
from rewake.environment import Clock, pause
from rewake.limits import Limits
from rewake.observability import logger

_log = logger(__name__)

_OUTAGE_PAUSE_SECONDS = 30.0
"""Between two requests to a provider that did not answer while its keys are still good."""
_SHELVES_MAX = 1_000

FetchKeys = Callable[[Provider], Awaitable[ProviderKeys]]
"""Ask a provider; raises AuthProviderDiscoveryFailed."""
Knows = Callable[[ProviderKeys], bool]
"""Whether keys can decide about the token at hand."""


class Use(msgspec.Struct, frozen=True):
    """Go on with these keys; and ask for newer ones meanwhile, where `refreshes`."""

    keys: ProviderKeys
    refreshes: bool = False


class Refuse(msgspec.Struct, frozen=True):
    """There are no keys, for this reason."""

    error: AuthProviderDiscoveryFailed


class Wait(msgspec.Struct, frozen=True):
    """Look again after so long."""

    seconds: float


class Ask:
    """Begin a request, and look again after it."""


class Join:
    """Wait for the request under way, and look again after it."""


Step = Use | Refuse | Wait | Ask | Join


class KeyShelf:
    """The keys of one provider, and what became of asking for them. No I/O."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._keys: ProviderKeys | None = None  # Set by a request that succeeded; dropped when too old.
        self._kept_at = 0.0  # When the request that brought `_keys` began.
        self._asked_at: float | None = None  # When the newest request began.
        self._failure: AuthProviderDiscoveryFailed | None = None  # Of the newest request, if it failed.
        self.is_asking = False
        """Whether a request is under way."""
        self.requests = 0
        """How many requests have begun."""

    def next_step(self, now: float, *, since: int, knows: Knows) -> Step:
        """What to do for a token that arrived when `since` requests had begun."""
        limits = self._limits
        if self._keys is not None and now - self._kept_at > limits.provider_keys_kept_seconds:
            self._keys = None
        if self._keys is not None and knows(self._keys):
            if now - self._kept_at <= limits.provider_keys_fresh_seconds:
                return Use(self._keys)
            if self._failure is not None:
                is_due = not self.is_asking and now - (self._asked_at or 0.0) >= _OUTAGE_PAUSE_SECONDS
                return Use(self._keys, refreshes=is_due)
            if self.is_asking:
                return Join()
            return Ask() if self._pause_left(now) <= 0 else Use(self._keys)
        if self.is_asking:
            return Join()
        if self.requests > since:
            # Asked on behalf of this token: there is no better answer.
            return self._outcome()
        rest = self._pause_left(now)
        if rest > 0:
            return Wait(rest) if self._failure is None else Refuse(self._failure)
        return Ask()

    def begin(self, now: float) -> None:
        """A request begins."""
        assert not self.is_asking, "one request at a time"
        self.is_asking = True
        self._asked_at = now
        self.requests += 1

    def succeed(self, keys: ProviderKeys) -> None:
        """The request brought keys. They are as old as the request."""
        assert self._asked_at is not None, "nothing was asked"
        self.is_asking = False
        self._failure = None
        self._keys, self._kept_at = keys, self._asked_at

    def fail(self, failure: AuthProviderDiscoveryFailed) -> None:
        """The request came to nothing."""
        self.is_asking = False
        self._failure = failure

    def _pause_left(self, now: float) -> float:
        if self._asked_at is None:
            return 0.0
        return self._asked_at + self._limits.provider_request_pause_seconds - now

    def _outcome(self) -> Step:
        if self._failure is not None:
            return Refuse(self._failure)
        if self._keys is None:
            return Ask()  # They grew too old while we waited.
        return Use(self._keys)


class ProviderKeyRing:
    """The keys of all providers of a deployment."""

    def __init__(self, fetch: FetchKeys, *, clock: Clock, limits: Limits) -> None:
        self._fetch = fetch
        self._clock = clock
        self._limits = limits
        self._shelves: dict[Provider, KeyShelf] = {}
        self._requests: dict[KeyShelf, asyncio.Task[None]] = {}  # Those under way.

    async def keys_of(self, provider: Provider, *, knows: Knows) -> ProviderKeys:
        """The keys to judge a token of `provider` with; as new as can be had where they do not know it.

        Raises:
            AuthProviderDiscoveryFailed: there are none.
        """
        shelf = self._shelf(provider)
        since = shelf.requests
        while True:
            step = shelf.next_step(self._clock.monotonic(), since=since, knows=knows)
            if isinstance(step, Use):
                if step.refreshes:
                    self._ask(provider, shelf)
                return step.keys
            if isinstance(step, Refuse):
                # A fresh one for each: an exception gathers the traceback of who raised it.
                raise AuthProviderDiscoveryFailed(step.error.message)
            if isinstance(step, Wait):
                await pause(step.seconds)
                continue
            if isinstance(step, Ask):
                self._ask(provider, shelf)
            await asyncio.shield(self._requests[shelf])

    def forget_others(self, providers: tuple[Provider, ...]) -> None:
        """Drop the keys of all but these providers."""
        for provider in self._shelves.keys() - set(providers):
            del self._shelves[provider]

    async def close(self) -> None:
        """End what is under way."""
        for request in list(self._requests.values()):
            request.cancel()
            with suppress(asyncio.CancelledError):
                await request

    def _shelf(self, provider: Provider) -> KeyShelf:
        shelf = self._shelves.get(provider)
        if shelf is None:
            while len(self._shelves) >= _SHELVES_MAX:
                del self._shelves[next(iter(self._shelves))]
            shelf = self._shelves[provider] = KeyShelf(self._limits)
        return shelf

    def _ask(self, provider: Provider, shelf: KeyShelf) -> None:
        shelf.begin(self._clock.monotonic())
        request = self._requests[shelf] = asyncio.ensure_future(self._request(provider, shelf))
        request.add_done_callback(lambda _: self._requests.pop(shelf, None))

    async def _request(self, provider: Provider, shelf: KeyShelf) -> None:
        failure = AuthProviderDiscoveryFailed(issuer=provider.issuer)
        try:
            shelf.succeed(await self._read(provider))
        except AuthProviderDiscoveryFailed as error:
            failure = error
            _log.warning("%s", error.fields.get("detail") or error.message)
        except Exception:
            _log.exception("the keys of %s cannot be read", provider.issuer)
        finally:
            if shelf.is_asking:
                shelf.fail(failure)

    async def _read(self, provider: Provider) -> ProviderKeys:
        if isinstance(provider, CustomJwtProvider) and provider.jwks.startswith("data:"):
            try:
                return ProviderKeys(parse_key_set(data_of(provider.jwks)))
            except (KeySetInvalid, ValueError) as error:
                detail = f"the keys of {provider.issuer} in auth_config.py cannot be read: {error}"
                raise AuthProviderDiscoveryFailed(issuer=provider.issuer, detail=detail) from None
        return await self._fetch(provider)
