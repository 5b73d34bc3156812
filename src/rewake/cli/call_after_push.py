"""`rewake dev --run FUNCTION`: a call after each push that went well, for sample data or a quick check.

Floor 8, `cli`. The call is made inside the server's process, so it finds internal functions and works with
`--once`, where nobody listens. How it fails is shown and ends nothing.

Not here: `rewake run` (`calling.py`), when a push went well (`development.py`).
"""

from __future__ import annotations

import json

import msgspec

from rewake.auth import ANONYMOUS
from rewake.cli.arguments import parse_arguments
from rewake.cli.failure import CommandFailed, WrongUsage
from rewake.deployment import Deployment
from rewake.execution import NO_SOURCE, Failure, FunctionCall
from rewake.protocol import random_request_id


class CallAfterPush(msgspec.Struct, frozen=True):
    """The function to call, and with what."""

    path: str
    arguments: str
    """JSON text of an object."""


def wanted_call(path: str | None, arguments: str | None) -> CallAfterPush | None:
    """What `--run` and `--run-args` say.

    Raises:
        WrongUsage: arguments without a function, or such as are no JSON object.
    """
    if path is None:
        if arguments is not None:
            raise WrongUsage("--run-args goes with --run FUNCTION.")
        return None
    return CallAfterPush(path, json.dumps(parse_arguments([arguments] if arguments else [])))


async def call_after_push(deployment: Deployment, wanted: CallAfterPush) -> str:
    """Make the call; returns its value as JSON text.

    Raises:
        CommandFailed: the function failed, or there is none of this name.
    """
    kind = deployment.kind_of(wanted.path, "")
    if kind is None:
        raise CommandFailed(f"There is no function `{wanted.path}` to run.")
    call = FunctionCall(wanted.path, wanted.arguments)
    request_id = random_request_id(deployment.environment)
    result = await deployment.call_from_action(kind, call, ANONYMOUS, request_id=request_id, source=NO_SOURCE)
    if isinstance(result, Failure):
        raise CommandFailed(f"{wanted.path} failed: {result.message.strip()}")
    return result.value
