"""The options of `rewake data`: what is refused before a server is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.command import run_here


@pytest.mark.parametrize("words", [("--limit", "-1"), ("--order", "up"), ("--format", "xml"), ("a", "b")])
def test_what_cannot_be_asked_is_wrong_usage(
    words: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert run_here(capsys, "data", *words).code == 2
    assert run_here(capsys, "data").code == 3
