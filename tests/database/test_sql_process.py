"""SQL on a data file, from a process that cannot write, while another one does."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from pathlib import Path

import msgspec
import pytest

from rewake.database import SqlJob, sql_on_file
from rewake.storage import DataFileMissing
from tests.database.world import World

ROUNDS = 60


def job(file: Path, text: str) -> SqlJob:
    return SqlJob(str(file), text, rows=1000, size=2**20, seconds=60)


def test_a_sum_under_transfers_is_of_one_moment(tmp_path: Path) -> None:
    world = World(path=tmp_path / "x.db")
    ids = world.insert("accounts", *({"balance": 100.0} for _ in range(10)))
    stop = threading.Event()
    failures: list[BaseException] = []

    def transfer() -> None:
        try:
            n = 0
            while not stop.is_set():
                n += 1
                one, other = ids[n % 10], ids[(n * 7 + 1) % 10]
                if one != other:
                    world.mutate(lambda tx, a=one, b=other, m=float(n): move(tx, a, b, m))
        except BaseException as error:
            failures.append(error)

    def move(tx: object, one: str, other: str, amount: float) -> None:
        for id, change in ((one, -amount), (other, amount)):
            text = tx.get(id)  # type: ignore[attr-defined]
            tx.patch(id, {"balance": json.loads(text)["balance"] + change})  # type: ignore[attr-defined]

    writer = threading.Thread(target=transfer)
    writer.start()
    try:
        for _ in range(ROUNDS):
            answer = sql_on_file(job(tmp_path / "x.db", "SELECT sum(balance), count(*) FROM accounts"))
            assert answer.rows == [(1000.0, 10)]
    finally:
        stop.set()
        writer.join()
        world.close()
    assert not failures


def test_the_program_answers_on_stdout(tmp_path: Path) -> None:
    world = World(path=tmp_path / "x.db")
    world.insert("notes", {"raw": b"\x01", "n": 1.0})
    try:
        for text, wanted in (
            ("SELECT n, raw FROM notes", {"columns": ["n", "raw"], "rows": [[1.0, {"$bytes": "AQ=="}]]}),
            ("DELETE FROM notes", {"code": "InvalidSql"}),
        ):
            done = subprocess.run(
                [sys.executable, "-m", "rewake.database.sql_process"],
                input=msgspec.json.encode(job(tmp_path / "x.db", text)),
                capture_output=True,
                timeout=60,
                check=True,
            )
            assert json.loads(done.stdout).items() >= wanted.items()
        text = "SELECT column_name FROM _columns WHERE table_name = 'notes'"
        described = sql_on_file(job(tmp_path / "x.db", text))
        assert [name for (name,) in described.rows] == ["_id", "_creationTime", "n", "raw", "_document"]
    finally:
        world.close()


def test_a_file_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    with pytest.raises(DataFileMissing):
        sql_on_file(job(tmp_path / "none.db", "SELECT 1"))
    assert not (tmp_path / "none.db").exists()
