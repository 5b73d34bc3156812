"""`rewake run`: call one function and print what it returns.

Floor 8, `cli`. One `POST /api/function` with the admin key, so internal functions can be called as well, and
the server knows of what kind each is; over a socket the caller would have to. The value is printed in the
readable `json` format; log lines and errors go to stderr.

Not here: finding the server (`connection.py`), the request (`admin_requests.py`), watching (`watching.py`).
Source: wire 4.1.
"""

from __future__ import annotations

import contextlib
import difflib
import re
import sys
from collections.abc import Sequence
from typing import Any

import msgspec

from rewake.cli.admin_requests import RequestRefused, ask, stranger
from rewake.cli.connection import ServerAddress
from rewake.cli.failure import CommandFailed
from rewake.cli.screen import Screen
from rewake.errors import RewakeError
from rewake.execution import load_project, read_settings
from rewake.protocol import InvalidFunctionPath

SUGGESTIONS_MAX = 3

_REQUEST_HEAD = re.compile(r"\[Request ID: [0-9a-fA-F]+\] Server Error\n?")
_UNKNOWN_FUNCTION = re.compile(r"Could not find (?:public )?function for '([^']*)'")


class _Answer(msgspec.Struct, rename="camel"):
    """What `/api/function` answers, both kinds in one."""

    status: str = ""
    value: Any = None
    error_message: str = ""
    error_data: Any = msgspec.UNSET
    log_lines: list[str] = []


def call_function(server: ServerAddress, path: str, arguments: dict[str, Any], screen: Screen) -> None:
    """Call the function and print its value.

    Raises:
        CommandFailed: the function failed, or there is none of this name.
        ServerUnreachable: nobody answered.
    """
    with screen.waiting(f"Calling {path}"):
        answer = _ask(server, path, arguments)
    show_log_lines(answer.log_lines, screen)
    if answer.status == "success":
        screen.value(answer.value)
        return
    data = None if answer.error_data is msgspec.UNSET else (answer.error_data,)
    raise function_failure(answer.error_message, data, path=path, server=server)


def function_failure(
    message: str, data: tuple[Any] | None, *, path: str, server: ServerAddress
) -> CommandFailed:
    """The error for a run that failed. `data` holds an ApplicationError's data where there was one."""
    text = _REQUEST_HEAD.sub("", message, count=1).strip("\n")
    unknown = _UNKNOWN_FUNCTION.search(text)
    if unknown is not None:
        # The official text recommends another command line.
        return CommandFailed(
            f"There is no function `{unknown[1] or path}`.", hint=_did_you_mean(path, server)
        )
    head, _, rest = (text or "The server gave no reason.").partition("\n")
    # A string or an object without deeper levels is in the first line already.
    if data is not None and not head.endswith(msgspec.json.encode(data[0]).decode().strip('"')):
        rest = (rest + "\n" if rest else "") + f"data: {msgspec.json.encode(data[0]).decode()}"
    return CommandFailed(head, detail=rest)


def show_log_lines(lines: Sequence[str], screen: Screen) -> None:
    """What the function printed, on stderr."""
    for line in lines:
        screen.note((line, "dim"))


def _ask(server: ServerAddress, path: str, arguments: dict[str, Any]) -> _Answer:
    body = {"path": path, "args": arguments, "format": "json"}
    try:
        response = ask(server, "POST", "/api/function", body)
    except RequestRefused as refused:
        if refused.refusal == InvalidFunctionPath.code:
            raise no_function(path, server) from None
        raise
    try:
        return msgspec.json.decode(response.content, type=_Answer)
    except msgspec.MsgspecError:
        raise stranger(server) from None


def no_function(path: str, server: ServerAddress) -> CommandFailed:
    """The error for a path that cannot be that of a function."""
    return CommandFailed(
        f"`{path}` names no function. Write it as module:function.", hint=_did_you_mean(path, server)
    )


def _did_you_mean(path: str, server: ServerAddress) -> str:
    names = [f"`{name}`" for name in _near_names(path, server)]
    if not names:
        return ""
    return "Did you mean " + " or ".join([", ".join(names[:-1]), names[-1]] if names[1:] else names) + "?"


def _near_names(path: str, server: ServerAddress) -> list[str]:
    """Functions of this folder's project that look like `path`; none where it cannot be loaded."""
    try:
        # Modules may print while they are imported, and stdout belongs to results.
        with contextlib.redirect_stdout(sys.stderr):
            registry = load_project(read_settings(server.root))
    except (RewakeError, OSError):
        return []
    names = [function.public for function in sorted(registry.functions)]
    wanted = path.replace(".js:", ":").replace(".", ":").lower()
    near = difflib.get_close_matches(wanted, names, n=SUGGESTIONS_MAX, cutoff=0.6)
    own = wanted.rpartition(":")[2]
    # The right function of a wrong module is far off by letters and near by meaning.
    return near or [name for name in names if name.rpartition(":")[2] == own][:SUGGESTIONS_MAX]
