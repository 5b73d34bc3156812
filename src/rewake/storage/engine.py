"""The engine: opens one deployment's data file and hands out connections to it.

Floor 1, `storage`. What `database` relies on, whatever engine stands here:

    1. a snapshot labelled T contains exactly the effects of the log rows with ts <= T;
    2. timestamps, visibility and the serial order of mutations agree;
    3. `commit` returns only when the transaction survives `kill -9` and power loss;
    4. readers never wait for the writer, nor the writer for readers.

SQLite gives 1 and 2 by its single writer, 3 by `synchronous=FULL`, 4 by the write-ahead log. Checkpoints run
on a connection of their own, so that none falls into the time of an acknowledgement. `:memory:` is a file
too, in a directory that goes when the engine closes: SQLite's own shared memory databases make readers wait
for the writer (tried: `memdb` answers "database is locked"), which is promise 4 broken.

Not here: statements (`store.py`, `writer_store.py`), formats and locks (`data_file.py`).
"""

from __future__ import annotations

import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Callable
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import apsw

from rewake.environment import Environment, sync_directory
from rewake.limits import MIB
from rewake.storage.copying import begin_restored
from rewake.storage.data_file import FileLock, check_place, prepare, root_secret
from rewake.storage.failures import StorageFailed, failure_of
from rewake.storage.store import ReaderStore
from rewake.storage.writer_store import BUSY_MS, WriterStore

MEMORY = ":memory:"

_LOG_BYTES = 2 * MIB
"""The write-ahead log's first size: what the commits of the first second take. It grows once to what is
written between two checkpoints; more in advance is what the first start waits for."""

_FRAME_BYTES = 4096 + 24
"""A page in the write-ahead log, with its head. Source: the SQLite file format, 4.1."""


class Role(Enum):
    """Who opens the file: the one server that owns it, or a worker process of that server."""

    OWNER = "owner"
    WORKER = "worker"


class Durability(Enum):
    """What `commit` promises: `FULL` survives power loss; `OFF` is for data that may be lost."""

    FULL = "FULL"
    OFF = "OFF"


class CheckpointResult(NamedTuple):
    """Frames in the write-ahead log, and how many of them are in the data file already."""

    frames: int
    moved: int

    @property
    def log_bytes(self) -> int:
        """How long the log is; less than nothing where nobody knows."""
        return self.frames * _FRAME_BYTES


class Engine:
    """One open data file."""

    def __init__(
        self,
        path: Path,
        *,
        environment: Environment,
        durability: Durability,
        lock: FileLock | None,
        temporary: Path | None,
    ) -> None:
        self.path = path
        self.environment = environment
        self.durability = durability
        self._lock = lock
        # Also runs when the engine was never closed: what is in memory should not outlive the process.
        self._remove: Callable[[], object] = _nothing
        if temporary is not None:
            self._remove = weakref.finalize(self, shutil.rmtree, temporary, ignore_errors=True)
        # Made by `keep_log` when an owner opens the file, or by the first checkpoint; closed with the engine.
        self._checkpointer: apsw.Connection | None = None
        # Housekeeping and a schema change may want a checkpoint at the same time, each in a thread.
        self._checkpointing = threading.Lock()
        self.secret = b""
        """Set once, when the file is opened: what keys of this data file are derived from."""

    def writer(self) -> WriterStore:
        """A connection that may write. Keep one at a time."""
        return WriterStore(self.connect)

    def reader(self) -> ReaderStore:
        """A connection for snapshots; as many as there are readers."""
        return ReaderStore(self.connect)

    def connect(self) -> apsw.Connection:
        """A bare connection with the house's settings."""
        connection: apsw.Connection | None = None
        try:
            connection = apsw.Connection(str(self.path), vfs=self.environment.disk)
            connection.set_busy_timeout(BUSY_MS)
            connection.wal_autocheckpoint(0)
            # Without this SQLite plans a statement anew whenever its bindings change, in the hope of a better
            # plan for these very values: 3 to 4 us on each range read, where our plans cannot differ.
            connection.config(apsw.SQLITE_DBCONFIG_ENABLE_QPSG, 1)
            connection.execute(
                f"PRAGMA synchronous = {self.durability.value}; PRAGMA fullfsync = 1;"
                "PRAGMA checkpoint_fullfsync = 1; PRAGMA temp_store = MEMORY; PRAGMA cache_size = -65536"
            )
        except apsw.Error as error:
            if connection is not None:
                with suppress(apsw.Error):
                    connection.close()
            raise failure_of(error) from error
        return connection

    @property
    def lock_descriptor(self) -> int | None:
        """The descriptor that claims the file, for processes that write on the owner's behalf: while one of
        them lives, the file stays claimed.
        """
        return self._lock.descriptor if self._lock is not None else None

    def sync_log(self) -> None:
        """Bring what is committed to the disk, where a writer died before it could."""
        log = self.path.with_name(self.path.name + "-wal")
        if self.durability is Durability.OFF or not log.exists():
            return
        descriptor = os.open(log, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        sync_directory(log.parent)

    def keep_log(self) -> None:
        """Hold the write-ahead log open: SQLite deletes the file whenever its last connection closes."""
        connection = self.connect()
        try:
            connection.execute("SELECT last_ts FROM _head").fetchall()
        except apsw.Error as error:
            with suppress(apsw.Error):
                connection.close()
            raise failure_of(error) from error
        self._checkpointer = connection

    def checkpoint(self) -> CheckpointResult:
        """Move what the write-ahead log holds into the data file, as far as running readers allow.

        Waits for nobody. Call it off the path of acknowledgements. Where writes never pause the log goes on
        after it: `WriterStore.restart_log` has it begin anew.
        """
        with self._checkpointing:
            if self._checkpointer is None:
                self._checkpointer = self.connect()
            try:
                return CheckpointResult(
                    *self._checkpointer.wal_checkpoint(mode=apsw.SQLITE_CHECKPOINT_PASSIVE)
                )
            except apsw.BusyError:
                return CheckpointResult(-1, -1)
            except apsw.Error as error:
                # A connection that met a failing disk is not trusted again. The new one first: the
                # write-ahead log goes when nobody holds it.
                before, self._checkpointer = self._checkpointer, None
                with suppress(StorageFailed):
                    self.keep_log()
                with suppress(apsw.Error):
                    before.close()
                raise failure_of(error) from error

    def close(self) -> None:
        """Close what the engine itself holds and give the file up. Stores are closed by who made them."""
        if self._checkpointer is not None:
            with suppress(apsw.Error):  # As for stores: nothing is lost with what a failing disk keeps open.
                self._checkpointer.close()
            self._checkpointer = None
        if self._lock is not None:
            self._lock.release()
            self._lock = None
        self._remove()


def _nothing() -> None:
    """What removing comes to for a file that stays."""


def _root_secret(connection: apsw.Connection, environment: Environment) -> bytes:
    try:
        connection.set_busy_timeout(BUSY_MS)
        return root_secret(connection, environment.random_bytes)
    except apsw.Error as error:
        raise failure_of(error) from error


def _preallocate_log(path: Path) -> None:
    """Give the write-ahead log its blocks before anybody waits for them.

    A commit that makes the file longer also makes the file system write its own journal: 340 us where one
    into blocks that are there takes 165. SQLite takes zeros for the end of the log, begins at its front
    whenever a checkpoint has caught up, and deletes the file at the last close, which has just happened.
    """
    log = path.with_name(path.name + "-wal")
    if log.exists():
        return
    mode = path.stat().st_mode & 0o777
    try:
        descriptor = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    except OSError:
        return  # As below.
    try:
        block = bytes(2**20)
        for _ in range(_LOG_BYTES // len(block)):
            os.write(descriptor, block)
        os.fsync(descriptor)
    except OSError:
        # A full disk: then commits will say so, to those who write.
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def open_database(
    path: str | Path,
    *,
    environment: Environment,
    role: Role = Role.OWNER,
    durability: Durability = Durability.FULL,
) -> Engine:
    """Open the data file at `path`, making it if there is none.

    `:memory:` gives one that is gone after close.

    Raises:
        DataFileRefused: with a subclass for each reason (`data_file.py`); the file was not touched.
        StorageFailed: the disk failed.
    """
    temporary: Path | None = None
    if str(path) == MEMORY:
        shared = Path("/dev/shm")
        temporary = Path(tempfile.mkdtemp(prefix="rewake-", dir=shared if shared.is_dir() else None))
        path, durability = temporary / "data.sqlite3", Durability.OFF
    path = Path(path)
    lock: FileLock | None = None
    try:
        check_place(path)
        if role is Role.OWNER:
            lock = FileLock(path)
        engine = Engine(path, environment=environment, durability=durability, lock=lock, temporary=temporary)
        # Checked on a connection that has not set anything yet: pragmas could write to a file that is not
        # ours.
        with_nothing_set = apsw.Connection(str(path), vfs=environment.disk)
        try:
            prepare(with_nothing_set, path)
            if role is Role.OWNER:
                begin_restored(with_nothing_set, now_ns=environment.clock.now_ns())
            engine.secret = _root_secret(with_nothing_set, environment)
        finally:
            with suppress(apsw.Error):
                with_nothing_set.close()
        if role is Role.OWNER and durability is Durability.FULL:
            _preallocate_log(path)
            engine.keep_log()
    except BaseException as error:
        if lock is not None:
            lock.release()
        if temporary is not None:
            shutil.rmtree(temporary, ignore_errors=True)
        if isinstance(error, apsw.Error):
            raise failure_of(error) from error
        raise
    return engine
