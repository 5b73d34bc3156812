"""Instructions: what a session tells its driver to do.

Floor 6, `sync`. Small records, carried out strictly in the order given: the order of writes is the order of
decisions, on which clients rely (wire 1.15).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from rewake.auth import Identity
from rewake.database import ReplayKey
from rewake.execution import FunctionCall
from rewake.reactivity import QueryChange


class Send(msgspec.Struct, frozen=True, gc=False):
    """Write one text message. The parts may be shared with other sockets; nobody changes them."""

    parts: tuple[bytes, ...]
    size: int
    waits: bool = False
    """Whether another message follows at once, in the next turn of the loop, with which it may leave."""


class SendPingFrame(msgspec.Struct, frozen=True):
    """Write a websocket ping frame, so that a living client answers."""


class StartMutation(msgspec.Struct, frozen=True):
    """Run a mutation. No other starts on this socket before its outcome is known."""

    number: int
    call: FunctionCall
    identity: Identity
    request_id: str
    replay: ReplayKey


class StartAction(msgspec.Struct, frozen=True):
    """Run an action beside everything else."""

    number: int
    call: FunctionCall
    identity: Identity
    request_id: str


class StartAuthentication(msgspec.Struct, frozen=True):
    """Find out who is behind a token. Messages that came later wait for it."""

    token_type: str
    value: str | None
    impersonating: dict[str, Any] | None


class ChangeQueries(msgspec.Struct, frozen=True):
    """Begin and stop keeping queries answered, and ask for the Transition that says so."""

    changes: Sequence[QueryChange]


class SetIdentity(msgspec.Struct, frozen=True):
    """Run all queries as somebody else."""

    identity: Identity


class RequestWave(msgspec.Struct, frozen=True):
    """Ask for a Transition."""


class Close(msgspec.Struct, frozen=True):
    """Write a close frame and take nothing more in. `code` None: a frame without status.

    `error` is for the log: what made the session end, None for an orderly end.
    """

    code: int | None
    reason: str
    error: Exception | None = None


class Drop(msgspec.Struct, frozen=True):
    """Cut the connection: nobody reads any more. `reason` is for the log and the counters."""

    reason: str


Instruction = (
    Send
    | SendPingFrame
    | StartMutation
    | StartAction
    | StartAuthentication
    | ChangeQueries
    | SetIdentity
    | RequestWave
    | Close
    | Drop
)

SEND_PING_FRAME = SendPingFrame()
REQUEST_WAVE = RequestWave()
