"""Who really calls: headers count from proxies that are trusted, and from nobody else."""

from __future__ import annotations

import pytest

from rewake.protocol import LOOPBACK, CallerFacts, ProxyAddressInvalid, TrustedProxies

NETWORK = TrustedProxies.parse("127.0.0.1, 10.0.0.0/8,::1, fd00::/8")


@pytest.mark.parametrize(
    ("peer", "headers", "address"),
    [
        ("127.0.0.1", {}, "127.0.0.1"),
        ("127.0.0.1", {"x-forwarded-for": "203.0.113.9"}, "203.0.113.9"),
        ("127.0.0.1", {"x-forwarded-for": "6.6.6.6, 203.0.113.9, 10.1.2.3"}, "203.0.113.9"),
        ("127.0.0.1", {"x-forwarded-for": "10.0.0.1, 10.0.0.2"}, "10.0.0.1"),
        ("203.0.113.9", {"x-forwarded-for": "6.6.6.6"}, "203.0.113.9"),
        ("::ffff:10.0.0.9", {"x-forwarded-for": "203.0.113.9:4711"}, "203.0.113.9"),
        ("fd00::1", {"forwarded": 'for="[2001:db8::17]:4711";proto=https, for=10.0.0.2'}, "2001:db8::17"),
        ("127.0.0.1", {"x-forwarded-for": "6.6.6.6, unknown, 10.0.0.1"}, "10.0.0.1"),
        ("127.0.0.1", {"x-forwarded-for": "<script>"}, "127.0.0.1"),
        ("", {"x-forwarded-for": "6.6.6.6"}, ""),
    ],
)
def test_the_first_address_from_the_end_that_is_no_proxy_calls(
    peer: str, headers: dict[str, str], address: str
) -> None:
    assert NETWORK.caller(peer, "http", headers.items()).address == address


@pytest.mark.parametrize(
    ("headers", "scheme"),
    [
        ({}, "http"),
        ({"x-forwarded-proto": "https"}, "https"),
        ({"x-forwarded-proto": "https, http"}, "https"),
        ({"x-forwarded-proto": "HTTPS"}, "https"),
        ({"x-forwarded-proto": "gopher"}, "http"),
        ({"forwarded": 'for=1.2.3.4;proto="https", proto=http'}, "https"),
        ({"forwarded": "for=1.2.3.4"}, "http"),
    ],
)
def test_the_scheme_is_the_first_proxys_word(headers: dict[str, str], scheme: str) -> None:
    assert LOOPBACK.caller("127.0.0.1", "http", headers.items()).scheme == scheme
    assert LOOPBACK.caller("203.0.113.9", "http", headers.items()).scheme == "http"


def test_repeated_headers_are_one_list() -> None:
    headers = [("x-forwarded-for", "6.6.6.6"), ("x-forwarded-for", "203.0.113.9")]
    assert NETWORK.caller("10.0.0.1", "http", headers) == CallerFacts("203.0.113.9", "http")


def test_an_endless_list_is_looked_at_for_so_long_only() -> None:
    hops = ["6.6.6.6", *["10.0.0.1"] * 100_000]
    assert (
        NETWORK.caller("10.0.0.1", "http", {"x-forwarded-for": ",".join(hops)}.items()).address == "10.0.0.1"
    )


def test_everyone_and_nobody_can_be_trusted() -> None:
    headers = {"x-forwarded-for": "6.6.6.6, 7.7.7.7"}
    assert TrustedProxies.parse("*").caller("203.0.113.9", "http", headers.items()).address == "6.6.6.6"
    assert TrustedProxies.parse("").caller("127.0.0.1", "http", headers.items()).address == "127.0.0.1"


@pytest.mark.parametrize("text", ["proxy.example", "10.0.0.1/8", "1.2.3", "10.0.0.1 10.0.0.2"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ProxyAddressInvalid):
        TrustedProxies.parse(text)
