"""Questions are the same however they are spelled; results are the same if a client could not tell."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from rewake.auth import ANONYMOUS
from rewake.execution import Failure, FunctionCall, Success, Visibility
from rewake.reactivity import Entry, EntryKey, LiveResult
from rewake.reactivity.entries import question_key
from rewake.values import InvalidValue, decode, encode

PUBLIC = Visibility.PUBLIC


def key(path: str, args: str):
    return question_key(FunctionCall(path, args), None, PUBLIC)


def test_spellings_of_path_and_arguments_make_one_question():
    assert key("m:get", '{"b":1,"a":2}') == key("m.js:get", '{ "a": 2.0, "b": 1.0 }')
    assert key("m", "{}") == key("m:default", "{}")
    assert key("m:get", '{"a":1}') != key("m:get", '{"a":{"$integer":"AQAAAAAAAAA="}}')


WORDS = st.text(st.sampled_from('ab0_-$"\\ é\n'), max_size=4)
SPACES = st.sampled_from(["", " ", "  ", "\t"])


@given(WORDS, WORDS, SPACES, SPACES)
def test_one_word_is_spelled_as_it_is_stored(name: str, word: str, before: str, behind: str):
    escaped = [json.dumps(each, ensure_ascii=False) for each in (name, word)]
    text = f"{{{before}{escaped[0]}{behind}:{before}{escaped[1]}{behind}}}"
    try:
        canonical = encode(decode(text))
    except InvalidValue:
        canonical = text
    assert key("m:get", text).args == canonical


def test_what_cannot_be_read_keeps_its_own_text():
    assert key("m:get", "{broken").args == "{broken"
    assert key("no path:::", "{}").path == "no path:::"


def test_what_is_spelled_canonically_is_kept_once():
    call = FunctionCall("m.js:get", '{"a":1.0}')
    assert question_key(call, None, PUBLIC).args is call.args
    one, other = (question_key(FunctionCall("m:get", text), None, PUBLIC) for text in ('{"a":1}', '{"a": 1}'))
    assert one.path is other.path


def test_an_entry_knows_who_shows_it():
    call = FunctionCall("m:get", "{}")
    entry = Entry(EntryKey(question_key(call, None, PUBLIC), ""), call, ANONYMOUS.fingerprint)
    assert not entry.subscriptions
    for shown in (["a"], ["a", "b"], ["a", "b", "c"]):
        entry.attach(shown[-1])
        entry.attach(shown[-1])
        assert sorted(entry.subscriptions) == shown
        assert entry.is_shared is (len(shown) > 1)
    for left in (["a", "c"], ["c"], []):
        gone = next(name for name in ("b", "a", "c") if name in entry.subscriptions and name not in left)
        entry.detach(gone)
        entry.detach(gone)
        assert sorted(entry.subscriptions) == left
        assert entry.is_shared is (len(left) > 1)


def test_a_text_is_kept_while_it_is_shared():
    call = FunctionCall("m:get", "{}")
    entry = Entry(EntryKey(question_key(call, None, PUBLIC), ""), call, ANONYMOUS.fingerprint)
    entry.drop_text()
    entry.result = LiveResult.of(Success("1.0"), None)
    for name, text in (("a", None), ("b", b"text")):
        entry.result.rendered = b"text"
        entry.attach(name)
        entry.drop_text()
        assert entry.result.rendered == text


def test_visibility_journal_and_component_are_part_of_the_question():
    call = FunctionCall("m:get", "{}")
    questions = {
        question_key(call, None, PUBLIC),
        question_key(call, "j", PUBLIC),
        question_key(call, None, Visibility.INTERNAL),
        question_key(FunctionCall("m:get", "{}", "c"), None, PUBLIC),
    }
    assert len(questions) == 4


def test_fingerprints_tell_value_error_data_and_log_lines_apart():
    results = [
        Success('"x"'),
        Success('"x"', ("line",)),
        Failure('"x"'),
        Failure('"x"', "null"),
        Failure('"x"', '"d"'),
        Success('"y"'),
    ]
    assert len({LiveResult.of(result, None).fingerprint for result in results}) == len(results)
    assert LiveResult.of(Success("1.0"), None).is_same_as(LiveResult.of(Success("1.0"), None))
    assert not LiveResult.of(Success("1.0"), "j").is_same_as(LiveResult.of(Success("1.0"), None))


def test_a_rerun_passes_the_newest_journal_on():
    call = FunctionCall("m:get", "{}")
    entry = Entry(EntryKey(question_key(call, "first", PUBLIC), ""), call, ANONYMOUS.fingerprint, "first")
    assert entry.rerun_job().journal == "first"
    entry.result = LiveResult.of(Success("1.0"), "second")
    assert entry.rerun_job().journal == "second"


def test_an_entry_is_valid_from_its_snapshot_until_the_first_touch():
    call = FunctionCall("m:get", "{}")
    entry = Entry(EntryKey(question_key(call, None, PUBLIC), ""), call, ANONYMOUS.fingerprint)
    assert not entry.is_valid_at(5)
    entry.result, entry.valid_from = LiveResult.of(Success("1.0"), None), 5
    assert [entry.is_valid_at(ts) for ts in (4, 5, 99)] == [False, True, True]
    entry.stale_since = 9
    assert [entry.is_valid_at(ts) for ts in (8, 9)] == [True, False]
