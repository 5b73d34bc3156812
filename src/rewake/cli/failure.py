"""How a command ends when it does not succeed: a sentence, a way out, and an exit code.

Floor 8, `cli`; nothing else of the package lies below. Commands raise `CommandFailed`; `commands.main` prints
it on stderr and exits with its code. Errors of other floors (`RewakeError`) become one with code 1 there.

    0    it worked
    1    the function, the project or its data said no
    2    the command was written wrongly
    3    no server could be reached
    130  Ctrl-C

Not here: how an error looks on the screen (`screen.py`).
"""

from __future__ import annotations

from enum import IntEnum
from typing import ClassVar

from rewake.errors import RewakeError


class ExitCode(IntEnum):
    """What the shell is told. Scripts may rely on these numbers."""

    OK = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    INTERRUPTED = 130


class CommandFailed(RewakeError):
    """The command cannot do what it was asked. The message says why, the hint what to do next."""

    code = "CommandFailed"
    exit_code: ClassVar[ExitCode] = ExitCode.FAILED

    def __init__(self, message: str, /, *, hint: str = "", detail: str = "") -> None:
        """`detail` is shown between message and hint as it stands: a traceback, a place in a text."""
        super().__init__(message)
        self.hint = hint
        self.detail = detail


def out_of_reach(error: PermissionError) -> CommandFailed:
    """The error for a file or folder that this user may not use, where no command has better words for it."""
    return CommandFailed(
        f"{error.filename}: permission denied.",
        hint="Name another place, or let this user read and write there.",
    )


class WrongUsage(CommandFailed):
    """The command was written in a way that cannot be understood."""

    code = "WrongUsage"
    exit_code = ExitCode.USAGE


class ServerUnreachable(CommandFailed):
    """No server answered. Start one with `rewake dev`, or name another address."""

    code = "ServerUnreachable"
    exit_code = ExitCode.UNREACHABLE
