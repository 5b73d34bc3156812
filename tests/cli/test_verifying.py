"""`rewake verify` from outside: what it says, where, and its exit code."""

from __future__ import annotations

import json
from pathlib import Path

import apsw
import pytest
from typer.testing import CliRunner

from rewake.cli.commands import app
from rewake.cli.failure import ExitCode
from rewake.cli.screen import Screen
from rewake.cli.verifying import verify_file
from rewake.database import Database
from rewake.environment import Environment
from rewake.storage import DataFileMissing


@pytest.fixture
def data(tmp_path: Path) -> Path:
    path = tmp_path / "data.sqlite3"
    Database.open(path, environment=Environment()).close()
    return path


def test_a_clean_file(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert verify_file(data, Screen(), Environment(), as_json=False) is ExitCode.OK
    said = capsys.readouterr()
    assert "0 documents" in said.out
    assert "Everything agrees." in said.out
    assert said.err == ""


def test_a_damaged_file(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    connection = apsw.Connection(str(data))
    connection.execute("INSERT INTO _documents (tablet, json) VALUES (77, '{}')")
    connection.execute("INSERT INTO _index_entries VALUES (10, x'05', 99)")
    connection.close()
    assert verify_file(data, Screen(), Environment(), as_json=False) is ExitCode.FAILED
    said = capsys.readouterr().out
    assert "document: row 1 belongs to tablet 77" in said
    assert "_tables.by_id: entry 05 points to row 99, where no document is" in said
    assert "2 problems. Nothing was changed." in said


def test_json_is_for_programs(data: Path) -> None:
    result = CliRunner().invoke(app, ["verify", "--data", str(data), "--json"])
    assert result.exit_code == ExitCode.OK
    verdict = json.loads(result.stdout)
    assert verdict["file"] == str(data)
    assert verdict["is_clean"] is True
    assert verdict["problems"] == []


def test_without_a_file_it_says_so(tmp_path: Path) -> None:
    result = CliRunner().invoke(app, ["verify", "--data", str(tmp_path / "none.sqlite3")])
    assert isinstance(result.exception, DataFileMissing)
