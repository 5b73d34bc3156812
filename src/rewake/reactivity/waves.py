"""Waves: who is due to be shown something, and the snapshots on which that is found out.

Floor 4, `reactivity`; part of the hub (`live_queries.py`), which knows the entries and is asked to take in
what runs bring.

A wave is one snapshot at s. It begins with the pending queries of some sessions; when its runs are back,
the front waits until its position has reached s, so that every row up to s has been applied, and runs on
the same snapshot whatever those rows touched in between. Then every query of every session in the wave is
known at exactly s, and each session gets one transition at s. A result that a later row touched is still
sent at s and is stale for the next wave, so a wave always makes progress however fast others write.

    await_wave, ask -> (next turn) gather -> begin | join -> runs -> finish | show

A session that asked for nothing since its last wave *joins*: it begins only when the results are there, and
is shown them in the same step, which is most of what a fan-out does. If it did ask for something meanwhile,
or its queries are not all known at s, it begins in earnest with the next wave, so it is late by one at most.

Not here: what is stale, what a run was worth (`live_queries.py`).
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Iterable, Sequence
from contextvars import Context
from typing import Protocol

from rewake.environment import Environment
from rewake.execution import QueryJob, QueryRun, Readers
from rewake.handoff import at_once
from rewake.limits import Limits
from rewake.observability import logger
from rewake.reactivity.chorus import Chorus
from rewake.reactivity.entries import Entry, LiveResult
from rewake.reactivity.live_session import LiveSession
from rewake.reactivity.recent_rows import RecentRows
from rewake.reactivity.showable_position import ShowablePosition
from rewake.reactivity.showing import Showing
from rewake.tallies import Tallies

_log = logger(__name__)

_WAVES_MAX = 2
"""Waves under way at once: one that travels while another runs. More adds nothing with one reader."""
_SHARED_SECONDS = 0.002
_FEW_SESSIONS = 4
"""More work for readers, or more sessions, than that are two waves where none is under way: one is shown
while the other runs. Of less, one costs less than two.
"""


class Knowing(Protocol):
    """What waves ask of the hub."""

    position: int
    is_closed: bool

    def accept(self, entry: Entry, job: QueryJob, run: QueryRun, ts: int) -> LiveResult: ...
    def ran(self, entries: Sequence[Entry]) -> None: ...


class Wave:
    """Sessions on their way to one snapshot. All of them are owed a transition until it was finished."""

    __slots__ = ("begun", "choruses", "entries", "joined")

    def __init__(self) -> None:
        self.begun: list[LiveSession] = []
        """Those that have begun: what they are told was fixed then."""
        self.joined: list[LiveSession] = []
        """Those that begin and finish in one step, when everything is known."""
        self.choruses: list[Chorus] = []
        """Those that do so together."""
        self.entries: dict[Entry, None] = {}
        """What those who joined wait for."""


class Waves:
    """All waves of one deployment."""

    def __init__(
        self,
        hub: Knowing,
        runner: Readers,
        *,
        environment: Environment,
        limits: Limits,
        showable: ShowablePosition,
        recent: RecentRows,
        tallies: Tallies,
    ) -> None:
        self._hub = hub
        self._runner = runner
        self._environment = environment
        self._limits = limits
        self._showable = showable
        self._recent = recent
        self._tallies = tallies
        # Sessions that asked for a wave since the last turn; that turn finds out what it takes.
        self._asking: dict[LiveSession, None] = {}
        # Sessions for which queries may have to run, first come first served.
        self._dirty: dict[LiveSession | Chorus, None] = {}
        self.under_way = 0
        """How many waves run."""
        self._seconds_each = 0.0  # How long a query takes its reader; one wave counts for an eighth.
        self._will_turn = False  # Set by whatever a turn is to look at; cleared by the turn.
        # In a context of its own: a wave belongs to none of the requests that brought it about.
        self._context = Context()

    # What the hub tells.

    def ask(self, session: LiveSession) -> None:
        """Include `session` in the next wave even if nothing of it is stale."""
        if session.is_closed:
            return
        session.wants_wave = True
        self._asking[session] = None
        self.turn_soon()

    def await_wave(self, sessions: Iterable[LiveSession | Chorus]) -> None:
        """What these sessions show may have to run again."""
        for session in sessions:
            self._dirty[session] = None
        self.turn_soon()

    def drop(self, session: LiveSession) -> None:
        """A session was closed."""
        self._asking.pop(session, None)
        self._dirty.pop(session, None)

    def turn_soon(self) -> None:
        """Look at what happened in the next turn of the loop: what comes in together goes into one wave."""
        if not self._will_turn:
            self._will_turn = True
            asyncio.get_running_loop().call_soon(self._turn, context=self._context)

    # Beginning.

    def _turn(self) -> None:
        self._will_turn = False
        self._showable.advance(self._hub.position)
        if self._hub.is_closed:
            return
        asking, self._asking = self._asking, {}
        only_asking = []
        for session in asking:
            if session.in_wave or session.pending or session.changes:
                self._dirty[session] = None
            else:
                self._dirty.pop(session, None)
                only_asking.append(session)
        if self._dirty and self.under_way < _WAVES_MAX:
            self._start()  # First of all: a reader works while we go on.
        if only_asking:
            self._answer(only_asking)

    def _answer(self, only_asking: Sequence[LiveSession]) -> None:
        """Show sessions that only asked for a wave where the log stands, as after a mutation that touched
        nothing of theirs: a wave without a query. It waits for no other, however long those run.
        """
        wave = Showing(self._showable.ts, {}, is_alone=len(only_asking) == 1)
        for session in only_asking:
            try:
                is_shown = session.show_nothing(wave)
            except Exception:
                _log.exception("a session could not be shown where the log stands and is dropped")
                self._fail(session)
                continue
            if not is_shown and self._begins(session):
                self._finish_one(session, wave.ts, {})
        if wave.for_all is not None:
            wave.for_all.end()

    def _start(self) -> None:
        dirty, self._dirty = self._dirty, {}
        most = self._limits.wave_queries_max
        count = len(dirty)
        is_much = count > _FEW_SESSIONS or count * self._seconds_each > _SHARED_SECONDS
        if is_much and not self.under_way:
            most = min(most, (count + 1) // 2)
        waiting = deque(dirty)
        # Who becomes dirty while these run waits for the next turn: a result that is valid where the log
        # stands and stale from there on would be shown again and again in this one.
        while waiting and self.under_way < _WAVES_MAX:
            wave = self._gather(waiting, most)
            if wave.begun or wave.joined or wave.choruses:
                self.under_way += 1
                at_once(self._run(wave))  # So that it is shown in the step that brings its results.
        if waiting:
            self._dirty = {**dict.fromkeys(waiting), **self._dirty}

    def _begins(self, session: LiveSession) -> bool:
        """Have a session begin a wave, where it has any use for one and can."""
        try:
            return session.begin_wave()
        except Exception:
            _log.exception("a session could not begin a wave and is dropped")
            self._fail(session)
            return False

    def _gather(self, waiting: deque[LiveSession | Chorus], most: int) -> Wave:
        """Take dirty sessions into a wave, until it has `most` queries to run. It may be nobody's."""
        wave, position = Wave(), self._hub.position
        to_run: set[Entry] = set()
        while waiting:
            session = waiting.popleft()
            if session.in_wave:
                self._dirty[session] = None
                continue
            if isinstance(session, Chorus):
                if session.joins(wave.entries):
                    wave.choruses.append(session)
            elif session.joins(wave.entries):
                wave.joined.append(session)
            elif self._begins(session):
                wave.begun.append(session)
                for subscription in session.pending:
                    entry = subscription.entry
                    if entry is not None and (entry.result is None or not entry.is_valid_at(position)):
                        to_run.add(entry)
            if len(wave.entries) + len(to_run) >= most:
                break
        return wave

    # Running.

    async def _run(self, wave: Wave) -> None:
        began = self._environment.clock.monotonic()
        everyone = tuple(wave.begun)
        try:
            needed = self._entries_to_run(wave, None, {})
            if needed:
                await self._run_on_snapshot(wave, needed)
            else:
                # Everything is known at a position of the log, which is a snapshot like any other.
                self._finish(wave, self._showable.ts, {})
        except Exception:
            _log.exception("a wave failed; its sessions are dropped and reconnect")
        finally:
            self.under_way -= 1
            self._tallies.wave_seconds.observe(self._environment.clock.monotonic() - began)
            owed: tuple[LiveSession | Chorus, ...] = (*wave.begun, *wave.joined, *wave.choruses)
            for session in owed:
                # Not put into the next wave: whatever broke this one would break that at once. Whether the
                # session is in a wave says nothing here: since `_finish` it may be in the next one already.
                self._fail(session)
            for session in everyone:
                if session not in wave.begun and session.has_news:
                    self._asking[session] = None
            if self._asking or self._dirty:
                self.turn_soon()

    async def _run_on_snapshot(self, wave: Wave, needed: list[Entry]) -> None:
        held: list[Entry] = []
        shown: dict[Entry, LiveResult] = {}
        keeping = self._recent.begin()
        try:
            jobs = _jobs_of(needed, held)
            snapshot = await self._runner.open_wave(jobs, is_all=not wave.begun or _is_about(wave, needed))
            try:
                if snapshot.ts > self._showable.ts:
                    await self._showable.reached(snapshot.ts)
                runs = snapshot.runs
                seconds = 0.0
                while True:
                    for entry, job, run in zip(needed, jobs, runs, strict=True):
                        shown[entry] = self._hub.accept(entry, job, run, snapshot.ts)
                        seconds += run.seconds
                    needed = self._entries_to_run(wave, snapshot.ts, shown)
                    if not needed:
                        break
                    jobs = _jobs_of(needed, held)
                    runs = await snapshot.more(jobs)
                self._seconds_each += (seconds / len(held) - self._seconds_each) / 8
                # At once, while every pending query is known at this timestamp.
                self._finish(wave, snapshot.ts, shown)
            finally:
                await snapshot.close()
        finally:
            self._hub.ran(held)
            self._recent.end(keeping)

    def _entries_to_run(self, wave: Wave, ts: int | None, shown: dict[Entry, LiveResult]) -> list[Entry]:
        """The pending entries of a wave without an answer at `ts` (None: the snapshot is not yet taken)."""
        at = self._hub.position if ts is None else ts
        now = self._environment.clock.monotonic() if wave.begun else 0.0
        needed: dict[Entry, None] = {}
        for joined in wave.entries:
            if joined not in shown and not joined.is_valid_at(at):
                needed[joined] = None
        for session in wave.begun:
            for subscription in session.pending:
                entry = subscription.entry
                if entry is None or entry in shown or entry in needed:
                    continue
                answered = (
                    entry.result is not None
                    and entry.is_valid_at(at)
                    and (subscription.is_answered or entry.serves_new_reader(now) or ts is not None)
                )
                if not answered:
                    needed[entry] = None
        return list(needed)

    # Finishing.

    def _finish(self, wave: Wave, ts: int, shown: dict[Entry, LiveResult]) -> None:
        # Whoever is told is owed nothing any more, whatever becomes of the others.
        begun, wave.begun = wave.begun, []
        joined, wave.joined = wave.joined, []
        choruses, wave.choruses = wave.choruses, []
        for session in begun:
            self._finish_one(session, ts, shown)
        showing = Showing(ts, shown, is_alone=len(joined) == 1 and not choruses)
        # First: who is shown the wave by itself may join a chorus that was shown it.
        for chorus in choruses:
            try:
                chorus.show(showing)
            except Exception:
                _log.exception("a chorus could not be shown its wave and is dropped")
                self._fail(chorus)
        for session in joined:
            try:
                if not session.show(showing):
                    session.wants_wave = True  # It begins the next one in earnest.
                    self._dirty[session] = None
            except Exception:
                _log.exception("a session could not be shown its wave and is dropped")
                self._fail(session)
        if showing.for_all is not None:
            showing.for_all.end()
        for entry in shown:
            entry.drop_text()

    def _finish_one(self, session: LiveSession, ts: int, shown: dict[Entry, LiveResult]) -> None:
        try:
            session.finish_wave(ts, shown)
        except Exception:
            _log.exception("a session could not take its wave and is dropped")
            self._fail(session)

    def _fail(self, session: LiveSession | Chorus) -> None:
        try:
            session.fail_wave()
        except Exception:
            _log.exception("a session could not even be told that its wave failed")


def _jobs_of(entries: Sequence[Entry], held: list[Entry]) -> list[QueryJob]:
    """What is run for these, which are `held` until `Knowing.ran`."""
    jobs = []
    for entry in entries:
        jobs.append(entry.rerun_job())
        entry.runs += 1
        held.append(entry)
    return jobs


def _is_about(wave: Wave, entries: Sequence[Entry]) -> bool:
    """Whether those who take part show nothing but `entries`: then nothing else can be found stale meanwhile.
    Those who joined wait for no more than they are shown.
    """
    known = set(entries)
    return not [session for session in wave.begun if not session.shows_only(known)]
