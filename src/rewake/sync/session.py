"""The session: one client's conversation, as a state machine without I/O.

Floor 6, `sync`. Below, the driver (`connection.py`) hands in events and carries out the instructions that
come back, in order. Nothing here waits, reads a clock of its own or touches a socket.

    text_received ----.              .--> Send, Close, Drop
    mutation_finished |   decide,    |--> StartMutation, StartAction, StartAuthentication
    action_finished   |-> remember --|--> ChangeQueries, SetIdentity
    begin/finish_wave |              |--> RequestWave
    show -------------|              |--> (a text that is made for many, or aside)
    tick, backlog ----'              '

Rules that clients rely on, and where they live:

- Transitions join end to start and cover exactly what was received before their wave: `Picture`.
- A response is written before the wave that follows it is asked for: `mutation_finished`.
- Mutations run one at a time, under the identity of the moment they arrived: `Calls`.
- No call is answered twice: `Calls`. Nothing is heard or said after the end: `_end`.
- What is said after an Authenticate waits until it is known who says it: `Speaker`.
- At most two Transitions wait for a slow reader: `Backlog`.
- Who is quiet is asked for a sign of life, and given up without one: `Pulse`.

Not here: queries and their results (`reactivity`), frames (`frames.py`), timers (`ticker.py`).
Source: wire 1.4 to 1.15.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any

from rewake.auth import ANONYMOUS, Identity, has_expired
from rewake.errors import RateLimited
from rewake.execution import Failure, MutationOutcome, Success
from rewake.limits import Limits
from rewake.protocol import (
    Action,
    Add,
    Authenticate,
    ClientMessage,
    ClientVersion,
    Connect,
    Event,
    InvalidMessage,
    ModifyQuerySet,
    Mutation,
    StateVersion,
    parse_client_message,
)
from rewake.protocol.server_messages import PING, clock_skew, transition_chunks
from rewake.reactivity import QueryChange
from rewake.sync.backlog import Backlog
from rewake.sync.broadcast import Telling, Text
from rewake.sync.calls import Calls, function_call
from rewake.sync.closing import CLOSING_TIMEOUT, close_reason, ending_of
from rewake.sync.faults import (
    BaseVersionMismatch,
    BinaryMessage,
    ComponentCallNotAllowed,
    ConnectMisplaced,
    IdentityVersionMismatch,
    InactiveClient,
    NewVersionTooLow,
    ObservedTimestampAhead,
    QueryIdMisused,
    TokenExpired,
    TooManyActions,
    TooManyQueries,
    WaveBroken,
)
from rewake.sync.instructions import (
    REQUEST_WAVE,
    SEND_PING_FRAME,
    ChangeQueries,
    Close,
    Drop,
    Instruction,
    Send,
    SetIdentity,
    StartAuthentication,
)
from rewake.sync.picture import Footing, Picture
from rewake.sync.ports import Facts, LiveResult
from rewake.sync.pulse import Pulse
from rewake.sync.rendering import action_response, modification_tail, mutation_response
from rewake.sync.speaker import NOBODY, Speaker


class _Phase(Enum):
    """Where a session is in its life; it only goes forward."""

    NEW = "new"
    OPEN = "open"
    ENDED = "ended"


class Session:
    """One socket's state. Every method that returns instructions wants them carried out at once, in order."""

    __slots__ = (
        "_backlog",
        "_calls",
        "_client",
        "_facts",
        "_limits",
        "_phase",
        "_picture",
        "_pulse",
        "_redacted",
        "_replays_first",
        "_speaker",
        "_watches_frames",
        "_wave_refused",
        "skew",
    )

    def __init__(
        self,
        facts: Facts,
        *,
        limits: Limits,
        client: ClientVersion,
        redacted: bool = False,
        watches_frames: bool = True,
        early: float = 0.0,
    ) -> None:
        """Begin before Connect.

        `redacted` keeps error texts and log lines from clients (wire 6.1). `watches_frames` says whether the
        driver sees pings and pongs: only then can a client that is gone be told from a quiet one. `early` is
        of the pulse.
        """
        self._facts = facts
        self._limits = limits
        self._client = client
        self._redacted = redacted
        self._watches_frames = watches_frames
        self._phase = _Phase.NEW
        self.skew = clock_skew(None)
        """How far the client's clock is ahead of ours, as Transitions say it. Set by Connect."""
        self._picture = Picture(limits.socket_queries_max)

        self._speaker = NOBODY
        self._calls = Calls(limits)
        # Set by a returning Rust client's Connect, cleared by the first Transition: that one waits for the
        # replays. Else it settles them there, and the client trips over each answer: a storm of reconnects.
        self._replays_first = False

        # Time, and the reader.
        self._backlog = Backlog(limits)
        self._wave_refused = False  # Set when a wave had to wait for the reader; cleared when there is room.
        self._pulse = Pulse(facts.monotonic(), limits, early=early)

    # What the driver asks.

    @property
    def has_ended(self) -> bool:
        """Was Close or Drop instructed, or did the peer leave?"""
        return self._phase is _Phase.ENDED

    @property
    def version(self) -> StateVersion:
        """To which the last Transition led."""
        return self._picture.version

    @property
    def is_holding(self) -> bool:
        """Do messages wait for an authentication? The driver should read no more of them."""
        return self._speaker.held is not None

    @property
    def next_tick(self) -> float:
        """When `tick` wants to be called next, on the monotonic clock."""
        return self._pulse.closing_until if self._phase is _Phase.ENDED else self._pulse.next_tick

    # Events from the client.

    def frame_received(self) -> None:
        """A frame of any kind arrived."""
        self._pulse.heard = self._facts.monotonic()

    def text_received(self, text: str) -> list[Instruction]:
        """A text message arrived."""
        if self._phase is _Phase.ENDED:
            return []
        self._pulse.heard = self._facts.monotonic()
        try:
            message = parse_client_message(text)
        except InvalidMessage as problem:
            return self._fail(problem)
        held = self._speaker.held
        if held is not None:
            held.append(message)
            return []
        if self._phase is _Phase.OPEN:
            return _HANDLERS[type(message)](self, message)
        return self._handle(message)

    def binary_received(self) -> list[Instruction]:
        """A binary message arrived: an error (wire 1.3)."""
        return self.broke(BinaryMessage("a client sent a binary message"))

    def peer_left(self) -> None:
        """The client closed, or the connection is gone. A mutation that runs goes on and is recorded."""
        if self._phase is not _Phase.ENDED:
            self._end()

    # Events from the house.

    def shut_down(self, code: int, reason: str) -> list[Instruction]:
        """The server stops, or wants this client to come again."""
        if self._phase is _Phase.ENDED:
            return []
        self._end()
        return [Close(code, close_reason(reason))]

    def broke(self, error: Exception) -> list[Instruction]:
        """Something this socket depends on failed: a call, or the house itself."""
        if self._phase is _Phase.ENDED:
            return []
        return self._fail(error)

    def mutation_finished(self, outcome: MutationOutcome) -> list[Instruction]:
        """The running mutation came to its outcome."""
        number, following = self._calls.mutation_finished()
        if self._phase is _Phase.ENDED:
            return []
        response = mutation_response(number, self._calls.request_id, outcome, redacted=self._redacted)
        # Only then the Transition that must follow it is asked for (wire 1.8).
        return [self._send((response,), len(response), waits=True), REQUEST_WAVE, *following]

    def action_finished(self, number: int, result: Success | Failure) -> list[Instruction]:
        """A running action came to its result."""
        self._calls.action_finished()
        if self._phase is _Phase.ENDED:
            return []
        response = action_response(number, self._calls.request_id, result, redacted=self._redacted)
        return [self._send((response,), len(response), waits=True), REQUEST_WAVE]

    def authenticated(self, identity: Identity) -> list[Instruction]:
        """The token was good. Everything that waited for it goes on under the new identity."""
        if self._phase is _Phase.ENDED:
            return []
        if has_expired(identity, self._facts.now_ns()):
            return self._fail(TokenExpired(), authenticating=True)
        held, self._speaker = self._speaker.held, Speaker(identity)
        self._picture.change_identity()
        instructions: list[Instruction] = [SetIdentity(identity), REQUEST_WAVE]
        while held:
            instructions += self._handle(held.popleft())
            if self._speaker.held is not None:
                self._speaker.held.extend(held)  # That was another Authenticate.
                break
        return instructions

    def authentication_failed(self, error: Exception) -> list[Instruction]:
        """The token was not good, or could not be checked."""
        if self._phase is _Phase.ENDED:
            return []
        return self._fail(error, authenticating=True)

    # Waves.

    def begin_wave(self, unsent_bytes: int) -> bool:
        """Take part in a wave that begins now; fixes what it covers. False when it must wait.

        `unsent_bytes` is what the socket still holds for the client.
        """
        if self._phase is not _Phase.OPEN or self._has_expired():
            return False
        self._backlog.observe(unsent_bytes, self._facts.monotonic() if unsent_bytes else 0.0)
        is_early = self._replays_first and self._calls.has_mutation_running
        if self._picture.in_wave or is_early or (unsent_bytes and not self._backlog.has_room):
            self._wave_refused = True
            return False
        self._wave_refused = self._replays_first = False
        self._picture.begin_wave()
        return True

    def check_expiry(self) -> list[Instruction]:
        """A wave would begin: nothing is told to a user whose token has ended, and sent no other."""
        if self._phase is not _Phase.OPEN or self.is_holding or not self._has_expired():
            return []
        return self._fail(TokenExpired())

    def finish_wave(self, ts: int, updates: Sequence[tuple[int, LiveResult]]) -> list[Instruction]:
        """The wave is done: everything it covers goes out as one Transition at `ts`."""
        if self._phase is _Phase.ENDED:
            return []
        try:
            parts = self._picture.finish_wave(
                ts, updates, render=self.render, skew=self.skew, server_ns=self._facts.now_ns()
            )
        except WaveBroken as problem:
            return self._fail(problem)
        limit = self._limits.chunk_bytes
        size = sum(map(len, parts))
        instructions: list[Instruction] = []
        if size > limit and self._client.takes_chunks:
            *chunks, last = transition_chunks(b"".join(parts), chunk_bytes=limit)
            instructions += [self._send((chunk,), len(chunk)) for chunk in chunks]
            parts, size = (last,), len(last)
        instructions.append(self._send(parts, size, ends_transition=True))
        if self._wave_refused:
            self._wave_refused = False  # One was wanted while this one ran.
            instructions.append(REQUEST_WAVE)
        return instructions

    def show(self, telling: Telling[Text], updates: Sequence[tuple[int, LiveResult]]) -> Text | None:
        """Begin and finish a wave in one step, at a moment at which no bytes wait for the client.

        None, and nothing has changed, where it takes more than that. The text counts as delivered, unless
        `transition_waits` is called.
        """
        identity = self._speaker.identity
        if (
            self._phase is not _Phase.OPEN
            or self._wave_refused
            or self._replays_first
            or (identity is not ANONYMOUS and has_expired(identity, telling.server_ns))
        ):
            return None
        text = self._picture.show(telling, updates, skew_length=len(self.skew))
        if text is not None:
            self._pulse.said = telling.monotonic
        return text

    def footing(self, query_id: int, fingerprint: int) -> Footing:
        """Where the client stands after a `show` of this answer."""
        return Footing(self._picture.version, query_id, fingerprint, self._pulse.said)

    def catch_up(self, footing: Footing) -> None:
        """Take over what its client was told since `show` together with others (`voice.py`)."""
        self._picture.catch_up(footing)
        self._pulse.said = max(self._pulse.said, footing.monotonic)

    def transition_waits(self, size: int, unsent_bytes: int) -> list[Instruction]:
        """Of the text that `show` gave, `size` bytes long, `unsent_bytes` did not get through."""
        self._backlog.observe(0, self._facts.monotonic())  # So it was before.
        self._backlog.wrote(size, ends_transition=True)
        return self.backlog_changed(unsent_bytes)

    def render(self, live: LiveResult) -> bytes:
        """The tail of a modification, which all subscribers of a result share."""
        return modification_tail(live, self._facts.environment, redacted=self._redacted)

    # Time, and the reader.

    def backlog_changed(self, unsent_bytes: int) -> list[Instruction]:
        """The socket holds `unsent_bytes`: after a write that did not get through, or when bytes went out."""
        if self._phase is _Phase.ENDED:
            return []
        reason = self._backlog.observe(unsent_bytes, self._facts.monotonic())
        if reason is not None:
            self._end()
            return [Drop(reason)]
        if self._wave_refused and not self._picture.in_wave and self._backlog.has_room:
            self._wave_refused = False
            return [REQUEST_WAVE]
        return []

    def tick(self, unsent_bytes: int) -> list[Instruction]:
        """Time passed."""
        now, pulse = self._facts.monotonic(), self._pulse
        if self._phase is _Phase.ENDED:
            return [Drop(CLOSING_TIMEOUT)] if now >= pulse.closing_until else []
        if self._watches_frames and pulse.is_gone(now):
            return self._fail(InactiveClient(seconds=self._limits.socket_inactivity_seconds))
        instructions = self.backlog_changed(unsent_bytes)
        if self.has_ended:
            return instructions
        if pulse.wants_ping(now):
            pulse.pinged = now
            instructions.append(SEND_PING_FRAME)
        if pulse.wants_message(now):
            instructions.append(self._send((PING,), len(PING)))
        return instructions

    # Client messages, one by one.

    def _handle(self, message: ClientMessage) -> list[Instruction]:
        """Act on one message, in its turn."""
        if self._phase is _Phase.OPEN:
            return _HANDLERS[type(message)](self, message)
        if self._phase is _Phase.ENDED or isinstance(message, Event):
            return []
        return self._on_connect(message) if isinstance(message, Connect) else self._fail(ConnectMisplaced())

    def _on_connect(self, message: Connect) -> list[Instruction]:
        if self._phase is not _Phase.NEW:
            return self._fail(ConnectMisplaced())
        observed = message.max_observed_timestamp
        latest = self._facts.last_ts
        if observed is not None and observed > latest:
            return self._fail(ObservedTimestampAhead(f"the client saw {observed}, the latest is {latest}"))
        self._phase = _Phase.OPEN
        self._calls.session_id = str(message.session_id)
        self._replays_first = message.connection_count > 0 and self._client.name != "npm"
        if message.client_ts is not None:
            self.skew = clock_skew(round(message.client_ts) - self._facts.now_ns() // 1_000_000)
        return []

    def _on_modify_query_set(self, message: ModifyQuerySet) -> list[Instruction]:
        changes = []
        for modification in message.modifications:
            if not isinstance(modification, Add):
                changes.append(QueryChange(modification.query_id))
            elif not modification.component_path or self._speaker.is_admin:
                call = function_call(modification)
                changes.append(QueryChange(modification.query_id, call, modification.journal))
            else:
                return self._fail(ComponentCallNotAllowed())
        try:
            self._picture.modify(message)
        except (BaseVersionMismatch, NewVersionTooLow, QueryIdMisused, TooManyQueries) as problem:
            return self._fail(problem)
        return [ChangeQueries(changes)]

    def _on_mutation(self, message: Mutation) -> list[Instruction]:
        refusal = self._speaker.refuses_call(message, self._facts)
        if refusal is not None:
            return self._fail(refusal)
        try:
            return [*self._calls.mutation(message, self._speaker.identity)]
        except RateLimited as problem:
            return self._fail(problem)

    def _on_action(self, message: Action) -> list[Instruction]:
        refusal = self._speaker.refuses_call(message, self._facts)
        if refusal is not None:
            return self._fail(refusal)
        try:
            return [*self._calls.action(message, self._speaker.identity)]
        except TooManyActions as problem:
            return self._fail(problem)

    def _on_authenticate(self, message: Authenticate) -> list[Instruction]:
        current = self._picture.identity_version
        if message.base_version != current:
            text = f"Authenticate from identity version {message.base_version}, the current is {current}"
            return self._fail(IdentityVersionMismatch(text))
        self._speaker = self._speaker.checking()
        return [StartAuthentication(message.token_type, message.value, message.attributes)]

    # Small steps.

    def _has_expired(self) -> bool:
        speaker = self._speaker
        return speaker is not NOBODY and speaker.has_expired(self._facts)

    def _send(
        self, parts: tuple[bytes, ...], size: int, *, ends_transition: bool = False, waits: bool = False
    ) -> Send:
        """Account for a message of `size` bytes that is about to be written."""
        self._backlog.wrote(size, ends_transition=ends_transition)
        self._pulse.said = self._facts.monotonic()
        return Send(parts, size, waits)

    def _fail(self, error: Exception, *, authenticating: bool = False) -> list[Instruction]:
        """End the socket as the table in `closing.py` says."""
        ending = ending_of(
            error, identity_version=self._picture.version.identity, authenticating=authenticating
        )
        instructions: list[Instruction] = []
        if ending.message is not None:
            instructions.append(self._send((ending.message,), len(ending.message)))
        self._end()
        instructions.append(Close(ending.code, ending.reason, error))
        return instructions

    def _end(self) -> None:
        """Nothing more is heard or said. Calls that wait are forgotten: the client sends them again."""
        self._phase = _Phase.ENDED
        self._pulse.said = self._facts.monotonic()
        self._calls.forget_waiting()
        self._speaker = NOBODY  # Nobody waits for what was held.
        self._picture.forget()


_HANDLERS: dict[type, Callable[[Session, Any], list[Instruction]]] = {
    Action: Session._on_action,
    Authenticate: Session._on_authenticate,
    Connect: Session._on_connect,
    Event: lambda session, message: [],
    ModifyQuerySet: Session._on_modify_query_set,
    Mutation: Session._on_mutation,
}
