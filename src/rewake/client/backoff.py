"""Backoff: how long to wait before the next socket.

Floor 2, `client`. Twice as long after each failure, and never the same for two clients, so that a server
which comes back is not met by all of them at once. What counts as success is decided above: a socket that
opens and breaks again is one more failure.

Not here: waiting (`connection.py`). Source: wire 1.14.
"""

from __future__ import annotations

BASE_SECONDS = 0.2
OVERLOADED_BASE_SECONDS = 3.0
SECONDS_MAX = 16.0

_OVERLOADED = (
    "SubscriptionsWorkerFullError",
    "TooManyConcurrent",
    "TooManyInflight",
    "CommitterFullError",
    "AwsTooManyRequestsException",
    "ExecuteFullError",
    "SystemTimeoutError",
    "ExpiredInQueue",
    "TooManyWritesInTimePeriod",
)
"""How the reasons begin with which a server asks for patience."""


class Backoff:
    """The failures since the last success."""

    def __init__(self) -> None:
        self._failures = 0

    def succeed(self) -> None:
        """The connection works again."""
        self._failures = 0

    def fail(self, reason: str | None, *, chance: float) -> float:
        """Count a failure; gives the seconds to wait. `chance`, from 0 to 1, spreads clients by half."""
        is_overloaded = reason is not None and reason.startswith(_OVERLOADED)
        base = OVERLOADED_BASE_SECONDS if is_overloaded else BASE_SECONDS
        seconds = min(base * 2 ** min(self._failures, 16), SECONDS_MAX)
        self._failures += 1
        return float(seconds * (0.5 + chance))
