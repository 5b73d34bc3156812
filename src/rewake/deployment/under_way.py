"""Calls under way: how many queries and mutations a deployment has taken on and not yet answered.

Floor 5, `deployment`. Readers and the writer are a few, and whoever comes waits its turn. Without a bound a
server that is asked for more than it can do would fill its memory with people waiting, and serve each of them
too late; with one the last to come are told to try again, and those before them are served in time.

Not here: actions (`execution/action_desk.py`), mutations of one socket (`sync`), live queries, which take
turns in waves. Source: semantics 5.8.
"""

from __future__ import annotations

from types import TracebackType

from rewake.errors import RateLimited


class TooManyCalls(RateLimited):
    """More calls are under way than the server takes on. Try again in a moment, or raise the setting."""

    code = "TooManyConcurrentRequests"
    template = (
        "Too many concurrent requests. Your backend is limited to {limit} concurrent {kind}. To resolve, try "
        "again in a moment or raise the setting {setting}."
    )


class CallsUnderWay:
    """The places of one kind of calls. `with calls:` takes one, and gives it back."""

    def __init__(self, most: int, *, kind: str, setting: str = "") -> None:
        self._most = most
        self.kind = kind
        """`queries` or `mutations`."""
        self._setting = setting or f"{kind}_under_way_max"
        self.count = 0
        """How many are under way."""

    def __enter__(self) -> None:
        if self.count >= self._most:
            raise TooManyCalls(limit=self._most, kind=self.kind, setting=self._setting)
        self.count += 1

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.count -= 1
