"""Calls: the mutations and actions that one socket has brought, run one after another or beside each other.

Floor 6, `sync`; part of the session's state. Mutations run one at a time, in the order in which they came and
under the identity of that moment; actions run beside everything else, up to a bound. No call is taken twice.

    mutation -> start now, or wait -> mutation_finished -> start the next      action -> action_finished

Not here: who may call what, and what the answer says (`session.py`); waiting for the writer
(`execution/waiting_line.py`).
Source: wire 1.11.
"""

from __future__ import annotations

from rewake.auth import Identity
from rewake.database import ReplayKey
from rewake.execution import FunctionCall
from rewake.limits import Limits
from rewake.protocol import Action, Add, Mutation, canonical_path, session_request_id
from rewake.sync.faults import TooManyActions
from rewake.sync.instructions import StartAction, StartMutation
from rewake.sync.pending_mutations import PendingMutations
from rewake.sync.request_numbers import RequestNumbers


class Calls:
    """The calls of one socket."""

    __slots__ = ("_actions_running", "_limits", "_mutation_running", "_numbers", "_waiting", "session_id")

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self.session_id = ""
        """Set by Connect."""
        self._numbers = RequestNumbers()
        self._mutation_running: int | None = None
        self._waiting: PendingMutations | None = None  # Mutations; made when the first has to wait.
        self._actions_running = 0

    @property
    def has_mutation_running(self) -> bool:
        """Is a mutation under way?"""
        return self._mutation_running is not None

    def request_id(self, number: int) -> str:
        """The request id of a call."""
        return session_request_id(self.session_id, number)

    def mutation(self, message: Mutation, identity: Identity) -> list[StartMutation]:
        """Take a mutation in. What to start now: it, or nothing where it waits or came before.

        Raises:
            TooManyConcurrentMutations, TooManyMutationBytes: as many wait as may.
        """
        number = message.request_id
        if not self._numbers.add(number):
            return []
        replay = ReplayKey(self.session_id, number)
        start = StartMutation(number, function_call(message), identity, self.request_id(number), replay)
        if self._mutation_running is None:
            self._mutation_running = number
            return [start]
        if self._waiting is None:
            self._waiting = PendingMutations(self._limits)
        self._waiting.append(start)
        return []

    def mutation_finished(self) -> tuple[int, list[StartMutation]]:
        """The number of the mutation that ran, and the one to start now, if any waits."""
        number, self._mutation_running = self._mutation_running, None
        assert number is not None
        if not self._waiting:
            return number, []
        following = self._waiting.popleft()
        self._mutation_running = following.number
        return number, [following]

    def action(self, message: Action, identity: Identity) -> list[StartAction]:
        """Take an action in. What to start now: it, or nothing where it came before.

        Raises:
            TooManyActions: as many run as may.
        """
        number = message.request_id
        if not self._numbers.add(number):
            return []
        limit = self._limits.socket_actions_running_max
        if self._actions_running >= limit:
            raise TooManyActions(limit=limit)
        self._actions_running += 1
        return [StartAction(number, function_call(message), identity, self.request_id(number))]

    def action_finished(self) -> None:
        """An action is over."""
        self._actions_running -= 1

    def forget_waiting(self) -> None:
        """Give up the mutations that have not begun: the client sends them again over its next socket."""
        self._waiting = None


def function_call(message: Add | Mutation | Action) -> FunctionCall:
    """What the house is asked to run."""
    return FunctionCall(canonical_path(message.udf_path), message.arguments, message.component_path or "")
