"""Calls under way: how many queries and mutations a deployment has taken on and not yet answered.

Floor 5, `deployment`. Readers and the writer are a few, and whoever comes waits its turn. Without a bound a
server that is asked for more than it can do would fill its memory with people waiting, and serve each of them
too late; with one the last to come are told to try again. This is a bound on memory, and the last resort: who
would wait too long is turned away before (`execution/waiting_line.py`).

Not here: actions (`execution/action_desk.py`), mutations of one socket (`sync`), live queries, which take
turns in waves. Source: semantics 5.8.
"""

from __future__ import annotations

from types import TracebackType

from rewake.errors import RateLimited, Unavailable
from rewake.execution import FunctionCall


class TooManyCalls(RateLimited):
    """More calls are under way than the server takes on. Try again in a moment, or raise the setting."""

    code = "TooManyConcurrentRequests"
    template = (
        "Too many concurrent requests. Your backend is limited to {limit} concurrent {kind}. To resolve, try "
        "again in a moment or raise the setting {setting}."
    )
    retry_seconds = 2


class CallsUnderWay:
    """The places of one kind of calls. `with calls:` takes one, and gives it back."""

    def __init__(
        self, most: int, *, kind: str, setting: str = "", arguments: ArgumentsUnderWay | None = None
    ) -> None:
        self._most = most
        self._arguments = arguments
        self.kind = kind
        """`queries` or `mutations`."""
        self._setting = setting or f"{kind}_under_way_max"
        self.count = 0
        """How many are under way."""

    def take(self, size: int = 0) -> None:
        """Take a place, and memory for arguments of this `size`.

        Raises:
            TooManyCalls, ArgumentsFull: there is none.
        """
        if self.count >= self._most:
            raise TooManyCalls(limit=self._most, kind=self.kind, setting=self._setting)
        if size and self._arguments is not None:
            self._arguments.take(size)
        self.count += 1

    def give_back(self, size: int = 0) -> None:
        """Give back what was taken."""
        self.count -= 1
        if size and self._arguments is not None:
            self._arguments.bytes -= size

    def __enter__(self) -> None:
        self.take()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.give_back()


class ArgumentsFull(Unavailable):
    """The arguments of calls under way take as much memory as they may. Nothing was done; try again in a
    moment, or raise `arguments_under_way_bytes_max`.
    """

    code = "ExecuteFullError"
    template = (
        "The server holds as many arguments of calls as it takes. Nothing was done; try again in a moment."
    )
    retry_seconds = 2


class ArgumentsUnderWay:
    """The memory for arguments. `with arguments.of(call):` takes a part, and gives it back."""

    def __init__(self, bytes_max: int) -> None:
        self._bytes_max = bytes_max
        self.bytes = 0
        """How much is held."""

    def of(self, call: FunctionCall) -> _Arguments:
        """The part of one call, which is about its size in memory."""
        return _Arguments(self, len(call.args))

    def take(self, size: int) -> None:
        """Take a part. One alone is always taken: each call has a bound of its own.

        Raises:
            ArgumentsFull: there is not so much left.
        """
        if self.bytes and self.bytes + size > self._bytes_max:
            raise ArgumentsFull()
        self.bytes += size

    def give_back(self, size: int) -> None:
        """Give a part back."""
        self.bytes -= size


class _Arguments:
    __slots__ = ("_of", "_size")

    def __init__(self, of: ArgumentsUnderWay, size: int) -> None:
        self._of = of
        self._size = size

    def __enter__(self) -> None:
        self._of.take(self._size)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._of.give_back(self._size)
