"""Claims: what a verified token tells about its user, as the identity that functions see.

Floor 1, `auth`. The names are those that applications know from official clients. The three fields that say
who somebody is come from `iss` and `sub` alone: no claim of that name can take their place.

    OIDC         given_name -> givenName, and the other standard claims; the rest under their own names
    custom JWT   every claim under its own name, objects laid flat: {"a": {"b": 1}} -> "a.b"

Every number is a Float64, as everywhere in values. What cannot be a field of a value is left out.
Source: wire 5.6; OpenID Connect Core 1.0, section 5.1.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any

from rewake.auth.identity import User
from rewake.errors import Unauthenticated
from rewake.limits import VALUE_NESTING_MAX
from rewake.values import InvalidName, InvalidValue, check_field_name, encode, normalize

STANDARD_CLAIMS: Mapping[str, str] = MappingProxyType(
    {
        "name": "name",
        "given_name": "givenName",
        "family_name": "familyName",
        "nickname": "nickname",
        "preferred_username": "preferredUsername",
        "profile": "profileUrl",
        "picture": "pictureUrl",
        "website": "websiteUrl",
        "email": "email",
        "gender": "gender",
        "birthdate": "birthday",
        "zoneinfo": "timezone",
        "locale": "language",
        "phone_number": "phoneNumber",
    }
)
"""Standard claims that are texts, with the fields that they become."""
_FLAGS = {"email_verified": "emailVerified", "phone_number_verified": "phoneNumberVerified"}
_REGISTERED = frozenset({"iss", "sub", "aud", "exp", "iat", "nbf", "jti"})
_INTERNAL = frozenset({"at_hash", "c_hash", "fva", "nonce", "s_hash"})
"""Marks between a provider and a browser, which say nothing about the user."""
_OWN = frozenset({"tokenIdentifier", "subject", "issuer"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class ClaimsUnusable(Unauthenticated):
    """The claims of a token are too large or too deep to be shown to functions."""

    template = "Could not validate token: its claims are not values: {reason}"


def user_of_oidc(claims: Mapping[str, Any], *, expires_ns: int) -> User:
    """The user of a verified token of an OpenID Connect provider.

    Raises:
        ClaimsUnusable: the claims cannot be values.
    """
    fields: dict[str, Any] = {}
    for name, value in claims.items():
        if name in STANDARD_CLAIMS:
            if isinstance(value, str):
                fields[STANDARD_CLAIMS[name]] = value
        elif name in _FLAGS:
            flag = {"true": True, "false": False}.get(value) if isinstance(value, str) else value
            if isinstance(flag, bool):
                fields[_FLAGS[name]] = flag
        elif name == "address":
            if isinstance(value, Mapping) and isinstance(value.get("formatted"), str):
                fields["address"] = value["formatted"]
        elif name == "updated_at" and (moment := _moment(value)) is not None:
            fields["updatedAt"] = moment
    typed = {*STANDARD_CLAIMS, *_FLAGS, "address", "updated_at"}
    for name, value in claims.items():
        if name not in typed and name not in _INTERNAL:
            fields.setdefault(name, value)
    return _user(claims, fields, expires_ns)


def user_of_custom(claims: Mapping[str, Any], *, expires_ns: int) -> User:
    """The user of a verified token of a custom issuer.

    Raises:
        ClaimsUnusable: the claims cannot be values.
    """
    return _user(claims, dict(_flat("", claims, 0)), expires_ns)


def _user(claims: Mapping[str, Any], fields: dict[str, Any], expires_ns: int) -> User:
    issuer, subject = claims["iss"], claims["sub"]
    custom = {name: value for name, value in fields.items() if name not in _REGISTERED | _OWN}
    try:
        plain = _plain(custom, 0)
        assert isinstance(plain, dict)
        who = {"tokenIdentifier": f"{issuer}|{subject}", "subject": subject, "issuer": issuer}
        return User(encode(normalize(plain | who)), expires_ns=expires_ns)
    except InvalidValue as error:
        raise ClaimsUnusable(reason=error.message) from None


def _flat(prefix: str, fields: Mapping[str, Any], level: int) -> Iterator[tuple[str, Any]]:
    _check_level(level)
    for name, value in fields.items():
        if not prefix and name in _REGISTERED:
            continue
        if isinstance(value, Mapping):
            yield from _flat(f"{prefix}{name}.", value, level + 1)
        else:
            yield f"{prefix}{name}", value


def _plain(claim: Any, level: int) -> Any:
    """A claim with floats for numbers and without names that no field can have."""
    _check_level(level)
    if isinstance(claim, int) and not isinstance(claim, bool):
        try:
            return float(claim)
        except OverflowError:
            raise ClaimsUnusable(reason="a number is too large") from None
    if isinstance(claim, list):
        return [_plain(each, level + 1) for each in claim]
    if isinstance(claim, Mapping):
        return {name: _plain(value, level + 1) for name, value in claim.items() if _is_field_name(name)}
    return claim


def _check_level(level: int) -> None:
    if level > VALUE_NESTING_MAX:
        raise ClaimsUnusable(reason=f"nested more than {VALUE_NESTING_MAX} levels deep")


def _is_field_name(name: str) -> bool:
    try:
        check_field_name(name)
    except InvalidName:
        return False
    return True


def _moment(value: Any) -> str | None:
    """A moment as RFC 3339 text: providers send seconds, and some the text itself."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        moment = _EPOCH + timedelta(seconds=value)
    except (OverflowError, ValueError):
        return None
    return moment.isoformat().replace("+00:00", "Z")
