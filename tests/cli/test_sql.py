"""`rewake sql`: on the project's file beside its server, on the server, and at the prompt."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from rewake.cli.screen import Screen
from rewake.cli.sql import prompt
from rewake.database import InvalidSql
from tests.cli.command import WAIT_SECONDS, Outcome, Running, run_apart, run_here
from tests.cli.terminal import Terminal

Run = Callable[..., Outcome]
FUNCTIONS = """
from rewake import Int64, MutationCtx, mutation

@mutation
def add(ctx: MutationCtx, author: str) -> None:
    ctx.db.insert("notes", {"author": author, "n": Int64(2**60), "raw": b"x", "list": [1, "a"]})
"""


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    project = tmp_path_factory.mktemp("sql")
    (project / "backend").mkdir()
    (project / "pyproject.toml").write_text("[tool.rewake]\n")
    (project / "backend" / "m.py").write_text(FUNCTIONS)
    with Running("serve", ".", "--port", "0", "--workers", "1", cwd=project) as server:
        url = server.wait_for(r"ready at (\S+)")[1]
        for author in ("Ada", "Ada", "Bob"):
            assert run_apart("run", "m:add", f"author={author}", cwd=project).code == 0
        yield project, url
        assert server.stop() == 0


@pytest.fixture(params=["file", "server"])
def run(
    served: tuple[Path, str],
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Run it on either: both must say the same."""
    project, url = served
    monkeypatch.chdir(project)
    where = ("--url", url) if request.param == "server" else ()
    return lambda *words: run_here(capsys, "sql", *words, *where)


def test_rows_come_as_columns_json_and_csv(run: Run) -> None:
    text = "SELECT author, count(*) AS notes, max(n) AS n FROM notes GROUP BY author"
    assert run(text).out.splitlines()[2:] == [
        "Ada    | 2     | 1152921504606846976",
        "Bob    | 1     | 1152921504606846976",
    ]
    assert json.loads(run(text, "--json").out)[1] == {"author": "Bob", "notes": 1, "n": 2**60}
    assert run(text, "--csv").out.splitlines() == ["author,notes,n", f"Ada,2,{2**60}", f"Bob,1,{2**60}"]
    shown = json.loads(run("SELECT raw, list, NULL AS none FROM notes LIMIT 1", "--json").out)
    assert shown == [{"raw": {"$bytes": "eA=="}, "list": '[1.0,"a"]', "none": None}]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("DELETE FROM notes", "Only reading is possible here"),
        ("SELECT * FROM _admin_keys", "There is no table _admin_keys. Known: "),
        ("SELEC", "syntax error"),
    ],
)
def test_what_cannot_be_is_said(run: Run, text: str, said: str) -> None:
    done = run(text)
    assert (done.code, done.out, said in done.err) == (1, "", True)


def test_a_statement_comes_from_stdin(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("SELECT 1 AS one"))
    assert json.loads(run("-", "--json").out) == [{"one": 1}]


def test_the_prompt_goes_on_after_a_mistake(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = iter([".tables", ".schema", ".what", "SELEC;", "SELECT", "1;", "", ".exit"])
    monkeypatch.setattr("builtins.input", lambda _: next(lines))

    def run(text: str) -> dict[str, object]:
        if "_columns" in text:
            return {"columns": ["table_name", "column_name"], "rows": [["notes", "_id"], ["notes", "n"]]}
        if text != "SELECT\n1;":
            raise InvalidSql("no")
        return {"columns": ["a"], "rows": [[1]], "isCut": True}

    prompt(run, Screen(), "csv")
    printed = capsys.readouterr()
    assert printed.out == "notes\nnotes  _id, n\na\n1\n"
    assert "error: no" in printed.err
    assert "There are more rows" in printed.err
    assert "Known: .tables" in printed.err


def test_the_prompt_says_how_a_statement_ends(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    lines: Iterator[str | type[BaseException]] = iter(["SELECT 1", "", "; ", KeyboardInterrupt])
    seen = []

    def typed(_: str) -> str:
        line = next(lines)
        if isinstance(line, str):
            return line
        raise line

    def run(text: str) -> dict[str, object]:
        seen.append(text)
        return {"columns": ["a"], "rows": [[1]], "isCut": False}

    monkeypatch.setattr("builtins.input", typed)
    with pytest.raises(KeyboardInterrupt):
        prompt(run, Screen(), "csv")
    assert seen == ["SELECT 1\n\n; "]
    assert "until a line that ends with ;" in capsys.readouterr().err


@pytest.mark.parametrize("is_server", [False, True])
def test_the_prompt_describes_the_tables_that_it_reads(
    is_server: bool, served: tuple[Path, str], tmp_path: Path
) -> None:
    project, url = served
    # Elsewhere there is no data file; only the server that is named can know.
    key = (project / ".rewake" / "admin_key").read_text().strip()
    where = ("--url", url, "--admin-key", key) if is_server else ()
    with Terminal("sql", *where, cwd=tmp_path if is_server else project) as terminal:
        terminal.wait_for("sql> ")
        terminal.type(".tables")
        terminal.wait_for("notes")
        terminal.wait_for("sql> ")
        terminal.type(".schema")
        terminal.wait_for("notes  _id, _creationTime, author, list, n, raw, _document")
        terminal.wait_for("sql> ")
        terminal.type(".exit")
        assert terminal.process.wait(WAIT_SECONDS) == 0
