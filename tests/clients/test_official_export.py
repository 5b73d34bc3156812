"""`npx convex export`, unmodified, against our server, and our own command beside it."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx

from tests.clients.server_process import ServerProcess
from tests.clients.test_official_cli import run_official


def write_something(server: ServerProcess, count: int = 3) -> None:
    for number in range(count):
        body = {"path": "counters:increment", "args": {"name": f"c{number}"}}
        assert httpx.post(f"{server.url}/api/mutation", json=body).json()["status"] == "success"


def test_the_official_command_exports_to_a_file_and_a_folder(
    node: str, server: ServerProcess, tmp_path: Path
) -> None:
    write_something(server)
    target = tmp_path / "x.zip"
    done = run_official(node, server, "export", "--path", str(target))
    assert done.returncode == 0, done.stderr
    assert "Created snapshot export at timestamp " in done.stderr
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None
        rows = archive.read("counters/documents.jsonl").decode().splitlines()
        assert len(rows) == 3
        assert not [name for name in archive.namelist() if name.startswith("_storage")]
    folder = tmp_path / "folder"
    folder.mkdir()
    done = run_official(node, server, "export", "--path", str(folder), "--include-file-storage")
    assert done.returncode == 0, done.stderr
    (file,) = folder.iterdir()
    ts = done.stderr.partition("at timestamp ")[2].split()[0]
    assert file.name == f"snapshot_{ts}.zip"
    with zipfile.ZipFile(file) as archive:
        assert "_storage/documents.jsonl" in archive.namelist()
        assert json.loads(archive.read("counters/generated_schema.jsonl")) == "uniform"


def run_ours(server: ServerProcess, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "rewake", *words, "--url", server.url, "--data", str(server.data)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120.0, check=False)


def test_our_own_command_writes_the_same_and_overwrites_nothing(
    server: ServerProcess, tmp_path: Path
) -> None:
    write_something(server)
    target = tmp_path / "x.zip"
    done = run_ours(server, "export", str(target), "--include-file-storage")
    assert done.returncode == 0, done.stderr
    assert [path.name for path in tmp_path.glob("*x.zip*")] == ["x.zip"]
    with zipfile.ZipFile(target) as archive:
        assert archive.testzip() is None
        assert archive.read("counters/documents.jsonl").count(b"\n") == 3
        assert "_storage/documents.jsonl" in archive.namelist()
    before = target.read_bytes()
    refused = run_ours(server, "export", str(target))
    assert refused.returncode == 1
    assert "exists already" in refused.stderr
    assert target.read_bytes() == before
    assert run_ours(server, "export", str(target), "--force").returncode == 0
    assert run_ours(server, "export", str(tmp_path / "none" / "x.zip")).returncode == 1
    folder = tmp_path / "folder"
    folder.mkdir()
    assert run_ours(server, "export", str(folder)).returncode == 0
    (file,) = folder.iterdir()
    assert file.name.startswith("snapshot_")


def test_a_server_that_is_killed_in_between_says_failed_afterwards(
    node: str, server: ServerProcess, tmp_path: Path
) -> None:
    write_something(server)
    server.stop()
    # The process that writes the archive dies by the kill point, which the server itself never reaches.
    server.start(kill_point="export.after_page:1")
    done = run_official(node, server, "export", "--path", str(tmp_path / "x.zip"))
    assert done.returncode == 1
    assert "Export failed" in done.stderr
    assert not (tmp_path / "x.zip").exists()
    assert httpx.get(f"{server.url}/readyz").status_code == 200
    server.kill()
    server.start()
    assert run_official(node, server, "export", "--path", str(tmp_path / "x.zip")).returncode == 0
