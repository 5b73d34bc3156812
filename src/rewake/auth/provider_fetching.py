"""Provider fetching: the requests to an auth provider, with bounds on everything.

Floor 1, `auth`. Only addresses that `auth_config.py` names are asked, and the one that a provider's own
discovery document gives for its keys; a token never says where to look. What is bounded:

    time        discovery and keys together, `provider_request_seconds_max`
    size        each answer, `provider_answer_bytes_max`, as it comes over the wire: nothing is unpacked
    redirects   none is followed: who answers for an issuer is who was configured
    downgrade   a provider with https cannot send us to keys over http

Private addresses are allowed: the operator wrote them down, and issuers inside a company live there. Keys
over plain http from anywhere else are worth a warning. Callers are told a status and no more; the log has
the reason.

Not here: when to ask (`provider_keys.py`), what the keys are (`key_sets.py`).
Source: wire 5.4; OpenID Connect Discovery 1.0, section 4.
"""

from __future__ import annotations

import asyncio
from typing import Any, NamedTuple, Protocol
from urllib.parse import urlsplit

import msgspec

from rewake.auth.issuers import comparable, is_nearby, with_scheme
from rewake.auth.key_sets import KeySetInvalid, parse_key_set
from rewake.auth.providers import OidcProvider, Provider
from rewake.auth.verification import AuthProviderDiscoveryFailed, ProviderKeys
from rewake.limits import Limits
from rewake.observability import logger

_log = logger(__name__)

_KEY_SET_TYPES = ("application/json", "application/jwk-set+json")


class Answer(NamedTuple):
    """What a provider answered, whole."""

    status: int
    content_type: str
    body: bytes


class RequestFailed(Exception):
    """No answer, or one that is not taken; the text says why."""


class Get(Protocol):
    """One GET request, without redirects and bounded in size."""

    async def __call__(self, url: str, *, bytes_max: int) -> Answer:
        """The answer, whatever its status.

        Raises:
            RequestFailed: there is none, or it is too large.
        """
        ...

    async def close(self) -> None:
        """Let connections go."""
        ...


class ProviderFetcher:
    """Asks providers for their keys."""

    def __init__(self, get: Get, limits: Limits) -> None:
        self._get = get
        self._limits = limits
        self._warned: set[str] = set()

    async def fetch(self, provider: Provider) -> ProviderKeys:
        """The keys that `provider` publishes now.

        Raises:
            AuthProviderDiscoveryFailed: they cannot be had.
        """
        try:
            async with asyncio.timeout(self._limits.provider_request_seconds_max):
                if isinstance(provider, OidcProvider):
                    return await self._discover(provider)
                return ProviderKeys(await self._key_set(provider.issuer, provider.jwks, _KEY_SET_TYPES))
        except TimeoutError:
            raise _failure(provider.issuer, "it took too long") from None

    async def close(self) -> None:
        """Let connections go."""
        await self._get.close()

    async def _discover(self, provider: OidcProvider) -> ProviderKeys:
        base = with_scheme(provider.domain).rstrip("/")
        body = await self._body(provider.issuer, f"{base}/.well-known/openid-configuration", ())
        try:
            document = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise _failure(provider.issuer, "its discovery document is not JSON") from None
        named: dict[str, Any] = document if isinstance(document, dict) else {}
        issuer, jwks = named.get("issuer"), named.get("jwks_uri")
        if not isinstance(issuer, str) or comparable(issuer) != comparable(base):
            raise _failure(provider.issuer, f"its discovery document is that of {issuer!r:.200}")
        if not isinstance(jwks, str) or not _is_fit(jwks, base):
            raise _failure(provider.issuer, f"its discovery document has keys at {jwks!r:.200}")
        return ProviderKeys(await self._key_set(provider.issuer, jwks, ()), issuer)

    async def _key_set(self, issuer: str, url: str, types: tuple[str, ...]) -> Any:
        try:
            return parse_key_set(await self._body(issuer, url, types))
        except KeySetInvalid as error:
            raise _failure(issuer, f"{url}: {error}") from None

    async def _body(self, issuer: str, url: str, types: tuple[str, ...]) -> bytes:
        self._warn_about(url)
        try:
            answer = await self._get(url, bytes_max=self._limits.provider_answer_bytes_max)
        except RequestFailed as error:
            raise _failure(issuer, f"GET {url}: {error}") from None
        if answer.status != 200:
            raise _failure(issuer, f"GET {url}: status {answer.status}", status=answer.status)
        kind = answer.content_type.partition(";")[0].strip().lower()
        if types and kind not in types:
            raise _failure(issuer, f"GET {url}: its content type {kind!r:.100} is none of {types}")
        return answer.body

    def _warn_about(self, url: str) -> None:
        if url.startswith("http://") and url not in self._warned and not is_nearby(url):
            self._warned.add(url)
            _log.warning("keys come over plain http, and can be forged on the way: %s", url)


class HttpGet:
    """`Get` over the network. Made with its first use: nobody pays for TLS who checks no tokens."""

    def __init__(self) -> None:
        self._client: Any = None
        self._making = asyncio.Lock()

    async def __call__(self, url: str, *, bytes_max: int) -> Answer:
        """See `Get`."""
        import httpx

        async with self._making:
            if self._client is None:
                # In a thread: reading the certificates of the world takes a while.
                self._client = await asyncio.to_thread(_new_client)
        headers = {"accept": "application/json", "accept-encoding": "identity"}
        try:
            async with self._client.stream("GET", url, headers=headers) as response:
                if response.headers.get("content-encoding", "identity") != "identity":
                    raise RequestFailed("the answer is compressed, which was not asked for")
                body = bytearray()
                async for portion in response.aiter_raw():
                    body += portion
                    if len(body) > bytes_max:
                        raise RequestFailed(f"the answer is larger than {bytes_max} bytes")
                return Answer(response.status_code, response.headers.get("content-type", ""), bytes(body))
        except (httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict) as error:
            raise RequestFailed(f"{type(error).__name__}: {error}") from None

    async def close(self) -> None:
        """Let connections go."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()


def _new_client() -> Any:
    import httpx

    # No time limit of its own: the whole is bounded. No cookies are kept, since no answer may set the next.
    return httpx.AsyncClient(follow_redirects=False, timeout=None, headers={"user-agent": "rewake"})


def _is_fit(jwks: str, base: str) -> bool:
    try:
        parts = urlsplit(jwks)
        is_fit = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.username is None
    except ValueError:
        return False
    return is_fit and (parts.scheme == "https" or base.startswith("http://"))


def _failure(issuer: str, detail: str, *, status: int | None = None) -> AuthProviderDiscoveryFailed:
    said = f"Auth provider discovery of {issuer} failed"
    shown = said if status is None else f"{said}: {status}"
    return AuthProviderDiscoveryFailed(shown, issuer=issuer, detail=f"{said}: {detail}")
