"""Request ids: what ties a client's error text to a line in the log.

Floor 6, `http_api`. A caller may bring one in `Convex-Request-Id`; otherwise it is 16 random hex digits.
It is fixed at the first question and kept in the scope, so the function's error text and the log name the
same one.

Source: wire 4.2 and 6.1. Not here: ids of websocket requests, which follow from session and number
(`protocol`).
"""

from __future__ import annotations

import re
from dataclasses import replace

from starlette.types import Scope

from rewake.environment import Environment
from rewake.execution import Failure, Success
from rewake.protocol import random_request_id

_ACCEPTED = re.compile(rb"[A-Za-z0-9._:-]{1,64}")
REQUEST_ID = "rewake.request_id"
"""The key of a scope under which its id is kept."""


def request_id_of(scope: Scope, environment: Environment) -> str:
    """The id of this request.

    A header that is too long or holds anything but letters, digits and `._:-` is ignored, not refused:
    the id is for finding things again, and a call should not fail over it. It must not be able to forge
    log lines either.
    """
    known = scope.get(REQUEST_ID)
    if known is not None:
        return str(known)
    made = brought_request_id(scope) or random_request_id(environment)
    scope[REQUEST_ID] = made
    return made


def keeps_request_id(scope: Scope, result: Success | Failure) -> Success | Failure:
    """A result that is told under the id that the caller brought, where it brought one: a query's run has an
    id of its own otherwise, under which the log has it.
    """
    return told_under(brought_request_id(scope), result)


def told_under(brought: str | None, result: Success | Failure) -> Success | Failure:
    """As `keeps_request_id`, for a caller who `brought` this id or none."""
    if brought is not None and isinstance(result, Failure) and result.run_id:
        return replace(result, run_id="")
    return result


def brought_request_id(scope: Scope) -> str | None:
    """The id that the caller of this request brought, where it is one that is accepted."""
    for name, value in scope["headers"]:
        if name == b"convex-request-id" and _ACCEPTED.fullmatch(value):
            return str(value, "ascii")
    return None
