"""Users of a test: what is filled in, and who is the same."""

from __future__ import annotations

from typing import Any

import pytest

from rewake.testing.users import ISSUER, user_of
from rewake.values import InvalidValue, decode_stored


def attributes(subject: str | None = None, issuer: str = ISSUER, **claims: Any) -> dict[str, Any]:
    known = decode_stored(user_of(subject, issuer, claims).attributes)
    assert isinstance(known, dict)
    return known


def test_issuer_subject_and_identifier_are_filled_in() -> None:
    assert attributes() == {
        "issuer": "https://rewake.test",
        "subject": "test-user",
        "tokenIdentifier": "https://rewake.test|test-user",
    }
    assert attributes("ann", "https://else.test")["tokenIdentifier"] == "https://else.test|ann"
    assert attributes("ann", token_identifier="mine")["tokenIdentifier"] == "mine"


def test_standard_claims_are_written_as_in_python_and_others_stay() -> None:
    ann = attributes("ann", email_verified=True, org_role="owner")
    assert (ann["emailVerified"], ann["org_role"]) == (True, "owner")


def test_without_a_subject_the_claims_tell_users_apart() -> None:
    ann, again, bob = attributes(name="Ann"), attributes(name="Ann"), attributes(name="Bob")
    assert ann == again
    assert ann["subject"] != bob["subject"]
    assert ann["tokenIdentifier"] == f"{ISSUER}|{ann['subject']}"


def test_a_claim_is_a_value() -> None:
    with pytest.raises(InvalidValue):
        attributes(tags={1, 2})
