"""Files with variables, `.env` by name: what is in them, and how values are written.

Floor 8, `cli`. The form that Docker, systemd and front-end tools share more or less: `NAME=VALUE` a line,
comments, an `export` before, values between quotes over several lines.

Not here: what the variables mean (`connection.py`, `variables.py`).
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from rewake.cli.failure import CommandFailed

_ASSIGNMENT = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
_QUOTES = "\"'`"
_ESCAPES = {"\\n": "\n", "\\r": "\r", "\\t": "\t", '\\"': '"', "\\\\": "\\"}
_ESCAPE = re.compile(r"\\[nrt\"\\]")


def read_variables_file(file: Path) -> dict[str, str]:
    """The variables of a `.env` file. `-` is stdin.

    Raises:
        CommandFailed: it cannot be read, or a line is no assignment.
    """
    try:
        text = sys.stdin.read() if str(file) == "-" else file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise CommandFailed(f"{file} cannot be read: {reason}.") from None
    return parse_variables(text, where=str(file))


def parse_variables(text: str, *, where: str) -> dict[str, str]:
    """The assignments of a `.env` text. A quoted value may go over several lines; a later name wins.

    Raises:
        CommandFailed: a line is no assignment. The line itself is not told: it may hold a secret.
    """
    found: dict[str, str] = {}
    lines = iter(enumerate(text.removeprefix("\ufeff").splitlines(), 1))
    for number, line in lines:
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        assignment = _ASSIGNMENT.fullmatch(stripped)
        if assignment is None:
            raise CommandFailed(f"Line {number} of {where} is not NAME=VALUE.")
        name, value = assignment.groups()
        quote = value[:1]
        if not quote or quote not in _QUOTES:
            # As dotenv does: a comment begins at a `#` behind a space.
            found[name] = re.split(r"(?:^|\s)#", value, maxsplit=1)[0].rstrip()
            continue
        body = value[1:]
        while (end := _closing(body, quote)) is None:
            _, more = next(lines, (0, None))
            if more is None:
                raise CommandFailed(f"The value that begins in line {number} of {where} is not closed.")
            body += "\n" + more
        found[name] = _unescaped(body[:end]) if quote == '"' else body[:end]
    return found


def _closing(body: str, quote: str) -> int | None:
    position = 0
    while position < len(body):
        if body[position] == "\\" and quote == '"':
            position += 2
            continue
        if body[position] == quote:
            return position
        position += 1
    return None


def _unescaped(body: str) -> str:
    return _ESCAPE.sub(lambda escape: _ESCAPES[escape[0]], body)
