"""Which server `rewake run` talks to, and with which key.

Floor 8, `cli`. Flags come first, then `REWAKE_URL` and `REWAKE_ADMIN_KEY`, then what a server of this project
left in `.rewake/server.json`, then the usual port.

Not here: the conversation (`calling.py`, `watching.py`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from rewake.cli.failure import CommandFailed, ServerUnreachable, WrongUsage
from rewake.cli.project_home import (
    HOME,
    KEY_FILE,
    KEY_VARIABLE,
    PORT_USUAL,
    URL_VARIABLE,
    data_place,
    read_admin_key,
    read_server_record,
)
from rewake.cli.secret_files import secret_of


@dataclass(frozen=True, slots=True)
class ServerAddress:
    """A server and the right to call all of its functions."""

    url: str
    """Without a slash at the end."""
    admin_key: str
    root: Path
    """The project in whose folder the command was given."""
    is_guess: bool
    """Nobody said that a server is there."""

    def unreachable(self, reason: str) -> ServerUnreachable:
        """The error for a server that does not answer."""
        if self.is_guess:
            return ServerUnreachable(
                f"No server of this project is running, and none answers at {self.url}.",
                hint="Start it with `rewake dev`, or name one with --url.",
            )
        return ServerUnreachable(
            f"The server at {self.url} does not answer: {reason}.",
            hint="Start it with `rewake dev`, or name another with --url.",
        )


def find_server(
    root: Path,
    *,
    url: str | None,
    admin_key: str | None,
    data: Path | None = None,
    variables: Mapping[str, str] = os.environ,
) -> ServerAddress:
    """The server that flags, variables or the project's folder name.

    Raises:
        CommandFailed: there is an address and no key for it.
        WrongUsage: the address is none.
    """
    record = read_server_record(root)
    named = url or variables.get(URL_VARIABLE)
    address = named or (record.url if record is not None else f"http://127.0.0.1:{PORT_USUAL}")
    key = admin_key or secret_of(KEY_VARIABLE, variables)
    if not key:
        files = [data_place(root, data).admin_key]
        if record is not None and record.admin_key and data is None:
            files.insert(0, Path(record.admin_key))
        key = _first_key(files)
    found = ServerAddress(_checked(address), key or "", root, is_guess=named is None and record is None)
    if not key:
        if found.is_guess:
            raise found.unreachable("")
        raise CommandFailed(
            f"There is no admin key for {found.url}.",
            hint=f"Give one with --admin-key or {KEY_VARIABLE}. "
            f"The server's own lies in {HOME}/{KEY_FILE} of its project.",
        )
    return found


def _first_key(files: list[Path]) -> str | None:
    for file in files:
        try:
            return read_admin_key(file)
        except OSError:
            continue
    return None


def _checked(url: str) -> str:
    try:
        parts = urlsplit(url.strip())
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname)
        _ = parts.port  # Raises where it is no number.
    except ValueError:
        is_address = False
    if not is_address:
        raise WrongUsage(f"`{url}` is not an address. Write it as http://127.0.0.1:{PORT_USUAL}.")
    return url.strip().rstrip("/")
