"""The moment of a switch: which reads may have met the schema of other code than the one they ran.

Floor 3, `execution`. The writer commits schema and hashes of new code while readers of the old one are at
work, and these learn of it by the snapshot that they take. What they ran on one of after that commit counts
for nothing, and runs again.

    begin -> the commit is under way: nobody else commits, so what is newer than what was told may be it
    end, since = ts -> readers of the code before count for what is older than `ts`
    `- or since stays: it came to nothing

Not here: the switch itself (`worker_runner.py`), what workers do in it (`code_switch.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable


class SwitchMoment:
    """The latest switch of one deployment, or the one under way. Used from one event loop."""

    def __init__(self, told_ts: Callable[[], int]) -> None:
        """`told_ts` gives the newest timestamp that the front was told of."""
        self._told_ts = told_ts
        self.since = 0
        """The timestamp of the commit that the code which serves came with."""
        self._under_way: asyncio.Future[None] | None = None

    def begin(self) -> None:
        """New code is about to commit its schema, and nobody else commits meanwhile."""
        assert self._under_way is None, "one at a time"
        self._under_way = asyncio.get_running_loop().create_future()

    def end(self) -> None:
        """It is known what became of it."""
        assert self._under_way is not None
        self._under_way.set_result(None)
        self._under_way = None

    def is_met(self, ts: int, *, is_current: bool) -> bool:
        """Whether what ran at `ts` may have met the schema of other code, and is to run again; by whether its
        reader `is_current`.
        """
        if self._under_way is not None and ts > self._told_ts():
            return True  # It may be the new schema, which old code has met.
        return not is_current and ts >= self.since

    async def over(self) -> None:
        """Wait until none is under way."""
        if self._under_way is not None:
            await asyncio.shield(self._under_way)
