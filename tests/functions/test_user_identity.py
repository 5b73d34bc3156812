"""The user identity: standard claims in Python spelling, every claim by its official name."""

from __future__ import annotations

import pytest

from rewake import UserIdentity
from rewake.auth.claims import STANDARD_CLAIMS

ATTRIBUTES = {
    "tokenIdentifier": "https://a.com|ada",
    "subject": "ada",
    "issuer": "https://a.com",
    "givenName": "Ada",
    "emailVerified": True,
    "org_role": "admin",
    "metadata": {"seats": 5.0},
}


def test_standard_claims_are_attributes() -> None:
    identity = UserIdentity(ATTRIBUTES)
    assert (identity.token_identifier, identity.subject, identity.issuer) == (
        "https://a.com|ada",
        "ada",
        "https://a.com",
    )
    assert (identity.given_name, identity.email_verified) == ("Ada", True)
    assert (identity.email, identity.phone_number_verified) == (None, None)


def test_every_standard_claim_has_its_attribute() -> None:
    official = {*STANDARD_CLAIMS.values(), "emailVerified", "phoneNumberVerified", "address", "updatedAt"}
    for name in official:
        spelled = "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)
        value = True if name.endswith("Verified") else "text"
        assert getattr(UserIdentity(ATTRIBUTES | {name: value}), spelled) == value


def test_custom_claims_are_items() -> None:
    identity = UserIdentity(ATTRIBUTES)
    assert identity["org_role"] == "admin"
    assert identity["metadata"]["seats"] == 5
    assert identity.get("plan", "free") == "free"
    assert identity.get("plan") is None
    assert "org_role" in identity
    assert "plan" not in identity
    with pytest.raises(KeyError):
        identity["plan"]


def test_a_claim_of_another_type_is_no_standard_claim() -> None:
    identity = UserIdentity(ATTRIBUTES | {"email": 5.0, "emailVerified": "yes"})
    assert (identity.email, identity.email_verified) == (None, None)
    assert identity["email"] == 5


def test_it_is_no_sequence() -> None:
    with pytest.raises(TypeError):
        iter(UserIdentity(ATTRIBUTES))  # type: ignore[call-overload]
