"""The options of `rewake import`."""

from __future__ import annotations

import pytest

from tests.cli.command import run_here


def test_modes_exclude_each_other_and_the_help_names_them(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here(capsys, "import", "x.csv", "--append", "--replace").code == 2
    helped = run_here(capsys, "import", "--help")
    assert helped.code == 0
    for option in ("--table", "--format", "--append", "--replace", "--replace-all", "--yes"):
        assert option in helped.out
