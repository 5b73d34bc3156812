"""The home of a project's data: which folder is the project, and what lies in its `.rewake`.

Floor 8, `cli`. Commands find each other through this folder, without flags:

    .rewake/data.sqlite3    the data, unless `--data` names another file
    .rewake/admin_key       the key of whoever may do everything; readable by its owner only
    .rewake/server.json     where the running server listens; written by `dev` and `serve`, read by `run`
    .rewake/.gitignore      keeps all of it out of git, whatever the project's own says

The admin key stands beside the data that it opens, so a data file elsewhere has its key there:
`PATH.admin_key`.

Not here: what is in the data file (`storage`), the settings of a project (`execution.loader`).
"""

from __future__ import annotations

import os
import tomllib
from pathlib import Path

import msgspec

from rewake.auth import AdminKey, new_admin_key
from rewake.cli.failure import CommandFailed
from rewake.environment import Environment
from rewake.storage.data_file import FileLock

HOME = ".rewake"
DATA_FILE = "data.sqlite3"
KEY_FILE = "admin_key"
SERVER_FILE = "server.json"

PORT_USUAL = 3210
"""Where servers listen and commands look when nobody says otherwise: the port that official tools use too."""

KEY_VARIABLE = "REWAKE_ADMIN_KEY"
URL_VARIABLE = "REWAKE_URL"


class DataPlace(msgspec.Struct, frozen=True):
    """Where a deployment's data and its key are."""

    data: Path
    admin_key: Path


class ServerRecord(msgspec.Struct, frozen=True):
    """What a running server leaves for other commands of the same project."""

    url: str
    pid: int
    admin_key: str
    """The path of the file with the key, or empty where the key came from the environment."""


def find_root(start: Path) -> Path:
    """The project that `start` lies in: the nearest folder upwards that is one, else `start` itself."""
    start = start.resolve()
    for folder in (start, *start.parents):
        if (folder / HOME).is_dir() or _is_project(folder / "pyproject.toml"):
            return folder
    return start


def _is_project(file: Path) -> bool:
    try:
        return "rewake" in tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, ValueError):
        return False


def data_place(root: Path, data: Path | None) -> DataPlace:
    """Where the data is: in the project's home, or where `--data` says (a file, or a folder that exists)."""
    if data is None:
        return DataPlace(root / HOME / DATA_FILE, root / HOME / KEY_FILE)
    data = data.absolute()
    if data.is_dir():
        return DataPlace(data / DATA_FILE, data / KEY_FILE)
    return DataPlace(data, data.with_name(data.name + ".admin_key"))


def make_home(root: Path) -> Path:
    """The project's home, made if it is not there.

    Raises:
        CommandFailed: the folder cannot be written.
    """
    home = root / HOME
    try:
        home.mkdir(exist_ok=True)
        ignore = home / ".gitignore"
        if not ignore.exists():
            ignore.write_text("# Data and keys of this machine; made by Rewake.\n*\n", encoding="utf-8")
    except OSError as error:
        raise CommandFailed(
            f"{home} cannot be written: {error.strerror}.",
            hint="Data and key live there. Make it writable, or name another place with --data PATH.",
        ) from None
    return home


def admin_key_for(file: Path, *, deployment_name: str, environment: Environment) -> AdminKey:
    """The key in `file`; made now, for its owner's eyes only, if there is none.

    Raises:
        CommandFailed: the file cannot be read or made.
    """
    try:
        if not file.exists():
            fresh = new_admin_key(deployment_name, environment)
            try:
                descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                pass  # Another command was quicker; its key is as good.
            else:
                with open(descriptor, "w", encoding="utf-8") as output:
                    output.write(fresh.text + "\n")
        return AdminKey(read_admin_key(file))
    except OSError as error:
        raise CommandFailed(f"The admin key {file} cannot be read or made: {error.strerror}.") from None


def read_admin_key(file: Path) -> str:
    """The text of an existing key.

    Raises:
        CommandFailed: the file holds none.
        OSError: it cannot be read.
    """
    text = file.read_text(encoding="utf-8", errors="replace").strip()
    if not text or len(text.split()) != 1:
        raise CommandFailed(
            f"{file} holds no admin key.",
            hint="Delete the file: the next start of the server makes a new one.",
        )
    return text


def write_server_record(root: Path, record: ServerRecord) -> None:
    """Leave word of a running server. A project that cannot be written goes without."""
    try:
        file = make_home(root) / SERVER_FILE
        draft = file.with_name(f".{SERVER_FILE}.{os.getpid()}")
        draft.write_bytes(msgspec.json.format(msgspec.json.encode(record)) + b"\n")
        draft.replace(file)
    except (OSError, CommandFailed):
        # Only `rewake run` without --url would have used it.
        return


def read_server_record(root: Path) -> ServerRecord | None:
    """What a server of this project left, or None. The server may be gone all the same."""
    try:
        return msgspec.json.decode((root / HOME / SERVER_FILE).read_bytes(), type=ServerRecord)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        return None


def remove_server_record(root: Path) -> None:
    """Take back this process's word; that of another server stays."""
    record = read_server_record(root)
    if record is not None and record.pid == os.getpid():
        (root / HOME / SERVER_FILE).unlink(missing_ok=True)


def set_aside(place: DataPlace, *, stamp: str) -> Path | None:
    """Move the data out of the way without losing it; returns its new place, or None where there was none.

    The write-ahead log goes along: without it the copy would lack the latest commits.

    Raises:
        DataFileLocked: a server has the file open.
        CommandFailed: it cannot be moved.
    """
    if not place.data.exists():
        return None
    target = place.data.with_name(f"{place.data.name}.before-reset-{stamp}")
    number = 1
    while target.exists():
        number += 1
        target = place.data.with_name(f"{place.data.name}.before-reset-{stamp}-{number}")
    lock = FileLock(place.data)
    try:
        for ending in ("-wal", "-shm", ""):
            file = place.data.with_name(place.data.name + ending)
            if file.exists():
                file.replace(target.with_name(target.name + ending))
    except OSError as error:
        raise CommandFailed(f"{place.data} cannot be moved aside: {error.strerror}.") from None
    finally:
        lock.release()
    return target
