"""`rewake run`: call one function and print what it returns.

Floor 8, `cli`. One `POST /api/function` with the admin key, so internal functions can be called as well. The
value is printed in the readable `json` format; log lines and errors go to stderr.

Not here: finding the server (`connection.py`), watching a query (`watching.py`).
Source: wire 4.1.
"""

from __future__ import annotations

import contextlib
import difflib
import re
import sys
from collections.abc import Sequence
from typing import Any

import httpx
import msgspec

from rewake.cli.connection import ServerAddress
from rewake.cli.failure import CommandFailed, ServerUnreachable
from rewake.cli.screen import Screen
from rewake.errors import RewakeError
from rewake.execution import load_project, read_settings

CONNECT_SECONDS = 5.0
SUGGESTIONS_MAX = 3

_REQUEST_HEAD = re.compile(r"\[Request ID: [0-9a-fA-F]+\] Server Error\n?")
_BAD_PATH = "BadConvexFunctionIdentifier"
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
    timeout = httpx.Timeout(None, connect=CONNECT_SECONDS)
    headers = {"Authorization": f"Convex {server.admin_key}"}
    body = {"path": path, "args": arguments, "format": "json"}
    try:
        response = httpx.post(
            f"{server.url}/api/function", json=body, headers=headers, timeout=timeout, trust_env=False
        )
    except httpx.ConnectError as error:
        raise server.unreachable(reason_of(error)) from None
    except httpx.HTTPError as error:
        raise ServerUnreachable(
            f"The conversation with {server.url} broke off: {reason_of(error)}."
        ) from None
    except UnicodeEncodeError:
        raise CommandFailed(
            "The arguments hold half of a character (a lone surrogate) and cannot be sent."
        ) from None
    if response.status_code != httpx.codes.OK:
        raise _refusal(response, server, path)
    try:
        return msgspec.json.decode(response.content, type=_Answer)
    except msgspec.MsgspecError:
        raise _stranger(server) from None


def _refusal(response: httpx.Response, server: ServerAddress, path: str) -> CommandFailed:
    try:
        shape = msgspec.json.decode(response.content, type=dict[str, Any])
        code, message = str(shape["code"]), str(shape["message"])
    except (msgspec.MsgspecError, KeyError):
        return _stranger(server)
    if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
        return CommandFailed(
            f"{server.url} refuses this admin key.",
            hint="Is this the server of another project? Give its key with --admin-key or REWAKE_ADMIN_KEY.",
        )
    if code == _BAD_PATH:
        return CommandFailed(
            f"`{path}` names no function. Write it as module:function.", hint=_did_you_mean(path, server)
        )
    return CommandFailed(f"{message} ({code})")


def _stranger(server: ServerAddress) -> ServerUnreachable:
    return ServerUnreachable(
        f"Something answers at {server.url}, and it is not Rewake.", hint="Name the server with --url."
    )


def reason_of(error: Exception) -> str:
    """Why a connection failed, in few words."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            return cause.strerror.lower()
        cause = cause.__cause__ or cause.__context__
    text = re.sub(r"\[Errno -?\d+\] ", "", str(error), flags=re.IGNORECASE).rstrip(".")
    return text.lower() or type(error).__name__


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
