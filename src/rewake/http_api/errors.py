"""The one table from errors to HTTP answers.

Floor 6, `http_api`. Whatever goes wrong outside a function, official clients read the same shape (wire 4.1):

    {"code": "BadJsonBody", "message": "..."}      and the status of the table below

What goes wrong *inside* a function is its result and comes with status 200 (`responses.py`). `ErrorBoundary`
stands around every endpoint and around the application as a whole, so routing errors have the shape as well.

Not here: the tree of errors (`rewake.errors`); the close codes of sockets (`sync/closing.py`).
"""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from rewake.environment import Environment
from rewake.errors import (
    INTERNAL_MESSAGE,
    Forbidden,
    Internal,
    InvalidInput,
    NotFound,
    RewakeError,
    Unavailable,
)
from rewake.http_api.observed_requests import REFUSAL
from rewake.http_api.request_id import request_id_of
from rewake.limits import KIB
from rewake.observability import logger

_log = logger(__name__)

_MESSAGE_LENGTH_MAX = 4 * KIB
"""Characters of a message: some quote what the caller sent, which may be megabytes."""

STATUSES = frozenset({400, 401, 403, 404, 405, 408, 409, 413, 421, 425, 429, 500, 503})
"""Every status that an infrastructure error may have. Source: wire 4.1; 405 and 413 from plain HTTP."""


class BadJsonBody(InvalidInput):
    """The body of this request cannot be read: its content type, its JSON or its size is wrong."""

    code = "BadJsonBody"


class BadParameter(InvalidInput):
    """A query parameter of the URL is missing or cannot be read."""

    code = "BadQueryParameter"
    template = "Query parameter `{name}`: {detail}"


class BadTimestamp(InvalidInput):
    """This timestamp did not come from this deployment. Ask `/api/query_ts` for a new one."""

    code = "InvalidTimestamp"
    template = "Timestamp {ts} is ahead of the latest commit of this deployment."


class TooManyQueries(InvalidInput):
    """One batch asks for too many queries. Send several batches; each is a snapshot of its own."""

    code = "TooManyQueries"
    template = "The batch holds {count} queries. At most {limit} can share a snapshot."


class MissingIdentifier(InvalidInput):
    """The URL names no function. Use /api/run/{module}/{function}, with folders before the module."""

    code = "MissingIdentifier"
    template = "Expected /api/run/{{module}}/{{function}} with at least two segments, got `{path}`."


class AdminRequired(Forbidden):
    """This endpoint is for holders of the deployment's admin key."""

    code = "BadDeployKey"
    template = (
        "The provided deploy key was invalid for deployment '{name}'. Double check that the environment"
        " this key was generated for matches the desired deployment."
    )


class NoSuchEndpoint(NotFound):
    """Nothing answers at this address."""

    template = "No endpoint at {method} {path}."


class WrongMethod(RewakeError):
    """The endpoint exists and takes other methods; the `Allow` header names them."""

    code, status = "MethodNotAllowed", 405
    template = "{path} does not take {method}. It takes {allowed}."


class BodyTooLarge(RewakeError):
    """The body is larger than this endpoint takes."""

    code, status = "BodyTooLarge", 413
    template = "The body is larger than {limit} bytes."


class BodyTooSlow(RewakeError):
    """The body did not arrive in time. Send it faster, or less of it."""

    code, status = "BodyTooSlow", 408
    template = "The body did not arrive within {seconds:g} seconds."


class NotReady(Unavailable):
    """The process runs and cannot serve functions yet, or no longer."""

    code = "NotReady"
    template = "The deployment is not ready to run functions."


def describe(error: Exception) -> tuple[int, str, str]:
    """Give the status, the code and the text that a caller may read for `error`.

    Texts of our own mistakes stay in the log: callers get a neutral sentence.
    """
    match error:
        case RewakeError() if not isinstance(error, Internal) and error.status in STATUSES - {500}:
            return error.status, error.code, error.message
        case ClientDisconnect():
            return 408, "ClientDisconnect", "The client went away before the request was complete."
        case HTTPException() if error.status_code in STATUSES - {500}:
            return error.status_code, _code_of(error.status_code), error.detail
        case _:
            return 500, Internal.code, INTERNAL_MESSAGE


def _code_of(status: int) -> str:
    """A code for errors that Starlette raises: `Not Found` becomes `NotFound`."""
    return HTTPStatus(status).phrase.title().replace(" ", "")


class Refusal(NamedTuple):
    """What is said to a caller of an error, without the words of HTTP."""

    status: int
    code: str
    message: str
    headers: tuple[tuple[str, str], ...]

    def response(self) -> Response:
        """The JSON answer."""
        # ASCII escapes keep any text, also one with half a surrogate pair, valid UTF-8.
        body = json.dumps({"code": self.code, "message": self.message}).encode()
        return Response(body, self.status, dict(self.headers), media_type="application/json")


def refusal_of(error: Exception) -> Refusal:
    """What is said of `error`."""
    status, code, message = describe(error)
    headers = dict(getattr(error, "headers", None) or {})
    if isinstance(error, WrongMethod):
        headers["Allow"] = error.fields["allowed"]
    if status == 408:
        headers["Connection"] = "close"  # The rest of the body may still come, and nobody wants it.
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"  # RFC 9110, 15.5.2.
    if isinstance(error, RewakeError) and error.retry_seconds is not None:
        headers["Retry-After"] = str(error.retry_seconds)  # RFC 9110, 10.2.3.
    return Refusal(status, code, message[:_MESSAGE_LENGTH_MAX], tuple(headers.items()))


def error_response(error: Exception) -> Response:
    """The JSON answer for `error`."""
    return refusal_of(error).response()


def noted_refusal(error: Exception, scope: Scope, environment: Environment) -> Refusal:
    """What is said of `error` of the request in `scope`, where its code is left for those who count. Unknown
    exceptions are logged with their traceback and the request id.
    """
    refusal = refusal_of(error)
    scope[REFUSAL] = refusal.code
    if refusal.status == 500:
        _log.error(
            "[Request ID: %s] %s %s failed",
            request_id_of(scope, environment),
            scope["method"],
            scope["path"],
            exc_info=error,
        )
    return refusal


class ResponseCut(Exception):
    """A function failed after its response had begun: the connection is cut, so that the client notices.

    Why it failed is in the log already, as a line of the function.
    """


class ErrorBoundary:
    """ASGI middleware: no exception passes, each becomes its answer.

    An error after the answer began can only cut the connection: it is raised again, for the server to do so.
    """

    def __init__(self, app: ASGIApp, environment: Environment) -> None:
        self._app = app
        self._environment = environment

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = False

        async def watch(message: Message) -> None:
            nonlocal began
            began = True
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except ResponseCut:
            raise
        except Exception as error:
            response = noted_refusal(error, scope, self._environment).response()
            if began:
                raise
            await response(scope, receive, send)
