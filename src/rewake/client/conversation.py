"""The conversation: one client and its server, over any number of sockets, without I/O.

Floor 2, `client`. Above, `connection.py` owns sockets and timers: it hands in what happens and carries
out the instructions. Three parts each keep their own rules; here is what they share: the state version.

    opened, closed, text --> Conversation --> instructions
                               |- QuerySet         queries and their results
                               |- Calls            mutations and actions
                               `- Authentication   as whom

Every socket starts at version zero and each Transition begins where the last one ended, so a lost or doubled
message is noticed and the socket given up. What the client saw goes with every Connect, and no server that is
behind it may answer.

Order of what callers see: a mutation comes to its end only with the Transition that shows it, after the
results of that Transition. So after `await client.mutation(...)` every live query of this client shows it.

Source: wire 1.4 to 1.14; npm's BaseConvexClient has the same parts.
"""

from __future__ import annotations

from rewake.client import outgoing
from rewake.client.authentication import Authentication, Credential
from rewake.client.calls import Calls
from rewake.client.errors import ClientError, ConversationEnded
from rewake.client.incoming import (
    ActionResponse,
    AuthError,
    FatalError,
    MutationResponse,
    ProtocolBroken,
    Transition,
    parse_server_message,
    parse_ts,
)
from rewake.client.instructions import (
    Changed,
    Disconnect,
    FailAll,
    Instruction,
    Logged,
    Outcome,
    Send,
    Settle,
)
from rewake.client.query_set import QuerySet
from rewake.protocol import ZERO_VERSION, FunctionPath, StateVersion

PROTOCOL_FAILURE = "ProtocolFailure"


class Conversation:
    """Feed it events, then carry out what `take_instructions` gives."""

    def __init__(self, *, session_id: str) -> None:
        self._session_id = session_id
        self._instructions: list[Instruction] = []
        self._queries = QuerySet()
        self._calls = Calls()
        self._authentication = Authentication(self._obey)
        self._connections = 0
        self._is_open = False
        # Of this socket: where the last Transition ended.
        self._version: StateVersion = ZERO_VERSION
        # The latest timestamp that this client has seen anywhere; never goes back.
        self._max_observed: int | None = None
        # Milliseconds by which our clock is ahead of the server's, as the server found.
        self._skew_ms = 0.0
        # Everything from before this socket has been answered. Until then a loss counts as one more failure.
        self._is_caught_up = False
        # Why this conversation is over for good.
        self._ended: ConversationEnded | None = None

    @property
    def is_open(self) -> bool:
        """Whether a socket is open that we still listen to."""
        return self._is_open

    @property
    def may_connect(self) -> bool:
        """Whether there is any use in a socket now."""
        return self.failure is None and not self._authentication.is_held

    @property
    def is_caught_up(self) -> bool:
        """Whether this socket has answered all that was open when it began."""
        return self._is_caught_up

    @property
    def failure(self) -> ClientError | None:
        """Why no call can be made; None when calls can."""
        return self._ended or self._authentication.refused

    @property
    def queries(self) -> int:
        """How many queries are live."""
        return len(self._queries)

    @property
    def calls(self) -> int:
        """How many calls are under way."""
        return len(self._calls)

    def take_instructions(self) -> list[Instruction]:
        """What is to be done now, in order. Ask after every event."""
        self._speak()
        taken = self._instructions[:]
        self._instructions.clear()
        return taken

    # What the application wants.

    def add_query(self, path: FunctionPath, arguments: str) -> int:
        """Keep a query answered; gives its id for `Changed` and `remove_query`.

        Raises:
            ClientError: `failure` says why not.
        """
        self._check()
        return self._queries.add(_full(path), arguments)

    def remove_query(self, query_id: int) -> None:
        """No longer. Harmless when done before."""
        self._queries.remove(query_id)

    def begin_call(self, kind: outgoing.CallKind, path: FunctionPath, arguments: str) -> int:
        """Call a function; gives the number for `Settle`.

        Raises:
            ClientError: `failure` says why not.
        """
        self._check()
        # Queries that were asked for before should be shown with the write.
        self._speak()
        return self._calls.begin(kind, _full(path), arguments)

    def give_up_call(self, number: int) -> None:
        """Nobody waits for the call any more. It is not sent from now on; if it was, it may run."""
        self._calls.give_up(number)

    def authenticate(self, credential: Credential | None) -> None:
        """Speak with this credential from now on, or as nobody."""
        self._speak()
        self._authentication.set_fixed(credential)

    def authenticate_fetched(self) -> None:
        """Speak with tokens that `FetchToken` brings. Calls wait for the first."""
        self._speak()
        self._authentication.set_fetched()

    def token_fetched(self, number: int, token: str | None) -> None:
        """The answer to a `FetchToken`."""
        self._authentication.token_fetched(number, token)
        self._tell_refusal()

    def token_failed(self, number: int, reason: str) -> None:
        """The fetcher of a `FetchToken` failed."""
        self._authentication.token_failed(number, reason)
        self._tell_refusal()

    def refresh_due(self) -> None:
        """The time of a `RefreshLater` has come."""
        self._authentication.refresh_due()

    # What happens on sockets.

    def open(self, *, close_reason: str | None, now_ms: int) -> None:
        """A socket is open. `close_reason` says how the one before ended."""
        assert not self._is_open, "one socket at a time"
        self._is_open, self._version, self._is_caught_up = True, ZERO_VERSION, False
        self._say(
            outgoing.connect(
                session_id=self._session_id,
                connection_count=self._connections,
                close_reason=close_reason if self._connections else "InitialConnect",
                max_observed=self._max_observed,
                client_ms=now_ms,
            )
        )
        self._connections += 1
        self._authentication.open()
        self._say(self._queries.begin_socket())
        self._calls.begin_socket()

    def close(self) -> None:
        """The socket is gone. Harmless when it counted as gone already."""
        if self._is_open:
            self._lose_socket()

    def hear(self, text: bytes | str, *, now_ms: int) -> None:
        """A message came. One that breaks the protocol gives the socket up."""
        if not self._is_open:
            return
        try:
            self._hear(text, now_ms)
        except ProtocolBroken:
            self._obey(Disconnect(PROTOCOL_FAILURE))

    def _hear(self, text: bytes | str, now_ms: int) -> None:
        message = parse_server_message(text)
        match message:
            case Transition():
                self._on_transition(message, now_ms)
            case MutationResponse() | ActionResponse():
                self._on_response(message)
            case AuthError():
                self._authentication.auth_error(message)
                self._tell_refusal()
            case FatalError():
                self._ended = ConversationEnded(reason=message.error)
                self._fail_all(self._ended)
            case _:
                return
        if not self._is_caught_up:
            self._is_caught_up = (
                self._queries.is_answered and not self._calls.has_old and self._authentication.is_settled
            )

    def _on_transition(self, message: Transition, now_ms: int) -> None:
        start, end = message.start_version.state, message.end_version.state
        if start != self._version:
            raise ProtocolBroken(f"a Transition from {start}, and we are at {self._version}")
        if any(after < before for before, after in zip(start, end, strict=True)):
            raise ProtocolBroken(f"a Transition back from {start} to {end}")
        if end.query_set > self._queries.version or end.identity > self._authentication.version:
            raise ProtocolBroken(f"a Transition to {end}, which we never asked for")
        self._version = end
        self._observe(end.ts)
        for modification in message.modifications:
            outcome = self._queries.take(modification)
            if outcome is not None:
                self._log(outcome)
                self._instructions.append(Changed(modification.query_id, outcome, end.ts))
        if message.client_clock_skew is not None:
            self._skew_ms = message.client_clock_skew
        server_seconds = (now_ms - self._skew_ms) / 1000
        self._authentication.transition(start.identity, end.identity, server_seconds=server_seconds)
        self._instructions.extend(self._calls.settle_until(end.ts))

    def _on_response(self, message: MutationResponse | ActionResponse) -> None:
        outcome = self._calls.take(message)
        if outcome is None:
            return
        self._log(outcome)
        if isinstance(message, MutationResponse) and message.success:
            self._observe(parse_ts(message.ts))
            # A Transition that shows it may have come before.
            self._instructions.extend(self._calls.settle_until(self._version.ts))
        else:
            self._instructions.append(Settle(message.request_id, outcome))

    def _observe(self, ts: int) -> None:
        self._max_observed = max(ts, self._max_observed or 0)

    def _log(self, outcome: Outcome) -> None:
        if outcome.log_lines:
            self._instructions.append(Logged(outcome.path, outcome.log_lines))

    def _obey(self, instruction: Instruction) -> None:
        """Pass on an instruction. What comes from a socket that is to be closed is not listened to."""
        if not isinstance(instruction, Disconnect):
            self._instructions.append(instruction)
        elif self._is_open:
            self._instructions.append(instruction)
            self._lose_socket()

    def _say(self, text: str) -> None:
        self._instructions.append(Send(text))

    def _speak(self) -> None:
        """Say what has gathered, unless it is not known as whom."""
        if not self._is_open or not self.may_connect:
            return
        changes = self._queries.changes()
        if changes is not None:
            self._say(changes)
        for text in self._calls.due():
            self._say(text)

    def _lose_socket(self) -> None:
        self._is_open = False
        self._authentication.close()
        self._instructions.extend(self._calls.lose_socket())

    def _check(self) -> None:
        if self.failure is not None:
            raise self.failure.again()

    def _tell_refusal(self) -> None:
        if self._authentication.refused is not None:
            self._fail_all(self._authentication.refused)

    def _fail_all(self, error: ClientError) -> None:
        self._instructions.extend(Settle(number, error) for number in self._calls.give_up_all())
        self._queries.forget_results()
        self._instructions.append(FailAll(error))
        self._obey(Disconnect(None))


def _full(path: FunctionPath) -> str:
    """`module:function`, as npm sends queries; also of the function called `default`."""
    return f"{path.module}:{path.function}"
