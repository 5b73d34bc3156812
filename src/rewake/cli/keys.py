"""`rewake keys`: making, listing and revoking keys, on a running server or on the data file itself.

Floor 8, `cli`. Where no server has the file open, the file is changed; the lock of the file decides, so the
two never meet. On a server the change takes effect at once: sockets that a revoked key had opened are closed.

    ServerKeys  (HTTP, `http_api/keys.py`)     a server is named, or has the data open
    FileKeys    (`database/admin_keys.py`)     nobody has

The text of a key is printed once and is nowhere else.

Not here: the options (`key_commands.py`), what a key is (`auth/keyring.py`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Protocol

import msgspec

from rewake.auth import Scope, make_key
from rewake.cli.admin_requests import ask
from rewake.cli.call_lines import log_moment
from rewake.cli.connection import ServerAddress
from rewake.cli.failure import CommandFailed, WrongUsage
from rewake.cli.screen import Screen
from rewake.database import (
    CallResult,
    Database,
    Invocation,
    WriteTransaction,
    issue_key,
    revoke_key,
    stored_keys,
)
from rewake.environment import Environment
from rewake.storage import DataFileLocked

_SPAN = re.compile(r"([1-9][0-9]{0,5})([mhd])")
_MINUTES = {"m": 1, "h": 60, "d": 24 * 60}


class KeyRow(msgspec.Struct, frozen=True, rename="camel"):
    """A key as lists show it. Times are milliseconds since the epoch."""

    id: str
    label: str
    scopes: list[str]
    created_ms: float
    expires_ms: float | None = None
    revoked_ms: float | None = None
    last_used_ms: float | None = None

    def state(self, now_ms: float) -> str:
        """What became of it, in a word."""
        if self.revoked_ms is not None:
            return "revoked"
        return "expired" if self.expires_ms is not None and self.expires_ms <= now_ms else "good"


class MadeKey(msgspec.Struct, frozen=True):
    """A key that was just made."""

    id: str
    key: str


class KeyDesk(Protocol):
    """Where keys are kept."""

    def all(self) -> list[KeyRow]: ...

    def create(self, label: str, scopes: Sequence[str], expires_ms: float | None) -> MadeKey: ...

    def revoke(self, id: str) -> None: ...


class ServerKeys:
    """The keys of a running server."""

    def __init__(self, server: ServerAddress) -> None:
        self.server = server

    def all(self) -> list[KeyRow]:
        """Every key, oldest first."""
        answer = ask(self.server, "GET", "/api/keys").content
        return msgspec.json.decode(answer, type=dict[str, list[KeyRow]])["keys"]

    def create(self, label: str, scopes: Sequence[str], expires_ms: float | None) -> MadeKey:
        """Make a key."""
        body = {"label": label, "scopes": list(scopes), "expiresMs": expires_ms}
        return msgspec.json.decode(ask(self.server, "POST", "/api/keys/create", body).content, type=MadeKey)

    def revoke(self, id: str) -> None:
        """Take a key back."""
        ask(self.server, "POST", "/api/keys/revoke", {"id": id})


class FileKeys:
    """The keys in a data file that no server has open."""

    def __init__(self, data: Path, *, deployment_name: str, environment: Environment) -> None:
        self._data = data
        self._name = deployment_name
        self._environment = environment

    def all(self) -> list[KeyRow]:
        """Every key, oldest first."""
        with self._open() as database:
            reader = database.reader()
            try:
                with reader.begin() as snapshot:
                    keys = stored_keys(snapshot.reads)
            finally:
                reader.close()
        rows = [
            KeyRow(
                key.id,
                key.label,
                sorted(key.scopes),
                key.created_ms,
                key.expires_ms,
                key.revoked_ms,
                key.last_used_ms,
            )
            for key in keys
        ]
        return sorted(rows, key=lambda row: (row.created_ms, row.id))

    def create(self, label: str, scopes: Sequence[str], expires_ms: float | None) -> MadeKey:
        """Make a key."""
        fresh = make_key(self._name, self._environment)
        self._change(
            lambda transaction: issue_key(
                transaction,
                id=fresh.id,
                label=label,
                scopes=scopes,
                digest=fresh.digest,
                expires_ms=expires_ms,
            )
        )
        return MadeKey(fresh.id, fresh.text)

    def revoke(self, id: str) -> None:
        """Take a key back."""
        self._change(lambda transaction: revoke_key(transaction, id))

    def check_free(self) -> None:
        """Return where nobody has the file open.

        Raises:
            DataFileLocked: a server has.
            CommandFailed: there is no file.
        """
        if not self._data.exists():
            raise CommandFailed(
                f"There is no data at {self._data}, so there are no keys.",
                hint="Start the server once with `rewake dev` or `rewake serve`, or say --data PATH.",
            )
        with self._open():
            pass

    def _change(self, work: Callable[[WriteTransaction], None]) -> None:
        def body(transaction: WriteTransaction) -> CallResult:
            work(transaction)
            return CallResult("null")

        with self._open() as database:
            writer = database.group_commit()
            try:
                writer.begin()
                performed = writer.perform(Invocation(self._environment.random_bytes(16).hex()), body)
                if performed.error is not None:
                    raise performed.error
                writer.commit()
            finally:
                writer.close()

    @contextmanager
    def _open(self) -> Iterator[Database]:
        database = Database.open(self._data, environment=self._environment, name=self._name)
        try:
            yield database
        finally:
            database.close()


def desk_for(file: FileKeys, find_server: Callable[[], ServerAddress]) -> KeyDesk:
    """Where the keys are to be changed: on the server that has the data open, else in the file.

    Raises:
        CommandFailed: there is no file.
    """
    try:
        file.check_free()
    except DataFileLocked:
        return ServerKeys(find_server())
    return file


def create_key(
    desk: KeyDesk,
    screen: Screen,
    environment: Environment,
    *,
    label: str,
    scopes: Sequence[str],
    expires: str | None,
) -> None:
    """Make a key and print it: the key alone on stdout, everything about it on stderr.

    Raises:
        WrongUsage: the time cannot be read.
        RewakeError: there can be no such key.
    """
    expires_ms = None if expires is None else _now_ms(environment) + span_ms(expires)
    made = desk.create(label, scopes, expires_ms)
    screen.plain(made.key)
    until = "" if expires_ms is None else f", until {_moment(expires_ms)}"
    screen.note(("made ", "green"), f"{made.id}  {label}  ({', '.join(scopes)}{until})")
    screen.note("The key is shown this once. Keep it as you keep a password.")


def list_keys(desk: KeyDesk, screen: Screen, environment: Environment, *, as_json: bool) -> None:
    """Print all keys, one a line; never what opens anything."""
    rows, now_ms = desk.all(), _now_ms(environment)
    if as_json:
        screen.value([msgspec.to_builtins(row) | {"state": row.state(now_ms)} for row in rows])
        return
    if not rows:
        screen.note("No keys were made. `rewake keys create` makes one.")
    for row in rows:
        screen.plain("  ".join(_cells(row, now_ms)))


def revoke_keys(desk: KeyDesk, screen: Screen, ids: Sequence[str]) -> None:
    """Take keys back, one after the other.

    Raises:
        RewakeError: there is no such key; those before it are revoked.
    """
    for id in ids:
        desk.revoke(id)
        screen.note(("revoked ", "green"), id)


def span_ms(text: str) -> float:
    """How long `90m`, `12h` or `30d` is, in milliseconds.

    Raises:
        WrongUsage: it is something else.
    """
    match = _SPAN.fullmatch(text.strip().lower())
    if match is None:
        raise WrongUsage(f"`{text}` is no time span. Write it as 90m, 12h or 30d.")
    return float(int(match[1]) * _MINUTES[match[2]] * 60_000)


def wanted_scopes(words: Sequence[str]) -> list[str]:
    """The scopes that the command line names.

    Raises:
        WrongUsage: one is none, or there is none at all.
    """
    known = ", ".join(Scope)
    if not words:
        raise WrongUsage("Which scopes? Say at least one --scope.", hint=f"There are {known}.")
    for word in words:
        if word not in list(Scope):
            raise WrongUsage(f"`{word}` is no scope.", hint=f"There are {known}.")
    return list(dict.fromkeys(words))


def _cells(row: KeyRow, now_ms: float) -> list[str]:
    used = "never used" if row.last_used_ms is None else f"used {_moment(row.last_used_ms)}"
    cells = [
        row.id,
        row.state(now_ms).ljust(7),
        ",".join(row.scopes),
        row.label,
        f"made {_moment(row.created_ms)}",
        used,
    ]
    if row.expires_ms is not None:
        cells.append(f"until {_moment(row.expires_ms)}")
    return cells


def _moment(milliseconds: Any) -> str:
    return log_moment(int(milliseconds) * 1_000_000)


def _now_ms(environment: Environment) -> float:
    return float(environment.clock.now_ns() // 1_000_000)
