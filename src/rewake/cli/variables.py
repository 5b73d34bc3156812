"""`rewake env`: environment variables of a running server.

Floor 8, `cli`. A change takes effect at once and needs no push. Values are secrets as a rule, so they are
shown only where somebody asks for one (`get`) or for all (`list --values`), and can be given on stdin or in a
file instead of on the command line, which other users of the machine may read.

    set NAME VALUE | set NAME < file | set --file .env         get NAME         list         remove NAME ...

Not here: finding the server (`connection.py`), the limits (`database`).
Source: wire 7.5.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from getpass import getpass
from pathlib import Path
from typing import Any

import httpx
import msgspec

from rewake.cli.admin_requests import ask
from rewake.cli.connection import ServerAddress
from rewake.cli.env_files import read_variables_file
from rewake.cli.failure import CommandFailed, WrongUsage
from rewake.cli.screen import Screen

_LIST = "/api/list_environment_variables"
_UPDATE = "/api/update_environment_variables"


def wanted_changes(name: str | None, value: str | None, file: Path | None) -> dict[str, str]:
    """What `rewake env set` is to set: of the command line, of a file, else of stdin or a question.

    Raises:
        WrongUsage: it is not one of the three.
        CommandFailed: the file cannot be read.
    """
    if file is not None:
        if name is not None:
            raise WrongUsage("Give either a name or --file, not both.")
        return read_variables_file(file)
    if name is None:
        raise WrongUsage("Which variable? Write `rewake env set NAME VALUE`, or --file with a .env file.")
    if value is None and "=" in name:
        name, _, value = name.partition("=")
    if value is None:
        value = _asked_value(name)
    return {name: value}


def _asked_value(name: str) -> str:
    if sys.stdin is not None and sys.stdin.isatty():
        return getpass(f"Value of {name} (not shown): ")
    text = sys.stdin.read() if sys.stdin is not None else ""
    # `echo secret | rewake env set NAME` means the secret without the line's end.
    return text.removesuffix("\n").removesuffix("\r")


def set_variables(server: ServerAddress, changes: Mapping[str, str], screen: Screen) -> None:
    """Set variables, all or none.

    Raises:
        CommandFailed: the server refuses one.
        ServerUnreachable: nobody answered.
    """
    if not changes:
        screen.note("There is nothing to set.")
        return
    before = _listed(server)
    _change(server, dict(changes))
    for name, value in changes.items():
        known = before.get(name)
        word = "added" if known is None else "as before" if known == value else "changed"
        screen.note((f"{word:10}", "green"), name)


def get_variable(server: ServerAddress, name: str, screen: Screen) -> None:
    """Print the value of one variable and nothing else.

    Raises:
        CommandFailed: it is not set.
    """
    value = _listed(server).get(name)
    if value is None:
        raise CommandFailed(f"The environment variable {name} is not set.")
    screen.plain(value)


def list_variables(server: ServerAddress, screen: Screen, *, shows_values: bool, as_json: bool) -> None:
    """Print the names, one a line; with values as a `.env` file has them, or as JSON."""
    variables = _listed(server)
    if as_json:
        screen.value(variables if shows_values else list(variables))
        return
    if not variables:
        screen.note("No environment variables are set.")
    for name, value in variables.items():
        screen.plain(f"{name}={_quoted(value)}" if shows_values else name)


def remove_variables(server: ServerAddress, names: Sequence[str], screen: Screen) -> None:
    """Remove variables, all or none.

    Raises:
        CommandFailed: one of them is not set.
    """
    known = _listed(server)
    missing = [name for name in names if name not in known]
    if missing:
        raise CommandFailed(f"Not set: {', '.join(missing)}. Nothing was removed.")
    _change(server, dict.fromkeys(names))
    for name in names:
        screen.note(("removed   ", "green"), name)


def _quoted(value: str) -> str:
    """A value as `parse_variables` reads it back."""
    if value and re.fullmatch(r"[A-Za-z0-9_./:@%+,=-]+", value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t") + '"'


def _listed(server: ServerAddress) -> dict[str, str]:
    response = ask(server, "GET", _LIST)
    return msgspec.json.decode(response.content, type=dict[str, dict[str, str]])["environmentVariables"]


def _change(server: ServerAddress, changes: Mapping[str, str | None]) -> httpx.Response:
    body: dict[str, Any] = {"changes": [{"name": name, "value": value} for name, value in changes.items()]}
    return ask(server, "POST", _UPDATE, body)
