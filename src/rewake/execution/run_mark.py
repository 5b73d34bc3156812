"""The mark: which job a worker is running and since when, readable from outside even after its death.

Floor 3, `execution`. A few bytes of memory that front and worker share. The worker writes two numbers before
each run and one after it, which costs no system call; the front looks when a run may have taken too long, and
when the worker has died, to know whose fault that was.

Not here: what follows from it (`writer_desk.py`, `worker_runner.py`).
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile

_SIZE = 16
_layout = struct.Struct("<qd")
_number = struct.Struct("<q")
_NOBODY = -1


class RunMark:
    """One worker's mark. `make` in front, `join` in the worker."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, _SIZE)

    @classmethod
    def make(cls) -> RunMark:
        """A new mark that says that nothing runs."""
        with tempfile.TemporaryFile() as file:
            file.truncate(_SIZE)
            mark = cls(os.dup(file.fileno()))
        mark.clear()
        return mark

    def set(self, number: int, now: float) -> None:
        """Say that job `number` runs since `now` (monotonic seconds)."""
        _layout.pack_into(self._memory, 0, number, now)

    def clear(self) -> None:
        """Say that nothing runs."""
        _number.pack_into(self._memory, 0, _NOBODY)

    def read(self) -> tuple[int, float] | None:
        """The job that runs and since when, or None."""
        number, since = _layout.unpack_from(self._memory, 0)
        return None if number == _NOBODY else (number, since)

    def close(self) -> None:
        """Let the memory go. Harmless when done before."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
            self._memory.close()
