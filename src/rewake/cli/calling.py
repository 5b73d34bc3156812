"""`rewake run`: call one function and print what it returns.

Floor 8, `cli`. Over the Python client, with the admin key: internal functions can be called as well, and a
mutation is carried out once. Which kind of function it is, the server's function spec says. The value is
printed in the readable `json` format; log lines and errors go to stderr.

Not here: finding the server (`connection.py`), the conversation (`conversing.py`), watching (`watching.py`).
Source: wire 4.1, 7.8.
"""

from __future__ import annotations

import difflib
import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from rewake.cli.connection import ServerAddress
from rewake.cli.conversing import conversing
from rewake.cli.failure import CommandFailed, WrongUsage
from rewake.cli.production import tell_production
from rewake.cli.screen import Screen
from rewake.client import ApplicationError, Client, Result
from rewake.environment import Environment
from rewake.protocol import FunctionPath, InvalidFunctionPath
from rewake.values import decode, encode_clean

SUGGESTIONS_MAX = 3
_ISSUER = "https://convex.test"
"""Whose users `--identity` means where it does not say: the same that the official command line takes."""
_SYSTEM, _SYSTEM_QUERIES = "_system/", "_system/cli/"

_REQUEST_HEAD = re.compile(r"\[Request ID: [0-9a-fA-F]+\] Server Error\n?")
_TEXT_WANTED = re.compile(r"Path: \.(\w+)\nValue: (-?[\d.]+|true|false|null)\nValidator: v\.string\(\)$")
_UNKNOWN_FUNCTION = re.compile(r"Could not find (?:public )?function for '([^']*)'")


async def call_function(
    server: ServerAddress,
    path: str,
    arguments: dict[str, Any],
    screen: Screen,
    environment: Environment,
    *,
    identity: Mapping[str, Any] | None = None,
) -> None:
    """Call the function and print its value; as a user where `identity` says whose attributes.

    Raises:
        CommandFailed: the function failed, or there is none of this name.
        ServerUnreachable: nobody answered.
    """
    async with conversing(server, environment) as client:
        with screen.waiting(f"Calling {path}"):
            names = await function_kinds(client)
            kind = _kind_of(path, names)
            if kind != "query":
                tell_production(server, screen)
            if identity is not None:
                client.set_admin_auth(server.admin_key, acting_as=identity)
            result = await _result(client, kind, path, as_values(arguments))
    show_log_lines(result.log_lines, screen)
    if result.error is None:
        screen.value(readable(result.value))
        return
    data = (readable(result.error.data),) if isinstance(result.error, ApplicationError) else None
    raise function_failure(result.message, data, path=path, names=names)


async def _result(client: Client, kind: str, path: str, arguments: dict[str, Any]) -> Result:
    if kind == "query":
        return await anext(client.watch_results(path, arguments))
    return await client.call_result("mutation" if kind == "mutation" else "action", path, arguments)


async def function_kinds(client: Client) -> dict[str, str]:
    """The kind of each function that the server has, by path."""
    spec = await client.query("_system/cli/modules:apiSpec")
    named = [each for each in spec if "identifier" in each]
    return {FunctionPath.parse(each["identifier"]).public: each["functionType"].lower() for each in named}


def _kind_of(path: str, names: Mapping[str, str]) -> str:
    try:
        public = FunctionPath.parse(path).public
    except InvalidFunctionPath:
        raise no_function(path, names) from None
    if public.startswith(_SYSTEM):
        return "query" if public.startswith(_SYSTEM_QUERIES) else "mutation"
    kind = names.get(public)
    if kind is None:
        raise _unknown(public, path, names)
    return kind


def acting_user(text: str) -> dict[str, Any]:
    """The attributes of a user, from `--identity`; what is left out is made up, the same each time.

    Raises:
        WrongUsage: that is no JSON object.
    """
    try:
        given = json.loads(text)
    except (ValueError, RecursionError):
        given = None
    if not isinstance(given, dict):
        raise WrongUsage(
            f"`{text}` is no JSON object of a user's attributes.",
            hint="""For example: --identity '{"subject": "ada", "name": "Ada"}'""",
        )
    made_up = hashlib.sha256(json.dumps(given, sort_keys=True).encode()).hexdigest()[:12]
    subject, issuer = given.get("subject", made_up), given.get("issuer", _ISSUER)
    return {"tokenIdentifier": f"{issuer}|{subject}", **given, "subject": subject, "issuer": issuer}


def function_failure(
    message: str, data: tuple[Any] | None, *, path: str, names: Iterable[str]
) -> CommandFailed:
    """The error for a run that failed. `data` holds an ApplicationError's data where there was one, `names`
    the functions that there are.
    """
    text = _REQUEST_HEAD.sub("", message, count=1).strip("\n")
    unknown = _UNKNOWN_FUNCTION.search(text)
    if unknown is not None:
        # The official text recommends another command line.
        return _unknown(unknown[1] or path, path, names)
    head, _, rest = (text or "The server gave no reason.").partition("\n")
    # A string or an object without deeper levels is in the first line already.
    if data is not None and not head.endswith(msgspec.json.encode(data[0]).decode().strip('"')):
        rest = (rest + "\n" if rest else "") + f"data: {msgspec.json.encode(data[0]).decode()}"
    return CommandFailed(head, detail=rest, hint=_next_step(head, rest))


def _next_step(head: str, rest: str) -> str:
    """What a person at a prompt may try where the server's text, which is for every client, says no more."""
    if head.startswith("Unauthenticated"):
        return """To call as a user: --identity '{"subject": "ada"}'"""
    if head.startswith("Trying to execute") and " as Query" in head:
        return "Only queries can be watched. Leave --watch out to call it once."
    wanted = _TEXT_WANTED.search(rest.strip())
    if head.startswith("ArgumentValidationError") and wanted is not None:
        name, value = wanted[1], wanted[2].removesuffix(".0")
        return f"""What reads as JSON is taken for it. To pass the text {value}: {name}='"{value}"'"""
    return ""


def show_log_lines(lines: Sequence[str], screen: Screen) -> None:
    """What the function printed, on stderr."""
    for line in lines:
        screen.note((line, "dim"))


def as_values(arguments: dict[str, Any]) -> Any:
    """Arguments as a person typed them; what JSON cannot say stands there in its encoded form.

    Raises:
        InvalidValue: that form is wrong, or a text is none.
    """
    return decode(json.dumps(arguments))


def readable(value: Any) -> Any:
    """A value as the readable `json` format of the HTTP API has it."""
    return json.loads(encode_clean(value))


def no_function(path: str, names: Iterable[str]) -> CommandFailed:
    """The error for a path that cannot be that of a function."""
    return CommandFailed(
        f"`{path}` names no function. Write it as module:function.", hint=_did_you_mean(path, names)
    )


def _unknown(shown: str, path: str, names: Iterable[str]) -> CommandFailed:
    return CommandFailed(f"There is no function `{shown}`.", hint=_did_you_mean(path, names))


def _did_you_mean(path: str, names: Iterable[str]) -> str:
    near = [f"`{name}`" for name in _near_names(path, sorted(names))]
    if not near:
        return ""
    return "Did you mean " + " or ".join([", ".join(near[:-1]), near[-1]] if near[1:] else near) + "?"


def _near_names(path: str, names: list[str]) -> list[str]:
    """The functions that look like `path`."""
    wanted = path.replace(".js:", ":").replace(".", ":").lower()
    near = difflib.get_close_matches(wanted, names, n=SUGGESTIONS_MAX, cutoff=0.6)
    own = wanted.rpartition(":")[2]
    # The right function of a wrong module is far off by letters and near by meaning.
    return near or [name for name in names if name.rpartition(":")[2] == own][:SUGGESTIONS_MAX]
