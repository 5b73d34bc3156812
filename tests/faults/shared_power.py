"""The power of several processes: what a cut leaves of files that a whole server writes.

`FaultDisk` keeps in memory what each sector may hold after a cut. Here the processes of a server (front,
writer, readers) keep it together, in a journal that outlives them: before a write what was there before,
after a sync that it is durable. The test reads the journal when all of them are dead.

    REWAKE_FAULT_DISK=tests.faults.shared_power:powered_disk     in every process of the server
    REWAKE_POWER_JOURNAL=path

    power = Power(journal)          cut_at(120): at the 120th change from now nothing answers any more
    power.leave(chance)             afterwards: the files as the cut may have left them, for the next life
"""

from __future__ import annotations

import fcntl
import mmap
import os
import struct
import threading
from pathlib import Path
from random import Random
from types import TracebackType
from typing import Any

import apsw

from tests.faults.fault_disk import FaultDisk, _error, _Shadow

JOURNAL_VARIABLE = "REWAKE_POWER_JOURNAL"

_OPENED, _WRITTEN, _SYNCED, _SYNC_FAILED, _DELETED = range(5)
_head = struct.Struct("<BHIQ")
"""What happened, length of the file's name, length of the content, sector or size."""
_state = struct.Struct("<qq?")
"""Changes so far, the change at which power is cut (0: never), whether it was."""


class Power:
    """The power of all processes that share a journal."""

    def __init__(self, journal: Path) -> None:
        self.journal = journal
        self._file = os.open(journal, os.O_RDWR | os.O_APPEND | os.O_CREAT)
        state = journal.with_name(journal.name + ".state")
        descriptor = os.open(state, os.O_RDWR | os.O_CREAT)
        os.ftruncate(descriptor, _state.size)
        self._state = mmap.mmap(descriptor, _state.size)
        os.close(descriptor)
        self._threads = threading.RLock()
        self._depth = 0

    # A lock over threads and processes; a process that dies lets it go.

    def __enter__(self) -> Power:
        self._threads.acquire()
        self._depth += 1
        if self._depth == 1:
            fcntl.flock(self._file, fcntl.LOCK_EX)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._depth -= 1
        if self._depth == 0:
            fcntl.flock(self._file, fcntl.LOCK_UN)
        self._threads.release()

    @property
    def is_cut(self) -> bool:
        """Whether it is gone."""
        return bool(_state.unpack_from(self._state)[2])

    def cut_at(self, change: int) -> None:
        """Cut it at so many changes from now."""
        with self:
            changes, _, is_cut = _state.unpack_from(self._state)
            _state.pack_into(self._state, 0, changes, changes + change, is_cut)

    def cut(self) -> None:
        """Cut it now."""
        with self:
            changes, at, _ = _state.unpack_from(self._state)
            _state.pack_into(self._state, 0, changes, at, True)

    def count(self) -> bool:
        """Count a change; True where it was the last."""
        with self:
            changes, at, is_cut = _state.unpack_from(self._state)
            is_last = not is_cut and 0 < at <= changes + 1
            _state.pack_into(self._state, 0, changes + 1, at, is_cut or is_last)
        return is_last

    def note(self, what: int, name: str, number: int = 0, content: bytes = b"") -> None:
        """Append to the journal."""
        encoded = name.encode()
        record = _head.pack(what, len(encoded), len(content), number) + encoded + content
        assert os.write(self._file, record) == len(record)

    # Afterwards.

    def leave(self, chance: Random) -> int:
        """Bring the files to what the cut may have left, with every process dead, and let a new life begin;
        returns how many sectors chance decided.
        """
        decided = 0
        for name, shadow in self._shadows().items():
            path = Path(name)
            if path.exists():
                decided += len(shadow.versions)
                path.write_bytes(shadow.image(path.read_bytes(), chance))
        for index in self.journal.parent.glob("*-shm"):
            # What the mapped index of the log is after a cut means nothing.
            index.write_bytes(chance.randbytes(32768) if chance.random() < 0.5 else b"")
        os.ftruncate(self._file, 0)
        _state.pack_into(self._state, 0, 0, 0, False)
        return decided

    def _shadows(self) -> dict[str, _Shadow]:
        shadows: dict[str, _Shadow] = {}
        data, at = self.journal.read_bytes(), 0
        while at < len(data):
            what, name_length, length, number = _head.unpack_from(data, at)
            at += _head.size
            name = data[at : at + name_length].decode()
            content = data[at + name_length : at + name_length + length]
            at += name_length + length
            shadow = shadows.setdefault(name, _Shadow(number if what == _OPENED else 0))
            if what == _WRITTEN:
                shadow.writing(range(number, number + 1), lambda _, content=content: content)
            elif what == _SYNCED:
                shadow.synced(number)
            elif what == _SYNC_FAILED:
                shadow.sync_failed()
            elif what == _DELETED:
                del shadows[name]
        return shadows


class _JournaledShadow(_Shadow):
    """Keeps nothing itself."""

    def __init__(self, power: Power, name: str, durable_size: int) -> None:
        super().__init__(durable_size)
        self._power = power
        self._name = name
        power.note(_OPENED, name, durable_size)

    def writing(self, sectors: range, content: Any) -> None:
        for sector in sectors:
            self._power.note(_WRITTEN, self._name, sector, content(sector))

    def synced(self, size: int) -> None:
        self._power.note(_SYNCED, self._name, size)

    def sync_failed(self) -> None:
        self._power.note(_SYNC_FAILED, self._name)


class PoweredDisk(FaultDisk):
    """One process's view of the disk."""

    def __init__(self, name: str, power: Power) -> None:
        self._power = power
        super().__init__(name)

    @property
    def is_dead(self) -> bool:
        return self._power.is_cut

    @is_dead.setter
    def is_dead(self, value: bool) -> None:
        assert not value, "power is cut for all"

    @property
    def lock(self) -> Any:
        return self._power

    def step(self, operation: str) -> None:
        if self._power.count():
            raise _error(operation, "EIO")

    def shadow_of(self, name: str, size: int) -> _Shadow:
        with self._power:
            if name not in self._shadows:
                self._shadows[name] = _JournaledShadow(self._power, name, size)
            return self._shadows[name]

    def xDelete(self, name: str, syncdir: bool) -> None:
        with self._power:
            if self.is_dead:
                raise _error("write", "EIO")
            self._shadows.pop(name, None)
            self._power.note(_DELETED, name)
            apsw.VFS.xDelete(self, name, syncdir)


def powered_disk() -> str:
    """The disk of every process of a server under test."""
    power = Power(Path(os.environ[JOURNAL_VARIABLE]))
    _disks.append(PoweredDisk(f"powered-disk-{os.getpid()}", power))
    return _disks[-1].name


_disks: list[PoweredDisk] = []
"""Keeps the VFS of this process alive."""
