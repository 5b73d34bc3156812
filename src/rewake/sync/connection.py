"""The connection: carries out what a session decides.

Floor 6, `sync`. The part that both drivers share. It stands between three neighbours: the socket, which knows
frames or ASGI events; the backend, which knows functions; and the session, which knows the rules.

    socket --events--> Connection --events--> Session
      ^                    |                     |
      '---- write ---------+<----instructions----'
                           '---> backend: mutate, act, authenticate, live queries

Waves begin and finish through `begin_wave` and `finish_wave`, which live queries call. One that would begin
in the middle of a list of instructions is put off to its end, so that it covers whole messages only.

Not here: rules (`session.py`), bytes (`uvicorn_socket.py`, `asgi_socket.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Hashable, Sequence
from typing import Any, Protocol

from rewake.auth import ANONYMOUS, Identity, User
from rewake.errors import Internal, RewakeError, Unauthenticated
from rewake.execution import NO_SOURCE, MutationOutcome, RequestSource, failure_of
from rewake.limits import Limits
from rewake.observability import logger
from rewake.storage import StorageFailed
from rewake.sync.broadcast import Aside, Broadcast, SharedText
from rewake.sync.closing import GOING_AWAY_CODE, RESTART_REASON
from rewake.sync.deflation import Deflater
from rewake.sync.faults import ClientFault, WaveBroken
from rewake.sync.instructions import (
    ChangeQueries,
    Close,
    Drop,
    Instruction,
    RequestWave,
    Send,
    SendPingFrame,
    SetIdentity,
    StartAction,
    StartAuthentication,
    StartMutation,
)
from rewake.sync.picture import Footing
from rewake.sync.ports import Backend, LiveResult, LiveSession, Showing
from rewake.sync.session import Session
from rewake.sync.socket import Socket
from rewake.sync.voice import Unison, Voice
from rewake.tallies import Tallies

BEFORE_RESPONSE = "sync.after_log_row_before_response"
"""Fault point: the mutation is durable and its log row was applied; its client does not know yet."""

_log = logger(__name__)


class Registry(Protocol):
    """The door, as its connections see it."""

    limits: Limits
    standing_notice: str | None
    tallies: Tallies
    deflater: Deflater

    def spawn(self, job: Coroutine[Any, Any, None]) -> None:
        """Run `job` to its end, even when the connection ends before it."""
        ...

    def run_at_once(self, job: Coroutine[Any, Any, None]) -> None:
        """The same, beginning in this very step."""
        ...

    def dropped(self, reason: str) -> None:
        """Count a connection that was given up."""
        ...

    def disconnected(self, connection: Connection) -> None:
        """Forget a connection whose socket is gone."""
        ...


class Connection:
    """One socket at work. Live queries know it as their listener."""

    __slots__ = (
        "_backend",
        "_identity",
        "_is_acting",
        "_is_gone",
        "_is_over",
        "_is_starting",
        "_live",
        "_registry",
        "_session",
        "_socket",
        "_source",
        "_voice",
        "_wave_put_off",
    )

    def __init__(
        self,
        backend: Backend,
        registry: Registry,
        session: Session,
        socket: Socket,
        source: RequestSource = NO_SOURCE,
    ) -> None:
        self._backend = backend
        self._registry = registry
        self._session = session
        self._socket = socket
        self._source = source
        self._identity: Identity = ANONYMOUS  # Who the socket speaks for now; set by authentication.
        self._live: LiveSession | None = None  # Opened with the first instruction that needs it.
        self._voice: Voice | None = None  # Who speaks in its place; set by `sings`, cleared by `stands`.
        self._is_acting = False  # Set while instructions are carried out.
        self._wave_put_off = False  # Set when a wave would have begun meanwhile.
        self._is_starting = False  # Set while a mutation takes its first step.
        self._is_over = False  # Set when either side said Close.
        self._is_gone = False  # Set when there is no socket any more.

    # Events of the socket.

    def text_received(self, text: str) -> None:
        """A text message arrived."""
        self._feed(self._session.text_received, text)

    def binary_received(self) -> None:
        """A binary message arrived."""
        self._feed(self._session.binary_received)

    def frame_received(self) -> None:
        """Anything at all arrived."""
        self._session.frame_received()

    def unsent_changed(self) -> None:
        """The socket holds more bytes than it was seen to, or fewer."""
        self._feed(self._session.backlog_changed, self._socket.unsent_bytes())

    def writing_waits(self) -> None:
        """Not all of a write got through. Whoever wrote knows; unless it was written past the connection."""
        if self._voice is not None and not self._voice.heeds(self):
            self._live_session().stand_alone()

    def peer_closed(self) -> None:
        """The client said Close; the socket answers it, and should be lost soon."""
        if self._voice is not None:
            self._live_session().stand_alone()
        if not self._is_over:
            self._registry.tallies.sockets_closed["left"] += 1
        self._is_over = True
        self._session.peer_left()
        self._close_live()

    def lost(self) -> None:
        """The socket is gone."""
        self._is_gone = True
        self.peer_closed()
        self._registry.disconnected(self)

    def tick(self) -> float | None:
        """Time passed. Returns when to look again, or None when there is nothing left to look at."""
        if not self._is_gone:
            if self._voice is not None:
                self._session.catch_up(self._voice.footing)  # This is no reason to leave.
            socket = self._socket
            try:
                self._act(self._session.tick(socket.unsent_bytes() if socket.holds_unsent else 0))
            except Exception as mistake:
                self._act(self._session.broke(mistake))
        return None if self._is_gone else self._session.next_tick

    def shut_down(self, code: int = GOING_AWAY_CODE, reason: str = RESTART_REASON) -> None:
        """The server stops."""
        self._feed(self._session.shut_down, code, reason)

    def check_identity(self) -> None:
        """End the socket where what it speaks with is not good any more: a key that was revoked."""
        try:
            self._backend.check_identity(self._identity)
        except Unauthenticated as error:
            self._feed(self._session.broke, error)

    def tell(self, line: str) -> None:
        """Show a log line in the client's console; see `SyncDoor.tell`."""
        if self._live is not None:
            self._live.tell(line)

    @property
    def has_ended(self) -> bool:
        """Is the conversation over?"""
        return self._session.has_ended

    # Events of live queries.

    def begin_wave(self) -> bool:
        """See `ports.LiveListener`."""
        if self._is_acting:
            self._wave_put_off = True
            return False
        socket = self._socket
        begins = self._session.begin_wave(socket.unsent_bytes() if socket.holds_unsent else 0)
        if not begins:
            self._feed(self._session.check_expiry)
        return begins

    def finish_wave(self, ts: int, updates: Sequence[tuple[int, LiveResult]]) -> None:
        """See `ports.LiveListener`."""
        self._registry.tallies.transitions += 1
        self._feed(self._session.finish_wave, ts, updates)

    def show(self, wave: Showing, updates: Sequence[tuple[int, LiveResult]]) -> bool:
        """See `ports.LiveListener`."""
        if self._is_acting or self._socket.holds_unsent:
            return False
        socket, session, registry = self._socket, self._session, self._registry
        text: Aside | SharedText | None
        if wave.is_alone:
            aside = Aside(
                wave.ts, self._backend, limits=registry.limits, render=session.render, skew=session.skew
            )
            text = session.show(aside, updates)
        else:
            text = session.show(self.broadcast(wave), updates)
        if text is None:
            return False
        if isinstance(text, SharedText):
            text.told += 1
            socket.write_shared(text, session.skew)
        else:
            registry.tallies.transitions += 1
            registry.tallies.messages_sent += 1
            registry.tallies.bytes_sent += text.size
            socket.write_text(text.parts, text.size)
        if socket.holds_unsent:
            self._feed(session.transition_waits, text.size, socket.unsent_bytes())
        elif isinstance(text, SharedText) and text.is_small and socket.unison() is not None:
            wave.singer = self
        return True

    def fail_wave(self) -> None:
        """See `ports.LiveListener`."""
        self._feed(self._session.broke, WaveBroken("the wave could not be run"))

    # Being told together with others: `voice.Member`.

    def place(self) -> Hashable:
        """See `reactivity.Singer`."""
        version = self._session.version
        return id(self._registry), version.query_set, version.identity, len(self._session.skew)

    def voice(self, query_id: int, result: LiveResult) -> Voice:
        """See `reactivity.Singer`."""
        return Voice(self._session.footing(query_id, result.fingerprint), self._registry.deflater)

    @property
    def unison(self) -> Unison:
        """See `voice.Member`."""
        ways = self._socket.unison()
        assert ways is not None
        return Unison(ways[0], self._session.skew, ways[1])

    @property
    def expires_ns(self) -> int | None:
        """See `voice.Member`."""
        return self._identity.expires_ns if isinstance(self._identity, User) else None

    def broadcast(self, wave: Showing) -> Broadcast:
        """What is made once for all who are shown `wave`; the first makes it."""
        broadcast = wave.for_all
        if not isinstance(broadcast, Broadcast):
            broadcast = wave.for_all = Broadcast(
                wave.ts,
                self._backend,
                limits=self._registry.limits,
                render=self._session.render,
                tallies=self._registry.tallies,
            )
        return broadcast

    def sings(self, voice: Voice) -> None:
        """See `voice.Member`."""
        self._voice = voice

    def stands(self, footing: Footing) -> None:
        """See `voice.Member`."""
        self._voice = None
        self._session.catch_up(footing)

    def transition_waits(self, size: int, *, wire: int) -> None:
        """See `voice.Member`."""
        self._live_session().stand_alone()
        self._socket.wrote_shared(wire=wire, plain=size)
        self._feed(self._session.transition_waits, size, self._socket.unsent_bytes())

    def broke(self, error: Exception) -> None:
        """See `voice.Member`."""
        if not self._is_gone:
            self._feed(self._session.broke, error)

    # Carrying out.

    def _feed(self, event: Callable[..., list[Instruction]], *details: Any) -> None:
        """Hand an event to the session, which is to know what its client was told, and do what it says.

        A mistake of the house ends this socket with 1011 and leaves the others alone.
        """
        if self._voice is not None:
            self._live_session().stand_alone()
        try:
            instructions = event(*details)
            if instructions:
                self._act(instructions)
        except Exception as mistake:
            self._act(self._session.broke(mistake))

    def _act(self, instructions: list[Instruction]) -> None:
        """Carry out instructions in order."""
        nested, self._is_acting = self._is_acting, True
        try:
            for instruction in instructions:
                # A write may find the reader too slow and cut the connection: then the rest is void.
                if self._is_gone or (self._is_over and not isinstance(instruction, Drop)):
                    break
                _VERBS[type(instruction)](self, instruction)
        finally:
            self._is_acting = nested
        if self._wave_put_off and not nested:
            self._wave_put_off = False
            if not self._session.has_ended:
                self._live_session().request_wave()

    def _send(self, instruction: Send) -> None:
        tallies = self._registry.tallies
        tallies.messages_sent += 1
        tallies.bytes_sent += instruction.size
        self._socket.write_text(instruction.parts, instruction.size, waits=instruction.waits)
        if self._socket.holds_unsent:
            self._feed(self._session.backlog_changed, self._socket.unsent_bytes())

    def _ping(self, _: SendPingFrame) -> None:
        self._socket.write_ping()

    def _close(self, instruction: Close) -> None:
        error = instruction.error
        if isinstance(error, ClientFault):
            _log.info("websocket closed: %s: %s", type(error).__name__, error)
        elif error is not None and (not isinstance(error, RewakeError) or isinstance(error, Internal)):
            _log.error("websocket closed by a mistake of the house", exc_info=error)
        elif error is not None:
            _log.info("websocket closed: %s: %s", error.code, error)
        self._registry.tallies.sockets_closed[_reason(error)] += 1
        if self._voice is not None:
            self._live_session().stand_alone()  # What it is still to be told goes before.
        self._is_over = True
        self._socket.resume_reading()
        self._socket.close(instruction.code, instruction.reason)
        self._close_live()

    def _drop(self, instruction: Drop) -> None:
        _log.warning(
            "websocket dropped: %s, %d bytes unsent", instruction.reason, self._socket.unsent_bytes()
        )
        self._registry.tallies.sockets_closed["dropped"] += 1
        self._is_over = self._is_gone = True
        self._registry.dropped(instruction.reason)
        self._socket.abort()
        self._close_live()

    def _start_mutation(self, instruction: StartMutation) -> None:
        if self._is_starting:
            # The one before was answered in its first step, and made way for this one: not ever deeper.
            self._registry.spawn(self._mutate(instruction))
            return
        self._is_starting = True
        self._registry.run_at_once(self._mutate(instruction))
        self._is_starting = False

    def _start_action(self, instruction: StartAction) -> None:
        self._registry.spawn(self._run_action(instruction))

    def _start_authentication(self, instruction: StartAuthentication) -> None:
        self._socket.pause_reading()
        self._registry.spawn(self._authenticate(instruction))

    def _change_queries(self, instruction: ChangeQueries) -> None:
        (self._live or self._live_session()).change(instruction.changes)

    def _set_identity(self, instruction: SetIdentity) -> None:
        self._live_session().set_identity(instruction.identity)

    def _request_wave(self, _: RequestWave) -> None:
        (self._live or self._live_session()).request_wave()

    # Calls that take time.

    async def _mutate(self, start: StartMutation) -> None:
        try:
            outcome = await self._backend.mutate(
                start.call,
                start.identity,
                request_id=start.request_id,
                source=self._source,
                replay=start.replay,
            )
        except StorageFailed as error:
            # A full disk, say. Nothing was kept and nothing was recorded, for certain, so this is an answer:
            # closing instead would make npm send the same mutation again for ever.
            outcome = MutationOutcome(failure_of(error, root=None), self._backend.last_ts)
        except Exception as error:
            if isinstance(error, RewakeError) and error.retry_seconds is not None:
                self._registry.tallies.refusals["sync", error.code] += 1
            self._feed(self._session.broke, error)
            return
        self._backend.environment.reach(BEFORE_RESPONSE)
        self._feed(self._session.mutation_finished, outcome)

    async def _run_action(self, start: StartAction) -> None:
        try:
            result = await self._backend.act(
                start.call, start.identity, request_id=start.request_id, source=self._source
            )
        except Exception as error:
            self._feed(self._session.broke, error)
            return
        self._feed(self._session.action_finished, start.number, result)

    async def _authenticate(self, start: StartAuthentication) -> None:
        try:
            identity = await self._backend.authenticate(start.token_type, start.value, start.impersonating)
        except Exception as error:
            self._registry.tallies.refusals["sync", _reason(error)] += 1
            self._feed(self._session.authentication_failed, error)
            return
        self._identity = identity
        self._feed(self._session.authenticated, identity)
        if not self._session.is_holding:
            self._socket.resume_reading()

    # Live queries.

    def _live_session(self) -> LiveSession:
        if self._live is None:
            self._live = self._backend.open_session(self)
            if self._registry.standing_notice is not None:
                self._live.tell(self._registry.standing_notice)
        return self._live

    def _close_live(self) -> None:
        live, self._live = self._live, None
        if live is not None:
            live.close()


def _reason(error: Exception | None) -> str:
    """What to count an end by: there are as many as classes of errors."""
    if error is None:
        return "server"
    return error.code if isinstance(error, RewakeError) else type(error).__name__


_VERBS: dict[type, Callable[[Connection, Any], None]] = {
    ChangeQueries: Connection._change_queries,
    Close: Connection._close,
    Drop: Connection._drop,
    RequestWave: Connection._request_wave,
    Send: Connection._send,
    SendPingFrame: Connection._ping,
    SetIdentity: Connection._set_identity,
    StartAction: Connection._start_action,
    StartAuthentication: Connection._start_authentication,
    StartMutation: Connection._start_mutation,
}
