"""Paused collection: imports, without the search for garbage that they would start again and again.

Floor 8, `cli`. What a module leaves behind while it is imported is nearly all there for good. Python's
collector looks through it all several times nevertheless: a tenth of the time until a server is ready.

Not here: the same in the processes that functions run in (`execution/template_process.py`).
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def paused_collection() -> Iterator[None]:
    """Import in here. What came meanwhile counts as old afterwards, and is looked at when all is."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            # Both at once put everything into the oldest generation, unseen.
            gc.freeze()
            gc.unfreeze()
            gc.enable()
