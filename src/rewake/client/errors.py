"""Errors of the client: what a caller of a remote function can meet.

Floor 2, `client`. A function that raised `ApplicationError` on the server raises it here, too, with its data.

    rewake.errors.ApplicationError     raised by the function, for the caller
    rewake.errors.FunctionFailed
    └── CallFailed                     any other failure of a function, with its request id
    rewake.errors.RewakeError
    └── ClientError
        ├── NotConnected               nobody answered at the first try
        ├── ConnectionLost             an action was under way; whether it ran is not known
        ├── AuthenticationRefused      the server does not accept the token or key
        ├── ConversationEnded          the server takes our messages for a mistake
        └── ClientClosed               `close` was called meanwhile

Not here: wrong addresses and function paths, which are `InvalidInput` where they are read.
"""

from __future__ import annotations

import re

from rewake.errors import ApplicationError, FunctionFailed, InvalidInput, RewakeError
from rewake.values import decode

_HEAD = re.compile(r"\[Request ID: ([0-9a-zA-Z_-]+)\] Server Error\n?")


class ClientError(RewakeError):
    """The call came to no result for a reason that is not the function's."""

    code, status = "ClientError", 503

    def again(self) -> ClientError:
        """The same for one more caller: an exception belongs to the place that raises it."""
        copy = type(self)(self.message)
        copy.fields, copy.__cause__ = self.fields, self.__cause__
        return copy


class InvalidAddress(InvalidInput):
    """The address of the server cannot be used. Write it as http://127.0.0.1:3210 or https://example.com."""

    code = "InvalidAddress"
    template = "`{url}` is not the address of a server. Write it as http://127.0.0.1:3210."


class NotConnected(ClientError):
    """Nobody answered at the first try. Is the server running, and is this its address?

    Only the first try fails: a connection that was there once is waited for. The reason is `__cause__`.
    """

    code = "NotConnected"
    template = "No server could be reached at {url}: {reason}"


class ConnectionLost(ClientError):
    """The connection broke while the action was under way. It may have run, and is not sent again."""

    code = "ConnectionLost"
    template = "Connection lost while action was in flight"


class AuthenticationRefused(ClientError):
    """The server does not accept the credentials. Calls fail until others are set, or none.

    A mutation that was under way may have run.
    """

    code, status = "AuthenticationRefused", 401
    template = "Failed to authenticate: {reason}"


class ConversationEnded(ClientError):
    """The server ended the conversation as a mistake of the client, and would do it again."""

    code = "ConversationEnded"
    template = "The server ended the conversation: {reason}"


class ClientClosed(ClientError):
    """The client was closed before there was a result. A mutation that was under way may have run."""

    code = "ClientClosed"
    template = "The client is closed"


class CallFailed(FunctionFailed):
    """A function failed on the server, otherwise than by an ApplicationError.

    `message` is the server's text without its first line; in production it may be empty. `request_id` finds
    the run in the server's log. `log_lines` is what the function printed.
    """

    def __init__(
        self, message: str, log_lines: tuple[str, ...] = (), *, path: str = "", request_id: str = ""
    ) -> None:
        super().__init__(message, log_lines)
        self.path = path
        self.request_id = request_id

    def __str__(self) -> str:
        where = f"{self.path} failed" + (f" (request {self.request_id})" if self.request_id else "")
        return f"{where}: {self.message}" if self.message else where


def function_failure(
    text: str, *, path: str, log_lines: tuple[str, ...], data: bytes | None
) -> ApplicationError | CallFailed:
    """The exception for an error text of the server. `data` is the JSON of an ApplicationError's data."""
    head = _HEAD.match(text)
    request_id = head[1] if head else ""
    if data is not None:
        error = ApplicationError(decode(data))
        error.add_note(f"raised by {path}" + (f", request {request_id}" if request_id else ""))
        return error
    message = text[head.end() :] if head else text
    return CallFailed(message.rstrip("\n"), log_lines, path=path, request_id=request_id)
