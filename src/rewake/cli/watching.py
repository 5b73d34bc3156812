"""`rewake run --watch`: a live query in the terminal.

Floor 8, `cli`. The Python client keeps the query answered and comes back after every loss; here its results
become lines.

Not here: the conversation (`client`), finding the server (`connection.py`).
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Mapping
from typing import Any

from rewake.cli.call_lines import local_clock
from rewake.cli.calling import (
    as_values,
    function_failure,
    function_kinds,
    no_function,
    readable,
    show_log_lines,
)
from rewake.cli.connection import ServerAddress
from rewake.cli.conversing import conversation_failure
from rewake.cli.event_loop import Stopping
from rewake.cli.failure import ExitCode
from rewake.cli.screen import Screen
from rewake.client import ApplicationError, CallFailed, Client, ClientError, Result
from rewake.environment import Environment
from rewake.protocol import InvalidFunctionPath
from rewake.values import InvalidValue

_CANNOT_BE_WATCHED = re.compile(r"Could not find (?:public )?function|Trying to execute \S+ as Query")


async def watch_function(
    server: ServerAddress,
    path: str,
    arguments: dict[str, Any],
    screen: Screen,
    environment: Environment,
    *,
    identity: Mapping[str, Any] | None = None,
) -> ExitCode:
    """Print each new result until Ctrl-C; as a user where `identity` says whose attributes.

    Raises:
        ServerUnreachable: no server answered at the first try. Later losses are waited out.
        CommandFailed: there is nothing of this name to watch, or the server will not have us.
    """
    stopping = Stopping()
    stopping.listen()
    watcher = Watcher(server, path, screen, environment, identity=identity)
    watching = asyncio.create_task(watcher.run(arguments))
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

    def __init__(
        self,
        server: ServerAddress,
        path: str,
        screen: Screen,
        environment: Environment,
        *,
        identity: Mapping[str, Any] | None = None,
    ) -> None:
        self._identity = identity
        self._names: Mapping[str, str] = {}
        """The functions that the server has; read before the first result."""
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
            self._names = await function_kinds(client)
            if self._identity is not None:
                client.set_admin_auth(self._server.admin_key, acting_as=self._identity)
            async for result in client.watch_results(self._path, as_values(arguments)):
                self.show(result)
        except InvalidFunctionPath:
            raise no_function(self._path, self._names) from None
        except (CallFailed, ClientError, InvalidValue) as error:
            raise conversation_failure(error, self._server) from None
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
            self._screen.value(readable(result.value))
            return
        data = (readable(result.error.data),) if isinstance(result.error, ApplicationError) else None
        failure = function_failure(result.message, data, path=self._path, names=self._names)
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

    def _note(self, text: str) -> None:
        clock = local_clock(self._environment.clock.now_ns())
        self._screen.note((f"{clock}  {self._path}" + (f"  {text}" if text else ""), "dim"))
