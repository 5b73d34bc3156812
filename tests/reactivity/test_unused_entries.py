"""Entries that nobody shows are kept within a bound, the most recently used longest."""

from __future__ import annotations

from rewake.auth import ANONYMOUS
from rewake.execution import Success, Visibility
from rewake.reactivity import Entry, EntryKey, LiveResult
from rewake.reactivity.entries import question_key
from rewake.reactivity.unused_entries import UnusedEntries
from tests.reactivity.simulated_runner import call

SIZE = 1000


def entry(name: str) -> Entry:
    """An entry that takes about `SIZE` bytes."""
    question = question_key(call("m:get", name), None, Visibility.PUBLIC)
    made = Entry(EntryKey(question, ""), call("m:get", name), ANONYMOUS.fingerprint)
    made.result = LiveResult.of(Success("x" * (SIZE - 400 - len(question.args))), None)
    made.result.rendered = b"for nobody"
    return made


def keep(unused: UnusedEntries, kept: Entry) -> list[Entry]:
    return [*unused.keep(kept)]


def test_what_is_larger_than_all_the_room_is_not_taken():
    one = entry("a")
    assert one.result is not None
    for bytes_max, takes in ((SIZE - 1, False), (SIZE, True)):
        unused = UnusedEntries(bytes_max=bytes_max)
        assert unused.takes(one, one.result.result) == takes
        assert (keep(unused, one) == []) == takes


def test_the_least_recently_used_goes_first():
    unused = UnusedEntries(bytes_max=2 * SIZE)
    a, b, c = entry("a"), entry("b"), entry("c")
    assert keep(unused, a) == keep(unused, b) == []
    unused.touch(a)
    assert keep(unused, c) == [b]
    assert dict(unused.sizes) == {a: SIZE, c: SIZE}
    assert a.result is not None
    assert a.result.rendered is None


def test_nobody_goes_for_one_that_is_too_large_by_itself():
    unused = UnusedEntries(bytes_max=SIZE)
    a, large = entry("a"), entry("b" * (SIZE + 1))
    assert keep(unused, a) == []
    assert keep(unused, large) == [large]
    assert dict(unused.sizes) == {a: SIZE}


def test_one_that_became_too_large_is_kept_no_longer():
    unused = UnusedEntries(bytes_max=SIZE)
    a, b = entry("a"), entry("b")
    assert keep(unused, a) == []
    assert a.result is not None
    grown, a.result = a.result, LiveResult.of(Success("1" * (SIZE + 1)), None)
    assert keep(unused, a) == [a]
    assert not unused.sizes
    a.result = grown
    assert keep(unused, b) == []  # All of the room is there again.


def test_keeping_again_charges_once_and_dropping_is_harmless():
    unused = UnusedEntries(bytes_max=SIZE)
    a, b = entry("a"), entry("b")
    assert keep(unused, a) == keep(unused, a) == []
    unused.drop(b)
    unused.touch(b)
    unused.drop(a)
    assert keep(unused, b) == []
