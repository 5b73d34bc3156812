"""Requests of the command line to the endpoints for administrators.

Floor 8, `cli`. One place where a refusal becomes a sentence.

Not here: calls of functions (`calling.py`), which have results of their own.
"""

from __future__ import annotations

from typing import Any

import httpx
import msgspec

from rewake.cli.calling import CONNECT_SECONDS, reason_of
from rewake.cli.connection import ServerAddress
from rewake.cli.failure import CommandFailed, ServerUnreachable


def ask(
    server: ServerAddress,
    method: str,
    path: str,
    body: Any = None,
    *,
    answer_seconds: float | None = None,
) -> httpx.Response:
    """One request with the admin key; the answer is a success.

    Raises:
        ServerUnreachable: nobody answered, or somebody else did.
        CommandFailed: the server says no.
    """
    timeout = httpx.Timeout(answer_seconds, connect=CONNECT_SECONDS)
    headers = {"Authorization": f"Convex {server.admin_key}"}
    try:
        response = httpx.request(
            method,
            f"{server.url}{path}",
            headers=headers,
            timeout=timeout,
            trust_env=False,
            json=body,
        )
    except httpx.ConnectError as error:
        raise server.unreachable(reason_of(error)) from None
    except httpx.HTTPError as error:
        raise ServerUnreachable(
            f"The conversation with {server.url} broke off: {reason_of(error)}."
        ) from None
    except UnicodeEncodeError:
        raise CommandFailed("The text holds half of a character (a lone surrogate).") from None
    if response.status_code != httpx.codes.OK:
        raise _refusal(response, server)
    return response


def _refusal(response: httpx.Response, server: ServerAddress) -> CommandFailed:
    is_scope = b'"OperationNotPermitted"' in response.content
    if response.status_code in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN) and not is_scope:
        return CommandFailed(
            f"{server.url} refuses this admin key.",
            hint="Is this the server of another project? Give its key with --admin-key or REWAKE_ADMIN_KEY.",
        )
    try:
        shape = msgspec.json.decode(response.content, type=dict[str, Any])
        return CommandFailed(f"{shape['message']} ({shape['code']})")
    except (msgspec.MsgspecError, KeyError):
        return ServerUnreachable(
            f"Something answers at {server.url}, and it is not Rewake.", hint="Name the server with --url."
        )
