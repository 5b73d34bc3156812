"""The commands that talk to a running server: which server their options name, and their help."""

from __future__ import annotations

from pathlib import Path

import pytest

from rewake.cli.server_commands import server_of
from tests.cli.command import run_here


def test_options_name_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REWAKE_URL", "http://elsewhere:1")
    server = server_of("http://here:1/", "k|1", tmp_path)
    assert (server.url, server.admin_key, server.root) == ("http://here:1", "k|1", tmp_path)
    assert server_of(None, "k|1", tmp_path).url == "http://elsewhere:1"


@pytest.mark.parametrize("words", [("env", "--help"), ("env", "set", "--help"), ("env", "list", "-h")])
def test_each_has_a_help_page(capsys: pytest.CaptureFixture[str], words: tuple[str, ...]) -> None:
    done = run_here(capsys, *words)
    assert (done.code, done.err) == (0, "")
    assert "variable" in done.out
