"""How long a test is willing to wait for what must happen."""

from __future__ import annotations

import time


class Deadline:
    """A moment after which waiting is a failure."""

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds that remain, 0 when it is over."""
        return max(0.0, self._end - time.monotonic())

    @property
    def is_over(self) -> bool:
        return self.left == 0.0
