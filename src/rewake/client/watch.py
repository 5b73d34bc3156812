"""A watch: one live query as an asynchronous iterator.

Floor 2, `client`. A `Feed` is a live query of the conversation, shared by all watches with the same function
and arguments. A `Watch` is one reader of it, who is told that there is news and then takes the newest: who is
slow misses what was in between, and nothing piles up.

    async for messages in client.watch("messages:list", channel=channel):
        ...

A query that fails raises in the iterator; the watch stays, and iterating it again waits for the next result.
A watch that is left (`break`) ends when it is collected, at once in CPython; `async with` says when.

Not here: joining and leaving the conversation (`client.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar
from weakref import WeakSet

from rewake.client.errors import ClientClosed, ClientError
from rewake.client.instructions import Outcome

T = TypeVar("T")


class Feed:
    """One live query and the newest that is known of it."""

    def __init__(self, query_id: int) -> None:
        self.query_id = query_id
        self.newest: Outcome | ClientError | None = None
        self.ts = 0
        self.watches: WeakSet[Watch[Any]] = WeakSet()

    def tell(self, newest: Outcome | ClientError, ts: int) -> None:
        """There is news."""
        self.newest, self.ts = newest, ts
        for watch in list(self.watches):
            watch.notice()

    def forget_failure(self) -> None:
        """What made the client fail is mended; the next result will be news."""
        if isinstance(self.newest, ClientError):
            self.newest = None
            for watch in list(self.watches):
                watch.forget()


class Subscriber(Protocol):
    """What a watch needs of its client."""

    async def join(self, watch: Watch[Any]) -> Feed: ...
    def leave(self, watch: Watch[Any], feed: Feed) -> None: ...
    def leave_soon(self, watch_of: Feed) -> None: ...


class Watch(Generic[T]):
    """One reader of a live query. Iterate it; `close` it, or let it go."""

    def __init__(
        self, subscriber: Subscriber, path: str, arguments: str, *, convert: Callable[[Outcome, int], T]
    ) -> None:
        self.path = path
        self.arguments = arguments
        """Encoded JSON."""
        self._subscriber = subscriber
        self._convert = convert
        # From the first question on, until closed.
        self._feed: Feed | None = None
        self._news = asyncio.Event()
        self.is_closed = False

    @property
    def value(self) -> T:
        """The newest that has come, without waiting and without marking it as read.

        Raises:
            LookupError: nothing has come yet.
            ApplicationError, CallFailed: the query fails.
        """
        newest = self._feed.newest if self._feed is not None else None
        if newest is None:
            raise LookupError(f"{self.path} has not been answered yet")
        return self._taken(newest)

    @property
    def is_waiting(self) -> bool:
        """Whether nothing has come yet that `value` could give."""
        return self._feed is None or self._feed.newest is None

    @property
    def ts(self) -> int:
        """The commit timestamp of the transition that brought the newest result; 0 before the first."""
        return self._feed.ts if self._feed is not None else 0

    def notice(self) -> None:
        """There is news, or there will be none any more."""
        self._news.set()

    def forget(self) -> None:
        """There is no news after all."""
        self._news.clear()

    async def open(self) -> None:
        """Begin to watch. Harmless when done before.

        Raises:
            ClientError: the client cannot ask.
        """
        if self.is_closed:
            raise ClientClosed("This watch is closed.")
        if self._feed is None:
            feed = await self._subscriber.join(self)
            if self._feed is None:
                self._feed = feed

    def close(self) -> None:
        """Stop. Harmless when done before; whoever waits for a value sees the iteration end."""
        self.is_closed = True
        feed, self._feed = self._feed, None
        if feed is not None:
            self._subscriber.leave(self, feed)
        self._news.set()

    def __aiter__(self) -> Watch[T]:
        return self

    async def __anext__(self) -> T:
        if self.is_closed:
            raise StopAsyncIteration
        await self.open()
        while True:
            await self._news.wait()
            feed = self._feed
            if self.is_closed or feed is None:
                raise StopAsyncIteration
            if feed.newest is not None:
                break
            self._news.clear()  # It was forgotten before we woke.
        if not isinstance(feed.newest, ClientError):  # That holds until it is mended.
            self._news.clear()
        return self._taken(feed.newest)

    def _taken(self, newest: Outcome | ClientError) -> T:
        if isinstance(newest, ClientError):
            raise newest.again()
        assert self._feed is not None
        return self._convert(newest, self._feed.ts)

    async def __aenter__(self) -> Watch[T]:
        await self.open()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        feed: Feed | None = getattr(self, "_feed", None)
        if feed is not None:
            self._subscriber.leave_soon(feed)
