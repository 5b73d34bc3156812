"""The floor under every durable acknowledgement: SQLite commits one small row, and nothing else happens."""

from __future__ import annotations

import time
from pathlib import Path

import apsw


def measure(scratch: Path, *, seconds: float = 2.0) -> list[float]:
    """Microseconds of each commit, smallest first: begin, insert one row of 150 bytes, commit with fsync."""
    path = scratch / "bare.db"
    for leftover in scratch.glob("bare.db*"):
        leftover.unlink()
    db = apsw.Connection(str(path))
    db.execute("PRAGMA journal_mode = WAL")
    db.execute("PRAGMA synchronous = FULL")
    db.execute("CREATE TABLE notes (id INTEGER PRIMARY KEY, body TEXT NOT NULL)")
    body = "x" * 150
    taken = []
    cursor = db.cursor()
    ends = time.perf_counter() + seconds
    while (begins := time.perf_counter()) < ends:
        cursor.execute("BEGIN IMMEDIATE")
        cursor.execute("INSERT INTO notes (body) VALUES (?)", (body,))
        cursor.execute("COMMIT")
        taken.append(1e6 * (time.perf_counter() - begins))
    db.close()
    return sorted(taken)
