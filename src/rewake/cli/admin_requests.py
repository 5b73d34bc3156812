"""Requests of the command line to a server, with the admin key.

Floor 8, `cli`. The one place where a conversation over HTTP becomes an answer or a sentence: nobody there,
a stranger, a wrong key, a refusal with a code.

Not here: what is asked (`calling.py`, `variables.py`, `following.py`), live queries (`watching.py`).
"""

from __future__ import annotations

import os
import re
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from rewake.cli.connection import ServerAddress
from rewake.cli.failure import CommandFailed, ServerUnreachable

if TYPE_CHECKING:
    import httpx

CONNECT_SECONDS = 5.0


class RequestRefused(CommandFailed):
    """The server says no, and `refusal` is its code for why."""

    code = "RequestRefused"

    def __init__(self, message: str, refusal: str, *, detail: str = "") -> None:
        super().__init__(f"{message} ({refusal})", detail=detail)
        self.refusal = refusal


def ask(
    server: ServerAddress,
    method: str,
    path: str,
    body: Any = None,
    *,
    content: bytes | None = None,
    answer_seconds: float | None = None,
) -> httpx.Response:
    """One request with the admin key, with `body` as JSON or `content` as it is; the answer is a success.

    Raises:
        ServerUnreachable: nobody answered, or somebody else did.
        RequestRefused: the server says no.
        CommandFailed: the key is wrong, or what was to be sent is no text.
    """
    # Not above: `rewake run` has a websocket instead, and only words from here.
    import httpx

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
            content=content,
        )
    except httpx.ConnectError as error:
        raise server.unreachable(reason_of(error)) from None
    except httpx.HTTPError as error:
        raise ServerUnreachable(
            f"The conversation with {server.url} broke off: {reason_of(error)}."
        ) from None
    except UnicodeEncodeError:
        raise CommandFailed("The text holds half of a character (a lone surrogate).") from None
    if response.status_code != HTTPStatus.OK:
        raise _refusal(response, server)
    return response


def _refusal(response: httpx.Response, server: ServerAddress) -> CommandFailed:
    is_scope = b'"OperationNotPermitted"' in response.content
    if response.status_code in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN) and not is_scope:
        return wrong_key(server)
    try:
        shape = msgspec.json.decode(response.content, type=dict[str, Any])
        detail = str(shape.get("traceback", ""))
        return RequestRefused(str(shape["message"]), str(shape["code"]), detail=detail)
    except (msgspec.MsgspecError, KeyError):
        return stranger(server)


def wrong_key(server: ServerAddress) -> CommandFailed:
    """The error for a key that the server does not know."""
    return CommandFailed(
        f"{server.url} refuses this admin key.",
        hint="Is this the server of another project? Give its key with --admin-key or REWAKE_ADMIN_KEY.",
    )


def stranger(server: ServerAddress) -> ServerUnreachable:
    """The error for an answer that no server of ours gives."""
    return ServerUnreachable(
        f"Something answers at {server.url}, and it is not Rewake.", hint="Name the server with --url."
    )


def reason_of(error: BaseException) -> str:
    """Why a connection failed, in few words."""
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.strerror:
            text = cause.strerror
            if cause.errno is not None and text.startswith("Connect call failed"):
                # asyncio puts the address here, and leaves the reason to the number.
                text = os.strerror(cause.errno)
            return text.lower()
        cause = cause.__cause__ or cause.__context__
    text = re.sub(r"\[Errno -?\d+\] ", "", str(error), flags=re.IGNORECASE).rstrip(".")
    return text.lower() or type(error).__name__
