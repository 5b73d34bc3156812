"""The programs in `benchmarks`: they run, they notice what is wrong, and what they print is what they know.

Sizes are tiny and no figure is looked at: those are for `make bench` on a machine that does nothing else.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest

from benchmarks import fan_out, growth, live_queries, mixed, overload
from benchmarks.__main__ import QUESTIONS, put
from benchmarks.bars import ROWS, Answer, summary, times
from benchmarks.handwritten_app import SCHEMA, GroupWriter, connect, insert
from benchmarks.live_driver import live
from benchmarks.live_sockets import RewakeSpeech, mark_in, marked
from benchmarks.load import PREPARED_READS, Outcome, read_arguments
from benchmarks.record import Record
from benchmarks.report import Table
from benchmarks.subjects import Subject, bare_broadcast, bare_worker, handwritten

README = Path(__file__).resolve().parents[2] / "benchmarks" / "README.md"
TINY: dict[str, Callable[[Path], Table]] = {
    "fan_out": partial(fan_out.measure, subscribers=(8,), seconds=0.3, rate=10.0, turns=2),
    "growth": partial(growth.measure, documents=(60, 120), subscriptions=(0, 4), seconds=0.2),
    "live_queries": partial(live_queries.measure, queries=20, seconds=0.3, turns=1),
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


def test_the_bare_front_tells_those_who_watch_a_channel_and_nobody_else(tmp_path: Path) -> None:
    with bare_worker(tmp_path) as subject, live(subject) as generator:
        generator.ask("open", count=3)
        generator.ask("subscribe", args=[{"channel": f"room-{number}"} for number in range(3)])
        seen = generator.ask("touch", prefix="room-", rate=100.0, seconds=0.2)
        assert seen["pushes"] == seen["writes"] > 0
        assert seen["strangers"] == 0


def test_a_server_that_dies_is_a_failure_and_no_figure(tmp_path: Path) -> None:
    with bare_broadcast(tmp_path) as subject, live(subject) as generator:
        generator.ask("open", count=5)
        subject.process.kill()
        subject.process.wait()
        with pytest.raises(SystemExit, match="failures, first"):
            generator.ask("subscribe", args=[{"channel": "all"}])


def test_a_run_far_below_the_record_is_void(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "record.json"
    for usual in (1000.0, 990.0, 1200.0):
        assert Record(path, "machine").judge("inserts", {"each": usual}) == []
    assert Record(path, "machine").judge("inserts", {"each": 901.0}) == [], "the luckiest run is no measure"
    (said,) = Record(path, "machine").judge("inserts", {"each": 890.0})
    assert "VOID" in said
    assert "89% of its recorded 995" in said
    assert Record(path, "machine").judge("inserts", {"each": 890.0}) == [said], "a void run lowers nothing"
    assert Record(path, "another machine").judge("inserts", {"each": 1.0}) == []
    assert Record(path, "machine").judge("reads", {"each": 1.0}) == []


def test_a_record_is_of_the_last_nine_runs(tmp_path: Path) -> None:
    record = Record(tmp_path / "record.json", "machine")
    for figure in (*(100.0 - step for step in range(9)), *[92.0] * 9):
        assert record.judge("inserts", {"each": figure}) == []
    assert "recorded 92" in record.judge("inserts", {"each": 50.0})[0]


def test_failed_answers_are_told_in_the_table() -> None:
    table = Table("t", ["a"])
    outcome = Outcome(1.0, 1.0, 1.0, 10, 2, "no such account", 0, 0.1, 0.1, 0.1)
    table.failures = [outcome]
    assert "2 answers failed, the first: no such account" in table.markdown()


def test_processor_time_is_told_for_each_answer() -> None:
    outcome = Outcome(1_000.0, 1.0, 1.0, 10, 0, "", 0, 0.1, 0.5, 0.2)
    assert (outcome.server_us, outcome.front_us) == (500.0, 200.0)


def test_a_generator_prepares_no_more_reads_than_it_can_send() -> None:
    ids: list[str | int] = list(range(PREPARED_READS + 1_000))
    prepared = read_arguments(random.Random(1), ids)
    assert len(prepared) == PREPARED_READS
    assert {json.loads(each)["id"] for each in prepared} < set(ids), "none is read twice"
    assert len(read_arguments(random.Random(1), ids[:5])) == 5


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


def test_every_bar_has_a_line_that_says_what_this_run_knows_of_it() -> None:
    asked = Table("t", ["a"])
    assert asked.judge("900 us", is_reached=False, over_floor="9 x") == "not reached"
    held = Table("t", ["a"])
    held.judge("300 MB", is_reached=True, condition="it asks for 10 minutes")
    wrong = Table("t", ["a"], wrong=["money came or went"])
    wrong.judge("3 x", is_reached=True)
    answers = [
        Answer("acknowledgement", asked, 2.0),
        Answer("held_sessions", held, 30.0),
        Answer("transfers", wrong, 1.0),
        Answer("churn", Table("t", ["a"]), 4.0),
    ]
    lines = {row[0]: row[2:] for row in summary(answers).rows}
    assert len(lines) == len(ROWS)
    assert lines[ROWS["acknowledgement"][0]] == ["900 us", "9 x", "not reached"]
    assert lines[ROWS["held_sessions"][0]] == ["300 MB", "", "reached; it asks for 10 minutes"]
    assert lines[ROWS["transfers"][0]] == ["3 x", "", "WRONG"]
    assert lines[ROWS["reads"][0]] == ["", "", "not asked in this run"]
    assert times(answers).rows[-1] == ["all", "37"]


def test_every_bar_is_measured_by_a_question_of_the_whole_run() -> None:
    assert set(ROWS) <= set(QUESTIONS)
    for name in ROWS:
        program = (README.parent / f"{name}.py").read_text(encoding="utf-8")
        assert ".judge(" in program, f"{name}.py says nothing of its bar"


def test_a_question_that_is_void_is_asked_once_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rates = iter([1000.0, 500.0, 950.0, 500.0, 600.0])

    def ask(scratch: Path) -> Table:
        return Table("t", ["a"], by_hand={"each": next(rates)})

    monkeypatch.setitem(QUESTIONS, "inserts", ask)
    record = Record(tmp_path / "record.json", "machine")
    assert put("inserts", tmp_path, record)[1] == []
    table, void = put("inserts", tmp_path, record)
    assert not void
    assert table.by_hand == {"each": 950.0}
    assert "second try" in table.notes[0]
    assert "VOID" in put("inserts", tmp_path, record)[1][0], "it stays below"


def test_a_second_try_is_left_out_where_there_is_no_time_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates = iter([1000.0, 500.0])
    monkeypatch.setitem(
        QUESTIONS, "inserts", lambda scratch: Table("t", ["a"], by_hand={"each": next(rates)})
    )
    record = Record(tmp_path / "record.json", "machine")
    assert put("inserts", tmp_path, record)[1] == []
    table, void = put("inserts", tmp_path, record, spare_seconds=0.0)
    assert "VOID" in void[0]
    assert void == table.notes


def test_the_handwritten_application_answers_alike_however_it_commits(tmp_path: Path) -> None:
    for commit, keeps_lists in (("each", False), ("group", True)):
        with handwritten(tmp_path, sync="off", commit=commit, keeps_lists=keeps_lists) as subject:
            ask = partial(_ask_by_hand, subject)
            assert ask("insert", {"channel": "a", "body": "one"}) == {"id": 1, "ok": True, "result": 1}
            for body in ("two", "three"):
                assert ask("list", {"channel": "a"})["result"][0]["body"] != body
                ask("insert", {"channel": "a", "body": body})
            listed = ask("list", {"channel": "a"})["result"]
            assert [note["body"] for note in listed] == ["three", "two", "one"], "kept lists are dropped"
            assert ask("read", {"id": 2})["result"]["body"] == "two"
            assert ask("insert", {"channel": 5, "body": "x"})["ok"] is False
            refused = ask("transfer", {"source": 1, "target": 2, "amount": 3})
            assert refused == {"id": 1, "ok": False, "error": "no such account"}


def test_one_that_sqlite_refuses_takes_nobody_of_its_group_along(tmp_path: Path) -> None:
    def refused(db: sqlite3.Connection, args: dict[str, Any]) -> None:
        db.execute("INSERT INTO notes (channel, body, created) VALUES ('lost', '', 0)")
        db.execute("INSERT INTO accounts VALUES (1, NULL)")

    async def story() -> None:
        db = connect(str(tmp_path / "app.db"), "off")
        db.executescript(SCHEMA)
        writer = GroupWriter(db)
        note = {"channel": "kept", "body": "x"}
        jobs = [writer.perform(each, note) for each in (insert, refused, insert)]
        first, failed, last = await asyncio.gather(*jobs, return_exceptions=True)
        assert isinstance(failed, sqlite3.IntegrityError)
        assert (first, last) == (1, 2)
        assert db.execute("SELECT channel FROM notes").fetchall() == [("kept",)] * 2
        writer.close()

    asyncio.run(story())


def _ask_by_hand(subject: Subject, operation: str, args: dict[str, Any]) -> dict[str, Any]:
    answer = httpx.post(
        f"http://127.0.0.1:{subject.port}/{operation}", json={"id": 1, "args": args}, timeout=60
    )
    told: dict[str, Any] = answer.json()
    return told
