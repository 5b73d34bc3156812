"""A showing: what is known at its snapshot."""

from __future__ import annotations

from rewake.auth import ANONYMOUS
from rewake.execution import FunctionCall, Success, Visibility
from rewake.reactivity import Entry, EntryKey, LiveResult, Showing
from rewake.reactivity.entries import question_key


def test_what_ran_is_known_and_what_still_holds():
    call = FunctionCall("m:get", "{}")
    entry = Entry(EntryKey(question_key(call, None, Visibility.PUBLIC), ""), call, ANONYMOUS.fingerprint)
    older, newer = (LiveResult.of(Success(text), None) for text in ("1.0", "2.0"))
    assert Showing(5, {}).known(entry) is None
    entry.result, entry.valid_from = older, 3
    assert Showing(5, {}).known(entry) is older
    assert Showing(2, {}).known(entry) is None
    assert Showing(5, {entry: newer}).known(entry) is newer
    entry.stale_since = 5
    assert Showing(5, {}).known(entry) is None
    assert Showing(4, {}).known(entry) is older
