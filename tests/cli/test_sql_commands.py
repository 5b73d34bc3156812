"""The options of `rewake sql`: where there is nothing to read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import run_here


def test_without_data_it_is_said_and_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_here(capsys, "sql", "SELECT 1").code == 1
    assert run_here(capsys, "sql", "SELECT 1", "--data", "x.db").code == 1
    assert run_here(capsys, "sql", "SELECT 1", "--url", "http://127.0.0.1:9", "--admin-key", "x|1").code == 3
    assert list(tmp_path.iterdir()) == []
