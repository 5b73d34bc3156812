"""What pages are told of problems: once each, and once that they are over."""

from __future__ import annotations

from rewake.cli.page_console import PageConsole


class Door:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, bool]] = []

    def tell(self, line: str, *, stands: bool) -> None:
        self.told.append((line, stands))


def test_a_problem_stands_until_it_is_mended() -> None:
    door = Door()
    console = PageConsole(door)
    console.mended("never mind")
    console.problem("backend/a.py cannot be imported: no", 'File "backend/a.py", line 3\n')
    console.problem("something else")
    console.mended("good again")
    console.mended("good again")
    assert door.told == [
        (
            "[ERROR] rewake dev: backend/a.py cannot be imported: no\n\n"
            'File "backend/a.py", line 3\n\nThe code from before goes on serving.',
            True,
        ),
        ("[ERROR] rewake dev: something else\n\nThe code from before goes on serving.", True),
        ("[INFO] rewake dev: good again", False),
    ]


def test_of_a_long_traceback_beginning_and_end_are_shown() -> None:
    door = Door()
    PageConsole(door).problem("no", "begin " + "x" * 100_000 + " ValueError: end")
    [(line, _)] = door.told
    assert len(line) < 9_000
    assert "begin" in line
    assert "ValueError: end" in line
