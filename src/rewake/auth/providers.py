"""Providers: who may vouch for a user, as plain data.

Floor 1, `auth`. What `auth_config.py` of a project says, without its code: it crosses from the process that
loaded the project to the one that takes tokens. Texts may name environment variables as `${NAME}`; `filled`
puts their values in each time that the configuration is used, so a change of one needs no push.

    Provider with ${NAME} -> filled(variables) -> Provider, ready to be asked | why it cannot be used

Not here: what authors write (`functions/auth_providers.py`), judging a token (`verification.py`).
Source: wire 5.3; semantics 6.9, 6.10.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from typing import Literal
from urllib.parse import unquote_to_bytes, urlsplit

import msgspec

from rewake.auth.issuers import check_provider_url
from rewake.errors import InvalidInput

CustomAlgorithm = Literal["RS256", "ES256"]
OIDC_ALGORITHMS = ("RS256", "EdDSA")

_VARIABLE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


class AuthConfigMissingEnvironmentVariable(InvalidInput):
    """The configuration of sign-in needs an environment variable that is not set. Set it with
    `rewake env set`; it takes effect at once.
    """

    code = "AuthConfigMissingEnvironmentVariable"
    template = (
        "Environment variable {name} is used in auth config file but its value was not set. "
        "Set it with `rewake env set {name}`."
    )


class InvalidKeySource(InvalidInput):
    """`jwks` of a provider is neither a URL nor keys. Give a URL, a data URI, or the key set itself."""

    code = "InvalidAuthConfig"
    template = "Invalid `jwks` of auth provider {issuer}: {reason}"


class ApplicationIdMissing(InvalidInput):
    """The application id of a provider is empty, so tokens for any application would do, or none."""

    code = "InvalidAuthConfig"
    template = "The auth provider {issuer} needs an application id that is not empty."


class OidcProvider(msgspec.Struct, frozen=True, tag="oidc"):
    """An OpenID Connect provider: its keys are found by discovery."""

    domain: str
    application_id: str

    @property
    def issuer(self) -> str:
        """Whom its tokens name as `iss`."""
        return self.domain

    @property
    def algorithms(self) -> tuple[str, ...]:
        """How its tokens may be signed."""
        return OIDC_ALGORITHMS

    def __str__(self) -> str:
        return f"OIDC(domain={self.domain}, app_id={self.application_id})"


class CustomJwtProvider(msgspec.Struct, frozen=True, tag="customJwt"):
    """An issuer of tokens that says where its keys are: `jwks` is a URL, or a data URI that holds them."""

    issuer: str
    jwks: str
    algorithm: CustomAlgorithm = "RS256"
    application_id: str | None = None

    @property
    def algorithms(self) -> tuple[str, ...]:
        """How its tokens may be signed."""
        return (self.algorithm,)

    def __str__(self) -> str:
        return f"CustomJWT(issuer={self.issuer}, app_id={self.application_id})"


Provider = OidcProvider | CustomJwtProvider


def variables_of(providers: Iterable[Provider]) -> tuple[str, ...]:
    """The environment variables that `providers` name, in order."""
    names = {name for provider in providers for text in _texts(provider) for name in _VARIABLE.findall(text)}
    return tuple(sorted(names))


def filled(provider: Provider, variables: Mapping[str, str]) -> Provider:
    """The provider with the values of its variables in place, checked.

    Raises:
        AuthConfigMissingEnvironmentVariable: one of them is not set.
        InvalidProviderDomainUrl, InvalidKeySource, ApplicationIdMissing: what comes out cannot be used.
    """

    def value(match: re.Match[str]) -> str:
        name = match.group(1)
        if name not in variables:
            raise AuthConfigMissingEnvironmentVariable(name=name)
        return variables[name]

    def fill(text: str) -> str:
        return _VARIABLE.sub(value, text)

    if isinstance(provider, OidcProvider):
        domain, wanted = check_provider_url(fill(provider.domain)), fill(provider.application_id)
        if not wanted:
            raise ApplicationIdMissing(issuer=domain)
        return OidcProvider(domain, wanted)
    issuer = check_provider_url(fill(provider.issuer))
    jwks = fill(provider.jwks)
    _check_key_source(jwks, issuer)
    if provider.application_id is None:
        return CustomJwtProvider(issuer, jwks, provider.algorithm)
    wanted = fill(provider.application_id)
    if not wanted:
        raise ApplicationIdMissing(issuer=issuer)
    return CustomJwtProvider(issuer, jwks, provider.algorithm, wanted)


def check_provider(provider: Provider) -> None:
    """Refuse what no value of a variable can make right.

    Raises:
        InvalidProviderDomainUrl, InvalidKeySource, ApplicationIdMissing: see `filled`.
    """
    if not variables_of([provider]):
        filled(provider, {})


def data_of(uri: str) -> bytes:
    """What a `data:` URI holds (RFC 2397).

    Raises:
        ValueError: it cannot be read.
    """
    head, comma, body = uri.removeprefix("data:").partition(",")
    if not comma:
        raise ValueError("a data URI has a comma before its data")
    data = unquote_to_bytes(body)
    if not head.endswith(";base64"):
        return data
    try:
        return base64.b64decode(data + b"=" * (-len(data) % 4), validate=True)
    except binascii.Error as error:
        raise ValueError(str(error)) from None


def _check_key_source(jwks: str, issuer: str) -> None:
    try:
        if jwks.startswith("data:"):
            data_of(jwks)
            return
        parts = urlsplit(jwks)
        if parts.scheme in ("http", "https") and parts.hostname and parts.username is None:
            return
    except ValueError as error:
        raise InvalidKeySource(issuer=issuer, reason=str(error)) from None
    raise InvalidKeySource(issuer=issuer, reason="it must be an http or https URL, or a data URI.")


def _texts(provider: Provider) -> tuple[str, ...]:
    if isinstance(provider, OidcProvider):
        return provider.domain, provider.application_id
    return provider.issuer, provider.jwks, provider.application_id or ""
