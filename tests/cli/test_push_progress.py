"""A long push says how far it is, a short one says nothing."""

from __future__ import annotations

from rewake.cli.push_progress import ProgressLines, progress_amount, progress_words
from rewake.database import PushProgress
from rewake.environment import ManualClock


def test_nothing_is_said_in_the_first_second_and_then_a_line_a_second() -> None:
    clock, lines = ManualClock(), list[str]()
    say = ProgressLines(clock, lines.append)
    for checked in range(1, 13):
        clock.advance(0.25)
        say(PushProgress(documents_checked=checked, documents_total=50))
    assert lines == [f"{checked} of 50 documents checked" for checked in (4, 8, 12)]


def test_what_is_checked_and_what_is_built_stand_in_one_line() -> None:
    progress = PushProgress(
        documents_checked=12_288,
        documents_total=50_000,
        indexes_complete=1,
        indexes_total=2,
        documents_indexed=24_064,
        documents_to_index=50_000,
    )
    assert progress_words(progress) == (
        "12,288 of 50,000 documents checked, 1 of 2 indexes built (24,064 of 50,000 documents)"
    )
    assert progress_words(PushProgress(indexes_complete=2, indexes_total=2)) == "2 of 2 indexes built"
    assert progress_words(PushProgress()) == "following what is written meanwhile"


def test_a_bar_counts_documents_that_are_checked_and_indexed() -> None:
    progress = PushProgress(
        documents_checked=10, documents_total=50, indexes_total=2, documents_indexed=5, documents_to_index=50
    )
    assert progress_amount(progress) == ("checking documents, building indexes (0 of 2)", 15, 100)
    assert progress_amount(PushProgress()) == ("following what is written meanwhile", 0, 0)
