"""Who really calls, where proxies stand in front.

Floor 1, `protocol`. A proxy adds the address of whoever called it to `X-Forwarded-For` (or `Forwarded`), at
the end. Anybody may send such a header, so it is believed only from proxies that the operator names, and
read from its end: the first address that is no such proxy is the caller.

    client 203.0.113.9 -> 10.0.0.7 -> 127.0.0.1 -> us        X-Forwarded-For: forged, 203.0.113.9, 10.0.0.7
                          `------ trusted -----'                                      ^^^^^^^^^^^

Not here: who asks (`http_api`, `sync`, `server`), the host, which comes in `Host`.
Source: RFC 7239, sections 4 to 6; wire 4.2.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import msgspec

from rewake.errors import InvalidInput

_Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_HOPS_MAX = 32
"""Entries of the header that are looked at: a caller may send as many as it likes."""


class ProxyAddressInvalid(InvalidInput):
    """A trusted proxy is given by its address or its network."""

    code = "ProxyAddressInvalid"
    template = "`{text}` is no address of a proxy. Write 10.0.0.7, 10.0.0.0/8, or * for every caller."


class CallerFacts(NamedTuple):
    """What is known of whoever sent a request."""

    address: str
    """Of the caller, without port; empty where nobody knows, as over a Unix socket."""
    scheme: str
    """`http` or `https`, as the caller wrote it."""


class TrustedProxies(msgspec.Struct, frozen=True):
    """The proxies whose word counts."""

    networks: tuple[_Network, ...]
    is_everyone: bool = False

    @classmethod
    def parse(cls, text: str) -> TrustedProxies:
        """Read a list of addresses and networks, separated by commas; `*` is everyone.

        Raises:
            ProxyAddressInvalid: an entry is neither.
        """
        networks: list[_Network] = []
        words = [word for word in (part.strip() for part in text.split(",")) if word]
        for word in words:
            if word == "*":
                continue
            try:
                networks.append(ipaddress.ip_network(word))
            except ValueError:
                raise ProxyAddressInvalid(text=word) from None
        return cls(tuple(networks), is_everyone="*" in words)

    def trusts(self, address: str) -> bool:
        """Whether `address` is one of the proxies."""
        if self.is_everyone:
            return True
        parsed = _parsed_peer(address)
        return parsed is not None and any(parsed in network for network in self.networks)

    def caller(self, peer: str, scheme: str, headers: Iterable[tuple[str, str]]) -> CallerFacts:
        """Who calls, where `peer` opened the connection under `scheme`. `headers` have lowercase names."""
        if not self.networks and not self.is_everyone:
            return CallerFacts(peer, scheme)
        if not self.trusts(peer):
            return CallerFacts(peer, scheme)
        brought: dict[str, str] = {}
        for name, value in headers:
            if name in _HEADERS:
                brought[name] = f"{brought[name]},{value}" if name in brought else value
        if not brought:
            return CallerFacts(peer, scheme)
        hops = _listed(brought.get("x-forwarded-for", "")) or _elements(brought.get("forwarded", ""), "for")
        protos = _listed(brought.get("x-forwarded-proto", "")) or _elements(
            brought.get("forwarded", ""), "proto"
        )
        said = protos[0].lower() if protos else scheme
        return CallerFacts(self._first_stranger(hops, peer), said if said in ("http", "https") else scheme)

    def _first_stranger(self, hops: list[str], peer: str) -> str:
        found = peer
        for hop in reversed(hops[-_HOPS_MAX:]):
            parsed = _parsed(hop)
            if parsed is None:
                # `unknown`, a hidden name, or rubbish: the last one that was told is all that is known.
                return found
            found = str(parsed)
            if not self.trusts(found):
                return found
        return found


LOOPBACK = TrustedProxies.parse("127.0.0.1, ::1")
"""What is trusted where nobody says otherwise: a proxy on the same machine."""

_HEADERS = frozenset({"x-forwarded-for", "x-forwarded-proto", "forwarded"})
FORWARDING_HEADERS = frozenset(name.encode() for name in _HEADERS)
"""The headers that are looked at, as they stand in a request: a door need not decode the others."""


def _listed(header: str) -> list[str]:
    return [part.strip() for part in header.split(",") if part.strip()]


def _elements(forwarded: str, wanted: str) -> list[str]:
    """The values of one parameter in a `Forwarded` header, one for each hop that has it."""
    values = []
    for hop in forwarded.split(","):
        for pair in hop.split(";"):
            name, _, value = pair.partition("=")
            if name.strip().lower() == wanted:
                values.append(value.strip().strip('"'))
    return values


def _parsed(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """An address with or without port or brackets; one of IPv4 that is written in IPv6 is taken as such."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


_parsed_peer = lru_cache(maxsize=1024)(_parsed)
"""The same for addresses that are known to be such, and short: most requests come from few."""
