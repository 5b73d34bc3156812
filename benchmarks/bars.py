"""The bars: what every row of DESIGN section 9 wants, and what this run says of it.

A question that measures a row says so with `Table.judge`. The head of the report has one line for each row,
in the order of the design: reached, not reached, or that nobody asked in this run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from benchmarks.report import Table, verdict

ROWS: dict[str, tuple[str, str]] = {
    "acknowledgement": ("durable acknowledgement, one client", "a bare commit plus 250 us at p50"),
    "inserts": ("one-document insert, 16 websocket clients", "2 x by hand; 1 x without fsync"),
    "transfers": ("fund transfer, 16 and 64 clients, both doors", "the same; Zipf within 10 %"),
    "reads": ("one document by id, 16 clients", "1 x by hand over HTTP; 1.2 x over websockets"),
    "fan_out": ("one write to 1,000 and 5,000 subscribers", "1.4 x a bare broadcast; 100,000 pushes/s"),
    "live_queries": ("2,000 live queries, a write touching one", "2 ms p99; 0.3 ms of CPU; independent"),
    "cached": ("cached query over HTTP", "0.5 x a bare echo; 1 x uncached"),
    "memory": ("idle connection", "20 KB"),
    "held_sessions": ("10,000 live sessions for 10 minutes", "400 MB of the front process"),
    "cold_start": ("cold start, writer and one reader up", "500 ms"),
    "disk": ("bytes on disk per 150-byte insert", "printed"),
    "deploys": ("deploy every 5 s with 200 live sessions", "0 failed calls, 0 dropped sockets, memory flat"),
}
"""Each row under the name of the question that measures it: what, and the bar."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One question of a run, and how long it took."""

    question: str
    table: Table
    seconds: float


def summary(answers: Iterable[Answer]) -> Table:
    """One line for each row of the design."""
    known = {answer.question: answer.table for answer in answers}
    table = Table("All bars of DESIGN section 9", ["what", "bar", "measured", "over its floor", "verdict"])
    for question, (what, bar) in ROWS.items():
        asked = known.get(question)
        if asked is None:
            table.add(what, bar, "", "", "not asked in this run")
            continue
        assert asked.judgements, f"{question} measures a row and says nothing of its bar"
        figures = "; ".join(each.figure for each in asked.judgements)
        floors = "; ".join(each.over_floor for each in asked.judgements if each.over_floor)
        said = verdict(all(each.is_reached for each in asked.judgements))
        conditions = [each.condition for each in asked.judgements if each.condition]
        if asked.all_wrong():
            said = "WRONG"
        table.add(what, bar, figures, floors, "; ".join([said, *conditions]))
    return table


def times(answers: Iterable[Answer]) -> Table:
    """How long each question took."""
    kept = list(answers)
    table = Table("How long the questions took", ["question", "seconds"])
    for answer in kept:
        table.add(answer.question, f"{answer.seconds:.0f}")
    table.add("all", f"{sum(answer.seconds for answer in kept):.0f}")
    return table
