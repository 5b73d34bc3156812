"""Flags that name a server: every command that talks to one has them all."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from rewake.cli.commands import app
from tests.cli.command import run_here


def leaves(command: Any) -> Iterator[Any]:
    for each in getattr(command, "commands", {}).values():
        yield from leaves(each)
    if not hasattr(command, "commands"):
        yield command


def test_every_command_with_an_address_and_a_key_has_names_too() -> None:
    command = typer.main.get_command(app)
    found = 0
    for leaf in leaves(command):
        names = [parameter.name for parameter in leaf.params]
        if "url" in names and "admin_key" in names:
            found += 1
            assert {"production", "deployment", "env_file"} <= set(names)
            assert len(names) == len(set(names))
    assert found >= 9


def test_flags_reach_the_search_and_are_forgotten_afterwards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pyproject.toml").write_text('[tool.rewake.deployments.prod]\nurl = "http://127.0.0.1:9"\n')
    done = run_here(capsys, "env", "list", "--prod")
    assert (done.code, "no admin key for prod (http://127.0.0.1:9)" in done.err) == (1, True)
    done = run_here(capsys, "env", "list", "--prod", "--admin-key", "x|1")
    assert (done.code, "http://127.0.0.1:9 does not answer" in done.err) == (3, True)
    done = run_here(capsys, "env", "list", "--prod", "--url", "http://a:1")
    assert (done.code, "--url and --prod both say which server" in done.err) == (2, True)
    assert "No server of this project is running" in run_here(capsys, "env", "list").err
