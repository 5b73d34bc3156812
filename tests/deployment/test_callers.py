"""Who stands behind tokens and headers."""

from __future__ import annotations

import base64
import json

import pytest

from rewake.auth import ANONYMOUS, Admin, AdminKey, User
from rewake.auth.keys import BadAdminKey
from rewake.deployment import InvalidHeader, TokensNotSupported
from rewake.deployment.callers import Callers
from rewake.errors import Unauthenticated

CALLERS = Callers(AdminKey("test|aa"))
ATTRIBUTES = {"issuer": "i", "subject": "s"}
USER = User('{"issuer":"i","subject":"s","tokenIdentifier":"i|s"}')


def test_tokens_become_identities() -> None:
    assert CALLERS.by_token("None", None, None) == ANONYMOUS
    assert CALLERS.by_token("Admin", "test|aa", None) == Admin()
    assert CALLERS.by_token("Admin", "test|aa", ATTRIBUTES) == Admin(USER)


@pytest.mark.parametrize("key", ["test|ab", "", None])
def test_another_key_is_refused(key: str | None) -> None:
    with pytest.raises(BadAdminKey):
        CALLERS.by_token("Admin", key, None)


@pytest.mark.parametrize("impersonated", ["text", {"issuer": "i"}, {"tokenIdentifier": "t", "x": {"$y": 1}}])
def test_nobody_acts_as_what_is_no_identity(impersonated: object) -> None:
    with pytest.raises(Unauthenticated):
        CALLERS.by_token("Admin", "test|aa", impersonated)


def test_headers_become_identities() -> None:
    encoded = base64.b64encode(json.dumps(ATTRIBUTES).encode()).decode()
    assert CALLERS.by_header(None) == ANONYMOUS
    assert CALLERS.by_header("Convex test|aa") == CALLERS.by_header("convex  prod:test|aa ") == Admin()
    assert CALLERS.by_header(f"Convex test|aa:{encoded}") == Admin(USER)
    with pytest.raises(BadAdminKey):
        CALLERS.by_header("Convex test|bb")


def test_tokens_of_users_are_not_taken_for_checked() -> None:
    with pytest.raises(TokensNotSupported):
        CALLERS.by_token("User", "x", None)
    with pytest.raises(TokensNotSupported):
        CALLERS.by_header("Bearer x.y.z")


@pytest.mark.parametrize("header", ["Basic x", "Convex", "", "Convex test|aa:%%%"])
def test_a_header_of_neither_form_is_refused(header: str) -> None:
    with pytest.raises(InvalidHeader):
        CALLERS.by_header(header)
