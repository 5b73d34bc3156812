"""The checker sees each anomaly in a history that was written by hand, and none in a sound one."""

from __future__ import annotations

import pytest

from tests.isolation.history import Append, History, Transition, name_of


def append(value: str, *, key: str = "x", at: int, ts: int, result: str) -> Append:
    return Append("s", key, value, begun=at, ended=at + 1, ts=ts, result=tuple(result))


def seen(ts: int, at: int, *, begun: int | None = None, session: str = "r", **lists: str) -> Transition:
    return Transition(session, ts, at, {key: tuple(values) for key, values in lists.items()}, begun)


SOUND = [append("a", at=1, ts=10, result="a"), append("b", at=3, ts=20, result="ab")]


def test_a_sound_history_has_no_anomaly() -> None:
    history = History(SOUND, [seen(10, 5, x="a"), seen(20, 6, x="ab"), seen(25, 9, begun=8, x="ab")])
    assert history.anomalies() == []


@pytest.mark.parametrize(
    ("name", "history"),
    [
        ("lost append", History([append("a", at=1, ts=10, result="")], [])),
        ("doubled append", History([append("a", at=1, ts=10, result="aa")], [])),
        ("phantom append", History(SOUND, [seen(20, 5, x="abc")])),
        ("forked order", History(SOUND, [seen(20, 5, x="ba")])),
        ("time went back: r saw 20, then 10", History(SOUND, [seen(20, 5, x="ab"), seen(10, 6, x="a")])),
        ("time went back: r saw x get shorter", History(SOUND, [seen(20, 5, x="ab"), seen(20, 6, x="a")])),
        ("stale transition", History(SOUND, [seen(20, 5, x="a")])),
        ("transition from the future", History(SOUND, [seen(10, 5, x="ab")])),
        # A read that was asked for after the second append was acknowledged, and does not show it.
        ("G-single-realtime", History(SOUND, [seen(10, 9, begun=8, x="a")])),
        # Two reads that see two appends in opposite orders.
        (
            "G2",
            History(
                [append("a", at=1, ts=1, result="a"), append("b", key="y", at=1, ts=2, result="b")],
                [seen(1, 5, x="a", y="", session="p"), seen(2, 5, x="", y="b", session="q")],
            ),
        ),
    ],
)
def test_an_anomaly_is_named(name: str, history: History) -> None:
    assert any(found.startswith(name) for found in history.anomalies()), history.anomalies()


@pytest.mark.parametrize(
    ("kinds", "name"),
    [
        (["ww", "ww"], "G0"),
        (["ww", "wr"], "G1c"),
        (["wr", "rw"], "G-single"),
        (["rw", "wr", "rw"], "G2"),
        (["rt", "rw"], "G-single-realtime"),
    ],
)
def test_a_circle_is_named_by_its_edges(kinds: list[str], name: str) -> None:
    assert name_of(kinds) == name
