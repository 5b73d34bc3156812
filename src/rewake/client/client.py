"""The client: functions of a server as coroutines, and its queries as live values.

Floor 2, `client`. One websocket to one server, opened by the first call or `connect`, kept and opened again
until `close`. Everything goes over it, single queries too: so all that one client sees is of one snapshot
after another, as one identity, and a query after a mutation shows it. There is no second way over HTTP, where
each call would be on its own.

    async with Client("http://127.0.0.1:3210") as client:
        await client.mutation("messages:send", body="hi")
        async for messages in client.watch("messages:list"):
            ...

Everything here runs on one event loop and never blocks it. A caller that goes away (is cancelled) gives its
call up: what was not sent yet never runs, what was sent may run.

Not here: programs without an event loop (`sync_client.py`), the rules (`conversation.py`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from contextlib import suppress
from ssl import SSLContext
from types import TracebackType
from typing import Any, Literal, overload
from uuid import UUID

from rewake.client.authentication import AdminKey, Credential, UserToken
from rewake.client.connection import Connection, Proxy, sync_address
from rewake.client.conversation import Conversation
from rewake.client.errors import ClientClosed, ClientError
from rewake.client.instructions import (
    Changed,
    Disconnect,
    FailAll,
    FetchToken,
    Instruction,
    Logged,
    Outcome,
    RefreshLater,
    Send,
    Settle,
)
from rewake.client.outcomes import Result, encode_arguments, log, result_of, value_of
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
from rewake.client.tokens import TokenFetcher, ask_fetcher
from rewake.client.watch import Feed, Watch
from rewake.environment import Environment
from rewake.protocol import FunctionPath

_logger = logging.getLogger("rewake.client")


class Client:
    """A conversation with a server, for programs with an event loop."""

    def __init__(
        self,
        url: str,
        *,
        ssl: SSLContext | None = None,
        proxy: Proxy = True,
        on_connection: Callable[[bool], None] | None = None,
        environment: Environment | None = None,
    ) -> None:
        """Make a client of the server at `url`, like `http://127.0.0.1:3210`. Nothing is sent yet.

        `proxy` is an address, True for what the environment names, or None for none. `on_connection` is
        told when the connection is there and when it is lost.

        Raises:
            InvalidAddress: `url` is no address of a server.
        """
        sync_address(url)
        self.url = url
        self._ssl = ssl
        self._proxy: Proxy = proxy
        self._on_connection = on_connection
        self._environment = environment or Environment()
        session_id = str(UUID(bytes=self._environment.random_bytes(16), version=4))
        self._conversation = Conversation(session_id=session_id)
        self._fetcher: TokenFetcher | None = None
        # From the first call on, until `close`, or until the first try to connect fails.
        self._loop: asyncio.AbstractEventLoop | None = None
        self._connection: Connection | None = None
        self._running: asyncio.Task[None] | None = None
        self._is_closed = False
        # Instructions will be carried out in this turn of the loop.
        self._is_due = False
        # Who waits for what.
        self._answers: dict[int, asyncio.Future[Outcome]] = {}
        self._outcomes: dict[int, asyncio.Future[Outcome]] = {}
        self._feeds: dict[tuple[str, str], Feed] = {}
        self._feeds_by_id: dict[int, tuple[tuple[str, str], Feed]] = {}
        self._fetching: set[asyncio.Task[None]] = set()
        self._refresh: asyncio.TimerHandle | None = None

    # The connection.

    @property
    def is_connected(self) -> bool:
        """Whether there is a connection now. A client without one waits and tries again."""
        return self._connection is not None and self._connection.is_open

    async def connect(self) -> Client:
        """Connect. Every call does so by itself; harmless when done before.

        Raises:
            NotConnected: the first try failed. A later loss is waited out.
            AuthenticationRefused: a token could not be fetched.
        """
        loop = asyncio.get_running_loop()
        if self._is_closed:
            raise ClientClosed()
        if self._loop is not None and self._loop is not loop and self._running is not None:
            raise RuntimeError(
                "This client belongs to another event loop. Make one for each loop, or use SyncClient."
            )
        if self._conversation.failure is not None:
            raise self._conversation.failure.again()
        if self._connection is None or _has_failed(self._connection.first):
            self._loop = loop
            self._begin()
        assert self._connection is not None
        first = self._connection.first
        if not first.done():
            await asyncio.shield(first)
        first.result()
        return self

    def _begin(self) -> None:
        """Start the task that keeps a socket open, in place of one that found no server."""
        if self._running is not None:
            self._running.cancel()
        self._connection = Connection(
            self.url,
            self._conversation,
            self._environment,
            carry_out=self._carry_out,
            on_change=self._tell_connection,
            ssl=self._ssl,
            proxy=self._proxy,
        )
        self._running = asyncio.create_task(self._connection.run(), name=f"connection to {self.url}")
        self._carry_out()

    async def close(self) -> None:
        """Close the connection. Calls that are under way fail with `ClientClosed`, watches end."""
        if self._is_closed:
            return
        self._is_closed = True
        tasks = [task for task in (self._running, *self._fetching) if task is not None]
        for task in tasks:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._refresh is not None:
            self._refresh.cancel()
        if self._connection is not None and not self._connection.first.done():
            self._connection.first.set_exception(ClientClosed())
        for future in (*self._answers.values(), *self._outcomes.values()):
            _fail(future, ClientClosed())
        for feed in [feed for _, feed in self._feeds_by_id.values()]:
            for watch in list(feed.watches):
                watch.close()

    async def __aenter__(self) -> Client:
        try:
            return await self.connect()
        except BaseException:
            await self.close()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        state = "closed" if self._is_closed else "connected" if self.is_connected else "not connected"
        live, calls = self._conversation.queries, self._conversation.calls
        return f"<Client of {self.url}: {state}, {live} live queries, {calls} calls under way>"

    # Calls.

    @overload
    async def query(self, function: QueryReference[P, R], /, *none: P.args, **named: P.kwargs) -> R: ...
    @overload
    async def query(
        self, function: str, arguments: Mapping[str, Any] | None = None, /, **named: Any
    ) -> Any: ...
    async def query(self, function: AnyQuery, /, *mapping: Any, **named: Any) -> Any:
        """Run a query once, and return its value as of now: later than every mutation that has returned.

        Raises:
            ApplicationError, CallFailed: the function failed.
            ClientError: there was no answer.
        """
        path, text = FunctionPath.parse(path_of(function)), encode_arguments(mapping, named)
        await self.connect()
        query_id = self._conversation.add_query(path, text)
        answer = self._answers[query_id] = asyncio.get_running_loop().create_future()
        self._soon()
        try:
            return value_of(await answer)
        finally:
            del self._answers[query_id]
            self._conversation.remove_query(query_id)
            self._soon()

    @overload
    async def mutation(self, function: MutationReference[P, R], /, *none: P.args, **named: P.kwargs) -> R: ...
    @overload
    async def mutation(
        self, function: str, arguments: Mapping[str, Any] | None = None, /, **named: Any
    ) -> Any: ...
    async def mutation(self, function: AnyMutation, /, *mapping: Any, **named: Any) -> Any:
        """Run a mutation exactly once, also through losses of the connection, and return its value.

        Mutations of one client run in the order of their calls. When this returns, every live query of this
        client shows what was written.

        Raises:
            ApplicationError, CallFailed: the function failed, and nothing was written.
            ClientError: there was no answer; it may have run.
        """
        return value_of(await self._call("Mutation", path_of(function), mapping, named))

    @overload
    async def action(self, function: ActionReference[P, R], /, *none: P.args, **named: P.kwargs) -> R: ...
    @overload
    async def action(
        self, function: str, arguments: Mapping[str, Any] | None = None, /, **named: Any
    ) -> Any: ...
    async def action(self, function: AnyAction, /, *mapping: Any, **named: Any) -> Any:
        """Run an action at most once, and return its value.

        Raises:
            ApplicationError, CallFailed: the function failed.
            ConnectionLost: the connection broke meanwhile; it may have run.
            ClientError: there was no answer.
        """
        return value_of(await self._call("Action", path_of(function), mapping, named))

    async def call_result(
        self, kind: Literal["mutation", "action"], function: str, arguments: Mapping[str, Any], /
    ) -> Result:
        """A mutation or an action as a `Result`, failures of the function and log lines in it; its `ts` is 0.

        Raises:
            ClientError: there was no answer.
        """
        wire_kind: Literal["Mutation", "Action"] = "Mutation" if kind == "mutation" else "Action"
        return result_of(await self._call(wire_kind, function, (arguments,), {}), 0)

    @overload
    def watch(self, function: QueryReference[P, R], /, *none: P.args, **named: P.kwargs) -> Watch[R]: ...
    @overload
    def watch(
        self, function: str, arguments: Mapping[str, Any] | None = None, /, **named: Any
    ) -> Watch[Any]: ...
    def watch(self, function: AnyQuery, /, *mapping: Any, **named: Any) -> Watch[Any]:
        """A live query, to iterate: its value now, and again whenever it has changed.

        Whoever is slow gets the newest value. A failure raises; iterate the same watch again to go on.
        """
        return Watch(
            self,
            FunctionPath.parse(path_of(function)).public,
            encode_arguments(mapping, named),
            convert=lambda outcome, ts: value_of(outcome),
        )

    def watch_results(self, function: AnyQuery, /, *mapping: Any, **named: Any) -> Watch[Result]:
        """The same with each answer as a `Result`, failures of the function among them."""
        text = encode_arguments(mapping, named)
        return Watch(self, FunctionPath.parse(path_of(function)).public, text, convert=result_of)

    async def _call(
        self,
        kind: Literal["Mutation", "Action"],
        path: str,
        mapping: tuple[Any, ...],
        named: Mapping[str, Any],
    ) -> Outcome:
        function, text = FunctionPath.parse(path), encode_arguments(mapping, named)
        await self.connect()
        number = self._conversation.begin_call(kind, function, text)
        outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._outcomes[number] = outcome
        self._soon()
        try:
            return await outcome
        except asyncio.CancelledError:
            self._conversation.give_up_call(number)
            raise
        finally:
            del self._outcomes[number]

    # Who calls.

    def set_auth(self, token: str | TokenFetcher) -> None:
        """Call as the user of a token from now on. A fetcher is asked for a fresh one before each ends.

        If the server refuses it, calls fail with `AuthenticationRefused` until another is set.
        """
        if isinstance(token, str):
            self._authenticate(UserToken(token))
            return
        self._fetcher = token
        self._conversation.authenticate_fetched()
        self._go_on()

    def set_admin_auth(self, key: str, *, acting_as: Mapping[str, Any] | None = None) -> None:
        """Call with the deployment's admin key from now on: internal functions, too.

        `acting_as` has the attributes of a user to call as: `tokenIdentifier`, or `issuer` and `subject`.
        """
        self._authenticate(AdminKey(key, acting_as))

    def clear_auth(self) -> None:
        """Call as nobody from now on."""
        self._authenticate(None)

    def _authenticate(self, credential: Credential | None) -> None:
        self._fetcher = None
        self._conversation.authenticate(credential)
        self._go_on()

    def _go_on(self) -> None:
        """What failed for want of credentials is open again."""
        for _, feed in self._feeds_by_id.values():
            feed.forget_failure()
        self._soon()

    # Live queries; `watch.Subscriber`.

    async def join(self, watch: Watch[Any]) -> Feed:
        """Have the query of `watch` kept answered."""
        await self.connect()
        key = (watch.path, watch.arguments)
        feed = self._feeds.get(key)
        if feed is None:
            query_id = self._conversation.add_query(FunctionPath.parse(watch.path), watch.arguments)
            feed = self._feeds[key] = Feed(query_id)
            self._feeds_by_id[query_id] = (key, feed)
            self._soon()
        feed.watches.add(watch)
        if feed.newest is not None:
            watch.notice()
        return feed

    def leave(self, watch: Watch[Any], feed: Feed) -> None:
        """`watch` reads no more."""
        feed.watches.discard(watch)
        self._release(feed)

    def leave_soon(self, watch_of: Feed) -> None:
        """A watch of this feed was collected, on any thread."""
        if self._loop is not None and not self._is_closed:
            with suppress(RuntimeError):  # The loop is closed.
                self._loop.call_soon_threadsafe(self._release, watch_of)

    def _release(self, feed: Feed) -> None:
        if not feed.watches and feed.query_id in self._feeds_by_id:
            key, _ = self._feeds_by_id.pop(feed.query_id)
            del self._feeds[key]
            self._conversation.remove_query(feed.query_id)
            self._soon()

    # What the conversation decides.

    def _soon(self) -> None:
        """Carry out instructions once all that happens in this turn of the loop has happened."""
        if not self._is_due and self._loop is not None and not self._is_closed:
            self._is_due = True
            self._loop.call_soon(self._carry_out)

    def _carry_out(self) -> None:
        self._is_due = False
        if self._is_closed:
            return
        for instruction in self._conversation.take_instructions():
            self._obey(instruction)
        if self._connection is not None:
            self._connection.wake()

    def _obey(self, instruction: Instruction) -> None:
        connection = self._connection
        assert connection is not None
        match instruction:
            case Send(text):
                connection.send(text)
            case Disconnect():
                connection.disconnect()
            case Changed(query_id, outcome, ts):
                self._tell(query_id, outcome, ts)
            case Settle(number, ended):
                if isinstance(ended, ClientError):
                    _fail(self._outcomes.get(number), ended)
                else:
                    _answer(self._outcomes.get(number), ended)
            case Logged(path, lines):
                log(path, lines)
            case FetchToken():
                self._start(self._fetch(instruction))
            case RefreshLater(seconds):
                self._refresh_later(seconds)
            case FailAll(error):
                self._fail_queries(error)

    def _tell(self, query_id: int, outcome: Outcome, ts: int) -> None:
        _answer(self._answers.get(query_id), outcome)
        known = self._feeds_by_id.get(query_id)
        if known is not None:
            known[1].tell(outcome, ts)

    def _fail_queries(self, error: ClientError) -> None:
        for answer in self._answers.values():
            _fail(answer, error)
        for _, feed in self._feeds_by_id.values():
            feed.tell(error, feed.ts)
        if self._connection is not None and not self._connection.first.done():
            self._connection.first.set_exception(error)

    def _refresh_later(self, seconds: float | None) -> None:
        if self._refresh is not None:
            self._refresh.cancel()
            self._refresh = None
        if seconds is not None and self._loop is not None:
            self._refresh = self._loop.call_later(seconds, self._refresh_now)

    def _refresh_now(self) -> None:
        self._conversation.refresh_due()
        self._carry_out()

    async def _fetch(self, question: FetchToken) -> None:
        fetcher = self._fetcher
        assert fetcher is not None
        try:
            token = await ask_fetcher(fetcher, is_forced=question.is_forced)
        except Exception as error:
            _logger.exception("the token fetcher failed")
            self._conversation.token_failed(question.number, f"{type(error).__name__}: {error}")
        else:
            self._conversation.token_fetched(question.number, token)
        self._carry_out()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._fetching.add(task)
        task.add_done_callback(self._fetching.discard)

    def _tell_connection(self, is_connected: bool) -> None:
        if self._on_connection is None:
            return
        try:
            self._on_connection(is_connected)
        except Exception:
            _logger.exception("on_connection failed")


def _answer(future: asyncio.Future[Outcome] | None, outcome: Outcome) -> None:
    if future is not None and not future.done():
        future.set_result(outcome)


def _fail(future: asyncio.Future[Outcome] | None, error: ClientError) -> None:
    if future is not None and not future.done():
        future.set_exception(error.again())


def _has_failed(first: asyncio.Future[None]) -> bool:
    return first.done() and not first.cancelled() and first.exception() is not None
