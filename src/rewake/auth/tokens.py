"""Tokens: what a JWT says before anybody has vouched for it.

Floor 1, `auth`. Taking a token apart, with bounds, and nothing else: everything here is the word of a
stranger until `verification.py` has checked the signature over these very bytes.

    header.payload.signature    three parts of base64url, the first two JSON objects

Source: RFC 7515, sections 3.1 and 5.2; RFC 7519, section 7.2; wire 5.4.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, NamedTuple

import msgspec

from rewake.errors import Unauthenticated

_BASE64URL = re.compile(rb"[A-Za-z0-9_-]*")
_NOT_A_JWT = (
    "Could not parse JWT payload. Check that the token is a valid JWT format with three base64-encoded parts "
    "separated by dots."
)


class InvalidAuthHeader(Unauthenticated):
    """The token is not a JWT. Send the token that the auth provider gave, as it is."""

    code = "InvalidAuthHeader"
    template = _NOT_A_JWT


class Token(NamedTuple):
    """A token, taken apart."""

    header: dict[str, Any]
    payload: dict[str, Any]
    signed: bytes
    """What the signature is over."""
    signature: bytes
    issuer: str
    """`iss`, as it stands there."""

    @property
    def algorithm(self) -> str:
        """How it says that it was signed; empty where it does not."""
        name = self.header.get("alg")
        return name if isinstance(name, str) else ""

    @property
    def key_id(self) -> str | None:
        """Which key it says that it was signed with."""
        name = self.header.get("kid")
        return name if isinstance(name, str) else None

    @property
    def audiences(self) -> list[str]:
        """For whom it was made: `aud` is a text or a list of texts."""
        named = self.payload.get("aud")
        if isinstance(named, str):
            return [named]
        if isinstance(named, list):
            return [each for each in named if isinstance(each, str)]
        return []


def parse_token(text: str, *, bytes_max: int) -> Token:
    """Take a token apart. Nothing of it is checked.

    Raises:
        InvalidAuthHeader: it is no JWT, too large, or names no issuer.
    """
    if len(text) > bytes_max:
        raise InvalidAuthHeader(f"The token is too large ({len(text)} > maximum size {bytes_max} bytes).")
    parts = text.split(".")
    if len(parts) != 3 or not text.isascii():
        raise InvalidAuthHeader()
    header, payload = _parse_object(parts[0]), _parse_object(parts[1])
    issuer = payload.get("iss")
    if not isinstance(issuer, str) or not issuer:
        raise InvalidAuthHeader(
            "Missing issuer claim ('iss') in JWT payload. The issuer tells which auth provider made it."
        )
    return Token(header, payload, f"{parts[0]}.{parts[1]}".encode(), _decode_part(parts[2]), issuer)


def _parse_object(part: str) -> dict[str, Any]:
    try:
        parsed = msgspec.json.decode(_decode_part(part))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise InvalidAuthHeader() from None
    if not isinstance(parsed, dict):
        raise InvalidAuthHeader()
    return parsed


def _decode_part(part: str) -> bytes:
    """Base64url without padding. One text has one meaning: left-over bits must be zero."""
    raw = part.encode()
    if _BASE64URL.fullmatch(raw) is None:
        raise InvalidAuthHeader()
    try:
        data = base64.urlsafe_b64decode(raw + b"=" * (-len(raw) % 4))
    except (binascii.Error, ValueError):
        raise InvalidAuthHeader() from None
    if base64.urlsafe_b64encode(data).rstrip(b"=") != raw:
        raise InvalidAuthHeader()
    return data
