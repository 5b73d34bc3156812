"""First results are registered when there is a reason to, and forgotten where none comes."""

from __future__ import annotations

from rewake.auth import ANONYMOUS
from rewake.database import ReadSet
from rewake.execution import Visibility
from rewake.reactivity import Entry, EntryKey
from rewake.reactivity.entries import question_key
from rewake.reactivity.fresh_entries import FRESH_MAX, FreshEntries
from rewake.reactivity.wake_index import WakeIndex
from tests.reactivity.simulated_runner import call
from tests.reactivity.test_live_queries import PUBLIC, Stage, play

READ = ReadSet({1: [(b"a", b"b")]}).to_wire()


def entry(name: str) -> Entry:
    question = question_key(call("m:get", name), None, Visibility.PUBLIC)
    return Entry(EntryKey(question, ""), call("m:get", name), ANONYMOUS.fingerprint)


def made(most: int) -> tuple[WakeIndex[Entry], FreshEntries]:
    index: WakeIndex[Entry] = WakeIndex()
    return index, FreshEntries(index, most=most)


def test_a_commit_registers_all():
    index, fresh = made(2)
    a, b = entry("a"), entry("b")
    assert fresh.put(a, READ) is fresh.put(b, READ) is None
    assert (len(fresh), len(index)) == (2, 0)
    fresh.register_all()
    assert (len(fresh), len(index)) == (0, 2)
    assert list(index._handles) == [a, b]


def test_what_is_registered_is_known_by_what_it_read():
    _, fresh = made(2)
    a = entry("a")
    fresh.put(a, READ)
    assert a.watched == 0
    fresh.register_all()
    assert a.watched == hash(READ) != 0


def test_who_is_asked_again_is_registered_alone():
    index, fresh = made(2)
    a, b = entry("a"), entry("b")
    fresh.put(a, READ)
    fresh.put(b, READ)
    fresh.register(a)
    fresh.register(a)
    assert (len(fresh), list(index._handles)) == (1, [a])


def test_of_one_too_many_the_oldest_goes_and_is_registered_when_it_comes_again():
    index, fresh = made(1)
    a, b, again = entry("a"), entry("b"), entry("a")
    fresh.put(a, READ)
    assert fresh.put(b, READ) is a
    assert fresh.put(again, READ) is None
    assert (len(fresh), list(index._handles)) == (1, [again])


def test_who_is_shown_or_runs_is_registered_instead_of_forgotten():
    index, fresh = made(1)
    shown, running, last = entry("a"), entry("b"), entry("c")
    shown.attach("somebody")
    running.runs = 1
    assert fresh.put(shown, READ) is fresh.put(running, READ) is fresh.put(last, READ) is None
    assert (len(fresh), list(index._handles)) == (1, [shown, running])


def test_what_is_dropped_is_registered_by_nothing():
    index, fresh = made(1)
    a = entry("a")
    fresh.put(a, READ)
    fresh.drop(a)
    fresh.drop(a)
    fresh.register(a)
    fresh.register_all()
    assert (len(fresh), len(index)) == (0, 0)


def test_names_are_remembered_within_a_bound(monkeypatch):
    monkeypatch.setattr("rewake.reactivity.fresh_entries._NAMES_MAX", 2)
    index, fresh = made(1)
    for name in "abcdef":
        fresh.put(entry(name), READ)
    assert len(fresh._names) + len(fresh._older_names) <= 4
    fresh.put(entry("a"), READ)
    assert len(index) == 0, "forgotten by now"
    fresh.put(entry("e"), READ)
    assert len(index) == 1


def test_reading_once_and_leaving_registers_nothing_and_leaves_nothing():
    async def story(stage: Stage) -> None:
        watcher = stage.watch("m:get")
        for number in range(1, 3 * FRESH_MAX):
            watcher.add(number, call("m:get", f"k{number}"))
            watcher.remove(number - 1)
            await stage.rest()
        assert len(stage.live._index) == 0
        assert len(stage.live._entries) == len(stage.live._fresh) == FRESH_MAX
        stage.runner.commit_and_deliver((f"k{number}", 1))
        await stage.rest()
        assert watcher.transitions[-1][1] == {number: f'"v0 m:get k{number} 1"'}
        assert len(stage.live._index) == FRESH_MAX

    play(story)


def test_what_is_read_again_and_again_is_cached_from_the_second_run_on():
    async def story(stage: Stage) -> None:
        names = [f"k{number}" for number in range(2 * FRESH_MAX)]
        for _ in range(3):
            for name in names:
                await stage.live.query(call("m:get", name), ANONYMOUS, PUBLIC)
        # The newest were fresh when they were asked again, all others were run again.
        assert len(stage.runner.runs) == len(names) + FRESH_MAX

    play(story)
