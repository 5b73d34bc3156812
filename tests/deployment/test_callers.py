"""Who stands behind tokens and headers."""

from __future__ import annotations

import asyncio
import base64
import json

import pytest

from rewake.auth import ANONYMOUS, EVERYTHING, Admin, AdminKey, Grant, Identity, User
from rewake.auth.keys import BadAdminKey
from rewake.deployment import InvalidHeader
from rewake.deployment.callers import Callers
from rewake.errors import Unauthenticated


class Tokens:
    """Takes one token and no other."""

    async def verify(self, token: str) -> User:
        if token != "good":
            raise Unauthenticated("not good")
        return USER


class OwnKey:
    """The deployment's own key, which is all there is here."""

    def check(self, presented: str) -> Grant:
        AdminKey("test|aa").check(presented)
        return EVERYTHING


ATTRIBUTES = {"issuer": "i", "subject": "s"}
USER = User('{"issuer":"i","subject":"s","tokenIdentifier":"i|s"}')
CALLERS = Callers(OwnKey(), Tokens())


def by_token(kind: str, value: str | None, impersonating: object | None = None) -> Identity:
    return asyncio.run(CALLERS.by_token(kind, value, impersonating))


def by_header(header: str | None) -> Identity:
    return asyncio.run(CALLERS.by_header(header))


def test_tokens_become_identities() -> None:
    assert by_token("None", None) == ANONYMOUS
    assert by_token("Admin", "test|aa") == Admin()
    assert by_token("Admin", "test|aa", ATTRIBUTES) == Admin(USER)
    assert by_token("User", "good") == USER


@pytest.mark.parametrize("key", ["test|ab", "", None])
def test_another_key_is_refused(key: str | None) -> None:
    with pytest.raises(BadAdminKey):
        by_token("Admin", key)


@pytest.mark.parametrize("impersonated", ["text", {"issuer": "i"}, {"tokenIdentifier": "t", "x": {"$y": 1}}])
def test_nobody_acts_as_what_is_no_identity(impersonated: object) -> None:
    with pytest.raises(Unauthenticated):
        by_token("Admin", "test|aa", impersonated)


def test_headers_become_identities() -> None:
    encoded = base64.b64encode(json.dumps(ATTRIBUTES).encode()).decode()
    assert by_header(None) == ANONYMOUS
    assert by_header("Convex test|aa") == by_header("convex  prod:test|aa ") == Admin()
    assert by_header(f"Convex test|aa:{encoded}") == Admin(USER)
    assert by_header("Bearer good") == by_header("bearer  good ") == USER
    with pytest.raises(BadAdminKey):
        by_header("Convex test|bb")


@pytest.mark.parametrize("token", ["other", "", None, "test|aa"])
def test_a_token_that_is_not_good_is_refused(token: str | None) -> None:
    with pytest.raises(Unauthenticated, match="not good"):
        by_token("User", token)
    if token:
        with pytest.raises(Unauthenticated, match="not good"):
            by_header(f"Bearer {token}")


@pytest.mark.parametrize("header", ["Basic x", "Convex", "Bearer", "", "Convex test|aa:%%%"])
def test_a_header_of_neither_form_is_refused(header: str) -> None:
    with pytest.raises(InvalidHeader):
        by_header(header)
