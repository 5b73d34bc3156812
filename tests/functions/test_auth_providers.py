"""What authors write in `auth_config.py`, as the data that it comes to."""

from __future__ import annotations

import json

import pytest

from rewake import Auth0, Clerk, CustomJwt, Oidc, WorkOS, env
from rewake.auth import CustomJwtProvider, OidcProvider, filled
from rewake.auth.providers import data_of
from rewake.functions import AuthConfigInvalid


def test_env_is_a_text_that_stands_for_a_value() -> None:
    (provider,) = Oidc(
        domain=f"https://{env('HOST')}/realms/{env('REALM')}", application_id=env("APP")
    ).providers()
    assert filled(provider, {"HOST": "id.acme.com", "REALM": "main", "APP": "web"}) == OidcProvider(
        "https://id.acme.com/realms/main", "web"
    )


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "A}", "Ä", "${A}"])
def test_env_wants_the_name_of_a_variable(name: str) -> None:
    with pytest.raises(AuthConfigInvalid):
        env(name)


def test_the_ready_made_ones() -> None:
    assert Clerk("acme.clerk.accounts.dev").providers() == (
        OidcProvider("acme.clerk.accounts.dev", "convex"),
    )
    assert Auth0("acme.eu.auth0.com", "id").providers() == (OidcProvider("acme.eu.auth0.com", "id"),)
    jwks = "https://api.workos.com/sso/jwks/client_1"
    assert WorkOS("client_1").providers() == (
        CustomJwtProvider("https://api.workos.com/", jwks, "RS256", "client_1"),
        CustomJwtProvider("https://api.workos.com/user_management/client_1", jwks, "RS256"),
    )


def test_keys_can_be_given_as_they_are() -> None:
    keys = {"keys": [{"kty": "RSA"}]}
    (inline,) = CustomJwt(issuer="https://a.com", jwks=keys, algorithm="ES256").providers()
    assert isinstance(inline, CustomJwtProvider)
    assert json.loads(data_of(inline.jwks)) == keys
    (by_url,) = CustomJwt(issuer="https://a.com", jwks="https://a.com/keys", application_id="x").providers()
    assert by_url == CustomJwtProvider("https://a.com", "https://a.com/keys", "RS256", "x")
