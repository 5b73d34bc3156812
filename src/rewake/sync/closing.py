"""Closing: which error ends a socket how.

Floor 6, `sync`. The one table of this door from errors to last messages and close frames. What an author's
function raises never comes here: that is a result. The distinction matters to clients. npm never comes back
after a FatalError, so it is for the client's own mistakes; after a close it reconnects and replays.
A mutation that the disk refused does not come here either, it is answered as failed (`connection.py`); but
one of which nobody knows whether it was kept does (`OutcomeUnknown`): its replay finds out.

Source: wire 1.14.
"""

from __future__ import annotations

from typing import NamedTuple

from rewake.errors import (
    Conflict,
    Forbidden,
    FunctionError,
    Internal,
    InvalidInput,
    NotFound,
    RateLimited,
    RewakeError,
    Unauthenticated,
    Unavailable,
)
from rewake.protocol.server_messages import auth_error, fatal_error

NORMAL_CODE = 1000
GOING_AWAY_CODE = 1001
INTERNAL_CODE = 1011
TRY_AGAIN_CODE = 1013

RESTART_REASON = "ServerRestarting"
"""Why sockets close when the server stops. With code 1001 npm logs nothing and reconnects after its shortest
delay for a close by the server, about a second; the Rust family after 100 ms. 1012 would print a warning in
the console of every open page and be no faster."""

CLOSING_SECONDS = 5.0
"""How long a client may take to answer a close frame before the connection is cut."""

CLOSING_TIMEOUT = "ClosingHandshakeTimeout"
"""Why a connection was cut whose client did not answer a close frame."""

_REASON_BYTES_MAX = 123


class Ending(NamedTuple):
    """How a socket ends: a last message, if any, and a close frame. `code` None: a frame without status."""

    message: bytes | None
    code: int | None
    reason: str


def ending_of(error: Exception, *, identity_version: int, authenticating: bool = False) -> Ending:
    """How `error` ends a socket whose last Transition had `identity_version`.

    `authenticating` tells the failure of an Authenticate message from an identity that no longer holds.
    """
    if authenticating and isinstance(error, Unauthenticated | Forbidden | InvalidInput):
        return _auth_ending(error, identity_version, update_attempted=True)
    match error:
        case InvalidInput() | Conflict():
            return Ending(fatal_error(error.message), None, "")
        case Unauthenticated():
            return _auth_ending(error, identity_version, update_attempted=False)
        case Forbidden():
            return Ending(fatal_error(error.message), NORMAL_CODE, close_reason(error.code))
        case NotFound():
            return Ending(None, NORMAL_CODE, close_reason(error.code))
        case RateLimited() | Unavailable():
            return Ending(None, TRY_AGAIN_CODE, close_reason(error.code + _patience(error)))
        case RewakeError() if not isinstance(error, FunctionError):
            return Ending(None, INTERNAL_CODE, close_reason(error.code))
        case _:
            # An exception nobody foresaw, or a function's result that lost its way.
            return Ending(None, INTERNAL_CODE, Internal.code)


def close_reason(text: str) -> str:
    """`text` as far as a close frame holds it."""
    return text.encode()[:_REASON_BYTES_MAX].decode(errors="ignore")


def _patience(error: RewakeError) -> str:
    """When to come back, for who reads logs: clients look at how the reason begins (wire 1.14)."""
    seconds = error.retry_seconds
    return "" if seconds is None else f": try again in {seconds} seconds"


def _auth_ending(error: RewakeError, identity_version: int, *, update_attempted: bool) -> Ending:
    message = auth_error(
        error=error.message, base_version=identity_version, update_attempted=update_attempted
    )
    return Ending(message, None, "")
