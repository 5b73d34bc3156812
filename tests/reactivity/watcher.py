"""A session as the sync connection would hold it: it believes what it is told and checks every word."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

from rewake.auth import ANONYMOUS, Identity
from rewake.execution import Failure, FunctionCall, Success
from rewake.reactivity import LiveQueries, LiveResult, LiveSession, Showing, Singer
from tests.reactivity.simulated_runner import History, ended


def shown_text(result: Success | Failure) -> str:
    return result.value if isinstance(result, Success) else f"failed: {result.message}"


def found_by_commits(live: LiveQueries) -> int:
    """How many results the next commit will find that touches them."""
    return len(live._index) + len(live._fresh)


class Choir:
    """The voice of watchers: each is still shown everything, and checks it. Implements `Voice`."""

    def __init__(self) -> None:
        self.singers: dict[Watcher, None] = {}
        self.broken: list[Watcher] = []

    def join(self, singer: Singer) -> None:
        assert isinstance(singer, Watcher)
        assert singer.voice_now is None
        self.singers[singer] = None
        singer.voice_now = self

    def leave(self, singer: Singer) -> None:
        assert isinstance(singer, Watcher)
        del self.singers[singer]
        singer.voice_now = None

    def outgrown(self, wave: Showing) -> list[Singer]:
        return [singer for singer in self.singers if singer.has_outgrown]

    def show(self, wave: Showing, updates: Sequence[tuple[int, LiveResult]]) -> bool:
        if not all(singer.shows and singer.is_ready for singer in self.singers):
            return False
        for singer in self.singers:
            assert singer.begin_wave()
            singer.finish_wave(wave.ts, updates)
            singer.sung += 1
        self.broken = [singer for singer in self.singers if singer.breaks]
        return True

    def settle(self) -> None:
        broken, self.broken = self.broken, []
        for singer in broken:
            singer.session.close()

    finish = settle


class Watcher:
    """One client. Implements `LiveListener`, and `Singer`."""

    def __init__(self, live: LiveQueries, history: History) -> None:
        self.history = history
        self.session: LiveSession = live.open_session(self)
        self.is_ready = True
        self.shows = True
        """Whether it takes waves that begin and finish in one step."""
        self.voice_now: Choir | None = None
        self.sung = 0
        """How many waves it was shown together with others."""
        self.has_outgrown = False
        """Whether it must leave before the next of those."""
        self.breaks = False
        """Whether it does not take the next of those well."""
        self.is_broken = False
        self.wrong: AssertionError | None = None
        """What this client was told that it should not have been."""
        self.ts = 0
        self.shown: dict[int, str] = {}
        """What the client shows, by query."""
        self.transitions: list[tuple[int, dict[int, str]]] = []
        self.log_lines: list[tuple[int, str]] = []
        """Every log line that came with a result, with its query."""
        self._ends: dict[int, str] = {}
        """Where each page ended that was shown: the next page begins there."""
        self._wanted: dict[int, FunctionCall] = {}
        self._identity: Identity = ANONYMOUS
        self._fixed: dict[int, FunctionCall] | None = None
        self._fixed_identity: Identity = ANONYMOUS

    def fresh(self, ts: int) -> dict[int, str]:
        """What a client would show who asked everything anew at `ts`, pages up to the ends that they have."""
        return self._fresh(self._wanted, self._identity, ts)

    def _fresh(self, calls: dict[int, FunctionCall], identity: Identity, ts: int) -> dict[int, str]:
        return {
            query_id: ended(
                shown_text(self.history.answer(call, identity, ts).result), self._ends.get(query_id)
            )
            for query_id, call in calls.items()
        }

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
        try:
            self._take_wave(ts, updates)
        except AssertionError as wrong:
            # The hub lives with listeners that fail, so the test must be told by other means.
            self.wrong = wrong
            raise

    def show(self, wave: Showing, updates: Sequence[tuple[int, LiveResult]]) -> bool:
        if not self.shows or not self.begin_wave():
            return False
        self.finish_wave(wave.ts, updates)
        wave.singer = self
        return True

    def place(self) -> Hashable:
        return "here"

    def voice(self, query_id: int, result: LiveResult) -> Choir:
        return Choir()

    def check(self) -> None:
        """Fail where anything was wrong that this client was told."""
        if self.wrong is not None:
            raise self.wrong

    def _take_wave(self, ts: int, updates: Sequence[tuple[int, LiveResult]]) -> None:
        assert self._fixed is not None, "a wave ends once"
        assert not self.session.is_closed
        assert ts >= self.ts, "time went back"
        self.ts = ts
        changed = {query_id: shown_text(result.result) for query_id, result in updates}
        assert changed.keys() <= self._fixed.keys(), "an answer to a query that the wave does not cover"
        assert len(changed) == len(updates)
        self.shown = {query_id: text for query_id, text in self.shown.items() if query_id in self._fixed}
        self.shown.update(changed)
        for query_id, result in updates:
            if result.journal is not None:
                end = self._ends.setdefault(query_id, result.journal)
                assert result.journal == end, "the end of a page moved"
        fresh = self._fresh(self._fixed, self._fixed_identity, ts)
        assert self.shown == fresh, f"at {ts}"
        self.transitions.append((ts, changed))
        self.log_lines += [(number, line) for number, result in updates for line in result.result.log_lines]
        self._fixed = None

    def fail_wave(self) -> None:
        self.is_broken = True
        self._fixed = None
        self.session.close()
