"""`kill -9` in the middle of a schema change: the data is as before or as after, and the push goes on.

A server with an old schema fills a table; the project gets a stricter schema and two indexes; a server that
is armed to die at a point of the change is started on it and dies; the next one finishes. The old code could
be served in between as well: nothing of a change that did not end is enforced or queried.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.clients.server_process import ServerProcess

pytestmark = [pytest.mark.clients, pytest.mark.slow]

COUNT = 3_000
OLD_SCHEMA = """
from rewake import Document, Index

class Note(Document, table="notes"):
    room: str | None
    n: int
    by_room = Index("room", "n")
"""
OLD_NOTES = """
from rewake import MutationCtx, QueryCtx, mutation, query
from .schema import Note

@mutation
def fill(ctx: MutationCtx, count: int) -> None:
    for n in range(count):
        ctx.db.insert(Note(room="a", n=n))

@query
def count(ctx: QueryCtx) -> int:
    return len(ctx.db.query(Note).with_index(Note.by_room, room="a").collect())
"""
NEW_SCHEMA = OLD_SCHEMA.replace("str | None", "str").replace(
    'Index("room", "n")', 'Index("n", "room")\n    by_n = Index("n")'
)
NEW_NOTES = OLD_NOTES.replace('Note.by_room, room="a"', "Note.by_n")
KILL_SECONDS = 60.0


def write(project: Path, schema: str, notes: str) -> None:
    (project / "backend").mkdir(parents=True, exist_ok=True)
    (project / "backend" / "schema.py").write_text(schema)
    (project / "backend" / "notes.py").write_text(notes)


def call(server: ServerProcess, kind: str, path: str, **args: Any) -> Any:
    body = {"path": path, "args": args, "format": "json"}
    answer = httpx.post(f"{server.url}/api/{kind}", json=body, timeout=60).json()
    assert answer["status"] == "success", answer
    return answer.get("value")


@pytest.mark.parametrize(
    ("point", "next_code"),
    [
        ("schema.after_start:1", "the same"),
        ("schema.in_backfill:1", "the same"),
        ("schema.in_backfill:2", "the old"),
        ("schema.before_finish:1", "the same"),
    ],
)
def test_a_change_that_was_cut_off_is_finished_or_forgotten(
    point: str, next_code: str, make_server: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    project = tmp_path / "project"
    write(project, OLD_SCHEMA, OLD_NOTES)
    server = make_server(project, "--workers", "0")
    server.start()
    call(server, "mutation", "notes:fill", count=COUNT)
    server.stop()

    write(project, NEW_SCHEMA, NEW_NOTES)
    server.launch(kill_point=point)
    server.wait_killed(KILL_SECONDS)

    if next_code == "the old":
        write(project, OLD_SCHEMA, OLD_NOTES)
        shutil.rmtree(project / "backend" / "__pycache__", ignore_errors=True)
        server.start()
        assert call(server, "query", "notes:count") == COUNT
        server.stop()
        write(project, NEW_SCHEMA, NEW_NOTES)
    server.start()
    assert call(server, "query", "notes:count") == COUNT
    call(server, "mutation", "notes:fill", count=10)
    assert call(server, "query", "notes:count") == COUNT + 10
    server.stop()
