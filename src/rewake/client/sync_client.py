"""The client for programs without an event loop: scripts, notebooks, threads.

Floor 2, `client`. The same client on a loop of its own, in a thread of its own; callers wait. So it works
inside a notebook, too, where a loop is running already, and may be used by several threads.

    with SyncClient("http://127.0.0.1:3210") as client:
        client.mutation("messages:send", body="hi")
        for messages in client.watch("messages:list"):
            ...

Not here: what any of it means (`client.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from ssl import SSLContext
from types import TracebackType
from typing import Any, Generic, Protocol, TypeVar, overload

from rewake.client.client import Client
from rewake.client.connection import Proxy
from rewake.client.errors import ClientClosed
from rewake.client.outcomes import Result
from rewake.client.references import (
    ActionReference,
    AnyAction,
    AnyMutation,
    AnyQuery,
    MutationReference,
    P,
    QueryReference,
    R,
    path_of,
)
from rewake.client.tokens import TokenFetcher
from rewake.client.watch import Watch
from rewake.environment import Environment
from rewake.loop_thread import LoopThread

T = TypeVar("T")


class _Run(Protocol):
    def __call__(self, work: Coroutine[Any, Any, T], /) -> T: ...


class SyncClient:
    """A conversation with a server, for programs without an event loop."""

    def __init__(
        self,
        url: str,
        *,
        ssl: SSLContext | None = None,
        proxy: Proxy = True,
        on_connection: Callable[[bool], None] | None = None,
        environment: Environment | None = None,
    ) -> None:
        """Make a client of the server at `url`; the first call connects. The options are those of `Client`;
        `on_connection` and token fetchers are called on threads of the client.

        Raises:
            InvalidAddress: `url` is no address of a server.
        """
        self._client = Client(url, ssl=ssl, proxy=proxy, on_connection=on_connection, environment=environment)
        self._loop = LoopThread("rewake-client")
        self._is_closed = False

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        if self._is_closed:
            work.close()
            raise ClientClosed()
        return self._loop.run(work)

    def connect(self) -> SyncClient:
        """`Client.connect`."""
        self._run(self._client.connect())
        return self

    def close(self) -> None:
        """`Client.close`. The thread ends, too. Harmless when done before."""
        if not self._is_closed:
            self._is_closed = True
            self._loop.run(self._client.close())
            self._loop.close()

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection now."""
        return self._client.is_connected

    @overload
    def query(self, function: QueryReference[P, R], /, *none: P.args, **named: P.kwargs) -> R: ...
    @overload
    def query(self, function: str, arguments: Mapping[str, Any] | None = None, /, **named: Any) -> Any: ...
    def query(self, function: AnyQuery, /, *mapping: Any, **named: Any) -> Any:
        """`Client.query`."""
        return self._run(self._client.query(path_of(function), *mapping, **named))

    @overload
    def mutation(self, function: MutationReference[P, R], /, *none: P.args, **named: P.kwargs) -> R: ...
    @overload
    def mutation(self, function: str, arguments: Mapping[str, Any] | None = None, /, **named: Any) -> Any: ...
    def mutation(self, function: AnyMutation, /, *mapping: Any, **named: Any) -> Any:
        """`Client.mutation`."""
        return self._run(self._client.mutation(path_of(function), *mapping, **named))

    @overload
    def action(self, function: ActionReference[P, R], /, *none: P.args, **named: P.kwargs) -> R: ...
    @overload
    def action(self, function: str, arguments: Mapping[str, Any] | None = None, /, **named: Any) -> Any: ...
    def action(self, function: AnyAction, /, *mapping: Any, **named: Any) -> Any:
        """`Client.action`."""
        return self._run(self._client.action(path_of(function), *mapping, **named))

    @overload
    def watch(self, function: QueryReference[P, R], /, *none: P.args, **named: P.kwargs) -> SyncWatch[R]: ...
    @overload
    def watch(
        self, function: str, arguments: Mapping[str, Any] | None = None, /, **named: Any
    ) -> SyncWatch[Any]: ...
    def watch(self, function: AnyQuery, /, *mapping: Any, **named: Any) -> SyncWatch[Any]:
        """`Client.watch`, to iterate with `for`."""
        return SyncWatch(self._run, self._client.watch(path_of(function), *mapping, **named))

    def watch_results(self, function: AnyQuery, /, *mapping: Any, **named: Any) -> SyncWatch[Result]:
        """`Client.watch_results`, to iterate with `for`."""
        return SyncWatch(self._run, self._client.watch_results(path_of(function), *mapping, **named))

    def set_auth(self, token: str | TokenFetcher) -> None:
        """`Client.set_auth`."""
        self._run(_done(lambda: self._client.set_auth(token)))

    def set_admin_auth(self, key: str, *, acting_as: Mapping[str, Any] | None = None) -> None:
        """`Client.set_admin_auth`."""
        self._run(_done(lambda: self._client.set_admin_auth(key, acting_as=acting_as)))

    def clear_auth(self) -> None:
        """`Client.clear_auth`."""
        self._run(_done(self._client.clear_auth))

    def __enter__(self) -> SyncClient:
        try:
            return self.connect()
        except BaseException:
            self.close()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return repr(self._client).replace("<Client", "<SyncClient", 1)


class SyncWatch(Generic[T]):
    """`Watch`, to iterate with `for`. Close it, or let it go."""

    def __init__(self, run: _Run, watch: Watch[T]) -> None:
        self._run = run
        self._watch = watch

    @property
    def value(self) -> T:
        """The newest value; waits for the first one."""
        if self._watch.is_waiting:
            return next(self)
        return self._watch.value

    @property
    def ts(self) -> int:
        """`Watch.ts`."""
        return self._watch.ts

    def close(self) -> None:
        """`Watch.close`."""
        with suppress(ClientClosed):  # It closed this watch, too.
            self._run(_done(self._watch.close))

    def __iter__(self) -> SyncWatch[T]:
        return self

    def __next__(self) -> T:
        if self._watch.is_closed:
            raise StopIteration
        try:
            return self._run(self._next())
        except StopAsyncIteration:
            raise StopIteration from None

    async def _next(self) -> T:
        return await anext(self._watch)

    def __enter__(self) -> SyncWatch[T]:
        self._run(self._watch.open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


async def _done(step: Callable[[], None]) -> None:
    """`step`, on the loop."""
    step()
