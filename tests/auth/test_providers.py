"""Providers as data: variables are put in, and what cannot be used is refused."""

from __future__ import annotations

import base64

import msgspec
import pytest

from rewake.auth import (
    AuthConfigMissingEnvironmentVariable,
    CustomJwtProvider,
    InvalidKeySource,
    InvalidProviderDomainUrl,
    OidcProvider,
    Provider,
    check_provider,
    filled,
    variables_of,
)
from rewake.auth.providers import ApplicationIdMissing, data_of

CLERK = OidcProvider("${CLERK_DOMAIN}", "convex")
OWN = CustomJwtProvider("https://${HOST}/a", "https://${HOST}/keys", "ES256", "${APP}")


def test_variables_are_put_in() -> None:
    assert variables_of([CLERK, OWN]) == ("APP", "CLERK_DOMAIN", "HOST")
    assert filled(CLERK, {"CLERK_DOMAIN": "acme.clerk.accounts.dev"}) == OidcProvider(
        "https://acme.clerk.accounts.dev", "convex"
    )
    assert filled(OWN, {"HOST": "id.acme.com", "APP": "mine"}) == CustomJwtProvider(
        "https://id.acme.com/a", "https://id.acme.com/keys", "ES256", "mine"
    )


def test_a_value_is_not_looked_into_again() -> None:
    with pytest.raises(InvalidProviderDomainUrl):
        filled(CLERK, {"CLERK_DOMAIN": "${OTHER}", "OTHER": "acme.com"})


def test_a_variable_that_is_not_set_is_named() -> None:
    with pytest.raises(AuthConfigMissingEnvironmentVariable) as caught:
        filled(CLERK, {})
    assert caught.value.message.startswith(
        "Environment variable CLERK_DOMAIN is used in auth config file but its value was not set"
    )


@pytest.mark.parametrize(
    "provider",
    [
        OidcProvider("https://acme.com", ""),
        CustomJwtProvider("https://acme.com", "https://acme.com/keys", application_id=""),
    ],
)
def test_an_empty_application_id_is_not_the_same_as_none(provider: Provider) -> None:
    with pytest.raises(ApplicationIdMissing):
        check_provider(provider)


@pytest.mark.parametrize(
    "jwks", ["acme.com/keys", "file:///keys", "https://", "https://a:b@acme.com/keys", "data:,%", "data:x"]
)
def test_keys_come_from_a_url_or_are_given(jwks: str) -> None:
    provider = CustomJwtProvider("https://acme.com", jwks)
    if jwks == "data:,%":
        check_provider(provider)  # It is data, though no key set.
        return
    with pytest.raises(InvalidKeySource):
        check_provider(provider)


def test_what_names_a_variable_is_not_judged_before() -> None:
    check_provider(CLERK)
    check_provider(CustomJwtProvider("${ANY}", "${KEYS}"))
    with pytest.raises(InvalidProviderDomainUrl):
        check_provider(OidcProvider("nonsense", "a"))


def test_data_uris() -> None:
    assert data_of("data:application/json;base64," + base64.b64encode(b'{"a":1}').decode()) == b'{"a":1}'
    assert data_of("data:text/plain;charset=utf-8;base64,YQ") == b"a"
    assert data_of("data:application/json,%7B%22a%22%3A1%7D") == b'{"a":1}'
    for broken in ("data:application/json;base64", "data:;base64,%%%", "data:;base64,a"):
        with pytest.raises(ValueError):
            data_of(broken)


def test_they_cross_to_another_process() -> None:
    providers = (CLERK, OWN)
    packed = msgspec.msgpack.encode(providers)
    assert msgspec.msgpack.decode(packed, type=tuple[Provider, ...]) == providers


def test_what_people_read() -> None:
    assert str(OidcProvider("https://a.com", "x")) == "OIDC(domain=https://a.com, app_id=x)"
    assert str(CustomJwtProvider("https://a.com", "https://a.com/k", application_id="x")) == (
        "CustomJWT(issuer=https://a.com, app_id=x)"
    )
