"""Ctrl-C at a bad moment: while the answer is on its way that says what there is to take back.

Floor 8, `cli`. An order was sent, and its id has not come yet: ended now, the server would go on with
something that nobody can name. So Ctrl-C waits for the answer; a second one does not.

    with unbroken():
        id = ask(...)          # Ctrl-C in here is raised behind it, where `id` is known

Not here: taking things back (`importing.py`, `exporting.py`).
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def unbroken() -> Iterator[None]:
    """Let the block end before a Ctrl-C ends the command. Only the main thread is interrupted at all.

    Raises:
        KeyboardInterrupt: it came meanwhile, behind the block; the second one at once.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal came
        if came:
            raise KeyboardInterrupt
        came = True

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if came:
        raise KeyboardInterrupt
