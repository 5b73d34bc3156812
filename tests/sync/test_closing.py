"""The table of wire 1.14: every family of error has its ending."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rewake import errors
from rewake.execution.waiting_line import WriterOverloaded
from rewake.sync.closing import close_reason, ending_of


class Quota(errors.RateLimited):
    """A family member with a code of its own."""

    code = "QuotaReached"


@pytest.mark.parametrize(
    ("error", "last", "code", "reason"),
    [
        (errors.InvalidInput("no"), "FatalError", None, ""),
        (errors.Conflict("no"), "FatalError", None, ""),
        (errors.Unauthenticated("no"), "AuthError", None, ""),
        (errors.Forbidden("no"), "FatalError", 1000, "Forbidden"),
        (errors.NotFound("no"), None, 1000, "NotFound"),
        (Quota("no"), None, 1013, "QuotaReached"),
        (WriterOverloaded(seconds=3), None, 1013, "CommitterFullError: try again in 3 seconds"),
        (errors.Unavailable("no"), None, 1013, "Unavailable"),
        (errors.Internal("no"), None, 1011, "InternalServerError"),
        (errors.FunctionError("no"), None, 1011, "InternalServerError"),
        (ValueError("no"), None, 1011, "InternalServerError"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_each_family_of_error_ends_the_socket_its_way(
    error: Exception, last: str | None, code: int | None, reason: str
) -> None:
    ending = ending_of(error, identity_version=3)
    assert (ending.code, ending.reason) == (code, reason)
    message: Any = json.loads(ending.message) if ending.message else {}
    assert message.get("type") == last
    if last == "AuthError":
        assert message == {"type": "AuthError", "error": "no", "baseVersion": 3, "authUpdateAttempted": False}


@pytest.mark.parametrize("kind", [errors.Unauthenticated, errors.Forbidden, errors.InvalidInput])
def test_a_refused_authentication_says_that_it_was_one(kind: type[errors.RewakeError]) -> None:
    ending = ending_of(kind("no"), identity_version=0, authenticating=True)
    assert ending.message is not None
    assert json.loads(ending.message)["authUpdateAttempted"] is True
    assert ending.code is None


def test_an_authentication_that_could_not_be_decided_is_no_refusal() -> None:
    assert ending_of(errors.Unavailable("no"), identity_version=0, authenticating=True).code == 1013


def test_a_reason_fits_into_a_close_frame_and_stays_text() -> None:
    assert close_reason("short") == "short"
    assert len(close_reason("ü" * 100).encode()) <= 123
    assert close_reason("ü" * 100) == "ü" * 61
