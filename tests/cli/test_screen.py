"""The screen: streams kept apart, nothing read as markup, no colours where nobody looks."""

from __future__ import annotations

import io
import sys

import pytest

from rewake.cli.failure import CommandFailed
from rewake.cli.screen import Screen, indented
from rewake.execution import ProjectInvalid


def test_results_and_remarks_go_apart(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen()
    screen.say("result ", ("styled", "bold"))
    screen.note("remark")
    assert capsys.readouterr() == ("result styled\n", "remark\n")


def test_texts_from_outside_are_no_markup(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().say("[bold]x[/bold] :smile: [LOG] 'a'")
    assert capsys.readouterr().out == "[bold]x[/bold] :smile: [LOG] 'a'\n"


def test_long_lines_stay_whole(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().say("word " * 100)
    assert capsys.readouterr().out.count("\n") == 1


def test_values_are_readable_json(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().value({"name": "Zoë", "n": 1.5, "list": []})
    assert capsys.readouterr().out == '{\n  "name": "Zoë",\n  "n": 1.5,\n  "list": []\n}\n'


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1"),
        ({"a": [2.0]}, '{"a":[2]}'),
        (-0.0, "-0.0"),
        (2.0**60, "1.152921504606847e+18"),
        (True, "true"),
    ],
)
def test_whole_numbers_look_whole(value: object, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    Screen().value(value)
    assert "".join(capsys.readouterr().out.split()) == text


def test_a_failure_is_told_in_the_order_what_where_how(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().failure(CommandFailed("It failed.", detail="line 1\nline 2", hint="Do that."))
    assert capsys.readouterr() == ("", "error: It failed.\n  line 1\n  line 2\nDo that.\n")


def test_a_project_that_cannot_be_loaded_shows_its_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    Screen().failure(ProjectInvalid("no", traceback="Traceback: x"))
    assert "  Traceback: x" in capsys.readouterr().err


def test_nobody_is_asked_without_a_terminal() -> None:
    assert not Screen().can_ask
    assert not Screen().is_terminal


def test_a_log_that_nobody_reads_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    class Broken(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    closed = io.StringIO()
    closed.close()
    for stdout in (Broken(), closed, None):
        monkeypatch.setattr(sys, "stdout", stdout)
        Screen().plain("x")


@pytest.mark.parametrize(("answer", "is_yes"), [("y", True), ("YES ", True), ("", False), ("n", False)])
def test_only_a_yes_is_a_yes(answer: str, is_yes: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("builtins.input", lambda *_: answer)
    assert Screen().ask("Sure?") is is_yes


def test_empty_lines_are_not_indented() -> None:
    assert indented("a\n\nb\n") == "  a\n\n  b"
