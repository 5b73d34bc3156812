"""Claims become the identity that functions see."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rewake.auth.claims import ClaimsUnusable, user_of_custom, user_of_oidc
from rewake.values import decode_stored

BASE = {"iss": "https://a.com", "sub": "ada"}
WHO = {"tokenIdentifier": "https://a.com|ada", "subject": "ada", "issuer": "https://a.com"}


def oidc(**claims: Any) -> Any:
    found = decode_stored(user_of_oidc(BASE | claims, expires_ns=1).attributes)
    assert isinstance(found, dict)
    assert found.items() >= WHO.items()
    return {name: value for name, value in found.items() if name not in WHO}


def custom(**claims: Any) -> Any:
    found = decode_stored(user_of_custom(BASE | claims, expires_ns=1).attributes)
    assert isinstance(found, dict)
    assert found.items() >= WHO.items()
    return {name: value for name, value in found.items() if name not in WHO}


def test_standard_claims_get_the_names_that_applications_know() -> None:
    assert oidc(
        name="Ada Lovelace",
        given_name="Ada",
        family_name="Lovelace",
        nickname="a",
        preferred_username="ada",
        profile="https://a/p",
        picture="https://a/i",
        website="https://a/w",
        email="ada@a.com",
        email_verified=True,
        gender="f",
        birthdate="1815-12-10",
        zoneinfo="Europe/London",
        locale="en",
        phone_number="+44",
        phone_number_verified=False,
        address={"formatted": "12 St James Square", "country": "GB"},
        updated_at=1_700_000_000,
    ) == {
        "name": "Ada Lovelace",
        "givenName": "Ada",
        "familyName": "Lovelace",
        "nickname": "a",
        "preferredUsername": "ada",
        "profileUrl": "https://a/p",
        "pictureUrl": "https://a/i",
        "websiteUrl": "https://a/w",
        "email": "ada@a.com",
        "emailVerified": True,
        "gender": "f",
        "birthday": "1815-12-10",
        "timezone": "Europe/London",
        "language": "en",
        "phoneNumber": "+44",
        "phoneNumberVerified": False,
        "address": "12 St James Square",
        "updatedAt": "2023-11-14T22:13:20Z",
    }


def test_absent_claims_are_absent_fields() -> None:
    assert oidc() == custom() == {}


def test_other_claims_keep_name_and_value() -> None:
    claims = {
        "org_role": "admin",
        "permissions": ["read", "write"],
        "metadata": {"plan": {"seats": 5}},
        "https://acme.com/level": 3,
        "nothing": None,
    }
    assert oidc(**claims) == claims | {"metadata": {"plan": {"seats": 5.0}}}
    assert type(oidc(**claims)["https://acme.com/level"]) is float


def test_registered_claims_and_marks_of_the_protocol_are_dropped() -> None:
    registered = {"aud": "x", "exp": 1, "iat": 1, "nbf": 1, "jti": "j"}
    assert oidc(**registered, nonce="n", fva=[1], at_hash="h", c_hash="h") == {}
    assert custom(**registered) == {}


def test_custom_issuers_keep_their_names_and_objects_lie_flat() -> None:
    assert custom(
        email="ada@a.com", given_name="Ada", a={"b": {"c": 1}, "d": [{"e": 2}]}, email_verified=True
    ) == {
        "email": "ada@a.com",
        "given_name": "Ada",
        "a.b.c": 1.0,
        "a.d": [{"e": 2.0}],
        "email_verified": True,
    }


@pytest.mark.parametrize("make", [oidc, custom])
def test_no_claim_takes_the_place_of_who_somebody_is(make: Any) -> None:
    assert make(tokenIdentifier="https://a.com|root", subject="root", issuer="https://b.com") == {}


def test_a_standard_claim_is_not_overruled_by_one_of_its_new_name() -> None:
    assert oidc(given_name="Ada", givenName="Eve", email="ada@a.com") == {
        "givenName": "Ada",
        "email": "ada@a.com",
    }


@pytest.mark.parametrize(
    "claims",
    [{"name": 5}, {"email": None}, {"email_verified": "yes"}, {"email_verified": 1}, {"address": "text"}]
    + [{"updated_at": moment} for moment in (True, None, [], 1e300, float("-1e300"))],
)
def test_standard_claims_of_another_type_are_left_out(claims: dict[str, Any]) -> None:
    assert oidc(**claims) == {}


def test_some_providers_write_flags_and_moments_as_texts() -> None:
    assert oidc(email_verified="true", phone_number_verified="false", updated_at="2024-01-01T00:00:00Z") == {
        "emailVerified": True,
        "phoneNumberVerified": False,
        "updatedAt": "2024-01-01T00:00:00Z",
    }


@pytest.mark.parametrize("make", [oidc, custom])
def test_names_that_no_field_can_have_are_left_out(make: Any) -> None:
    assert make(**{"$integer": "AAAAAAAAAAA=", "ü": 1, "k" * 2000: 1, "good": 1}) == {"good": 1.0}
    assert oidc(a={"$bytes": "AA==", "b": 1}) == {"a": {"b": 1.0}}


@pytest.mark.parametrize("make", [user_of_oidc, user_of_custom])
@pytest.mark.parametrize("value", [10**400, "\ud800", list(range(9000))])
def test_what_is_no_value_refuses_the_token(make: Any, value: Any) -> None:
    with pytest.raises(ClaimsUnusable, match=r"^Could not validate token"):
        make(BASE | {"x": value}, expires_ns=1)


@pytest.mark.parametrize("make", [user_of_oidc, user_of_custom])
@pytest.mark.parametrize("opening", ['{"a":', "["])
def test_deep_claims_refuse_the_token(make: Any, opening: str) -> None:
    closing = {"{": "}", "[": "]"}[opening[0]]
    deep = json.loads(opening * 500 + "1" + closing * 500)
    with pytest.raises(ClaimsUnusable):
        make(BASE | {"x": deep}, expires_ns=1)


def test_a_fresh_token_of_the_same_user_is_the_same_identity() -> None:
    old = user_of_oidc(BASE | {"exp": 1, "iat": 0, "jti": "1"}, expires_ns=1)
    new = user_of_oidc(BASE | {"exp": 9, "iat": 8, "jti": "2"}, expires_ns=9)
    assert (old, old.fingerprint) == (new, new.fingerprint)
    assert (old.expires_ns, new.expires_ns) == (1, 9)
