"""The data file: who may open it, and which format it has.

Floor 1, `storage`, under `engine.py`. One file is one deployment. Before a byte of it is trusted:

    directory there and writable -> lock taken -> ours by application_id -> format known -> upgraded

The lock is an exclusive `flock` on `<path>.lock`, held as long as the owner lives and freed by the kernel
when it dies, however it dies. It keeps a second *server* away; the workers of one server join without it. The
format is `user_version`; each upgrade step takes format n to n + 1 in one transaction, so a crash leaves n or
n + 1.

Not here: what the tables mean (`store.py`), the rows of system tables (`database/catalog.py`).
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType

import apsw

from rewake.errors import RewakeError

APPLICATION_ID = int.from_bytes(b"Rwke", "big")
"""Says "this SQLite file is Rewake's" to `file(1)` and to us."""

FORMAT = 3
"""The format that this code writes. Raise it together with a step in `UPGRADES`."""

_TABLES = """
CREATE TABLE _head(
    one INTEGER PRIMARY KEY CHECK (one = 1),
    last_ts INTEGER NOT NULL,
    catalog_ts INTEGER NOT NULL,
    log_floor_ts INTEGER NOT NULL,
    log_bytes INTEGER NOT NULL,
    next_tablet INTEGER NOT NULL,
    next_index INTEGER NOT NULL,
    next_number INTEGER NOT NULL
);
CREATE TABLE _documents(row INTEGER PRIMARY KEY, tablet INTEGER NOT NULL, json TEXT NOT NULL);
CREATE TABLE _index_entries(
    index_id INTEGER NOT NULL, key BLOB NOT NULL, row INTEGER NOT NULL, PRIMARY KEY (index_id, key)
) WITHOUT ROWID;
CREATE TABLE _commit_log(ts INTEGER PRIMARY KEY, invocation TEXT NOT NULL, writes BLOB NOT NULL);
CREATE TABLE _replays(
    number INTEGER PRIMARY KEY,
    session TEXT NOT NULL,
    request INTEGER NOT NULL,
    ts INTEGER NOT NULL,
    result TEXT NOT NULL,
    log_lines TEXT NOT NULL,
    recorded_ms INTEGER NOT NULL,
    UNIQUE (session, request)
);
"""
_SECRETS = "CREATE TABLE _secrets(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID"
"""Since format 2. Random bytes from which keys are derived; they never leave the file."""
# Names begin with an underscore because tables of authors cannot, and each of those gets a view of its own
# name.

FIRST_USER_TABLET = 101
"""Tablets below are those of system tables, fixed in code."""
FIRST_USER_INDEX = 1001
"""Index ids below are those of system tables, fixed in code."""


_LOCK_TRIES_MAX = 250
_LOCK_TRY_SECONDS = 0.02


class DataFileRefused(RewakeError):
    """The data file cannot be opened. The sentence says why and what to do."""

    code, status = "DataFileRefused", 503


class DataDirectoryMissing(DataFileRefused):
    """The directory of the data file does not exist. Make it, or name another path."""

    code = "DataDirectoryMissing"
    template = (
        "The directory {directory} does not exist, so the data file cannot be made there. Create it first."
    )


class DataDirectoryUnwritable(DataFileRefused):
    """The data file or its directory cannot be written by this user."""

    code = "DataDirectoryUnwritable"
    template = "{path} cannot be written by this user ({detail}). SQLite also writes files beside it."


class DataFileMissing(DataFileRefused):
    """There is no data file at this path. Name another, or start a server, which makes one."""

    code = "DataFileMissing"
    template = "There is no data file at {path}."


class DataFileForeign(DataFileRefused):
    """The file exists and is not one of Rewake's. It was left as it is."""

    code = "DataFileForeign"
    template = "{path} is not a Rewake data file ({detail}). It was left as it is; choose another path."


class DataFileFromFuture(DataFileRefused):
    """A newer Rewake wrote this file. Run that version, or restore a backup made by this one."""

    code = "DataFileFromFuture"
    template = (
        "{path} has format {found}, and this version of Rewake knows formats up to {known}. "
        "Run the newer version that wrote it."
    )


class DataFileLocked(DataFileRefused):
    """Another server has this data file open. Stop it first, or use another file."""

    code = "DataFileLocked"
    template = "{path} is in use by another server (process {pid}). Stop it first, or use another data file."


def _add_secrets(connection: apsw.Connection) -> None:
    connection.execute(_SECRETS)


def _mark_ids(connection: apsw.Connection) -> None:
    """Since format 3 rows of the commit log may hold marks for ids (`commit_log.py`). Older rows stay."""


UPGRADES: Mapping[int, Callable[[apsw.Connection], None]] = MappingProxyType({1: _add_secrets, 2: _mark_ids})
"""Format n to the step that makes n + 1 of it. Format 1 is the first."""

_ROOT_SECRET = "root"
_ROOT_SECRET_BYTES = 32


class FileLock:
    """An exclusive claim on a data file, for the life of the process that owns it."""

    def __init__(self, path: Path) -> None:
        self._path = path.with_name(path.name + ".lock")
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise DataDirectoryUnwritable(path=self._path, detail=error.strerror) from error
        holder = self._claim()
        if holder is not None:
            os.close(self._descriptor)
            raise DataFileLocked(path=path, pid=holder or "unknown")
        with suppress(OSError):
            # The number is for people, and a full disk may have no room for it.
            os.ftruncate(self._descriptor, 0)
            os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    @property
    def descriptor(self) -> int:
        """The open file that is the claim; a process that inherits it shares the claim."""
        return self._descriptor

    def _claim(self) -> str | None:
        """Take the lock; returns who holds it where it cannot be had."""
        holder = ""
        for _ in range(_LOCK_TRIES_MAX):
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip()
                if _is_running(holder):
                    return holder
                # That server is gone; a writer that it left behind is ending, perhaps in a slow fsync.
                threading.Event().wait(_LOCK_TRY_SECONDS)
            else:
                return None
        return holder

    def release(self) -> None:
        """Give the claim up. The side file stays: removing it would race with the next owner."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _is_running(process: str) -> bool:
    """Whether a process of this number exists; also where that cannot be known."""
    try:
        os.kill(int(process), 0)
    except ProcessLookupError:
        return False
    except (OSError, ValueError):
        return True
    return True


def check_place(path: Path) -> None:
    """Refuse a path where a data file cannot be, before anything is made there."""
    directory = path.parent
    if not directory.is_dir():
        raise DataDirectoryMissing(directory=directory)
    if path.is_dir():
        raise DataFileForeign(path=path, detail="it is a directory")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise DataDirectoryUnwritable(path=directory, detail="permission denied")
    if path.exists() and not os.access(path, os.R_OK | os.W_OK):
        raise DataDirectoryUnwritable(path=path, detail="permission denied")


def prepare(connection: apsw.Connection, path: Path) -> None:
    """Make the tables in a new file, bring an old one up to `FORMAT`, refuse everything else."""
    try:
        application_id = pragma(connection, "application_id")
        found = pragma(connection, "user_version")
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchall()[0][0]
    except apsw.NotADBError as error:
        raise DataFileForeign(path=path, detail="not an SQLite file") from error
    if application_id == 0 and tables == 0:
        _create(connection)
        return
    if application_id != APPLICATION_ID:
        raise DataFileForeign(path=path, detail="an SQLite file of another application")
    if found > FORMAT:
        raise DataFileFromFuture(path=path, found=found, known=FORMAT)
    upgrade(connection, found, FORMAT, UPGRADES)


def root_secret(connection: apsw.Connection, random_bytes: Callable[[int], bytes]) -> bytes:
    """The secret of a prepared file, from which every key is derived; made when first asked for."""
    find = "SELECT value FROM _secrets WHERE name = ?"
    found = connection.execute(find, (_ROOT_SECRET,)).fetchall()
    if not found:
        fresh = (_ROOT_SECRET, random_bytes(_ROOT_SECRET_BYTES))
        connection.execute("INSERT INTO _secrets VALUES (?, ?) ON CONFLICT DO NOTHING", fresh)
        # What is there counts: a worker of this server may have been quicker.
        found = connection.execute(find, (_ROOT_SECRET,)).fetchall()
    secret = found[0][0]
    assert isinstance(secret, bytes)
    return secret


def upgrade(
    connection: apsw.Connection,
    found: int,
    wanted: int,
    steps: Mapping[int, Callable[[apsw.Connection], None]],
) -> None:
    """Run the steps from format `found` to `wanted`, one transaction each."""
    for version in range(found, wanted):
        connection.execute("BEGIN IMMEDIATE")
        try:
            steps[version](connection)
            connection.execute(f"PRAGMA user_version = {version + 1}")
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise


def _create(connection: apsw.Connection) -> None:
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute(_TABLES)
    connection.execute(_SECRETS)
    connection.execute(
        "INSERT INTO _head VALUES (1, 0, 0, 0, 0, ?, ?, 10001)", (FIRST_USER_TABLET, FIRST_USER_INDEX)
    )
    connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    connection.execute(f"PRAGMA user_version = {FORMAT}")
    connection.execute("COMMIT")


def pragma(connection: apsw.Connection, name: str) -> int:
    value = connection.execute(f"PRAGMA {name}").fetchall()[0][0]
    assert isinstance(value, int)
    return value
