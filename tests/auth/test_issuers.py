"""Which addresses may stand for a provider, and when two of them are the same."""

from __future__ import annotations

import pytest

from rewake.auth.issuers import (
    InvalidProviderDomainUrl,
    check_provider_url,
    comparable,
    is_nearby,
    with_scheme,
)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("acme.clerk.accounts.dev", "https://acme.clerk.accounts.dev"),
        ("acme.eu.auth0.com/", "https://acme.eu.auth0.com/"),
        ("localhost:3000", "https://localhost:3000"),
        ("xn--bcher-kva.xn--p1ai", "https://xn--bcher-kva.xn--p1ai"),
        ("http://127.0.0.1:8080/realms/main", "http://127.0.0.1:8080/realms/main"),
        ("http://keycloak:8080", "http://keycloak:8080"),
        ("https://id.corp.internal", "https://id.corp.internal"),
    ],
)
def test_an_address_means_https_unless_it_says_otherwise(written: str, meant: str) -> None:
    assert check_provider_url(written) == meant


@pytest.mark.parametrize(
    "url",
    [
        "",
        "keycloak",
        "keycloak:8080",
        "id.corp.internal",
        "10.0.0.1",
        "ftp://acme.com",
        "https://",
        "https://user:password@acme.com",
        "https://acme.com?a=b",
        "https://acme.com#a",
        "https://acme.com/a b",
        "https://acme.com\\@evil.com",
        "https://acme.com:port",
        "https://[::1",
        "javascript:alert(1)",
        "file:///etc/passwd",
        "https://" + "a" * 3000 + ".com",
    ],
)
def test_what_cannot_be_an_address_is_refused(url: str) -> None:
    with pytest.raises(InvalidProviderDomainUrl, match=r"^Invalid provider domain URL") as caught:
        check_provider_url(url)
    assert caught.value.code == "InvalidProviderDomainUrl"


def test_the_refusal_quotes_the_address() -> None:
    with pytest.raises(InvalidProviderDomainUrl) as caught:
        check_provider_url("keycloak")
    assert caught.value.message == (
        'Invalid provider domain URL "keycloak": without a scheme it must be localhost or end in a known '
        "top-level domain"
    )


@pytest.mark.parametrize(
    "other", ["https://acme.com/", "acme.com", "acme.com//", "https://ACME.com", "HTTPS://acme.com"]
)
def test_a_slash_and_the_case_of_the_host_say_nothing(other: str) -> None:
    assert comparable(other) == comparable("https://acme.com")


@pytest.mark.parametrize(
    "other",
    [
        "http://acme.com",
        "https://acme.com.evil.com",
        "https://evil.com/https://acme.com",
        "https://acme.com@evil.com",
        "https://acme.com:443",
        "https://acme.com./",
        "https://аcme.com",  # Its first letter is Cyrillic.
        "https://acme.com/%2F",
        "https://acme.com/a",
        " https://acme.com",
        "https://acme.com\n",
        "//acme.com",
    ],
)
def test_what_only_looks_alike_is_another(other: str) -> None:
    assert comparable(other) != comparable("https://acme.com")


def test_paths_keep_their_case() -> None:
    assert comparable("https://acme.com/Realm") != comparable("https://acme.com/realm")


def test_with_scheme_adds_https() -> None:
    assert with_scheme("accounts.google.com") == "https://accounts.google.com"
    assert with_scheme("http://a") == "http://a"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://127.0.0.1:1/", True),
        ("http://[::1]:1/", True),
        ("http://10.1.2.3/", True),
        ("http://keycloak:8080/", True),
        ("http://id.corp.internal/", True),
        ("http://acme.com/", False),
        ("http://8.8.8.8/", False),
    ],
)
def test_nearby_is_this_machine_or_its_network(url: str, *, expected: bool) -> None:
    assert is_nearby(url) is expected
