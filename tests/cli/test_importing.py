"""`rewake import` against a server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rewake.cli import importing
from rewake.cli.failure import ServerUnreachable, WrongUsage
from rewake.cli.importing import format_of, mode_of
from tests.cli.command import Outcome, Running, run_here

Run = Callable[..., Outcome]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A project with a running server."""
    project = tmp_path_factory.mktemp("import")
    (project / "backend").mkdir()
    (project / "pyproject.toml").write_text("[tool.rewake]\n")
    (project / "backend" / "tools.py").write_text("")
    with Running("serve", ".", "--port", "0", cwd=project) as server:
        server.wait_for("Rewake is ready at ")
        yield project
        assert server.stop() == 0


@pytest.fixture
def run(served: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run a command inside the served project."""
    monkeypatch.chdir(served)
    return lambda *words: run_here(capsys, *words)


def test_a_file_is_imported_and_deleting_is_confirmed(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "users.csv"
    file.write_text("name,age\nAda,36\nBob,41\n")
    done = run("import", str(file), "--table", "users")
    assert (done.code, done.out) == (0, "Imported 2 documents.\n"), done.err
    assert "users |   2 |      0" in done.err
    refused = run("import", str(file), "--table", "users")
    assert refused.code == 1
    assert 'There are documents already in "users"' in refused.err
    unsure = run("import", str(file), "--table", "users", "--replace")
    assert unsure.code == 1
    assert "Give --yes if it may." in unsure.err
    assert run("import", str(file), "--table", "users", "--replace", "--yes").out == "Imported 2 documents.\n"
    assert run("import", str(file), "--table", "users", "--append").out == "Imported 2 documents.\n"


def test_mistakes_are_told_before_or_by_the_server(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "x.json"
    file.write_text("{}")
    assert run("import", str(file), "--table", "t").code == 1
    assert "is no JSON array" in run("import", str(file), "--table", "t").err
    assert run("import", str(tmp_path / "none.csv"), "--table", "t").code == 1
    assert "needs --table NAME" in run("import", str(file)).err
    assert "leave --table out" in run("import", str(file), "--format", "zip", "--table", "t").err


def test_formats_follow_from_names_and_modes_exclude_each_other() -> None:
    assert [format_of(Path(name), None) for name in ("a.CSV", "a.json", "a.jsonl", "a.zip")] == [
        "csv",
        "jsonArray",
        "jsonLines",
        "zip",
    ]
    assert format_of(Path("a.txt"), "csv") == "csv"
    for file, format in (("a.txt", None), ("a.csv", "xml")):
        with pytest.raises(WrongUsage, match="Give it with --format"):
            format_of(Path(file), format)
    assert mode_of(append=False, replace=False, replace_all=False) == "requireEmpty"
    assert mode_of(append=False, replace=False, replace_all=True) == "replaceAll"
    with pytest.raises(WrongUsage):
        mode_of(append=True, replace=True, replace_all=False)


@pytest.mark.parametrize(
    ("at", "words"), [(1, "Nothing was imported."), (2, "The import was over already."), (3, "not known")]
)
def test_ctrl_c_says_what_became_of_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int, words: str
) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("n\n1\n")
    follow, calls = importing._follow, 0

    def interrupted(*arguments: Any) -> Any:
        nonlocal calls
        calls += 1
        state = follow(*arguments)
        if calls < min(at, 2):
            return state
        if at == 3:
            monkeypatch.setattr(importing, "_state_of", gone)
        raise KeyboardInterrupt

    def gone(*_: object) -> None:
        raise ServerUnreachable("gone")

    monkeypatch.setattr(importing, "_follow", interrupted)
    done = run("import", str(file), "--table", f"rows{at}")
    assert (done.code, done.out) == (130, "")
    assert words in done.err, done.err
