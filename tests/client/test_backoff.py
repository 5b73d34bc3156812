"""How long a client waits before it comes back."""

from __future__ import annotations

import pytest

from rewake.client import authentication, calls, connection
from rewake.client.backoff import BASE_SECONDS, OVERLOADED_BASE_SECONDS, SECONDS_MAX, Backoff
from tests.house.source_tree import ROOT


def test_it_waits_twice_as_long_each_time_up_to_a_bound() -> None:
    backoff = Backoff()
    waits = [backoff.fail("closed with code 1006", chance=0.5) for _ in range(40)]
    assert waits[:3] == [BASE_SECONDS, 2 * BASE_SECONDS, 4 * BASE_SECONDS]
    assert waits[-1] == SECONDS_MAX


def test_success_starts_again() -> None:
    backoff = Backoff()
    backoff.fail(None, chance=0.5)
    backoff.succeed()
    assert backoff.fail(None, chance=0.5) == BASE_SECONDS


def test_clients_are_spread_by_half() -> None:
    assert Backoff().fail(None, chance=0.0) == BASE_SECONDS / 2
    assert Backoff().fail(None, chance=1.0) == BASE_SECONDS * 1.5


@pytest.mark.parametrize("reason", ["TooManyConcurrentMutations", "CommitterFullError"])
def test_an_overloaded_server_is_given_time(reason: str) -> None:
    assert Backoff().fail(reason, chance=0.5) == OVERLOADED_BASE_SECONDS


def test_the_guide_names_the_same_numbers() -> None:
    guide = (ROOT / "docs" / "guides" / "python-client.md").read_text(encoding="utf-8")
    assert f"after {BASE_SECONDS} seconds at first and {SECONDS_MAX:.0f} at most" in guide
    assert f"At most {calls.SENT_MAX} mutations and {calls.SENT_MAX} actions" in guide
    assert connection.SILENCE_SECONDS == 60
    assert "says nothing for a minute" in guide
    assert f"{authentication.REFRESH_LEEWAY_SECONDS:.0f} seconds before a token ends" in guide
