"""A disk that fails when it is told to, and forgets what was not synced when its power is cut.

An SQLite VFS over the real file system. Everything goes to real files, so other processes and SQLite's own
locks see nothing unusual; on the way each operation may fail, and for every sector it is kept what a power
cut would leave of it:

    write   -> the sector's content so far joins the versions that may survive
    sync    -> only the present content survives; a sync that fails makes nothing durable, and a later one not
               either for sectors that were not written again (the kernel takes their pages for clean)
    cut     -> per sector one version by chance, per file the synced length or the present one

    disk = FaultDisk("test-disk")           Environment(disk=disk.name)
    disk.fail("sync", "EIO", file="wal")    the next sync of a write-ahead log
    disk.is_full = True                     until it is False again
    disk.cut_at(120, image, Random(7))      at the 120th change from now; `image` gets the files that survive

Processes that were started with `REWAKE_FAULT_DISK=tests.faults.fault_disk:shared_disk` have one disk whose
faults are set through the file that `REWAKE_FAULT_DISK_CONTROL` names; power is cut in one process only.
"""

from __future__ import annotations

import mmap
import os
import struct
import threading
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import apsw

SECTOR = 512
CONTROL_VARIABLE = "REWAKE_FAULT_DISK_CONTROL"

OPERATIONS = ("read", "write", "sync", "truncate")
FILES = ("any", "main", "wal")
ERRORS = ("EIO", "ENOSPC", "short")

_EXTENDED = {
    "read": apsw.SQLITE_IOERR_READ,
    "write": apsw.SQLITE_IOERR_WRITE,
    "sync": apsw.SQLITE_IOERR_FSYNC,
    "truncate": apsw.SQLITE_IOERR_TRUNCATE,
}
_SLOTS = struct.Struct("<BBBBii")


class Control:
    """One armed fault, in memory that processes may share: full, operation, error, file, skipped, left."""

    def __init__(self, memory: Any = None) -> None:
        self._memory = bytearray(_SLOTS.size) if memory is None else memory

    @classmethod
    def shared(cls, path: Path) -> Control:
        if not path.exists():
            path.write_bytes(bytes(_SLOTS.size))
        with path.open("r+b") as file:
            return cls(mmap.mmap(file.fileno(), _SLOTS.size))

    def get(self) -> tuple[int, int, int, int, int, int]:
        return _SLOTS.unpack_from(self._memory)  # type: ignore[return-value]

    def put(self, *slots: int) -> None:
        _SLOTS.pack_into(self._memory, 0, *slots)

    @property
    def is_full(self) -> bool:
        return bool(self.get()[0])

    @is_full.setter
    def is_full(self, value: bool) -> None:
        self.put(value, *self.get()[1:])

    def fail(self, operation: str, error: str, *, file: str = "any", after: int = 0, times: int = 1) -> None:
        """Let `operation` fail `times` times, after it went well `after` times. -1 is for ever."""
        kind = OPERATIONS.index(operation) + 1
        self.put(self.is_full, kind, ERRORS.index(error), FILES.index(file), after, times)

    def heal(self) -> None:
        self.put(0, 0, 0, 0, 0, 0)

    def asked(self, operation: str, file: str) -> str | None:
        """The error with which this operation fails now."""
        full, kind, error, where, after, left = self.get()
        if full and operation == "write":
            return "ENOSPC"
        if not kind or OPERATIONS[kind - 1] != operation or FILES[where] not in ("any", file):
            return None
        if after > 0:
            self.put(full, kind, error, where, after - 1, left)
            return None
        self.put(full, 0 if left == 1 else kind, error, where, 0, left if left < 0 else left - 1)
        return ERRORS[error]


class _Shadow:
    """What a power cut would leave of one file."""

    def __init__(self, durable_size: int) -> None:
        self.durable_size = durable_size
        # Sector -> what it may hold after a cut beside its present content; the first is durable.
        self.versions: dict[int, list[bytes]] = {}
        # Sectors whose pages a failed sync left clean and unwritten.
        self.doubtful: set[int] = set()
        self.was_synced = False

    def writing(self, sectors: range, content: Callable[[int], bytes]) -> None:
        for sector in sectors:
            self.versions.setdefault(sector, []).append(content(sector))
            self.doubtful.discard(sector)

    def synced(self, size: int) -> None:
        self.versions = {sector: kept for sector, kept in self.versions.items() if sector in self.doubtful}
        self.durable_size = size
        self.was_synced = True

    def sync_failed(self) -> None:
        self.doubtful |= self.versions.keys()

    def image(self, present: bytes, chance: Random) -> bytes:
        size = len(present)
        if size != self.durable_size and chance.random() < 0.5:
            size = self.durable_size
        left = bytearray(present[:size].ljust(size, b"\0"))
        for sector, versions in self.versions.items():
            begin = sector * SECTOR
            if begin >= size:
                continue
            content = chance.choice([*versions, present[begin : begin + SECTOR]])
            end = min(begin + SECTOR, size)
            left[begin:end] = content.ljust(SECTOR, b"\0")[: end - begin]
        return bytes(left)


class FaultDisk(apsw.VFS):
    """The disk. Made once per name; unregistered by `close`."""

    def __init__(self, name: str, control: Control | None = None) -> None:
        self.name = name
        self.control = control or Control()
        self.is_dead = False
        """Whether the power is gone: nothing answers any more."""
        self.changes = 0
        """Operations so far that changed a file or made a change durable."""
        self.failures: list[str] = []
        """Every failure given, as `operation:file:error`."""
        self._lock = threading.RLock()
        self._shadows: dict[str, _Shadow] = {}
        self._deleted: dict[str, bytes] = {}
        self._cut: tuple[int, Path, Random] | None = None
        self._chaos: tuple[Random, float] | None = None
        super().__init__(name, "")

    # Faults.

    def fail(self, operation: str, error: str, *, file: str = "any", after: int = 0, times: int = 1) -> None:
        self.control.fail(operation, error, file=file, after=after, times=times)

    @property
    def is_full(self) -> bool:
        return self.control.is_full

    @is_full.setter
    def is_full(self, value: bool) -> None:
        self.control.is_full = value

    def fail_at_random(self, chance: Random, share: float) -> None:
        """Let this share of all operations fail, by chance."""
        self._chaos = (chance, share)

    def heal(self) -> None:
        """No more faults."""
        self._chaos = None
        self.control.heal()

    def cut_at(self, change: int, image: Path, chance: Random) -> None:
        """Cut the power at so many changes from now, and leave in `image` what survives."""
        with self._lock:
            self._cut = (self.changes + change, image, chance)

    def check(self, operation: str, file: str) -> str | None:
        """What goes wrong with this operation; raises unless it is a short write."""
        if self.is_dead:
            raise _error(operation, "EIO")
        error = self.control.asked(operation, file)
        if error is None and self._chaos is not None:
            chance, share = self._chaos
            with self._lock:
                if chance.random() < share:
                    error = chance.choice(ERRORS if operation == "write" else ("EIO",))
        if error is None:
            return None
        self.failures.append(f"{operation}:{file}:{error}")
        if error == "short" and operation == "write":
            return error
        raise _error(operation, error)

    # Power.

    def step(self, operation: str) -> None:
        """A change was made; perhaps it was the last."""
        with self._lock:
            self.changes += 1
            if self._cut is not None and self.changes >= self._cut[0] and not self.is_dead:
                self.cut_now(*self._cut[1:])
                raise _error(operation, "EIO")

    def cut_now(self, image: Path, chance: Random) -> None:
        """Cut the power; `image` gets what survives."""
        with self._lock:
            self.is_dead = True
            image.mkdir(parents=True, exist_ok=True)
            for name in sorted(self._shadows.keys() | self._deleted.keys()):
                shadow, path = self._shadows.get(name), Path(name)
                if path.exists() and shadow is not None:
                    content = shadow.image(path.read_bytes(), chance)
                    old = self._deleted.get(name)
                    if old is not None and not shadow.was_synced and chance.random() < 0.5:
                        content = old
                elif name in self._deleted and chance.random() < 0.5:
                    content = self._deleted[name]
                else:
                    continue
                (image / path.name).write_bytes(content)
                if path.name.endswith("-wal") and chance.random() < 0.5:
                    # What the mapped index of the log is after a cut means nothing.
                    garbage = chance.randbytes(32768)
                    (image / path.name.replace("-wal", "-shm")).write_bytes(garbage)

    # What SQLite calls.

    def xOpen(self, name: Any, flags: list[int]) -> FaultFile:
        if self.is_dead:
            raise apsw.CantOpenError("the power is gone")
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        return FaultFile(self, path, flags)

    def xDelete(self, name: str, syncdir: bool) -> None:
        with self._lock:
            if self.is_dead:
                raise _error("write", "EIO")
            path = Path(name)
            shadow = self._shadows.pop(name, None)
            if shadow is not None and path.exists():
                self._deleted[name] = shadow.image(path.read_bytes(), Random(0))
            super().xDelete(name, syncdir)
            if syncdir:
                self._deleted.pop(name, None)

    def shadow_of(self, name: str, size: int) -> _Shadow:
        with self._lock:
            return self._shadows.setdefault(name, _Shadow(size))

    @property
    def lock(self) -> threading.RLock:
        return self._lock

    def close(self) -> None:
        self.unregister()


class FaultFile(apsw.VFSFile):
    """One open file of the disk."""

    def __init__(self, disk: FaultDisk, path: str | None, flags: list[int]) -> None:
        self._disk = disk
        self._name = path or ""
        self._kind = "wal" if self._name.endswith("-wal") else "main"
        super().__init__("", path, flags)
        is_lasting = path is not None and not self._name.endswith("-journal")
        self._shadow = disk.shadow_of(self._name, super().xFileSize()) if is_lasting else None

    def xRead(self, amount: int, offset: int) -> bytes:
        self._disk.check("read", self._kind)
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:
        data = bytes(data)
        if self._disk.check("write", self._kind) == "short":
            self._write(data[: len(data) // 2], offset)
            raise _error("write", "EIO")
        self._write(data, offset)
        self._disk.step("write")

    def _write(self, data: bytes, offset: int) -> None:
        with self._disk.lock:
            if self._shadow is not None and data:
                sectors = range(offset // SECTOR, (offset + len(data) - 1) // SECTOR + 1)
                self._shadow.writing(sectors, self._sector)
            super().xWrite(data, offset)

    def xSync(self, flags: int) -> None:
        try:
            self._disk.check("sync", self._kind)
            self._disk.step("sync")
        except apsw.Error:
            if self._shadow is not None:
                with self._disk.lock:
                    self._shadow.sync_failed()
            raise
        with self._disk.lock:
            super().xSync(flags)
            if self._shadow is not None:
                self._shadow.synced(super().xFileSize())

    def xTruncate(self, size: int) -> None:
        self._disk.check("truncate", self._kind)
        with self._disk.lock:
            if self._shadow is not None:
                end = -(-super().xFileSize() // SECTOR)
                self._shadow.writing(range(-(-size // SECTOR), end), self._sector)
            super().xTruncate(size)
        self._disk.step("truncate")

    def _sector(self, sector: int) -> bytes:
        left = super().xFileSize() - sector * SECTOR
        return super().xRead(min(SECTOR, left), sector * SECTOR) if left > 0 else b""


def shared_disk() -> str:
    """The disk of every process of a server under test."""
    control = Control.shared(Path(os.environ[CONTROL_VARIABLE]))
    _disks.append(FaultDisk(f"fault-disk-{os.getpid()}", control))
    return _disks[-1].name


_disks: list[FaultDisk] = []
"""Keeps the VFS of this process alive."""


def _error(operation: str, error: str) -> apsw.Error:
    if error == "ENOSPC":
        return apsw.FullError("database or disk is full")
    failure = apsw.IOError("disk I/O error")
    failure.extendedresult = _EXTENDED[operation]
    return failure
