"""The mark: what a worker is at, readable from outside even after its death.

Floor 3, `execution`. A little memory that front and worker share.

    which job runs, since when   two numbers before each run and one after it, which costs no system call;
                                 the front looks when a run may have taken too long, and after a death
    what is left behind          a writer's outcomes of the group that it is about to commit; the front looks
                                 only after a death. Through the pipe they would wake it for every group.

Not here: what follows from it (`writer_desk.py`, `worker_runner.py`).
"""

from __future__ import annotations

import mmap
import os
import struct
import tempfile

_left = struct.Struct("<Q")
_LEFT_AT = 16
_TEXT_AT = 24
_ROOM = 1 << 16
"""As large as most of what is left behind: that is copied. What is larger is written, by system calls."""
_SIZE = _TEXT_AT + _ROOM
_NOBODY = -1


class RunMark:
    """One worker's mark. `make` in front, `join` in the worker."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._memory = mmap.mmap(descriptor, _SIZE)
        # Each is stored as a whole, which `struct` does not do: it writes zeros first. The other side looks
        # at any time, and would take a run that begins for one that has lasted since zero, and end it.
        words = memoryview(self._memory)[:_LEFT_AT]
        self._number, self._since = words.cast("q"), words.cast("d")

    @classmethod
    def make(cls) -> RunMark:
        """A new mark that says that nothing runs."""
        if hasattr(os, "memfd_create"):
            descriptor = os.memfd_create("rewake mark")
        else:
            with tempfile.TemporaryFile() as file:
                descriptor = os.dup(file.fileno())
        os.ftruncate(descriptor, _SIZE)
        mark = cls(descriptor)
        mark.clear()
        return mark

    def set(self, number: int, now: float) -> None:
        """Say that job `number` runs since `now` (monotonic seconds)."""
        # In this order: nobody looks at the time while nothing runs.
        self._since[1] = now
        self._number[0] = number

    def clear(self) -> None:
        """Say that nothing runs."""
        self._number[0] = _NOBODY

    def read(self) -> tuple[int, float] | None:
        """The job that runs and since when, or None."""
        number = self._number[0]
        return None if number == _NOBODY else (number, self._since[1])

    def leave(self, text: bytes) -> None:
        """Leave `text` behind, in place of what was there. Whoever dies in the middle has left nothing."""
        _left.pack_into(self._memory, _LEFT_AT, 0)
        if len(text) <= _ROOM:
            self._memory[_TEXT_AT : _TEXT_AT + len(text)] = text
        else:
            self._write(text)
        _left.pack_into(self._memory, _LEFT_AT, len(text))

    def _write(self, text: bytes) -> None:
        view, at = memoryview(text), _TEXT_AT
        while view:
            written = os.pwrite(self.descriptor, view, at)
            view, at = view[written:], at + written

    def left(self) -> bytes:
        """What was left behind."""
        (length,) = _left.unpack_from(self._memory, _LEFT_AT)
        text = b""
        while len(text) < length:
            part = os.pread(self.descriptor, length - len(text), _TEXT_AT + len(text))
            assert part, "what is said to be there is there"
            text += part
        return text

    def close(self) -> None:
        """Let the memory go. Harmless when done before."""
        if self.descriptor >= 0:
            os.close(self.descriptor)
            self.descriptor = -1
            self._number.release()
            self._since.release()
            self._memory.close()
