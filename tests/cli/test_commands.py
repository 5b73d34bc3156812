"""The commands as they are typed: help, usage, and how errors end."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from rewake.cli.commands import app, asked_for, main
from rewake.cli.failure import ExitCode
from rewake.version import VERSION
from tests.cli.command import run_apart, run_here

COMMANDS = [
    "init",
    "dev",
    "serve",
    "run",
    "codegen",
    "verify",
    "version",
    "doctor",
    "logs",
    "data",
    "sql",
    "function-spec",
    "export",
    "backup",
    "import",
    "deploy",
    "rollback",
    "deployments",
    "env",
    "keys",
]


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_the_commands_are_these() -> None:
    assert list(get_command(app).commands) == COMMANDS  # type: ignore[attr-defined]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("word", ["-h", "--no-such-option"])
def test_a_command_alone_is_as_it_is_among_all(
    command: str, word: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (asked_for([command, word]) is app) == (command in {"deployments", "env", "keys"})
    alone = run_here(capsys, command, word)
    monkeypatch.setattr("rewake.cli.commands.asked_for", lambda words: app)
    assert alone == run_here(capsys, command, word)
    assert command in alone.out + alone.err


def test_mistakes_help_and_completion_have_all_commands(monkeypatch: pytest.MonkeyPatch) -> None:
    assert all(asked_for(words) is app for words in ([], ["-h"], ["--show-completion"], ["srve"], ["Serve"]))
    monkeypatch.setenv("_REWAKE_COMPLETE", "complete_bash")
    assert asked_for(["serve"]) is app


def test_without_words_it_shows_its_help_and_exit_codes() -> None:
    shown = plain(CliRunner().invoke(app, []).output)
    assert "Exit codes" in shown
    assert all(command in shown for command in COMMANDS)


@pytest.mark.parametrize("command", [command for command in COMMANDS if command != "version"])
def test_every_command_explains_itself_with_examples(command: str) -> None:
    done = CliRunner().invoke(app, [command, "-h"])
    assert done.exit_code == 0
    assert f"rewake {command}" in plain(done.output).partition("Examples")[2]


@pytest.mark.parametrize(
    "words",
    [
        ["nope"],
        ["dev", "--port", "x"],
        ["serve", ".", "--port", "70000"],
        ["init"],
        ["run"],
        ["dev", "--nope"],
    ],
)
def test_wrong_usage_is_2(words: list[str]) -> None:
    assert CliRunner().invoke(app, words).exit_code == 2


def test_wrong_arguments_of_a_function_are_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    done = run_here(capsys, "run", "a:b", "{broken}")
    assert (done.code, done.out) == (2, "")
    assert "not JSON" in done.err


def test_version_prints_only_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert run_here(capsys, "version").out == VERSION + "\n"


def test_the_package_runs_as_a_module(tmp_path: Path) -> None:
    done = run_apart("version", cwd=tmp_path)
    assert (done.code, done.out) == (0, VERSION + "\n")


def test_init_says_what_comes_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run_here(capsys, "init", "my chat")
    assert done.code == 0
    assert "+ backend/schema.py" in done.out
    assert "cd 'my chat'" in done.out
    assert "rewake dev" in done.out


def test_init_works_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = run_here(capsys, "init", ".")
    assert done.code == 0
    assert "  cd " not in done.out
    assert (tmp_path / "backend" / "messages.py").is_file()
    assert "Everything is there already" in run_here(capsys, "init", ".").out


def test_init_refuses_to_overwrite(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "README.md").write_text("mine")
    done = run_here(capsys, "init", str(tmp_path))
    assert done.code == 1
    assert "README.md" in done.err
    assert not (tmp_path / "backend").exists()


def test_codegen_writes_and_then_has_nothing_to_do(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    # From inside the project, without naming it.
    monkeypatch.chdir(project / "backend")
    assert "api.d.ts" in run_here(capsys, "codegen").out
    assert (project / "backend" / "_generated" / "api.d.ts").is_file()
    assert "up to date" in run_here(capsys, "codegen").out


def test_codegen_of_a_broken_project_shows_file_and_line(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (project / "backend" / "broken.py").write_text("x = 1\ny = 1 / 0\n")
    done = run_here(capsys, "codegen", str(project))
    assert done.code == 1
    assert 'broken.py", line 2' in done.err
    assert not (project / "backend" / "_generated").exists()


@pytest.mark.parametrize("command", ["codegen", "dev", "serve"])
def test_a_folder_without_a_project_names_init(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for folder in (tmp_path, tmp_path / "nowhere"):
        done = run_here(capsys, command, str(folder))
        assert done.code == 1
        assert "rewake init" in done.err


def test_no_color_is_honoured_even_where_colours_are_forced(tmp_path: Path) -> None:
    forced = run_apart("init", "a", cwd=tmp_path, variables={"FORCE_COLOR": "1"})
    assert "\x1b[" in forced.out
    plain_one = run_apart("init", "b", cwd=tmp_path, variables={"FORCE_COLOR": "1", "NO_COLOR": "1"})
    assert "\x1b[3" not in plain_one.out


def test_a_terminal_without_the_character_is_no_error(tmp_path: Path) -> None:
    done = run_apart("init", "näme", cwd=tmp_path, variables={"PYTHONIOENCODING": "ascii"})
    assert done.code == 0
    assert "n\\xe4me" in done.out


def test_ctrl_c_is_130(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("rewake.cli.commands.asked_for", lambda words: interrupted)
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 130


def test_a_place_out_of_reach_is_no_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(**_: object) -> None:
        raise PermissionError(13, "Permission denied", "/srv/data.sqlite3")

    monkeypatch.setattr("rewake.cli.commands.asked_for", lambda words: refused)
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == ExitCode.FAILED
    assert capsys.readouterr().err.startswith(
        "error: /srv/data.sqlite3: permission denied.\nName another place"
    )

    def elsewhere(**_: object) -> None:
        raise PermissionError("no file in it")

    monkeypatch.setattr("rewake.cli.commands.asked_for", lambda words: elsewhere)
    with pytest.raises(PermissionError, match="no file in it"):
        main()


def test_a_reader_who_has_enough_is_no_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise BrokenPipeError

    monkeypatch.setattr("rewake.cli.commands.asked_for", lambda words: full)
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1


def reference() -> dict[str, str]:
    """The sections of the reference by command."""
    text = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    sections = re.split(r"^## ", text, flags=re.MULTILINE)[1:]
    return {section.partition("\n")[0].removeprefix("rewake "): section for section in sections}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_reference_names_every_command_with_all_its_options(command: str) -> None:
    section = reference()[command]
    for parameter in get_command(app).commands[command].params:  # type: ignore[attr-defined]
        for option in parameter.opts:
            if option.startswith("-"):
                assert option in section, f"{option} of `rewake {command}` is not in docs/reference/cli.md"


def test_the_reference_names_the_exit_codes() -> None:
    text = (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text(encoding="utf-8")
    assert all(f"| {int(code)} |" in text for code in ExitCode)
