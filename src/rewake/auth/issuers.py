"""Issuers: which addresses may stand for a provider, and when two of them are the same.

Floor 1, `auth`. An issuer is compared as text, never resolved or decoded, so nothing that looks alike is
taken for equal: what differs in one letter of another alphabet differs.

    acme.clerk.accounts.dev      -> https://acme.clerk.accounts.dev
    https://ACME.eu.auth0.com/   == https://acme.eu.auth0.com

Plain `http` is taken where it is written out (wire 5.3): for an issuer on the same machine or network.
Not here: what is fetched from a provider (`provider_fetching.py`).
Source: wire 5.3, 5.4.
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from rewake.errors import InvalidInput

_URL_LENGTH_MAX = 2048
_SCHEME = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*://")
_UNFIT = re.compile(r"[\s\x00-\x1f\x7f\\]")
_TOP_LEVEL = re.compile(r"[a-z]{2,63}|xn--[a-z0-9-]{1,59}")
_NEVER_TOP_LEVEL = frozenset(
    {"corp", "example", "home", "internal", "invalid", "lan", "local", "localdomain", "onion", "test"}
)
"""Names that are kept free for private and special use (RFC 6761, RFC 6762, ICANN): a domain without scheme
that ends so is a mistake, or needs its scheme written out."""


class InvalidProviderDomainUrl(InvalidInput):
    """The address of an auth provider cannot be one. Write a domain, or a URL with `https://`."""

    code = "InvalidProviderDomainUrl"
    template = 'Invalid provider domain URL "{url}": {reason}'


def check_provider_url(url: str) -> str:
    """The address of a provider with its scheme.

    Raises:
        InvalidProviderDomainUrl: it cannot be one.
    """
    has_scheme = _SCHEME.match(url) is not None
    full = with_scheme(url)
    if not url or len(url) > _URL_LENGTH_MAX or _UNFIT.search(url):
        raise InvalidProviderDomainUrl(url=url[:200], reason="it is empty, too long, or has blanks in it")
    try:
        parts = urlsplit(full)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidProviderDomainUrl(url=url, reason=str(error)) from None
    if parts.scheme not in ("http", "https"):
        raise InvalidProviderDomainUrl(url=url, reason="its scheme must be http or https")
    if not host:
        raise InvalidProviderDomainUrl(url=url, reason="it names no host")
    if parts.username is not None or parts.query or parts.fragment:
        raise InvalidProviderDomainUrl(url=url, reason="it may not hold a user, a query or a fragment")
    if not has_scheme and host != "localhost" and not _has_top_level(host):
        raise InvalidProviderDomainUrl(
            url=url, reason="without a scheme it must be localhost or end in a known top-level domain"
        )
    return full


def with_scheme(issuer: str) -> str:
    """`issuer`, which means `https` where it does not say otherwise."""
    return issuer if _SCHEME.match(issuer) else f"https://{issuer}"


def comparable(issuer: str) -> str:
    """What is equal for two texts that name one issuer: a trailing slash and the case of the host say
    nothing.
    """
    scheme, separator, rest = with_scheme(issuer).rstrip("/").partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}{separator}{host.lower()}{slash}{path}"


def is_nearby(url: str) -> bool:
    """Whether `url` is on this machine or on a private network, by its own words: nothing is resolved."""
    host = urlsplit(url).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return host == "localhost" or host.endswith((".localhost", ".local", ".internal")) or "." not in host
    return address.is_loopback or address.is_private


def _has_top_level(host: str) -> bool:
    _, dot, last = host.rstrip(".").rpartition(".")
    return bool(dot) and _TOP_LEVEL.fullmatch(last) is not None and last not in _NEVER_TOP_LEVEL
