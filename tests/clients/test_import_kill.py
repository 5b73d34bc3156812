"""`kill -9` in the middle of an import: the tables are as before or as after, and nothing is left over."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from rewake.database import verify
from rewake.environment import Environment
from tests.clients.server_process import ServerProcess
from tests.clients.test_schema_kill import KILL_SECONDS, OLD_NOTES, OLD_SCHEMA, call, write

pytestmark = [pytest.mark.clients, pytest.mark.slow]

OLD, NEW = 50, 2_000
WATCH = """

@query
def rooms(ctx: QueryCtx) -> list[int]:
    notes = ctx.db.query(Note).collect()
    return [sum(note.room == room for note in notes) for room in ("a", "b")]
"""


def _import(server: ServerProcess, mode: str) -> httpx.Response:
    key = server.data.with_name(server.data.name + ".admin_key").read_text().strip()
    rows = "".join(json.dumps({"room": "b", "n": n}) + "\n" for n in range(NEW))
    return httpx.post(
        f"{server.url}/api/import?tableName=notes&format=jsonLines&mode={mode}",
        content=rows.encode(),
        headers={"Authorization": f"Convex {key}"},
        timeout=120,
    )


def _query(server: ServerProcess, path: str) -> Any:
    key = server.data.with_name(server.data.name + ".admin_key").read_text().strip()
    answer = httpx.post(
        f"{server.url}/api/function",
        json={"path": path, "args": {}, "format": "json"},
        headers={"Authorization": f"Convex {key}"},
    ).json()
    return answer["value"]


@pytest.mark.parametrize(
    ("point", "mode", "after"),
    [
        ("imports.after_declare:1", "replace", [OLD, 0]),
        ("imports.in_load:3", "replace", [OLD, 0]),
        ("imports.in_load:5", "append", [OLD, 0]),
        ("imports.before_switch:1", "replace", [OLD, 0]),
        ("imports.after_switch:1", "replace", [0, NEW]),
        ("imports.after_switch:1", "append", [OLD, NEW]),
    ],
)
def test_an_import_that_was_cut_off_is_whole_or_nothing(
    point: str, mode: str, after: list[int], make_server: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    project = tmp_path / "project"
    write(project, OLD_SCHEMA, OLD_NOTES + WATCH)
    server = make_server(project, "--workers", "0")
    server.start()
    call(server, "mutation", "notes:fill", count=OLD)
    server.stop()

    server.launch(kill_point=point)
    server.wait_ready()
    with pytest.raises(httpx.HTTPError):
        _import(server, mode)
    server.wait_killed(KILL_SECONDS)

    server.start()
    assert call(server, "query", "notes:rooms") == after
    (known,) = _query(server, "_system/cli/queryImport:list")
    if after[1]:
        assert known["state"]["state"] == "completed"
    else:
        assert known["state"]["state"] == "failed"
        assert "The server was stopped in the middle of this import" in known["state"]["error_message"]
    assert not server.data.with_name(server.data.name + "-imports").exists()
    # And once more, whole.
    assert _import(server, "replace").json() == {"numWritten": NEW}
    assert call(server, "query", "notes:rooms") == [0, NEW]
    server.stop()
    verdict = verify(server.data, environment=Environment())
    assert verdict.is_clean, verdict.problems


@pytest.mark.parametrize("mode", ["replace", "append"])
def test_a_writer_that_dies_costs_an_import_nothing(
    mode: str, make_server: Callable[..., ServerProcess], tmp_path: Path
) -> None:
    project = tmp_path / "project"
    write(project, OLD_SCHEMA, OLD_NOTES + WATCH)
    server = make_server(project)
    server.start(kill_point="imports.in_load:3")
    call(server, "mutation", "notes:fill", count=OLD)
    assert _import(server, mode).json() == {"numWritten": NEW}
    assert "the writer process ended and is started again" in server.output()
    assert call(server, "query", "notes:rooms") == [OLD if mode == "append" else 0, NEW]
    server.stop()
    verdict = verify(server.data, environment=Environment())
    assert verdict.is_clean, verdict.problems
