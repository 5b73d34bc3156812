"""The options of `rewake keys`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import run_here


@pytest.mark.parametrize("command", ["create", "list", "revoke"])
def test_each_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = run_here(capsys, "keys", command, "--help")
    assert outcome.code == 0
    assert "--admin-key" in outcome.out


def test_a_label_and_a_scope_are_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here(capsys, "keys", "create", "--scope", "run").code == 2
    assert run_here(capsys, "keys", "create", "--label", "x").code == 2


def test_a_server_that_is_named_is_asked_and_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("--url", "http://127.0.0.1:1", "--admin-key", "x|1")
    assert run_here(capsys, "keys", "list", *words).code == 3
    assert list(tmp_path.iterdir()) == []
