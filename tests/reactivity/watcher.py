"""A session as the sync connection would hold it: it believes what it is told and checks every word."""

from __future__ import annotations

from collections.abc import Sequence

from rewake.auth import ANONYMOUS, Identity
from rewake.execution import Failure, FunctionCall, Success
from rewake.reactivity import LiveQueries, LiveResult, LiveSession
from tests.reactivity.simulated_runner import History


def shown_text(result: Success | Failure) -> str:
    return result.value if isinstance(result, Success) else f"failed: {result.message}"


class Watcher:
    """One client. Implements `LiveListener`."""

    def __init__(self, live: LiveQueries, history: History) -> None:
        self.history = history
        self.session: LiveSession = live.open_session(self)
        self.is_ready = True
        self.is_broken = False
        self.ts = 0
        self.shown: dict[int, str] = {}
        """What the client shows, by query."""
        self.transitions: list[tuple[int, dict[int, str]]] = []
        self._wanted: dict[int, FunctionCall] = {}
        self._identity: Identity = ANONYMOUS
        self._fixed: dict[int, FunctionCall] | None = None
        self._fixed_identity: Identity = ANONYMOUS

    # What a client does.

    def add(self, query_id: int, call: FunctionCall) -> None:
        self._wanted[query_id] = call
        self.session.add(query_id, call, None)

    def remove(self, query_id: int) -> None:
        del self._wanted[query_id]
        self.session.remove(query_id)

    def become(self, identity: Identity) -> None:
        self._identity = identity
        self.session.set_identity(identity)

    @property
    def wanted(self) -> list[int]:
        return sorted(self._wanted)

    # `LiveListener`.

    def begin_wave(self) -> bool:
        assert self._fixed is None, "one wave of a session at a time"
        assert not self.session.is_closed
        if not self.is_ready:
            return False
        self._fixed, self._fixed_identity = dict(self._wanted), self._identity
        return True

    def finish_wave(self, ts: int, updates: Sequence[tuple[int, LiveResult]]) -> None:
        assert self._fixed is not None, "a wave ends once"
        assert not self.session.is_closed
        assert ts >= self.ts, "time went back"
        self.ts = ts
        changed = {query_id: shown_text(result.result) for query_id, result in updates}
        assert changed.keys() <= self._fixed.keys(), "an answer to a query that the wave does not cover"
        assert len(changed) == len(updates)
        self.shown = {query_id: text for query_id, text in self.shown.items() if query_id in self._fixed}
        self.shown.update(changed)
        fresh = {
            query_id: shown_text(self.history.answer(call, self._fixed_identity, ts).result)
            for query_id, call in self._fixed.items()
        }
        assert self.shown == fresh, f"at {ts}"
        self.transitions.append((ts, changed))
        self._fixed = None

    def fail_wave(self) -> None:
        self.is_broken = True
        self._fixed = None
        self.session.close()
