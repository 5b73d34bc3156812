"""`rewake version`: alone for scripts, with what it runs on for reports."""

from __future__ import annotations

import json

import pytest

from rewake.version import VERSION
from tests.cli.command import run_here


def test_the_version_alone_and_with_what_it_runs_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here(capsys, "version").out == VERSION + "\n"
    facts = json.loads(run_here(capsys, "version", "--json").out)
    assert facts["rewake"] == VERSION
    assert set(facts) == {"rewake", "python", "sqlite", "sqlite of python", "platform"}
    assert f"python            {facts['python']}\n" in run_here(capsys, "version", "--verbose").out
