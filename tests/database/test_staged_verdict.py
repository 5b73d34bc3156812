"""What is known of one table, whatever comes in whatever order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rewake.database.staged_verdict import StagedState, StagedVerdict


def verdict(state: StagedState, cursor: bytes = b"", document: str = "") -> StagedVerdict:
    error = "no" if state is StagedState.INVALID else ""
    return StagedVerdict("mark", state, cursor, document, error)


verdicts = st.builds(verdict, st.sampled_from(StagedState), st.binary(max_size=2), st.sampled_from("ab"))


@given(verdicts)
def test_it_comes_back_from_its_document(known: StagedVerdict) -> None:
    assert StagedVerdict.from_document(known.to_document()) == known


def test_a_write_that_fits_changes_nothing_but_for_the_document_that_did_not() -> None:
    bad = verdict(StagedState.INVALID, b"k", "a")
    assert bad.written("b", b"z", None, checked=b"") == bad
    assert bad.written("a", b"m", None, checked=b"") == verdict(StagedState.CHECKING, b"k")
    valid = verdict(StagedState.VALID)
    assert valid.written("b", b"z", None, checked=b"") == valid


def test_a_write_that_does_not_fit_ends_that_all_do() -> None:
    valid = verdict(StagedState.VALID)
    assert valid.written("b", b"z", "no", checked=b"") == verdict(StagedState.INVALID, b"", "b")


def test_what_lies_ahead_of_a_check_will_be_met_and_what_lies_behind_counts_at_once() -> None:
    checking = verdict(StagedState.CHECKING)
    assert checking.written("b", b"z", "no", checked=b"k") == checking
    assert checking.written("b", b"c", "no", checked=b"k") == verdict(StagedState.INVALID, b"", "b")


def test_a_second_bad_document_behind_the_first_makes_the_next_check_begin_anew() -> None:
    bad = verdict(StagedState.INVALID, b"k", "a")
    assert bad.written("b", b"z", "no", checked=b"") == bad
    assert bad.written("b", b"c", "no", checked=b"").cursor == b""
    assert bad.written("a", b"m", "still", checked=b"").error == "still"
