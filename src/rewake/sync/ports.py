"""Ports: what the sync door needs from the house, as small Protocols.

Floor 6, `sync`. The session is tested against a fake that keeps these promises; the server hands in the real
thing. Order is part of the contract:

    a mutation's outcome arrives after the log position reached its `ts`, so that a wave asked for afterwards
    has an end `ts` at or above it; and before a wave that covers it is finished, so that the response is
    written before the transition (wire 1.8).

Not here: the machinery below these verbs (`execution`, `reactivity`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from rewake.auth import Identity
from rewake.database import ReplayKey
from rewake.environment import Environment
from rewake.execution import Failure, FunctionCall, MutationOutcome, RequestSource, Success
from rewake.reactivity import QueryChange, Singer


class LiveResult(Protocol):
    """The latest answer to a live query, shared by all sessions that asked the same."""

    @property
    def result(self) -> Success | Failure:
        """What the run came to."""
        ...

    @property
    def journal(self) -> str | None:
        """What the run left behind for the next one (wire 1.10)."""
        ...

    @property
    def fingerprint(self) -> int:
        """Hash of the canonical value or error text, and the log lines; without request id and journal. Never
        -1, as no hash is.
        """
        ...

    rendered: bytes | None
    """None -> bytes: by the first session that sends this result; the others send the same bytes."""


class ForAll(Protocol):
    """What is made once for all who are shown a wave."""

    def end(self) -> None:
        """Everybody was told."""
        ...


class Showing(Protocol):
    """One wave on its way to those who are shown it in one step."""

    @property
    def ts(self) -> int:
        """The snapshot that is shown."""
        ...

    @property
    def is_alone(self) -> bool:
        """Whether one session is shown it and nobody else."""
        ...

    for_all: ForAll | None
    """None -> by the first who is shown it: what the others can use, too. Goes with the wave."""
    singer: Singer | None
    """Set by who was just shown the wave, and could be shown the next together with others."""


class LiveListener(Protocol):
    """A session, as live queries see it."""

    def begin_wave(self) -> bool:
        """Take part in a wave that starts now; fixes which of the client's changes it covers.

        False: not now. The hub asks again after `LiveSession.request_wave`.
        """
        ...

    def finish_wave(self, ts: int, updates: Sequence[tuple[int, LiveResult]]) -> None:
        """The wave came to an end at `ts`. `updates` has every new query, and the stale ones that ran again.

        Called once after each `begin_wave` that returned True, unless the session was closed or the wave
        failed.
        """
        ...

    def show(self, wave: Showing, updates: Sequence[tuple[int, LiveResult]]) -> bool:
        """Begin and finish a wave in one step: nothing was asked of the session since the last one.

        False, and nothing has happened, where it takes more than that: it will be asked to `begin_wave`.
        """
        ...

    def fail_wave(self) -> None:
        """The wave could not be run. The socket ends as by an internal error, and the client comes again."""
        ...


class LiveSession(Protocol):
    """The live queries of one socket."""

    def change(self, changes: Sequence[QueryChange]) -> None:
        """Keep queries answered, and forget others, from the next wave on; and make that wave."""
        ...

    def set_identity(self, identity: Identity) -> None:
        """From the next wave on, run every query as somebody else."""
        ...

    def request_wave(self) -> None:
        """Make a Transition even when nothing is stale."""
        ...

    def tell(self, line: str) -> None:
        """Add a log line to a result, once: the next one, or one that is sent again for it."""
        ...

    def stand_alone(self) -> None:
        """Leave the voice that speaks to this session, where there is one, and be its own again."""
        ...

    def close(self) -> None:
        """Forget all queries; no call of the listener follows."""
        ...


class Facts(Protocol):
    """What a session may look at while it decides. Looking changes nothing."""

    def now_ns(self) -> int:
        """Wall clock, nanoseconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment."""
        ...

    @property
    def last_ts(self) -> int:
        """The latest committed timestamp known to the front."""
        ...

    @property
    def environment(self) -> Environment:
        """Chance and fault points."""
        ...


class Backend(Facts, Protocol):
    """One deployment, as its sync door sees it."""

    async def mutate(
        self,
        call: FunctionCall,
        identity: Identity,
        *,
        request_id: str,
        source: RequestSource,
        replay: ReplayKey,
    ) -> MutationOutcome:
        """Run a mutation, or find the outcome that this `replay` key had before.

        Raises:
            RewakeError: it could not be decided; the client will send it again.
        """
        ...

    async def act(
        self, call: FunctionCall, identity: Identity, *, request_id: str, source: RequestSource
    ) -> Success | Failure:
        """Run an action.

        Raises:
            RewakeError: of a class that ends the socket (wire 1.14).
        """
        ...

    async def authenticate(
        self, token_type: str, value: str | None, impersonating: object | None
    ) -> Identity:
        """The identity behind a token (`User`), a key (`Admin`) or nothing (`None`).

        `impersonating` has the attributes of a user to act as, and goes with a key only.

        Raises:
            Unauthenticated: the token or key is wrong.
        """
        ...

    def check_identity(self, identity: Identity) -> None:
        """Return while what `identity` rests on is good.

        Raises:
            Unauthenticated: it is not any more: its key was revoked, say.
        """
        ...

    def on_identities_lost(self, listener: Callable[[], None]) -> None:
        """Have `listener` called when identities may have stopped being good."""
        ...

    def open_session(self, listener: LiveListener) -> LiveSession:
        """A new set of live queries, empty and anonymous."""
        ...
