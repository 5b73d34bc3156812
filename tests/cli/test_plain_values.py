"""What is read without typer's help is what typer would have read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import pytest
import typer
from typer.core import TyperCommand

from rewake.cli.plain_values import PlainCommand, with_plain_values
from tests.cli.command import run_apart

OPTIONS = ("--number", "--text", "--path", "--file", "--word", "--several", "--real")
NUMBERS = ("0", "7", "-7", "+7", "007", "1_0", " 7", "7.0", "7e0", "64", "65", "-1", "\u0667", "9" * 30)
WORDS = (*NUMBERS, "x", "", "a", "A", "text", "TEXT", ".", "no/such/place", "-", "true", "yes", "\udc80")


def command(kind: type[TyperCommand]) -> typer.Typer:
    app = typer.Typer(add_completion=False)

    @app.command(cls=kind)
    def tell(
        *,
        number: Annotated[int, typer.Option(min=-8, max=64)] = 3,
        text: str = "none",
        path: Path | None = None,
        file: Annotated[Path | None, typer.Option(exists=True, dir_okay=False)] = None,
        word: Literal["text", "json"] = "text",
        several: list[int] | None = None,
        flag: Annotated[bool, typer.Option("--flag", envvar="TELL_FLAG")] = False,
        real: float = 0.5,
    ) -> None:
        print(repr((number, text, path, file, word, several, flag, real)))

    return app


def outcome(kind: type[TyperCommand], words: list[str], capsys: pytest.CaptureFixture[str]) -> object:
    code: object = None
    try:
        command(kind)(words, prog_name="tell")
    except SystemExit as end:
        code = end.code
    return code, *capsys.readouterr()


@pytest.mark.parametrize("option", OPTIONS)
def test_every_word_means_what_it_means_to_typer(
    option: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text").write_text("")
    Path("x").symlink_to("nowhere")
    for word in WORDS:
        words = [f"{option}={word}"]
        assert outcome(PlainCommand, words, capsys) == outcome(TyperCommand, words, capsys), words
    assert outcome(PlainCommand, [], capsys) == outcome(TyperCommand, [], capsys)


@pytest.mark.parametrize("said", ["1", "0", "true", "false", "True", "yes", "2", "", " 1"])
def test_a_flag_of_the_environment_means_what_it_means_to_typer(
    said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TELL_FLAG", said)
    assert outcome(PlainCommand, [], capsys) == outcome(TyperCommand, [], capsys)


def test_whoever_was_asked_once_is_asked_again() -> None:
    (one, *_) = parameters = typer.main.get_command(command(PlainCommand)).params
    asked = one._runtime_param = object()  # type: ignore[attr-defined]
    assert with_plain_values(list(parameters))[0]._runtime_param is asked


def test_a_mistake_is_told_in_the_same_words(tmp_path: Path) -> None:
    done = run_apart("serve", ".", "--port", "many", cwd=tmp_path)
    assert done.code == 2
    assert "Invalid value for '--port'" in done.err
