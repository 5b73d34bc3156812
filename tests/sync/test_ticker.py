"""The ticker: never early, at most a slot late, and each as often as it asks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rewake.sync.ticker import Ticker


class Sleeper:
    """Something that wants to be looked at every `period` seconds, `times` times."""

    def __init__(self, period: float, times: int) -> None:
        self.period = period
        self.times = times
        self.now = 0.0
        self.seen: list[float] = []

    def tick(self) -> float | None:
        self.seen.append(self.now)
        self.times -= 1
        return self.now + self.period if self.times else None


def test_a_socket_is_looked_at_when_it_asked_and_again() -> None:
    ticker, sleeper = Ticker(slot_seconds=1.0), Sleeper(period=5.0, times=2)
    ticker.add(sleeper, 5.0)
    for now in range(20):
        sleeper.now = float(now)
        ticker.advance(sleeper.now)
    assert sleeper.seen == [5.0, 10.0]
    assert ticker.is_idle


def test_a_late_ticker_looks_once_and_does_not_spin() -> None:
    ticker, sleeper = Ticker(slot_seconds=1.0), Sleeper(period=0.0, times=3)
    ticker.add(sleeper, 1.0)
    sleeper.now = 100.0
    ticker.advance(100.0)
    assert sleeper.seen == [100.0]
    assert not ticker.is_idle


@given(st.lists(st.floats(0, 50), min_size=1, max_size=20), st.sampled_from([0.125, 0.25, 1.0, 4.0]))
def test_nobody_is_early_and_nobody_is_more_than_a_slot_late(dues: list[float], slot: float) -> None:
    ticker = Ticker(slot_seconds=slot)
    sleepers = []
    for due in dues:
        sleeper = Sleeper(1.0, 1)
        ticker.add(sleeper, due)
        sleepers.append((due, sleeper))
    step = 0
    while not ticker.is_idle:
        now = step * slot
        for _, sleeper in sleepers:
            sleeper.now = now
        ticker.advance(now)
        step += 1
    for due, sleeper in sleepers:
        (seen,) = sleeper.seen
        assert due <= seen <= due + slot
