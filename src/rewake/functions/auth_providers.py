"""Auth providers: what `auth_config.py` of a project lists under `providers`.

Floor 2, `functions`. Each says by plain data whom to trust (`auth/providers.py`); nothing is asked when it is
written down. Texts may hold `env("NAME")`, the value of an environment variable of the deployment at the
moment when a token is checked.

    providers = [Clerk(domain=env("CLERK_DOMAIN"))]

Not here: finding the list (`execution/auth_config.py`), checking tokens (`auth`).
Source: semantics 6.10; wire 5.3.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from rewake.auth import CustomAlgorithm, CustomJwtProvider, OidcProvider, Provider
from rewake.errors import InvalidInput


class AuthConfigInvalid(InvalidInput):
    """What stands in `auth_config.py` is no list of providers."""

    code = "InvalidAuthConfig"


class AuthProvider(Protocol):
    """Whatever may stand in the list."""

    def providers(self) -> tuple[Provider, ...]:
        """What it comes to."""
        ...


def env(name: str) -> str:
    """An environment variable, for `auth_config.py` only: its value is put in when a token is checked, so
    that setting it takes effect at once. Functions read variables with `ctx.env`.

    It is a text like any other and can stand inside of one: `f"https://{env('HOST')}/realms/main"`.
    """
    if not name.isascii() or not name.replace("_", "a").isalnum() or name[:1].isdigit():
        raise AuthConfigInvalid(f"{name!r} cannot be the name of an environment variable.")
    return "${" + name + "}"


@dataclass(frozen=True, kw_only=True)
class Oidc:
    """An OpenID Connect provider, with its keys found by discovery at
    `{domain}/.well-known/openid-configuration`. Tokens must be for `application_id`, and for it alone.
    """

    domain: str
    application_id: str

    def providers(self) -> tuple[Provider, ...]:
        """See `AuthProvider`."""
        return (OidcProvider(self.domain, self.application_id),)


@dataclass(frozen=True, kw_only=True)
class CustomJwt:
    """An issuer of JWTs that has no discovery, such as a server of your own.

    `jwks` is the URL of its key set, or the key set itself: as a dict, or as a data URI. With an
    `application_id`, tokens must name it in `aud`; without one, a token for any application of the issuer is
    taken.
    """

    issuer: str
    jwks: str | Mapping[str, Any]
    algorithm: CustomAlgorithm = "RS256"
    application_id: str | None = None

    def providers(self) -> tuple[Provider, ...]:
        """See `AuthProvider`."""
        jwks = self.jwks
        if not isinstance(jwks, str):
            inline = base64.b64encode(json.dumps(dict(jwks)).encode()).decode()
            jwks = f"data:application/json;base64,{inline}"
        return (CustomJwtProvider(self.issuer, jwks, self.algorithm, self.application_id),)


@dataclass(frozen=True)
class Clerk:
    """Clerk: `domain` is the Frontend API URL of the application; its JWT template is called `convex`."""

    domain: str
    application_id: str = "convex"

    def providers(self) -> tuple[Provider, ...]:
        """See `AuthProvider`."""
        return Oidc(domain=self.domain, application_id=self.application_id).providers()


@dataclass(frozen=True)
class Auth0:
    """Auth0: the domain of the tenant and the client id of the application."""

    domain: str
    client_id: str

    def providers(self) -> tuple[Provider, ...]:
        """See `AuthProvider`."""
        return Oidc(domain=self.domain, application_id=self.client_id).providers()


@dataclass(frozen=True)
class WorkOS:
    """WorkOS AuthKit: the client id. Its tokens come from two issuers with the same keys."""

    client_id: str

    def providers(self) -> tuple[Provider, ...]:
        """See `AuthProvider`."""
        jwks = f"https://api.workos.com/sso/jwks/{self.client_id}"
        session = f"https://api.workos.com/user_management/{self.client_id}"
        return (
            CustomJwtProvider("https://api.workos.com/", jwks, "RS256", self.client_id),
            CustomJwtProvider(session, jwks, "RS256"),
        )
