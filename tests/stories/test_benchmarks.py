"""The programs in `benchmarks`: they run, they notice what is wrong, and what they print is what they know.

Sizes are tiny and no figure is looked at: those are for `make bench` on a machine that does nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from benchmarks import fan_out, mixed, overload
from benchmarks.__main__ import QUESTIONS
from benchmarks.live_driver import live
from benchmarks.live_sockets import RewakeSpeech, mark_in, marked
from benchmarks.load import Outcome
from benchmarks.record import Record
from benchmarks.report import Table
from benchmarks.subjects import bare_broadcast

README = Path(__file__).resolve().parents[2] / "benchmarks" / "README.md"
TINY: dict[str, Callable[[Path], Table]] = {
    "fan_out": partial(fan_out.measure, subscribers=(8,), seconds=0.3, rate=10.0),
    "mixed": partial(mixed.measure, documents=100, channels=2, seconds=0.2),
    "overload": partial(overload.measure, seconds=0.3, connections=200),
}


@pytest.mark.slow
@pytest.mark.parametrize("question", TINY)
def test_a_question_is_answered_and_nothing_is_wrong(question: str, tmp_path: Path) -> None:
    table = TINY[question](tmp_path)
    assert table.rows
    assert not table.all_wrong()
    assert all(reached > 0 for reached in table.by_hand.values())
    assert not any(tmp_path.glob("rewake*")), "a server's folder goes when it has stopped"


def test_every_question_is_in_the_readme_and_in_the_whole_run() -> None:
    named = set(re.findall(r"^\| `(\w+)\.py`.*", README.read_text(encoding="utf-8"), re.M))
    assert set(QUESTIONS) <= named
    programs = {
        path.stem
        for path in README.parent.glob("*.py")
        if re.search(r"^def measure\(\s*scratch: Path.*?\) -> Table:", path.read_text(), re.M | re.S)
    }
    assert programs == set(QUESTIONS)


def test_every_subscriber_is_waited_for(tmp_path: Path) -> None:
    with bare_broadcast(tmp_path) as subject, live(subject) as generator:
        generator.ask("open", count=5)
        generator.ask("subscribe", args=[{"channel": "all"}])
        seen = generator.ask("spread", channel="all", rate=50.0, seconds=0.1, size=500)
        assert seen["pushes"] == 5 * seen["writes"]
        assert seen["bytes_each"] == 500
        storm = generator.ask("storm")
        assert storm["results"] == 5


def test_a_server_that_dies_is_a_failure_and_no_figure(tmp_path: Path) -> None:
    with bare_broadcast(tmp_path) as subject, live(subject) as generator:
        generator.ask("open", count=5)
        subject.process.kill()
        subject.process.wait()
        with pytest.raises(SystemExit, match="failures, first"):
            generator.ask("subscribe", args=[{"channel": "all"}])


def test_a_run_far_below_the_record_is_void(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "record.json"
    assert Record(path, "machine").judge("inserts", {"each": 1000.0}) == []
    assert Record(path, "machine").judge("inserts", {"each": 901.0}) == []
    (said,) = Record(path, "machine").judge("inserts", {"each": 899.0})
    assert "VOID" in said
    assert "1,000" in said, "a slower run does not lower the record"
    assert Record(path, "another machine").judge("inserts", {"each": 1.0}) == []
    assert Record(path, "machine").judge("reads", {"each": 1.0}) == []


def test_failed_answers_are_told_in_the_table() -> None:
    table = Table("t", ["a"])
    outcome = Outcome(1.0, 1.0, 1.0, 10, 2, "no such account", 0, 0.1, 0.1)
    table.failures = [outcome]
    assert "2 answers failed, the first: no such account" in table.markdown()


def test_the_newest_row_tells_which_write_a_push_brings() -> None:
    speech = RewakeSpeech("notes:latest", "notes:add")
    rows = f'[{{"body":"{marked(17)} x"}},{{"body":"{marked(16)} x"}}]'
    text = f'{{"type":"Transition","modifications":[{{"type":"QueryUpdated","value":{rows}}}]}}'
    buffer = bytearray(b"before" + text.encode() + b"behind")
    place = 6, 6 + len(text)
    assert speech.results(buffer, *place) == 1
    assert mark_in(buffer, *place) == 17
    assert mark_in(buffer, 0, 6) == -1
    failed = bytearray(b'{"type":"Transition","modifications":[{"type":"QueryFailed"}]}')
    assert speech.results(failed, 0, len(failed)) == -1
