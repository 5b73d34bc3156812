"""Verification: from a token, providers and their keys to a user, or the reason why not.

Floor 1, `auth`. Functions of what they are given and nothing else, so every way to cheat can be tried in a
test without a network or a clock.

    parse_token -> provider_of -> (keys of that provider) -> verified_user
                   issuer and audience,                      algorithm, key, signature, then claims
                   still unverified

The provider says how its tokens are signed, the token does not: a header names one of the allowed algorithms
or is refused, and a key is good for one algorithm (`key_sets.py`). `kid` is looked up and never opened, read
from disk or fetched; `jku`, `jwk`, `x5u` and `x5c` are not looked at.

Not here: getting keys (`provider_keys.py`).
Source: wire 5.4; RFC 7515; RFC 7519; RFC 8725; OpenID Connect Core 1.0, section 3.1.3.7.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite
from typing import Any, NamedTuple

from rewake.auth.claims import user_of_custom, user_of_oidc
from rewake.auth.identity import User
from rewake.auth.issuers import comparable, with_scheme
from rewake.auth.key_sets import KeySet
from rewake.auth.providers import CustomJwtProvider, OidcProvider, Provider
from rewake.auth.tokens import Token
from rewake.errors import Unauthenticated

_NS = 1_000_000_000
_EXPIRY_SECONDS_MAX = 1 << 33
"""The year 2242; what lies beyond, on either side, is kept as this."""


class NoAuthProvider(Unauthenticated):
    """No provider of `auth_config.py` has the issuer and the audience of this token."""

    code = "NoAuthProvider"
    template = "No auth provider found matching the given token"


class TokenRejected(Unauthenticated):
    """The token is not good: its signature, its time or its claims. Get a new one from the provider."""


class AuthProviderDiscoveryFailed(Unauthenticated):
    """The keys of an auth provider cannot be had. Check its address, and whether the server reaches it."""

    code = "AuthProviderDiscoveryFailed"
    template = "Auth provider discovery of {issuer} failed"


class ProviderKeys(NamedTuple):
    """What a provider published."""

    keys: KeySet
    issuer: str | None = None
    """`issuer` of its discovery document; None where there was none to read."""


def provider_of(token: Token, providers: Sequence[Provider], *, is_redacted: bool) -> Provider:
    """The first provider that this token may be from.

    Raises:
        NoAuthProvider: there is none.
    """
    issuer, audiences = comparable(token.issuer), token.audiences
    for provider in providers:
        wanted = provider.application_id
        if comparable(provider.issuer) == issuer and (wanted is None or wanted in audiences):
            return provider
    if is_redacted:
        raise NoAuthProvider()
    if not providers:
        raise NoAuthProvider(
            "No auth provider found matching the given token (no providers configured). "
            "Check convex/auth.config.ts."
        )
    raise NoAuthProvider(
        "No auth provider found matching the given token. Check that your JWT's issuer and audience match "
        f"one of your configured providers: [{', '.join(map(str, providers))}]"
    )


def is_known(token: Token, provided: ProviderKeys) -> bool:
    """Whether these keys can decide about the token; else there may be newer ones."""
    if token.key_id is None:
        return bool(provided.keys.keys)
    return provided.keys.has_key(token.key_id)


def verified_user(
    token: Token, provider: Provider, provided: ProviderKeys, *, now_ns: int, leeway_seconds: float
) -> User:
    """The user that the provider vouches for.

    Raises:
        TokenRejected: the provider did not sign this, or it does not hold now.
        AuthProviderDiscoveryFailed: the discovery document is another issuer's.
        ClaimsUnusable: the claims cannot be values.
    """
    if isinstance(provider, OidcProvider):
        return _oidc_user(token, provider, provided, now_ns, leeway_seconds)
    return _custom_user(token, provider, provided.keys, now_ns, leeway_seconds)


def _oidc_user(
    token: Token, provider: OidcProvider, provided: ProviderKeys, now_ns: int, leeway_seconds: float
) -> User:
    if provided.issuer != with_scheme(token.issuer):
        raise AuthProviderDiscoveryFailed(issuer=token.issuer)
    claims, expires_ns = token.payload, _expiry_ns(token)
    is_good = (
        _is_signed(token, provider, provided.keys)
        and token.audiences == [provider.application_id]
        and _is_audience_plain(claims.get("aud"))
        and _has_subject(claims)
        and expires_ns is not None
        and now_ns < expires_ns
        and _has_begun(claims, now_ns, leeway_seconds)
    )
    if not is_good:
        raise TokenRejected(
            "Could not verify OIDC token claim. Check that the token signature is valid and the token hasn't "
            "expired."
        )
    assert expires_ns is not None
    return user_of_oidc(claims, expires_ns=expires_ns)


def _custom_user(
    token: Token, provider: CustomJwtProvider, keys: KeySet, now_ns: int, leeway_seconds: float
) -> User:
    key_id = token.key_id
    if key_id is None:
        raise TokenRejected("Could not decode token. The JWT has no 'kid' (key ID) header.")
    if not keys.has_key(key_id):
        # It is a stranger's, and comes into the log.
        shown = "".join(letter if letter.isprintable() else "?" for letter in key_id[:100])
        raise TokenRejected(
            f"Could not decode token. The JWT's 'kid' (key ID) header is '{shown}', does this key match any "
            "key in the provider's JWKS?"
        )
    if token.algorithm != provider.algorithm:
        raise TokenRejected(
            f"Could not decode token. Its algorithm is not {provider.algorithm}, as its provider's is."
        )
    if not _is_signed(token, provider, keys):
        raise TokenRejected("Could not decode token. Its signature is not valid.")
    claims, expires_ns = token.payload, _expiry_ns(token)
    if not _has_subject(claims):
        raise TokenRejected("Could not validate token: it has no subject ('sub').")
    if expires_ns is None:
        raise TokenRejected("Could not validate token: it has no expiry ('exp').")
    if now_ns >= expires_ns + round(leeway_seconds * _NS):
        raise TokenRejected("Could not validate token: it has expired.")
    if not _has_begun(claims, now_ns, leeway_seconds):
        raise TokenRejected("Could not validate token: it is not valid yet.")
    return user_of_custom(claims, expires_ns=expires_ns)


def _is_signed(token: Token, provider: Provider, keys: KeySet) -> bool:
    algorithm = "EdDSA" if token.algorithm == "Ed25519" else token.algorithm
    if algorithm not in provider.algorithms or "crit" in token.header:
        # `crit` names extensions that must be understood. We know none (RFC 7515, section 4.1.11).
        return False
    return any(
        key.has_signed(token.signed, token.signature) for key in keys.candidates(token.key_id, algorithm)
    )


def _is_audience_plain(audience: Any) -> bool:
    """Whether nothing but texts stands in `aud`."""
    return isinstance(audience, str) or all(isinstance(each, str) for each in audience)


def _has_subject(claims: dict[str, Any]) -> bool:
    subject = claims.get("sub")
    return isinstance(subject, str) and subject != ""


def _expiry_ns(token: Token) -> int | None:
    seconds = _seconds(token.payload.get("exp"))
    return None if seconds is None else round(seconds * _NS)


def _has_begun(claims: dict[str, Any], now_ns: int, leeway_seconds: float) -> bool:
    """Whether `nbf` lies behind us. `iat` is no bound: it is told to clients and to nobody else."""
    if "nbf" not in claims:
        return True
    begin = _seconds(claims["nbf"])
    return begin is not None and begin <= now_ns / _NS + leeway_seconds


def _seconds(claim: Any) -> float | None:
    if isinstance(claim, bool) or not isinstance(claim, int | float):
        return None
    if isinstance(claim, float) and not isfinite(claim):
        return None
    # Before anything is computed with it: an int may be larger than any float.
    return min(max(claim, -_EXPIRY_SECONDS_MAX), _EXPIRY_SECONDS_MAX)
