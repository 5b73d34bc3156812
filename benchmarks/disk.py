"""How many bytes does one insert of 150 bytes with one index leave on the disk?

    python -m benchmarks.disk --inserts 100000

Two ways in: one document a mutation, as an application writes, and a thousand a mutation. The size is that
of the data folder after the server has stopped, less what an empty one takes. The floor is the same rows
with the same index in a bare SQLite file. Commit log and replay records count: they are kept for an hour
and for two weeks.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.load import BODY
from benchmarks.report import Table, ratio, run_alone
from benchmarks.subjects import Notes, Subject, bare_rows, fresh, rewake, write_notes

CHANNELS = 1_000


def measure(scratch: Path, *, inserts: int = 10_000, seconds: float = 3.0) -> Table:
    """The floor, one by one, by the thousand."""
    notes = Notes(inserts, CHANNELS, BODY)
    path = scratch / "bare-rows.db"
    bare_rows(path, Notes(0, CHANNELS, BODY)).close()
    empty = path.stat().st_size
    bare_rows(path, notes).close()
    floor = (path.stat().st_size - empty) / inserts
    with _measured(scratch) as one_by_one:
        outcome = one_by_one.subject.put_under(
            door="websocket", workload="insert", clients=16, seconds=seconds, warm_up_seconds=0.0
        )
    with _measured(scratch) as many:
        write_notes(many.subject, notes, per_call=1_000)
    table = Table(
        "Bytes on disk for an insert of 150 bytes with one index", ["", "bytes each", "over the floor"]
    )
    table.add("bare SQLite row and index", f"{floor:,.0f}", "")
    # A few answers at the very end are not counted; their documents are.
    single = one_by_one.grown / outcome.answers
    bulk = many.grown / inserts
    table.judge(
        f"{single:,.0f} bytes; {bulk:,.0f} by the thousand", is_reached=True, over_floor=ratio(single, floor)
    )
    table.add("Rewake, one a mutation", f"{single:,.0f}", ratio(single, floor))
    table.add("Rewake, 1,000 a mutation", f"{bulk:,.0f}", ratio(bulk, floor))
    table.notes.append(
        f"{outcome.answers:,} inserts one by one, {inserts:,} by the thousand, after a clean stop"
    )
    table.failures = [outcome]
    return table


@dataclass(slots=True)
class Measured:
    """A server whose data folder is weighed when it has stopped."""

    subject: Subject
    grown: int = 0
    """Bytes more than an empty deployment; set at the end."""


@contextmanager
def _measured(scratch: Path) -> Iterator[Measured]:
    data = fresh(scratch / "disk-data")
    with rewake(scratch, data=data):
        pass
    empty = _size(data)
    with rewake(scratch, data=data) as subject:
        measured = Measured(subject)
        yield measured
    measured.grown = _size(data) - empty


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


if __name__ == "__main__":
    run_alone(measure, "disk", inserts=100_000, seconds=10.0)
