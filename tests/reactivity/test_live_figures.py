"""How much live queries have to keep true."""

from __future__ import annotations

from rewake.auth import ANONYMOUS
from rewake.execution import FunctionCall, Visibility
from rewake.reactivity.entries import Entry, EntryKey, question_key
from rewake.reactivity.live_figures import LiveFigures, live_figures


def entry(path: str, *subscriptions: str, stale_since: int | None = None) -> Entry:
    call = FunctionCall(path, "{}")
    key = EntryKey(question_key(call, None, Visibility.PUBLIC), "")
    made = Entry(key, call, ANONYMOUS.fingerprint, stale_since=stale_since)
    for subscription in subscriptions:
        made.attach(subscription)
    return made


def test_shared_questions_are_counted_once_and_their_subscribers_all() -> None:
    shared, stale, unused = entry("m:a", "x", "y"), entry("m:b", "z", stale_since=3), entry("m:c")
    found = live_figures([shared, stale, unused], {unused: 500})
    assert found == LiveFigures(subscriptions=3, queries=2, stale=1, cached=1, cached_bytes=500)


def test_nothing_is_nothing() -> None:
    assert live_figures([], {}) == LiveFigures(0, 0, 0, 0, 0)
