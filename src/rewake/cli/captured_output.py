"""Captured output: whatever a process or its children write past the log, as lines of the log.

Floor 8, `cli`. For `rewake serve --log-format json`, whose stdout a program reads: a module that prints while
it is imported, a C library that complains, an interpreter that dies, all write to descriptors 1 and 2. Those
lead into a pipe here, and to the children that inherit them; the log itself keeps the real stdout.

Not here: how a line looks (`json_lines.py`).
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LINE_BYTES_MAX = 16 * 1024
"""A longer line goes on as the next one."""
_END_SECONDS = 2.0


@contextmanager
def captured_output(show: Callable[[str], None]) -> Iterator[None]:
    """Hand each line that is written to descriptors 1 and 2 to `show`, in a thread. Meanwhile `sys.stdout` is
    the real stdout.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    kept = [os.dup(1), os.dup(2)]
    source, sink = os.pipe()
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    os.close(sink)
    before = sys.stdout
    thread = threading.Thread(target=_read, args=(source, show), name="rewake output", daemon=True)
    thread.start()
    with os.fdopen(os.dup(kept[0]), "w", encoding="utf-8", errors="backslashreplace") as real:
        sys.stdout = real
        try:
            yield
        finally:
            sys.stderr.flush()
            for number, descriptor in enumerate(kept, start=1):
                os.dup2(descriptor, number)
                os.close(descriptor)
            # Children that still live hold the other end open, and are not waited for.
            thread.join(_END_SECONDS)
            real.flush()
            sys.stdout = before


def _read(source: int, show: Callable[[str], None]) -> None:
    left = b""
    while portion := os.read(source, LINE_BYTES_MAX):
        *lines, left = (left + portion).split(b"\n")
        if len(left) >= LINE_BYTES_MAX:
            lines, left = [*lines, left], b""
        for line in lines:
            _show(line, show)
    _show(left, show)
    os.close(source)


def _show(line: bytes, show: Callable[[str], None]) -> None:
    text = line.decode(errors="backslashreplace").rstrip()
    if text:
        show(text)
