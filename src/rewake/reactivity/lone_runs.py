"""Lone runs: work under way that nobody awaits.

Floor 4, `reactivity`. Each is a coroutine that runs at once (`handoff.py`) and no task: what it brings
reaches who asked in the step in which it is known, and who gives up takes nobody's run with him.

Not here: what is run (`waves.py`; `live_queries.py`, whose runs tell all who ask by `answer_all`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from rewake.handoff import Handoff, at_once

T = TypeVar("T")


class LoneRuns:
    """The lone runs under way. Used from one event loop."""

    def __init__(self) -> None:
        self._count = 0
        self._ended: asyncio.Event | None = None  # Made by who waits; set whenever the last has ended.

    def __len__(self) -> int:
        return self._count

    def begin(self, run: Coroutine[Any, Any, None]) -> None:
        """Begin a run, the first step now."""
        self._count += 1
        at_once(run, over=self._one_is_over)

    async def ended(self) -> None:
        """Wait until none is under way."""
        while self._count:
            self._ended = asyncio.Event()
            await self._ended.wait()

    def _one_is_over(self) -> None:
        """A run has ended."""
        self._count -= 1
        if not self._count and self._ended is not None:
            self._ended.set()


def answer_all(askers: Iterable[Handoff[T]], answer: T | Exception) -> None:
    """Hand `answer` to all who still wait for it."""
    for asker in askers:
        if asker.done():
            continue
        if isinstance(answer, Exception):
            asker.set_exception(answer)
        else:
            asker.set_result(answer)
