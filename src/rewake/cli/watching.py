"""`rewake run --watch`: a live query in the terminal.

Floor 8, `cli`. The Python client keeps the query answered and comes back after every loss; here its results
become lines.

Not here: the conversation (`client`), finding the server (`connection.py`).
"""

from __future__ import annotations

import asyncio
import json
import logging
import re
from typing import Any

from rewake.cli.admin_requests import reason_of, stranger, wrong_key
from rewake.cli.call_lines import local_clock
from rewake.cli.calling import function_failure, no_function, show_log_lines
from rewake.cli.connection import ServerAddress
from rewake.cli.failure import CommandFailed, ExitCode
from rewake.cli.hosting import Stopping
from rewake.cli.screen import Screen
from rewake.client import (
    ApplicationError,
    AuthenticationRefused,
    Client,
    ConversationEnded,
    NotConnected,
    Result,
)
from rewake.environment import Environment
from rewake.protocol import InvalidFunctionPath
from rewake.values import InvalidValue, decode, encode_clean

_CANNOT_BE_WATCHED = re.compile(r"Could not find (?:public )?function|Trying to execute \S+ as Query")


async def watch_function(
    server: ServerAddress, path: str, arguments: dict[str, Any], screen: Screen, environment: Environment
) -> ExitCode:
    """Print each new result until Ctrl-C.

    Raises:
        ServerUnreachable: no server answered at the first try. Later losses are waited out.
        CommandFailed: there is nothing of this name to watch, or the server will not have us.
    """
    stopping = Stopping()
    stopping.listen()
    watching = asyncio.create_task(Watcher(server, path, screen, environment).run(arguments))
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


class Watcher:
    """One watched query on the screen."""

    def __init__(self, server: ServerAddress, path: str, screen: Screen, environment: Environment) -> None:
        self._server = server
        self._path = path
        self._screen = screen
        self._environment = environment
        # The first connection and the end are no news.
        self._was_connected = False
        self._is_over = False
        # Something was shown: from then on a function that vanishes may come back with the next save.
        self._has_shown = False

    async def run(self, arguments: dict[str, Any]) -> None:
        """Show each new result, until cancelled."""
        client = Client(
            self._server.url, proxy=None, on_connection=self.tell_connection, environment=self._environment
        )
        client.set_admin_auth(self._server.admin_key)
        # What the client and the functions say is on the screen already.
        logging.getLogger("rewake.client").addHandler(logging.NullHandler())
        try:
            async for result in client.watch_results(self._path, as_values(arguments)):
                self.show(result)
        except (
            AuthenticationRefused,
            ConversationEnded,
            InvalidFunctionPath,
            InvalidValue,
            NotConnected,
        ) as error:
            raise self.ending(error) from None
        finally:
            self._is_over = True
            await client.close()

    def show(self, result: Result) -> None:
        """Show a result, also one that is a failure: the next write, or the next save, may mend it.

        Raises:
            CommandFailed: there is nothing to watch.
        """
        show_log_lines(result.log_lines, self._screen)
        if result.error is None:
            self._has_shown = True
            self._note("")
            self._screen.value(_readable(result.value))
            return
        data = (_readable(result.error.data),) if isinstance(result.error, ApplicationError) else None
        failure = function_failure(result.message, data, path=self._path, server=self._server)
        if not self._has_shown and _CANNOT_BE_WATCHED.search(result.message):
            raise failure
        self._has_shown = True
        self._note("")
        self._screen.failure(failure)

    def tell_connection(self, is_connected: bool) -> None:
        """Say that the connection was lost, or is there again."""
        if self._was_connected and not self._is_over:
            self._note("connected again" if is_connected else "connection lost; trying again")
        self._was_connected = True

    def ending(self, error: Exception) -> CommandFailed:
        """The sentence for an error that ends the watching."""
        match error:
            case AuthenticationRefused():
                return wrong_key(self._server)
            case InvalidFunctionPath():
                return no_function(self._path, self._server)
            case NotConnected(__cause__=OSError() as cause):
                return self._server.unreachable(reason_of(cause))
            case NotConnected():
                return stranger(self._server)
            case _:
                return CommandFailed(str(error))

    def _note(self, text: str) -> None:
        clock = local_clock(self._environment.clock.now_ns())
        self._screen.note((f"{clock}  {self._path}" + (f"  {text}" if text else ""), "dim"))


def as_values(arguments: dict[str, Any]) -> Any:
    """Arguments as a person typed them; what JSON cannot say stands there in its encoded form.

    Raises:
        InvalidValue: that form is wrong, or a text is none.
    """
    return decode(json.dumps(arguments))


def _readable(value: Any) -> Any:
    """A value as the readable `json` format of the HTTP API has it."""
    return json.loads(encode_clean(value))
