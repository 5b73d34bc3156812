"""A bar on a terminal, a line now and then elsewhere, and nothing about short work."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from rewake.cli.progress import ProgressNotes, counted, progress_bar
from rewake.cli.screen import Screen
from rewake.environment import ManualClock


def test_short_work_says_nothing_and_long_work_a_line_at_each_tenth() -> None:
    clock, lines = ManualClock(), list[str]()
    tell = ProgressNotes(clock, lines.append)
    tell("sending", 99, 100)
    for done in range(1, 61):
        clock.advance(0.5)
        tell("sending", done, 100)
    assert lines == [f"sending, {percent} %" for percent in (10, 20, 30, 40, 50, 60)]


def test_work_without_an_end_in_sight_says_a_line_every_few_seconds() -> None:
    clock, lines = ManualClock(), list[str]()
    tell = ProgressNotes(clock, lines.append)
    for second in range(1, 13):
        clock.advance(1)
        tell(f"row {second}")
    assert lines == ["row 5", "row 10"]


def test_lines_never_come_faster_than_one_a_second() -> None:
    clock, lines = ManualClock(), list[str]()
    tell = ProgressNotes(clock, lines.append)
    for done in range(100):
        clock.advance(0.05)
        tell("quick", done, 100)
    assert len(lines) == 4


@pytest.mark.parametrize("width", [40, 80, 120])
def test_a_bar_stays_on_one_line_and_gives_the_cursor_back(width: int) -> None:
    out = io.StringIO()
    console = Console(file=out, force_terminal=True, width=width, color_system=None, legacy_windows=False)
    with progress_bar(console) as tell:
        tell("checking documents, building indexes (1 of 12) " * 3, 50, 100)
        tell("[bold]no markup[/bold]", 7, 7)
        tell("no end in sight")
        tell("too much", 30, 20)
    shown = out.getvalue()
    assert "100%" in shown
    assert shown.index("\x1b[?25l") < shown.rindex("\x1b[?25h")
    lines = shown.replace("\r", "\n").splitlines()
    assert max(len(line) for line in lines) <= width + len("\x1b[2K\x1b[?25l\x1b[?25h") * 2


def test_a_bar_that_is_interrupted_gives_the_cursor_back() -> None:
    out = io.StringIO()

    def work() -> None:
        with progress_bar(Console(file=out, force_terminal=True, width=80)) as tell:
            tell("working", 1, 2)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        work()
    assert out.getvalue().rindex("\x1b[?25h") > out.getvalue().rindex("\x1b[?25l")


def test_the_screen_tells_a_pipe_in_lines_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    clock = ManualClock()
    with Screen().progress(clock=clock) as tell:
        tell("at once", 1, 2)
        clock.advance(1)
        tell("later", 1, 2)
    assert capsys.readouterr() == ("", "later, 50 %\n")


def test_numbers_in_a_text_of_the_server_are_found() -> None:
    assert counted('Importing "users" (1234 of 5000 documents)') == ('Importing "users"', 1234, 5000)
    assert counted("Reading the file") == ("Reading the file", 0, 0)
