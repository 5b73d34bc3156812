"""Who may open a sync socket."""

from __future__ import annotations

import pytest

from rewake.limits import Limits
from rewake.protocol import TrustedProxies
from rewake.sync.admission import Admission, OriginNotAllowed, TooManySockets

LIMITS = Limits(sockets_max=4, sockets_per_address_max=2)
PROXY = "10.0.0.1"


def admission(**options: object) -> Admission:
    return Admission(LIMITS, proxies=TrustedProxies.parse("10.0.0.0/8"), **options)  # type: ignore[arg-type]


def test_an_address_has_so_many_and_gets_each_back_once() -> None:
    door = admission()
    places = [door.admit("203.0.113.9", {}) for _ in range(2)]
    with pytest.raises(TooManySockets) as refused:
        door.admit("203.0.113.9", {})
    assert (refused.value.status, refused.value.code) == (429, "TooManyConcurrentRequests")
    door.admit("203.0.113.10", {})
    places[0].leave()
    places[0].leave()
    door.admit("203.0.113.9", {})
    with pytest.raises(TooManySockets):
        door.admit("203.0.113.9", {})


def test_behind_a_trusted_proxy_each_client_has_its_own_bound() -> None:
    door = admission()
    for _ in range(2):
        door.admit(PROXY, {"x-forwarded-for": "203.0.113.9"})
    with pytest.raises(TooManySockets):
        door.admit(PROXY, {"x-forwarded-for": "6.6.6.6, 203.0.113.9"})
    door.admit(PROXY, {"x-forwarded-for": "203.0.113.10"})
    # A proxy that says nothing stands for many.
    door.admit(PROXY, {})
    with pytest.raises(TooManySockets):
        door.admit(PROXY, {})


def test_a_stranger_does_not_choose_its_address() -> None:
    door = admission()
    for number in range(2):
        door.admit("203.0.113.9", {"x-forwarded-for": f"6.6.6.{number}"})
    with pytest.raises(TooManySockets):
        door.admit("203.0.113.9", {"x-forwarded-for": "6.6.6.9"})


def test_pages_of_origins_that_are_not_named_are_kept_out() -> None:
    door = admission(origins=frozenset({"https://chat.example"}))
    door.admit("203.0.113.9", {"origin": "https://chat.example"})
    door.admit("203.0.113.9", {})
    with pytest.raises(OriginNotAllowed) as refused:
        door.admit("203.0.113.10", {"origin": "https://evil.example"})
    assert refused.value.status == 403
    admission().admit("203.0.113.9", {"origin": "https://evil.example"})
