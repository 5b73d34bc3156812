"""The screen: what people see of a command.

Floor 8, `cli`. Results go to stdout and everything about them to stderr, so that a pipe gets results only;
for `dev` and `serve` the report is the result. Colours, spinners and questions appear on a terminal only;
`NO_COLOR` is honoured (rich does). Texts from outside are never read as rich markup.

Not here: which words are said (the commands).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cached_property
from typing import TYPE_CHECKING, Any

from rewake.cli.failure import CommandFailed
from rewake.cli.progress import ProgressNotes, Tell, progress_bar
from rewake.environment import Clock, process_environment
from rewake.errors import RewakeError
from rewake.limits import SAFE_INTEGER_MAX

if TYPE_CHECKING:
    # Loaded by the first line that needs it: a server that only writes a log never does.
    from rich.console import Console
    from rich.text import Text


class Screen:
    """Both streams of a command."""

    @cached_property
    def _out(self) -> Console:
        return _console()

    @cached_property
    def _err(self) -> Console:
        return _console(to_stderr=True)

    @property
    def is_terminal(self) -> bool:
        """Whether somebody reads stdout on a terminal."""
        return self._out.is_terminal

    @property
    def can_ask(self) -> bool:
        """Whether questions reach a person."""
        return self._err.is_terminal and sys.stdin is not None and sys.stdin.isatty()

    def say(self, *parts: str | tuple[str, str]) -> None:
        """One line on stdout, assembled from texts and (text, style) pairs."""
        self._out.print(_text(*parts))

    def plain(self, text: str) -> None:
        """Text on stdout as it is, from any thread, quickly. A log that nobody reads stops no server."""
        # OSError: the reader is gone. ValueError, AttributeError: somebody's code closed or replaced stdout.
        with suppress(OSError, ValueError, AttributeError):
            sys.stdout.write(text + "\n")
            sys.stdout.flush()

    def note(self, *parts: str | tuple[str, str]) -> None:
        """One line about what happens, on stderr."""
        self._err.print(_text(*parts))

    def line(self, text: str) -> None:
        """One line on stdout as it is: a row of a result.

        Raises:
            BrokenPipeError: whoever read has enough.
        """
        sys.stdout.write(text + "\n")

    @property
    def width(self) -> int | None:
        """The columns of the terminal that stdout is; None where it is none."""
        return self._out.width if self.is_terminal else None

    def value(self, value: Any) -> None:
        """A value as readable JSON on stdout; coloured for people, the same text for pipes."""
        text = _text(json.dumps(whole_numbers(value), indent=2, ensure_ascii=False))
        if self.is_terminal:
            from rich.highlighter import JSONHighlighter

            JSONHighlighter().highlight(text)
        self._out.print(text)

    def failure(self, error: RewakeError) -> None:
        """An error on stderr: what happened, the detail as it stands, what to do next."""
        self._err.print(_text(("error", "bold red"), ": ", error.message.rstrip("\n")))
        detail = error.detail if isinstance(error, CommandFailed) else getattr(error, "traceback", None)
        if detail:
            self._err.print(_text((indented(detail), "dim")))
        if isinstance(error, CommandFailed) and error.hint:
            self._err.print(_text(error.hint))

    def ask(self, question: str) -> bool:
        """Ask for a yes on the terminal; anything else is no."""
        answer = self._err.input(_text((question, "bold"), " [y/N] "))
        return answer.strip().lower() in ("y", "yes")

    @contextmanager
    def waiting(self, text: str) -> Iterator[None]:
        """A spinner on stderr while the block runs, for people only."""
        if not self._err.is_terminal:
            yield
            return
        with self._err.status(_text(text), spinner="dots"):
            yield

    @contextmanager
    def progress(self, *, clock: Clock | None = None) -> Iterator[Tell]:
        """What to call with news of a long piece of work: a bar on stderr where that is a terminal, a line
        now and then where it is none.
        """
        if self._err.is_terminal and not self._err.is_dumb_terminal:
            with progress_bar(self._err) as tell:
                yield tell
            return
        yield ProgressNotes(clock or process_environment().clock, self.note)


def _console(*, to_stderr: bool = False) -> Console:
    from rich.console import Console

    # Long lines are the terminal's to wrap: a log or a path with line breaks of ours cannot be copied or
    # searched.
    return Console(stderr=to_stderr, highlight=False, markup=False, emoji=False, soft_wrap=True)


def _text(*parts: str | tuple[str, str]) -> Text:
    from rich.text import Text

    return Text.assemble(*parts)


def whole_numbers(value: Any) -> Any:
    """`value` with whole numbers as people write them: all are Float64 here, so `.0` says nothing."""
    if isinstance(value, float):
        is_whole = value.is_integer() and abs(value) <= SAFE_INTEGER_MAX and str(value) != "-0.0"
        return int(value) if is_whole else value
    if isinstance(value, list):
        return [whole_numbers(element) for element in value]
    if isinstance(value, dict):
        return {name: whole_numbers(element) for name, element in value.items()}
    return value


def indented(text: str, *, by: int = 2) -> str:
    """`text` with every line moved to the right."""
    return "\n".join(" " * by + line if line else line for line in text.rstrip("\n").split("\n"))
