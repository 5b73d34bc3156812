"""Official PyPI clients under the command of a test; the twin of `npm_host.mjs`, with the same commands.

In a process of its own because this client blocks inside native code with the interpreter's lock held: here a
call that never returns costs its test a deadline, and nothing else. For the same reason subscriptions are
followed with `async for`; `pypi_iterate.py` has the plain loop.

Values cross in the encoded form of the protocol, by the package's own `convex_to_json` and back.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from typing import Any

from convex import ConvexClient, ConvexError, convex_to_json, json_to_convex
from convex.http_client import ConvexHttpClient

# The official client prints log lines of functions on standard output, which is where our events go.
_events = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)

_clients: dict[str, Any] = {}
_followers: set[asyncio.Task[None]] = set()


def tell(event: dict[str, Any]) -> None:
    print(json.dumps(event), file=_events, flush=True)


def told(error: Exception) -> dict[str, Any]:
    if not isinstance(error, ConvexError):
        return {"message": str(error), "isConvexError": False}
    try:
        data = convex_to_json(error.data)
    except ValueError:
        data = error.data  # The HTTP client hands data over in the encoded form as it is.
    return {"message": str(error), "isConvexError": True, "data": data}


def call(command: dict[str, Any]) -> None:
    method = getattr(_clients[command["client"]], command["kind"])
    args = json_to_convex(command["args"])
    try:
        value = method(command["path"], args)
    except Exception as error:
        tell({"event": "settled", "id": command["id"], "error": told(error)})
    else:
        tell({"event": "settled", "id": command["id"], "value": convex_to_json(value)})


async def follow(command: dict[str, Any]) -> None:
    client = _clients[command["client"]]
    subscription = client.subscribe(command["path"], json_to_convex(command["args"]))
    while True:
        try:
            value = await anext(subscription)
        except StopAsyncIteration:
            return
        except Exception as error:
            tell({"event": "update", "id": command["id"], "error": told(error)})
        else:
            tell({"event": "update", "id": command["id"], "value": convex_to_json(value)})


def obey(command: dict[str, Any]) -> None:
    match command["op"]:
        case "open":
            _clients[command["client"]] = ConvexClient(command["url"])
        case "open_http":
            _clients[command["client"]] = ConvexHttpClient(command["url"])
        case "subscribe":
            _followers.add(asyncio.ensure_future(follow(command)))
        case "call":
            call(command)
        case "set_auth":
            _clients[command["client"]].set_auth(command["token"])
            tell({"event": "settled", "id": command["id"], "value": None})
        case "clear_auth":
            _clients[command["client"]].clear_auth()
            tell({"event": "settled", "id": command["id"], "value": None})
        case unknown:
            raise ValueError(unknown)


async def main() -> None:
    reader = asyncio.StreamReader(limit=2**26)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
    )
    async for line in reader:
        # A number on this wire is a float, also when it was written as `1`.
        obey(json.loads(line, parse_int=float))


if __name__ == "__main__":
    asyncio.run(main())
