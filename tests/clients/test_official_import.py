"""`npx convex import`, unmodified, against our server; the npm command line reads what came of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from rewake.values import Int64, encode_export
from tests.archive.official_zip import id_of, official_zip
from tests.clients.server_process import ServerProcess
from tests.clients.test_official_cli import run_official


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "files"
    folder.mkdir()
    return folder


def _key(server: ServerProcess) -> str:
    return server.data.with_name(server.data.name + ".admin_key").read_text().strip()


def _documents(server: ServerProcess, archive_id: str) -> Any:
    body = {"path": "_system/cli/queryImport", "args": {"importId": archive_id}}
    headers = {"Authorization": f"Convex {_key(server)}"}
    return httpx.post(f"{server.url}/api/function", json=body, headers=headers).json()


def test_files_of_every_format_are_imported(node: str, server: ServerProcess, files: Path) -> None:
    (files / "a.jsonl").write_text('{"x":1}\n{"x":2}\n')
    (files / "b.json").write_text(json.dumps([{"x": 1}]))
    (files / "c.csv").write_text("x,name\n1,Ada\n2,Bob\n3,\n")
    for name, count in (("a.jsonl", 2), ("b.json", 1), ("c.csv", 3)):
        table = "fresh_" + name[0]
        done = run_official(node, server, "import", "--table", table, str(files / name))
        assert done.returncode == 0, done.stderr
        assert f"Added {count} documents" in done.stderr
    again = run_official(node, server, "import", "--table", "fresh_a", str(files / "a.jsonl"))
    assert again.returncode == 1
    assert 'There are documents already in "fresh_a"' in again.stderr
    added = run_official(node, server, "import", "--append", "--table", "fresh_a", str(files / "a.jsonl"))
    assert added.returncode == 0, added.stderr
    (files / "broken.jsonl").write_text('{"x":1}\n{"x":\n')
    broken = run_official(node, server, "import", "--table", "fresh_d", str(files / "broken.jsonl"))
    assert broken.returncode == 1
    assert "the file, line 2: Invalid JSON" in broken.stderr


def test_an_official_snapshot_is_imported_unchanged(node: str, server: ServerProcess, files: Path) -> None:
    documents: list[dict[str, Any]] = [
        {
            "_id": id_of(10_077, n),
            "_creationTime": 1_600_000_000_000.0 + n,
            "big": Int64(2**60),
            "text": "x" * 500,
            "n": float(n),
        }
        for n in range(15_000)
    ]
    archive = files / "snapshot.zip"
    archive.write_bytes(official_zip({"imported": (10_077, documents)}))
    done = run_official(node, server, "import", "--replace", "--yes", str(archive))
    assert done.returncode == 0, done.stderr
    assert "Added 15000 documents" in done.stderr
    # Once more: now there is something to delete, and it is said.
    done = run_official(node, server, "import", "--replace-all", "--yes", str(archive))
    assert done.returncode == 0, done.stderr
    assert "15,000 of 15,000" in done.stderr
    assert encode_export(documents[1])
