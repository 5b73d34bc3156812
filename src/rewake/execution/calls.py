"""Calls and what comes back: the only things that cross between a door and a function run.

Floor 3, `execution`. Arguments and results are canonical encoded JSON text, so that a worker process can
stand on the other side of a pipe without anything here changing (DESIGN D6).

    FunctionCall -> Runner -> Success | Failure   (+ read set, timestamps, log lines)

Not here: how a function is found (`registry.py`) or run (`host.py`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum


class Visibility(Enum):
    """From where a call comes: decides whether internal functions can be found."""

    PUBLIC = "public"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """Which function, with which arguments.

    `path` is in any form that clients use (`module:function`, `module.js:function`, `module`); `args` is
    encoded JSON text of the one arguments object, exactly as it was received; `component` is empty for the
    application.
    """

    path: str
    args: str
    component: str = ""


@dataclass(frozen=True, slots=True)
class Success:
    """A function returned. `value` is canonical encoded JSON text."""

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


@dataclass(frozen=True, slots=True)
class MutationOutcome:
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
