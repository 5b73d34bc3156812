"""How far long work is: a bar for a person on a terminal, now and then a line for a log.

Floor 8, `cli`. `Screen.progress` hands out one of both; commands only tell what they know, as often as they
like. Everything goes to stderr, so results stay clean.

    terminal    ⠋ sending users.csv  ━━━━━━━━━╺━━━━━━━━━  47%  0:00:03     gone when the work is over
    elsewhere   sending users.csv, 47 %     after the first second; then at each tenth or every few seconds

Not here: what is said (the commands), how far a push is (`push_progress.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from rewake.environment import Clock

if TYPE_CHECKING:
    from rich.console import Console

_QUIET_SECONDS = 1.0
_EVERY_SECONDS = 5.0
_BAR_COLUMNS = 20
_OTHER_COLUMNS = 20
"""Of the terminal: spinner, percentage, clock, and the gaps."""
_COUNTED = re.compile(r" \((\d+) of (\d+) [a-z ]+\)$")


class Tell(Protocol):
    """What to call with news: what is being done, and how much of how much; a total of 0 is not known."""

    def __call__(self, words: str, done: int = 0, total: int = 0) -> None: ...


def silent(words: str, done: int = 0, total: int = 0) -> None:
    """Where nobody is told."""


@contextmanager
def progress_bar(console: Console) -> Iterator[Tell]:
    """A bar on a terminal while the block runs. Whatever ends the block gives the cursor back."""
    # Not above: few commands take long, and all of them load this module.
    from rich.progress import (
        BarColumn,
        Progress,
        SpinnerColumn,
        TaskProgressColumn,
        TextColumn,
        TimeElapsedColumn,
    )
    from rich.text import Text

    # What is not known yet pulses. Words are cut where the terminal is narrow: the line stays one line.
    bar = Progress(
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=_BAR_COLUMNS),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
        # Results go by on stdout meanwhile, and are not to end up on stderr.
        redirect_stdout=False,
        redirect_stderr=False,
    )
    with bar:
        task = bar.add_task("", total=None)

        def tell(words: str, done: int = 0, total: int = 0) -> None:
            # A new total after another piece of work: None alone would leave the old one as it is.
            bar.tasks[0].total = total or None
            shown = Text(words)
            shown.truncate(max(1, console.width - _BAR_COLUMNS - _OTHER_COLUMNS), overflow="ellipsis")
            bar.update(task, description=shown.plain, completed=min(done, total))

        yield tell


class ProgressNotes:
    """A line now and then, for who reads a log. Short work says nothing."""

    def __init__(self, clock: Clock, say: Callable[[str], None]) -> None:
        self._clock = clock
        self._say = say
        self._said_at = clock.monotonic()
        self._tenth = 0

    def __call__(self, words: str, done: int = 0, total: int = 0) -> None:
        now = self._clock.monotonic()
        tenth = 10 * min(done, total) // total if total else 0
        waited = now - self._said_at
        if waited < _QUIET_SECONDS or (waited < _EVERY_SECONDS and tenth == self._tenth):
            return
        self._said_at, self._tenth = now, tenth
        self._say(f"{words}, {100 * min(done, total) // total} %" if total else words)


def counted(text: str) -> tuple[str, int, int]:
    """A text of a server that ends with `(3 of 20 documents)`, and the numbers; zeros where it has none."""
    found = _COUNTED.search(text)
    return (text[: found.start()], int(found[1]), int(found[2])) if found else (text, 0, 0)
