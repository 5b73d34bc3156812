"""The user identity: who is signed in, as functions see it.

Floor 2, `functions`. A view of the claims of a verified token; verifying has happened long before (`auth`).
Source: wire 5.6; semantics 6.10.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar, overload

T = TypeVar("T")


class _Claim(Generic[T]):
    """A standard claim, None where the token does not tell it, or tells it as something else."""

    def __init__(self, name: str, kind: type[T]) -> None:
        self._name = name
        self._kind = kind

    @overload
    def __get__(self, identity: None, owner: type[UserIdentity]) -> _Claim[T]: ...
    @overload
    def __get__(self, identity: UserIdentity, owner: type[UserIdentity]) -> T | None: ...
    def __get__(self, identity: UserIdentity | None, owner: type[UserIdentity]) -> _Claim[T] | T | None:
        if identity is None:
            return self
        value = identity.attributes.get(self._name)
        return value if isinstance(value, self._kind) else None


class UserIdentity:
    """Who is signed in: the claims of a verified token. Source: wire 5.6.

    Standard claims are attributes in Python spelling (`token_identifier`, `subject`, `issuer`, `email`,
    ...), None where the token does not tell them. Every claim, custom ones included, is an item under its
    official name: `identity["tokenIdentifier"]`, `identity["org_role"]`, `identity.get("plan", "free")`.
    """

    def __init__(self, attributes: dict[str, Any]) -> None:
        self.attributes = attributes
        """All claims by their official names."""

    # Python would otherwise try 0, 1, 2 as names.
    __iter__ = None

    def __getitem__(self, name: str) -> Any:
        return self.attributes[name]

    def __contains__(self, name: object) -> bool:
        return name in self.attributes

    def get(self, name: str, default: Any = None) -> Any:
        """The claim `name`, or `default` where the token has none."""
        return self.attributes.get(name, default)

    @property
    def token_identifier(self) -> str:
        """Issuer and subject in one text: the stable key of a user."""
        return str(self.attributes["tokenIdentifier"])

    @property
    def subject(self) -> str:
        """The user's id at the issuer."""
        return str(self.attributes["subject"])

    @property
    def issuer(self) -> str:
        """Who vouches for the user."""
        return str(self.attributes["issuer"])

    name = _Claim("name", str)
    given_name = _Claim("givenName", str)
    family_name = _Claim("familyName", str)
    nickname = _Claim("nickname", str)
    preferred_username = _Claim("preferredUsername", str)
    profile_url = _Claim("profileUrl", str)
    picture_url = _Claim("pictureUrl", str)
    website_url = _Claim("websiteUrl", str)
    email = _Claim("email", str)
    email_verified = _Claim("emailVerified", bool)
    gender = _Claim("gender", str)
    birthday = _Claim("birthday", str)
    timezone = _Claim("timezone", str)
    language = _Claim("language", str)
    phone_number = _Claim("phoneNumber", str)
    phone_number_verified = _Claim("phoneNumberVerified", bool)
    address = _Claim("address", str)
    updated_at = _Claim("updatedAt", str)
    """RFC 3339 text."""

    def __repr__(self) -> str:
        return f"UserIdentity({self.attributes!r})"
