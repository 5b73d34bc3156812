"""Output: what a function prints becomes log lines of its run.

Floor 3, `execution`. Author modules are loaded with a `print` of their own (`loader.py`), and a handler on
the root logger listens for records of the running thread. Both end here, in the lines that clients and
`rewake dev` show:

    [LOG] 'text' 1          print
    [WARN] 'text'           logging.warning

Not here: where the lines are kept and shown (`call_log.py`, `cli`).
Source: wire 6.4.
"""

from __future__ import annotations

import builtins
import logging
import sys
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import msgspec

from rewake.execution.call_log import TRUNCATED, RunLogLine
from rewake.limits import DEFAULT_LIMITS, Limits

lines_of_context: ContextVar[LogLines | None] = ContextVar("log lines of the run", default=None)
"""Where what is printed and logged goes; None outside of runs."""

LEVELS = {
    logging.DEBUG: "DEBUG",
    logging.INFO: "INFO",
    logging.WARNING: "WARN",
    logging.ERROR: "ERROR",
    logging.CRITICAL: "ERROR",
}


class LogLines(msgspec.Struct, eq=False):
    """The log lines of one run, bounded in number and length."""

    limits: Limits = DEFAULT_LIMITS
    now_ms: Callable[[], float] = lambda: 0.0
    heard: Callable[[RunLogLine], None] = lambda line: None
    """Is told of each line at once, in the thread that printed it."""
    function: str = ""
    """The nested function that prints now; empty for the one that was called."""
    lines: list[RunLogLine] = []

    def add(self, level: str, text: str, code: str = "") -> None:
        """Append a line; the last one that fits says that more were left out."""
        most = self.limits.log_lines_max
        if len(self.lines) >= most:
            return
        if len(self.lines) == most - 1:
            self._append("ERROR", f"Log overflow (maximum {most}). Remaining log lines omitted.")
            return
        # A lone surrogate cannot cross the wire; what can be shown of it is its escape.
        raw = text.encode(errors="backslashreplace")
        room = self.limits.log_line_bytes_max - len(f"[{level}] ")
        if len(raw) > room:
            text = raw[: room - len(TRUNCATED)].decode(errors="ignore") + TRUNCATED
        else:
            text = raw.decode()
        self._append(level, text, code)

    def _append(self, level: str, text: str, code: str = "") -> None:
        line = RunLogLine(level, text, code, self.now_ms(), self.function)
        self.lines.append(line)
        self.heard(line)

    def rendered(self) -> tuple[str, ...]:
        """The lines as clients read them."""
        return tuple([str(line) for line in self.lines]) if self.lines else ()


class collecting:
    """Send what is printed and logged in this context to `lines` until the block ends: by this thread, and
    by tasks and threads that an action starts with its context. (`host.py` does the same without a block.)
    """

    __slots__ = ("_lines", "_token")

    def __init__(self, lines: LogLines) -> None:
        self._lines = lines

    def __enter__(self) -> None:
        self._token = lines_of_context.set(self._lines)

    def __exit__(self, *error: object) -> None:
        lines_of_context.reset(self._token)


def function_print(
    *values: Any, sep: str | None = None, end: str | None = None, file: Any = None, flush: bool = False
) -> None:
    """The `print` of author modules: a log line while a function runs, the ordinary one otherwise."""
    lines = lines_of_context.get()
    if lines is None or (file is not None and file not in (sys.stdout, sys.stderr)):
        builtins.print(*values, sep=sep, end=end, file=file, flush=flush)
        return
    rendered = (repr(value) if isinstance(value, str) else str(value) for value in values)
    lines.add(
        "ERROR" if file is not None and file is sys.stderr else "LOG",
        (" " if sep is None else sep).join(rendered),
    )


class RunLogHandler(logging.Handler):
    """Turns `logging` records of a running function into its log lines."""

    def emit(self, record: logging.LogRecord) -> None:
        lines = lines_of_context.get()
        if lines is None or record.name.startswith("rewake."):
            # We may be the only handler, and must not swallow what would be printed without us.
            last = logging.lastResort
            if last is not None and record.levelno >= last.level and not self._is_heard(record):
                last.handle(record)
            return
        level = LEVELS.get(record.levelno) or ("ERROR" if record.levelno > logging.ERROR else "INFO")
        try:
            lines.add(level, repr(record.getMessage()))
        except Exception:
            self.handleError(record)  # As every handler: a bad format string does not fail the function.

    def _is_heard(self, record: logging.LogRecord) -> bool:
        """Whether another handler takes the record, of its own logger or of one above."""
        origin: logging.Logger | None = logging.getLogger(record.name)
        while origin is not None:
            if any(handler is not self for handler in origin.handlers):
                return True
            origin = origin.parent
        return False


_handler: RunLogHandler | None = None


def install_log_handler() -> None:
    """Listen on the root logger. Calling again does nothing."""
    global _handler
    if _handler is None:
        _handler = RunLogHandler()
        root = logging.getLogger()
        root.addHandler(_handler)
        if root.level > logging.INFO or root.level == logging.NOTSET:
            root.setLevel(logging.INFO)
