"""`rewake data` against a server."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.cli.command import Outcome, Running, run_apart, run_here

Run = Callable[..., Outcome]
COUNT = 600
"""More than a page."""

FUNCTIONS = """
from typing import Any
from rewake import Int64, MutationCtx, mutation

@mutation
def fill(ctx: MutationCtx, count: int) -> None:
    for n in range(int(count)):
        ctx.db.insert("numbers", {"n": n, "text": f"a, {n}"})

@mutation
def odd(ctx: MutationCtx) -> None:
    ctx.db.insert("odd", {"i": Int64(2**60), "b": b"\\x01", "z": -0.0, "x": float("nan"), "s": "1\\n2"})
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with a running server and two tables."""
    project = tmp_path_factory.mktemp("data")
    (project / "backend").mkdir()
    (project / "pyproject.toml").write_text("[tool.rewake]\n")
    (project / "backend" / "m.py").write_text(FUNCTIONS)
    with Running("serve", ".", "--port", "0", "--workers", "1", cwd=project) as server:
        server.wait_for("Rewake is ready at ")
        assert run_apart("run", "m:fill", f"count={COUNT}", cwd=project).code == 0
        assert run_apart("run", "m:odd", cwd=project).code == 0
        yield project
        assert server.stop() == 0


@pytest.fixture
def run(served: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    monkeypatch.chdir(served)
    return lambda *words: run_here(capsys, *words)


def test_tables_are_listed_with_their_sizes(run: Run) -> None:
    assert run("data").out == "numbers           600\nodd                 1\n"
    assert json.loads(run("data", "--json").out)[0] == {"name": "numbers", "documents": COUNT}


def test_a_table_that_is_not_there_is_a_failure_with_those_that_are(run: Run) -> None:
    done = run("data", "nubmers")
    assert (done.code, done.out) == (1, "")
    assert done.err == "error: There is no table `nubmers`.\nThere are numbers, odd.\n"
    assert run("data", "_scheduled_functions").err == "There are no documents in this table.\n"


@pytest.mark.parametrize("words", [("--all",), ("--limit", "0"), ("--limit", "100000")])
def test_a_table_passes_through_page_by_page(run: Run, words: tuple[str, ...]) -> None:
    done = run("data", "numbers", "--order", "asc", *words)
    assert [json.loads(line)["n"] for line in done.out.splitlines()] == list(range(COUNT))
    assert done.err == ""


def test_the_newest_come_first_and_that_there_are_more_is_said(run: Run) -> None:
    done = run("data", "numbers", "--limit", "2")
    assert [json.loads(line)["n"] for line in done.out.splitlines()] == [COUNT - 1, COUNT - 2]
    assert "Showing the 2 most recently created" in done.err
    assert "cannot be read" in run("data", "_admin_keys").err


def test_no_value_is_lost_in_json(run: Run) -> None:
    (row,) = json.loads(run("data", "odd", "--json").out)
    assert row["i"] == {"$integer": "AAAAAAAAABA="}
    assert row["b"] == {"$bytes": "AQ=="}
    assert row["z"] == {"$float": "AAAAAAAAAIA="}
    assert row["x"]["$float"]
    assert json.loads(run("data", "_scheduled_functions", "--format", "jsonArray").out) == []


def test_columns_show_values_as_people_read_them(run: Run) -> None:
    head, rule, row = run("data", "odd", "--format", "pretty").out.splitlines()
    assert [name.strip() for name in head.split("|")] == ["_id", "_creationTime", "b", "i", "s", "x", "z"]
    assert set(rule) == {"-", "|"}
    cells = [cell.strip() for cell in row.split("|")]
    assert cells[2:] == ['Bytes("AQ==")', f"{2**60}n", '"1\\n2"', "NaN", "-0.0"]


def test_csv_can_be_read_back(run: Run) -> None:
    rows = list(csv.DictReader(io.StringIO(run("data", "numbers", "--all", "--format", "csv").out)))
    assert len(rows) == COUNT
    assert (rows[0]["text"], json.loads(rows[0]["n"])) == (f"a, {COUNT - 1}", COUNT - 1)
