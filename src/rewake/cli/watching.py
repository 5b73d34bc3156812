"""`rewake run --watch`: a live query in the terminal.

Floor 8, `cli`. A small client of the sync protocol. What the messages mean is decided by `Watch`, a state
machine without I/O; the driver below it owns the socket and comes back after every loss, as the official
clients do.

    Connect, Authenticate, ModifyQuerySet 0 -> 1  --->
                                                  <---  Transition: the result, again on each change

Source: wire 1.5, 1.6, 1.14. Not here: finding the server (`connection.py`).
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidURI, WebSocketException

from rewake.cli.call_lines import local_clock
from rewake.cli.calling import function_failure, reason_of, show_log_lines
from rewake.cli.connection import ServerAddress
from rewake.cli.failure import CommandFailed, ExitCode, ServerUnreachable
from rewake.cli.hosting import Stopping
from rewake.cli.release import rewake_version
from rewake.cli.screen import Screen
from rewake.environment import Environment
from rewake.values import decode, encode_clean

OPEN_SECONDS = 10.0
SILENCE_SECONDS = 30.0
"""The server says something at least every 15 seconds; after so long it is gone."""
BACKOFF_SECONDS_MIN = 0.1
BACKOFF_SECONDS_MAX = 5.0
CLOSE_SECONDS = 1.0


_CANNOT_BE_WATCHED = re.compile(r"Could not find (?:public )?function|Trying to execute \S+ as Query")


@dataclass(frozen=True, slots=True)
class Answer:
    """A result of the query: its readable JSON text, or why it failed."""

    value: str | None
    error: str = ""
    data: tuple[Any] | None = None
    log_lines: tuple[str, ...] = ()


class Refused(CommandFailed):
    """The server ended the conversation for a reason that coming back does not change."""

    code = "WatchRefused"


class Watch:
    """One watched query, over any number of sockets."""

    def __init__(self, path: str, arguments: dict[str, Any], *, admin_key: str, session_id: str) -> None:
        self._path = path
        self._arguments = arguments
        self._admin_key = admin_key
        self._session_id = session_id
        self._connections = 0
        # From the latest transition, None before the first; makes the server refuse to show us older data.
        self._max_observed: str | None = None
        self._journal: str | None = None
        # What was shown last; a reconnect that finds the same is not news.
        self._shown: Answer | None = None

    def open(self, *, close_reason: str) -> Iterator[str]:
        """What to say on a new socket."""
        greeting: dict[str, Any] = {
            "type": "Connect",
            "sessionId": self._session_id,
            "connectionCount": self._connections,
            "lastCloseReason": close_reason if self._connections else "InitialConnect",
        }
        if self._max_observed is not None:
            greeting["maxObservedTimestamp"] = self._max_observed
        self._connections += 1
        addition = {
            "type": "Add",
            "queryId": 0,
            "udfPath": self._path,
            "args": [self._arguments],
            "journal": self._journal,
        }
        yield json.dumps(greeting)
        yield json.dumps(
            {"type": "Authenticate", "baseVersion": 0, "tokenType": "Admin", "value": self._admin_key}
        )
        yield json.dumps(
            {"type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 1, "modifications": [addition]}
        )

    def hear(self, text: str) -> list[Answer]:
        """The news in one message: none, or a result that differs from the one before.

        Raises:
            Refused: the server does not want this conversation.
        """
        message = json.loads(text)
        match message["type"]:
            case "Transition":
                self._max_observed = message["endVersion"]["ts"]
                answers = [
                    answer for answer in map(self._answer, message["modifications"]) if answer is not None
                ]
            case "AuthError":
                raise Refused(
                    "The server refuses this admin key.",
                    hint="Is it another project's server? Give its key with --admin-key or REWAKE_ADMIN_KEY.",
                )
            case "FatalError":
                raise Refused(f"The server ended the conversation: {message['error']}")
            case _:
                return []
        news = []
        for answer in answers:
            if answer != self._shown:
                self._shown = answer
                news.append(answer)
        return news

    def _answer(self, modification: dict[str, Any]) -> Answer | None:
        if modification["type"] == "QueryRemoved":
            return None
        self._journal = modification.get("journal")
        lines = tuple(modification["logLines"])
        if modification["type"] == "QueryFailed":
            data = (modification["errorData"],) if "errorData" in modification else None
            return Answer(None, modification["errorMessage"], data, lines)
        return Answer(encode_clean(decode(json.dumps(modification["value"]))), log_lines=lines)


async def watch_function(
    server: ServerAddress, path: str, arguments: dict[str, Any], screen: Screen, environment: Environment
) -> ExitCode:
    """Print each new result until Ctrl-C.

    Raises:
        ServerUnreachable: no server answered at the first try. Later losses are waited out.
        Refused: the server will not have us.
    """
    stopping = Stopping()
    stopping.listen()
    session_id = str(UUID(bytes=environment.random_bytes(16), version=4))
    watch = Watch(path, arguments, admin_key=server.admin_key, session_id=session_id)
    watching = asyncio.create_task(_Watcher(watch, server, path, screen, environment).run())
    waiting = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait([watching, waiting], return_when=asyncio.FIRST_COMPLETED)
        if watching.done():
            watching.result()
    finally:
        for task in (watching, waiting):
            task.cancel()
        await asyncio.gather(watching, waiting, return_exceptions=True)
    return stopping.exit_code


class _Watcher:
    """The driver: sockets, the screen, and coming back."""

    def __init__(
        self, watch: Watch, server: ServerAddress, path: str, screen: Screen, environment: Environment
    ) -> None:
        self._watch = watch
        self._server = server
        self._path = path
        self._screen = screen
        self._environment = environment
        self._was_connected = False
        # Something was shown: from then on a function that vanishes may come back with the next save.
        self._has_shown = False

    async def run(self) -> None:
        delay = BACKOFF_SECONDS_MIN
        reason = "InitialConnect"
        is_lost = False
        while True:
            try:
                async with self._connect() as socket:
                    if is_lost:
                        self._note("connected again")
                    self._was_connected, is_lost, delay = True, False, BACKOFF_SECONDS_MIN
                    for text in self._watch.open(close_reason=reason):
                        await socket.send(text)
                    reason = await self._listen(socket)
            except (OSError, TimeoutError, InvalidHandshake, InvalidURI, WebSocketException) as error:
                if not self._was_connected:
                    raise self._first_failure(error) from None
                reason = type(error).__name__
            if not is_lost:
                is_lost = True
                self._note("connection lost; trying again")
            await _pause(delay)
            delay = min(delay * 2, BACKOFF_SECONDS_MAX)

    def _connect(self) -> connect:
        url = self._server.url.replace("http", "ws", 1) + "/api/sync"
        return connect(
            url,
            additional_headers={"Convex-Client": f"rewake-cli-{rewake_version()}"},
            compression=None,
            max_size=None,
            open_timeout=OPEN_SECONDS,
            close_timeout=CLOSE_SECONDS,
            ping_interval=None,
            proxy=None,
        )

    async def _listen(self, socket: ClientConnection) -> str:
        """Show what comes until the socket ends; returns why it ended."""
        while True:
            try:
                text = await asyncio.wait_for(socket.recv(decode=True), SILENCE_SECONDS)
            except TimeoutError:
                return "InactiveServer"
            except ConnectionClosed as closed:
                return (closed.rcvd.reason if closed.rcvd is not None else "") or "connection lost"
            for answer in self._watch.hear(text):
                self._show(answer)

    def _show(self, answer: Answer) -> None:
        show_log_lines(answer.log_lines, self._screen)
        if answer.value is not None:
            self._has_shown = True
            self._note("")
            self._screen.value(json.loads(answer.value))
            return
        failure = function_failure(answer.error, answer.data, path=self._path, server=self._server)
        if not self._has_shown and _CANNOT_BE_WATCHED.search(answer.error):
            raise failure
        # Any other failure is a result like any other: the next write, or the next save, may mend it.
        self._has_shown = True
        self._note("")
        self._screen.failure(failure)

    def _note(self, text: str) -> None:
        clock = local_clock(self._environment.clock.now_ns())
        self._screen.note((f"{clock}  {self._path}" + (f"  {text}" if text else ""), "dim"))

    def _first_failure(self, error: Exception) -> CommandFailed:
        if isinstance(error, InvalidHandshake | InvalidURI):
            return ServerUnreachable(f"Something answers at {self._server.url}, and it is not Rewake.")
        return self._server.unreachable(reason_of(error))


async def _pause(seconds: float) -> None:
    """Let time pass. Ctrl-C cancels it."""
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), seconds)
