"""What is wrong with the code that was saved last, in the console of every page that is open.

Floor 8, `cli`, part of `rewake dev`. Whoever looks at the page while they type should not have to look at
the terminal, too. Official clients print the log lines of results in the browser's console, so the problem
travels as one more log line: once for each problem, also to pages that are loaded while it stands, and once
more when it is mended. Pages that watch no query are not reached.

    [CONVEX Q(messages:list)] [ERROR] rewake dev: backend/schema.py cannot be imported: ...

Not here: how the line gets onto a result (`reactivity/live_session.py`), the terminal (`development.py`).
Source: wire 6.4.
"""

from __future__ import annotations

from typing import Protocol

_BYTES_MAX = 8_000
"""A traceback is longer only where a function calls itself."""
_CUT = "\n  ...\n"


class Door(Protocol):
    """The sync door, as far as the console needs it."""

    def tell(self, line: str, *, stands: bool) -> None: ...


class PageConsole:
    """The consoles of all pages that watch something of one server."""

    def __init__(self, door: Door) -> None:
        self._door = door
        self._has_problem = False  # Set by `problem`, cleared by `mended`.

    def problem(self, message: str, detail: str | None = None) -> None:
        """Say what is wrong, and that the code from before goes on serving."""
        text = message if not detail else f"{message}\n\n{_within(detail.strip())}"
        self._has_problem = True
        self._door.tell(
            f"[ERROR] rewake dev: {text}\n\nThe code from before goes on serving.",
            stands=True,
        )

    def mended(self, what: str) -> None:
        """Say that the problem is over. Says nothing where there was none."""
        if self._has_problem:
            self._has_problem = False
            self._door.tell(f"[INFO] rewake dev: {what}", stands=False)


def _within(text: str) -> str:
    """`text`, without its middle where it is too long: what was raised stands at the end."""
    half = _BYTES_MAX // 2
    return text if len(text) <= _BYTES_MAX else text[:half] + _CUT + text[-half:]
