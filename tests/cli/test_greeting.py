"""The greeting: addresses, and a call that really works."""

from __future__ import annotations

from pathlib import Path

import pytest

from rewake.cli.arguments import parse_arguments
from rewake.cli.greeting import bytes_words, count, example_call, greet, shown_path, size_words
from rewake.cli.screen import Screen
from rewake.execution import Analysis, load_project, read_settings

HEAD = """\
from typing import Literal
from rewake import Id, MutationCtx, QueryCtx, internal_mutation, mutation, query
"""


def analysis_of(project: Path, functions: str) -> Analysis:
    (project / "backend" / "messages.py").write_text(HEAD + functions)
    return load_project(read_settings(project)).analysis()


def test_it_says_where_everything_is(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    greet(
        Screen(),
        name="chat",
        version="9.9",
        url="http://127.0.0.1:3210",
        data=Path("d"),
        analysis=load_project(read_settings(project)).analysis(),
        watched="backend/",
        has_page=True,
    )
    shown = capsys.readouterr().out
    for part in (
        "9.9",
        "chat",
        "VITE_CONVEX_URL=http://127.0.0.1:3210",
        "rewake run messages:send body=hello",
        "backend/",
    ):
        assert part in shown


def test_the_example_is_a_call_that_writes(project: Path) -> None:
    assert example_call(load_project(read_settings(project)).analysis()) == "messages:send body=hello"


def test_functions_that_need_an_id_or_are_internal_are_no_examples(project: Path) -> None:
    functions = """
@mutation
def drop(ctx: MutationCtx, one: Id["messages"]) -> None: ...

@internal_mutation
def clean(ctx: MutationCtx) -> None: ...

@query
def find(ctx: QueryCtx, kind: Literal["a"], n: float, deep: list[str], text: str = "x") -> None: ...
"""
    call = example_call(analysis_of(project, functions))
    assert call == "messages:find deep=[] kind=a n=1"
    assert parse_arguments(call.split()[1:]) == {"deep": [], "kind": "a", "n": 1}


def test_a_project_without_such_functions_has_no_example(project: Path) -> None:
    assert example_call(analysis_of(project, "")) is None


def test_words_count() -> None:
    assert (count(1, "table"), count(2, "table"), count(0, "table")) == ("1 table", "2 tables", "0 tables")


def test_sizes_are_told(project: Path) -> None:
    assert size_words(load_project(read_settings(project)).analysis()) == "2 functions, 1 table"


def test_paths_are_shown_from_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert shown_path(tmp_path / "a") == Path("a")
    assert shown_path(Path("/elsewhere/a")) == Path("/elsewhere/a")


@pytest.mark.parametrize(
    ("number", "words"),
    [(0, "0 KiB"), (1, "1 KiB"), (2048, "2 KiB"), (2**20, "1.0 MiB"), (2**31, "2,048.0 MiB")],
)
def test_sizes_are_said_as_people_do(number: int, words: str) -> None:
    assert bytes_words(number) == words
