"""The showable position: the newest timestamp that clients may be shown.

Floor 4, `reactivity`. The log position moves with the news of a commit group; this one follows a turn of the
event loop behind. In between, in the very step that brings the news, sockets write the responses of the
group: a transition that overtook a response would show a mutation twice for a moment, since its client still
lays its optimistic update on top (wire 1.8).

    on_group: position moves -> outcomes are told -> (next turn) advance -> those who wait in `reached`

Not here: what is shown (`live_queries.py`).
"""

from __future__ import annotations

import asyncio


class ShowablePosition:
    """A timestamp that only grows, and those who wait for it."""

    def __init__(self, ts: int) -> None:
        self.ts = ts
        self._waiting: list[tuple[int, asyncio.Future[None]]] = []

    def advance(self, ts: int) -> None:
        """Everything up to `ts` may be shown."""
        if ts <= self.ts:
            return
        self.ts = ts
        waiting, self._waiting = self._waiting, []
        for wanted, future in waiting:
            if wanted > ts:
                self._waiting.append((wanted, future))
            elif not future.done():
                future.set_result(None)

    async def reached(self, ts: int) -> None:
        """Wait until every row up to `ts` has been applied, and its outcomes were heard."""
        if self.ts < ts:
            future = asyncio.get_running_loop().create_future()
            self._waiting.append((ts, future))
            await future
