"""How far a push is, in words: for schema changes that take longer than a person waits without a word.

Floor 8, `cli`. `dev` and `serve` print lines among those of their log: nothing in the first second, then one
a second at most. `deploy` shows a bar.

    12,288 of 50,000 documents checked, 1 of 2 indexes built (24,064 of 50,000 documents)

Not here: what is counted (`database/rollout.py`).
"""

from __future__ import annotations

from collections.abc import Callable

from rewake.database import PushProgress
from rewake.environment import Clock

_EVERY_SECONDS = 1.0


class ProgressLines:
    """Says how far one push is. Call it with each progress."""

    def __init__(self, clock: Clock, say: Callable[[str], None]) -> None:
        self._clock = clock
        self._say = say
        self._next = clock.monotonic() + _EVERY_SECONDS

    def __call__(self, progress: PushProgress) -> None:
        now = self._clock.monotonic()
        if now >= self._next:
            self._next = now + _EVERY_SECONDS
            self._say(progress_words(progress))


def progress_words(progress: PushProgress) -> str:
    """One line about how far a push is."""
    parts = []
    if progress.documents_total:
        checked, total = progress.documents_checked, progress.documents_total
        parts.append(f"{checked:,} of {total:,} documents checked")
    if progress.indexes_total:
        built = f"{progress.indexes_complete} of {progress.indexes_total} indexes built"
        if progress.documents_to_index:
            built += f" ({progress.documents_indexed:,} of {progress.documents_to_index:,} documents)"
        parts.append(built)
    return ", ".join(parts) or "following what is written meanwhile"


def progress_amount(progress: PushProgress) -> tuple[str, int, int]:
    """The same for a bar: what is done, and how many documents of how many were read for it."""
    parts = []
    if progress.documents_total:
        parts.append("checking documents")
    if progress.indexes_total:
        parts.append(f"building indexes ({progress.indexes_complete} of {progress.indexes_total})")
    done = progress.documents_checked + progress.documents_indexed
    total = progress.documents_total + progress.documents_to_index
    return ", ".join(parts) or "following what is written meanwhile", done, total
