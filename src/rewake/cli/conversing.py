"""Conversations of commands with a server: our own Python client with the admin key, its errors as sentences.

Floor 8, `cli`. Mutations are carried out once however often the line breaks; but nobody waits for ever at a
prompt, so a server that stays away for `PATIENCE_SECONDS` ends the command.

    async with conversing(server, environment) as client: ...

Not here: requests that are no function calls (`admin_requests.py`), finding the server (`connection.py`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from rewake.cli.admin_requests import reason_of, stranger, wrong_key
from rewake.cli.connection import ServerAddress
from rewake.cli.failure import CommandFailed, ServerUnreachable
from rewake.client import AuthenticationRefused, CallFailed, Client, ClientError, NotConnected
from rewake.environment import Environment
from rewake.values import InvalidValue

PATIENCE_SECONDS = 30.0


@asynccontextmanager
async def conversing(server: ServerAddress, environment: Environment) -> AsyncIterator[Client]:
    """A client of `server` with its admin key.

    Raises:
        ServerUnreachable: nobody answered, or not any more.
        CommandFailed: the server will not have us, or what was to be sent is no value.
    """
    patience = asyncio.timeout(None)
    is_over = False

    def tell_connection(is_connected: bool) -> None:
        if not is_over:
            loop = asyncio.get_running_loop()
            patience.reschedule(None if is_connected else loop.time() + PATIENCE_SECONDS)

    client = Client(server.url, proxy=None, on_connection=tell_connection, environment=environment)
    client.set_admin_auth(server.admin_key)
    # What the client and the functions say is shown by the command.
    logging.getLogger("rewake.client").addHandler(logging.NullHandler())
    try:
        async with patience:
            yield client
    except TimeoutError:
        raise ServerUnreachable(
            f"The connection to {server.url} was lost, and no server came back.",
            hint="What was under way may have been done.",
        ) from None
    except (ClientError, CallFailed, InvalidValue) as error:
        raise conversation_failure(error, server) from None
    finally:
        is_over = True
        await client.close()


def conversation_failure(error: Exception, server: ServerAddress) -> CommandFailed:
    """The sentence for an error that ends a conversation."""
    match error:
        case AuthenticationRefused():
            return wrong_key(server)
        case NotConnected(__cause__=OSError() as cause):
            return server.unreachable(reason_of(cause))
        case NotConnected():
            return stranger(server)
        case CallFailed():
            return CommandFailed(error.message)
        case _:
            return CommandFailed(str(error))
