"""Calls: mutations and actions on their way, each to come to exactly one end.

Floor 2, `client`. A part of the conversation, without I/O. A mutation that has no outcome when the socket
breaks is sent again on the next one, in order, with the session id and the number it had, by which the server
knows whether it ran. An action has no such protection: under way, it fails with the connection.

    queued --send--> sent --success--> committed --Transition at its ts--> settled
       ^               |  `--failure-------------------------------------> settled
       `--reconnect----'  (an action: ConnectionLost)

A committed mutation is not sent again: the next socket's first Transition cannot be older (its Connect says
what was seen), so it settles the mutation too.

At most `SENT_MAX` of each kind are with the server at once, the rest waits here: a server closes a socket
with too many, and everything would be sent again, for ever.

Source: wire 1.11.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

from rewake.client import outgoing
from rewake.client.errors import ConnectionLost
from rewake.client.incoming import (
    ActionResponse,
    MutationResponse,
    ProtocolBroken,
    parse_text,
    parse_ts,
    raw_bytes,
)
from rewake.client.instructions import Outcome, Settle

SENT_MAX = 256


class _Stage(Enum):
    QUEUED = auto()
    SENT = auto()
    COMMITTED = auto()


@dataclass(slots=True)
class _Call:
    kind: outgoing.CallKind
    path: str
    arguments: str
    stage: _Stage = _Stage.QUEUED
    # Of a committed mutation.
    outcome: Outcome | None = None
    ts: int = 0
    # It was made before this socket opened: while there are such calls, the socket has not caught up.
    is_old: bool = False
    # Nobody waits for it any more. Its answer frees its place, and it is not sent again.
    is_given_up: bool = False


class Calls:
    """The calls of one conversation that have not come to their end."""

    def __init__(self) -> None:
        self._calls: dict[int, _Call] = {}
        self._next_number = 0
        self._queued: dict[outgoing.CallKind, deque[int]] = {"Mutation": deque(), "Action": deque()}
        # How many of each kind are with the server.
        self._sent: dict[outgoing.CallKind, int] = {"Mutation": 0, "Action": 0}
        # Mutations that wait for a Transition, in the order of their answers.
        self._committed: list[int] = []

    def __len__(self) -> int:
        return len(self._calls)

    @property
    def has_old(self) -> bool:
        """Whether a call from before this socket is still without an outcome."""
        return any(call.is_old and call.stage is not _Stage.COMMITTED for call in self._calls.values())

    def begin(self, kind: outgoing.CallKind, path: str, arguments: str) -> int:
        """Take a call in; gives its number."""
        number = self._next_number
        self._next_number += 1
        self._calls[number] = _Call(kind, path, arguments)
        self._queued[kind].append(number)
        return number

    def give_up(self, number: int) -> None:
        """Nobody waits for this call any more. One that was not sent yet never will be."""
        call = self._calls.get(number)
        if call is None:
            return
        if call.stage is _Stage.SENT:
            call.is_given_up = True
        else:
            del self._calls[number]

    def give_up_all(self) -> list[int]:
        """Forget every call; gives the numbers of those that somebody waits for."""
        numbers = [number for number, call in self._calls.items() if not call.is_given_up]
        self._calls.clear()
        self._forget_socket()
        return numbers

    def begin_socket(self) -> None:
        """A new socket: every mutation without an outcome is to be sent again, before newer ones."""
        self._forget_socket()
        for number in sorted(self._calls):
            call = self._calls[number]
            call.is_old = True
            if call.stage is _Stage.COMMITTED:
                self._committed.append(number)
                continue
            call.stage = _Stage.QUEUED
            self._queued[call.kind].append(number)

    def lose_socket(self) -> list[Settle]:
        """The socket is gone: actions that were under way fail with it."""
        lost = [
            number
            for number, call in self._calls.items()
            if call.stage is _Stage.SENT and (call.kind == "Action" or call.is_given_up)
        ]
        settled = []
        for number in lost:
            call = self._calls.pop(number)
            if not call.is_given_up:
                settled.append(Settle(number, ConnectionLost()))
        return settled

    def due(self) -> Iterator[str]:
        """The messages of calls that may be sent now."""
        for kind, queued in self._queued.items():
            while queued and self._sent[kind] < SENT_MAX:
                number = queued.popleft()
                call = self._calls.get(number)
                if call is None:
                    continue
                call.stage = _Stage.SENT
                self._sent[kind] += 1
                yield outgoing.call(kind, number, path=call.path, arguments=call.arguments)

    def take(self, message: MutationResponse | ActionResponse) -> Outcome | None:
        """Note an answer; gives what is in it, or None where nobody waits for it.

        Raises:
            ProtocolBroken: it is the answer to a call of the other kind, or has no timestamp.
        """
        kind: outgoing.CallKind = "Mutation" if isinstance(message, MutationResponse) else "Action"
        call = self._calls.get(message.request_id)
        if call is None or call.stage is not _Stage.SENT:
            return None  # Answered before.
        if call.kind != kind:
            raise ProtocolBroken(f"{kind} {message.request_id} was answered and never asked")
        lines = tuple(message.log_lines)
        if message.success:
            outcome = Outcome(call.path, raw_bytes(message.result), log_lines=lines)
            call.ts = parse_ts(message.ts) if isinstance(message, MutationResponse) else 0
        else:
            data = raw_bytes(message.error_data)
            outcome = Outcome(call.path, None, parse_text(message.result), data, lines)
        self._sent[kind] -= 1
        if call.is_given_up or kind == "Action" or not message.success:
            del self._calls[message.request_id]
            return None if call.is_given_up else outcome
        call.stage, call.outcome = _Stage.COMMITTED, outcome
        self._committed.append(message.request_id)
        return outcome

    def settle_until(self, ts: int) -> Iterator[Settle]:
        """The mutations whose commits a snapshot at `ts` shows."""
        waiting = []
        for number in self._committed:
            call = self._calls.get(number)
            if call is None:
                continue
            if call.ts > ts:
                waiting.append(number)
                continue
            assert call.outcome is not None
            del self._calls[number]
            yield Settle(number, call.outcome)
        self._committed = waiting

    def _forget_socket(self) -> None:
        self._committed.clear()
        for kind, queued in self._queued.items():
            queued.clear()
            self._sent[kind] = 0
