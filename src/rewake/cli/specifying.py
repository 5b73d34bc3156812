"""`rewake function-spec`: what the functions of a running server take and give.

Floor 8, `cli`. The same JSON as the official command line prints, so that generators of clients take it.

Not here: what is in it (`execution/registry.py`).
Source: semantics 6.2, wire 7.8.
"""

from __future__ import annotations

import json
from pathlib import Path

from rewake.cli.connection import ServerAddress
from rewake.cli.conversing import conversing
from rewake.cli.failure import CommandFailed
from rewake.cli.screen import Screen, whole_numbers
from rewake.environment import Environment
from rewake.values import encode


async def show_function_spec(
    server: ServerAddress, screen: Screen, environment: Environment, *, to_file: bool
) -> None:
    """Print the function spec, or write it to a file whose name is printed.

    Raises:
        CommandFailed, ServerUnreachable: the server gives no answer, or the file cannot be written.
    """
    async with conversing(server, environment) as client:
        functions = await client.query("_system/cli/modules:apiSpec")
        url = await client.query("_system/cli/convexUrl:cloudUrl")
    spec = {"url": url, "functions": json.loads(encode(functions))}
    if not to_file:
        screen.value(spec)
        return
    file = Path(f"function_spec_{environment.clock.now_ns() // 1_000_000}.json")
    try:
        file.write_text(json.dumps(whole_numbers(spec), indent=2, ensure_ascii=False) + "\n", "utf-8")
    except OSError as error:
        raise CommandFailed(f"{file} cannot be written: {error.strerror}.") from None
    screen.say(("wrote ", "green"), str(file))
