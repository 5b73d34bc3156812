"""Calls and what comes back: the only things that cross between a door and a function run.

Floor 3, `execution`. Arguments and results are canonical encoded JSON text, so that a worker process can
stand on the other side of a pipe without anything here changing (DESIGN D6).

    FunctionCall, RequestSource -> Runner -> Success | Failure   (+ read set, timestamps, log lines)

Not here: how a function is found (`registry.py`) or run (`host.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from rewake.auth import Identity, User
from rewake.functions import RequestMetadata
from rewake.limits import Limits

SYSTEM_PREFIX = "_system/"
"""What paths of system functions begin with."""


class Visibility(StrEnum):
    """From where a call comes: decides whether internal functions can be found."""

    PUBLIC = "public"
    INTERNAL = "internal"
    DENIED = "denied"
    """The caller shows a key that may not call this function at all: the run ends with what it lacks."""


class FunctionCall(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Which function, with which arguments.

    `path` is in any form that clients use (`module:function`, `module.js:function`, `module`); `args` is
    encoded JSON text of the one arguments object, exactly as it was received; `component` is empty for the
    application.
    """

    path: str
    args: str
    component: str = ""


class CalledFrom(StrEnum):
    """What kind of caller a run has, as followers of the log read it. Source: wire 7.1."""

    UNKNOWN = "Unknown"
    SYNC_WORKER = "SyncWorker"
    """A websocket."""
    HTTP_API = "HttpApi"
    HTTP_ENDPOINT = "HttpEndpoint"
    """A request for an HTTP action."""
    ACTION = "Action"
    TESTER = "Tester"


class RequestSource(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Where a request came from, as far as its door knows. What a function calls has its caller's source.

    Queries are never told: their results go to others, too. Source: semantics 5.9.
    """

    ip: str | None = None
    user_agent: str | None = None
    auth_token: str | None = None
    """The token that the caller signed in with, as it came."""
    scheduled: str | None = None
    """The id of the scheduled function at the root of the call."""
    trace: str = ""
    """The span that the call belongs to, as a `traceparent`; empty where traces are not wanted."""
    called_from: CalledFrom = CalledFrom.UNKNOWN
    """Its door, or that an action calls."""

    @classmethod
    def of(
        cls, *, ip: str | None, user_agent: str | None, limits: Limits, called_from: CalledFrom
    ) -> RequestSource:
        """What a door has seen: the address of its peer, and a header of one character a byte."""
        agent = None if user_agent is None else user_agent[: limits.user_agent_bytes_max]
        return cls(ip or None, agent, called_from=called_from)

    def signed_in(self, identity: Identity) -> RequestSource:
        """The source, with the token behind `identity` where that is a user's."""
        token = identity.token if isinstance(identity, User) else None
        return self if token is None else msgspec.structs.replace(self, auth_token=token)

    def within(self, scheduled: str) -> RequestSource:
        """The source of what a scheduled function calls; the same again where `scheduled` is empty."""
        return msgspec.structs.replace(self, scheduled=scheduled) if scheduled else self

    def traced(self, trace: str) -> RequestSource:
        """The source, within the span `trace`; the same again where that is empty."""
        return msgspec.structs.replace(self, trace=trace) if trace else self

    def metadata(self, request_id: str) -> RequestMetadata:
        """What a function is told that asks."""
        return RequestMetadata(
            ip=self.ip,
            user_agent=self.user_agent,
            request_id=request_id or None,
            scheduled_function_id=self.scheduled,
            auth_token=self.auth_token,
        )


NO_SOURCE = RequestSource()
"""Of calls that no request is behind."""


class Success(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A function returned. `value` is canonical encoded JSON text.

    It crosses pipes as an array and a `Failure` as a map: so one is told from the other.
    """

    value: str
    log_lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """A function failed: an ordinary result, never a closed socket.

    `message` is the text after the request id line (`Uncaught ValueError: ...` with frames), already
    complete; the door adds the request id (wire 6.1). `data` is the canonical encoded JSON of an
    ApplicationError's data, or None where there is none (`"null"` is data that is null).
    """

    message: str
    data: str | None = None
    log_lines: tuple[str, ...] = ()
    run_id: str = field(default="", compare=False)
    """The request id of the run in the call log, where the run has one of its own: a query's result may go to
    many."""


class MutationOutcome(msgspec.Struct, frozen=True, gc=False):
    """What a mutation came to, after its group was committed.

    `ts` is the commit timestamp; for a mutation that wrote nothing or failed, the timestamp that it read at.
    """

    result: Success | Failure
    ts: int


def error_text(request_id: str, failure: Failure, *, redacted: bool = False) -> str:
    """The text that clients receive for a failed run, with the id that the run has in the call log where it
    has one. Source: wire 6.1.
    """
    head = f"[Request ID: {failure.run_id or request_id}] Server Error"
    if redacted:
        return head
    return f"{head}\n{failure.message}" + ("" if failure.message.endswith("\n") else "\n")
