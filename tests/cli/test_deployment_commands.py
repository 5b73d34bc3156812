"""`rewake deployments`: the names there are, and keys for them."""

from __future__ import annotations

import io
import json
import os
import stat
from pathlib import Path

import pytest

from rewake.cli.project_home import ServerRecord, write_server_record
from tests.cli.command import run_here

PROD = '[tool.rewake.deployments.prod]\nurl = "https://chat.example.com"\n'


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "pyproject.toml").write_text(PROD)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_names_are_listed_with_address_and_whether_there_is_a_key(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shown = run_here(capsys, "deployments")
    assert shown.out.splitlines() == [
        "dev   dev       not running",
        "prod  prod      https://chat.example.com   (no key)",
    ]
    write_server_record(here, ServerRecord(url="http://127.0.0.1:5", pid=os.getpid(), admin_key=""))
    rows = json.loads(run_here(capsys, "deployments", "--json").out)
    assert [row["url"] for row in rows] == ["http://127.0.0.1:5", "https://chat.example.com"]


def test_a_key_is_kept_from_stdin(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("chat|secret\n"))
    done = run_here(capsys, "deployments", "set-key", "prod")
    assert (done.code, "secret" in done.out + done.err) == (0, False)
    file = here / ".rewake" / "prod.admin_key"
    assert (file.read_text(), stat.S_IMODE(file.stat().st_mode)) == ("chat|secret\n", 0o600)
    assert json.loads(run_here(capsys, "deployments", "--json").out)[1]["hasKey"] is True
    assert run_here(capsys, "deployments", "set-key", "other").code == 2
