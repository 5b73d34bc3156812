"""Users of a test: who is signed in, from as little as a test cares to say.

Floor 8, `testing`. What a token would tell is filled in: an issuer, a subject, the identifier made of both.

Not here: what a caller may do (`backend.py`), tokens themselves (`auth`).
Source: semantics 9.1; wire 5.6.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from rewake.auth import User
from rewake.values import encode, normalize

ISSUER = "https://rewake.test"

_SUBJECT = "test-user"
_CLAIMS = {
    "token_identifier": "tokenIdentifier",
    "given_name": "givenName",
    "family_name": "familyName",
    "preferred_username": "preferredUsername",
    "profile_url": "profileUrl",
    "picture_url": "pictureUrl",
    "website_url": "websiteUrl",
    "email_verified": "emailVerified",
    "phone_number": "phoneNumber",
    "phone_number_verified": "phoneNumberVerified",
    "updated_at": "updatedAt",
}
"""Standard claims in Python spelling; others keep their name."""


def user_of(subject: str | None, issuer: str, claims: Mapping[str, Any]) -> User:
    """A user with these claims, in Python spelling. Without a subject, the same claims are the same user."""
    named = {_CLAIMS.get(name, name): value for name, value in claims.items()}
    if subject is None:
        subject = _subject_of(named)
    attributes = {"tokenIdentifier": f"{issuer}|{subject}", "issuer": issuer, "subject": subject} | named
    return User.from_attributes(normalize(attributes))  # type: ignore[arg-type]


def _subject_of(claims: Mapping[str, Any]) -> str:
    if not claims:
        return _SUBJECT
    return f"user-{hashlib.blake2b(encode(normalize(dict(claims))).encode(), digest_size=8).hexdigest()}"
