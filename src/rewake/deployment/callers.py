"""Callers: who stands behind a token or a header.

Floor 5, `deployment`. Administrators show a key of the deployment, and may act as a user. Users show
a token of an auth provider.

Not here: which keys are good (`keys.py`) and which tokens (`sign_in.py`), what an identity may do
(`execution`).
Source: wire 1.7, 4.2, 5.
"""

from __future__ import annotations

import base64
import binascii
from typing import Any, Protocol

import msgspec

from rewake.auth import ANONYMOUS, Admin, Grant, Identity, User
from rewake.errors import InvalidInput, Unauthenticated
from rewake.values import encode, normalize


class InvalidHeader(InvalidInput):
    """The Authorization header is neither `Bearer {token}` nor `Convex {admin key}`."""

    code = "InvalidHeaderFailure"
    template = "The Authorization header must be `Bearer {{token}}` or `Convex {{admin key}}`."


class AdminKeys(Protocol):
    """The keys of the deployment."""

    def check(self, presented: str) -> Grant:
        """What a key grants.

        Raises:
            Unauthenticated: nothing.
        """
        ...


class Tokens(Protocol):
    """The tokens of users."""

    async def verify(self, token: str) -> User:
        """The user behind a token.

        Raises:
            Unauthenticated: it is not good.
        """
        ...


class Callers:
    """Tells identities for one deployment."""

    def __init__(self, keys: AdminKeys, tokens: Tokens) -> None:
        self._keys = keys
        self._tokens = tokens

    async def by_token(self, token_type: str, value: str | None, impersonating: object | None) -> Identity:
        """The identity behind a websocket's token.

        Raises:
            Unauthenticated: the key is wrong, or the token not good.
        """
        if token_type == "None":
            return ANONYMOUS
        if token_type == "Admin":
            grant = self._keys.check(value or "")
            return Admin(acting_as=_user_of(impersonating), grant=grant)
        return await self._tokens.verify(value or "")

    async def by_header(self, authorization: str | None) -> Identity:
        """The identity behind an `Authorization` header (wire 4.2).

        Raises:
            InvalidHeader: it has neither of the two forms.
            Unauthenticated: the key is wrong, or the token not good.
        """
        if authorization is None:
            return ANONYMOUS
        scheme, _, rest = authorization.strip().partition(" ")
        rest = rest.strip()
        if not rest or scheme.lower() not in ("bearer", "convex"):
            raise InvalidHeader()
        if scheme.lower() == "bearer":
            return await self._tokens.verify(rest)
        key, acting_as = _split_acting_as(rest)
        return Admin(acting_as=acting_as, grant=self._keys.check(key))


def _user_of(attributes: object | None) -> User | None:
    if attributes is None:
        return None
    if not isinstance(attributes, dict):
        raise Unauthenticated("The identity to act as must be an object of user attributes.")
    fields: dict[str, Any] = dict(attributes)
    if "tokenIdentifier" not in fields:
        if not isinstance(fields.get("issuer"), str) or not isinstance(fields.get("subject"), str):
            raise Unauthenticated(
                "The identity to act as needs `tokenIdentifier`, or both `issuer` and `subject`."
            )
        fields["tokenIdentifier"] = f"{fields['issuer']}|{fields['subject']}"
    try:
        return User(encode(normalize(fields)))
    except InvalidInput as error:
        raise Unauthenticated(f"The identity to act as is not a value: {error.message}") from None


def _split_acting_as(text: str) -> tuple[str, User | None]:
    """Take `key:{base64 JSON}` apart (wire 4.2). An environment prefix such as `prod:` stays with the key."""
    head, colon, tail = text.rpartition(":")
    if not colon or "|" in tail:
        return text, None
    try:
        attributes = msgspec.json.decode(base64.b64decode(tail, validate=True))
    except (binascii.Error, msgspec.DecodeError, ValueError):
        raise InvalidHeader("The identity after the admin key is not base64 of a JSON object.") from None
    return head, _user_of(attributes)
