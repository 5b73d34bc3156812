"""Live queries: the hub between the commit log and everyone who watches.

Floor 4, `reactivity`. Commit groups come in from the runner, waves go out to it, and sessions are handed
what changed.

    on_group: rows in ts order -> mark touched entries stale -> advance the position -> (responses go out)
    -> waves

Not here: waves (`waves.py`), versions and messages of the wire (`sync`), snapshots and handlers
(`execution`), the index (`wake_index.py`), what is cached for nobody (`unused_entries.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from msgspec.structs import replace

from rewake.auth import Identity
from rewake.environment import Environment
from rewake.execution import (
    WAVES,
    CalledFrom,
    Failure,
    FunctionCall,
    GroupReport,
    Lane,
    QueryJob,
    QueryRun,
    Readers,
    RunnerClosed,
    Success,
    Visibility,
)
from rewake.handoff import Handoff, answer_all, at_once, is_at_once
from rewake.limits import Limits
from rewake.reactivity.chorus import Chorus
from rewake.reactivity.entries import (
    Answer,
    Entry,
    EntryKey,
    LiveResult,
    QuestionKey,
    ReaderBehind,
    question_key,
)
from rewake.reactivity.fresh_entries import FreshEntries
from rewake.reactivity.live_figures import LiveFigures, live_figures
from rewake.reactivity.live_session import LiveListener, LiveSession, Subscription
from rewake.reactivity.recent_rows import RecentRows
from rewake.reactivity.showable_position import ShowablePosition
from rewake.reactivity.unused_entries import UnusedEntries
from rewake.reactivity.wake_index import WakeIndex
from rewake.reactivity.waves import Waves
from rewake.tallies import Tallies


class LiveQueries:
    """All live queries and cached results of one deployment. Used from one event loop only."""

    def __init__(
        self,
        runner: Readers,
        *,
        environment: Environment,
        limits: Limits,
        position: int,
        tallies: Tallies | None = None,
    ) -> None:
        self._runner = runner
        self._tallies = tallies or Tallies()
        self._environment = environment
        self._limits = limits
        self.position = position
        # The newest timestamp that a wave may have. It follows the position a turn of the loop behind.
        self._showable = ShowablePosition(position)
        self._recent = RecentRows(position=position)
        self._index: WakeIndex[Entry] = WakeIndex()
        self._fresh = FreshEntries(self._index)
        self._entries: dict[EntryKey, Entry] = {}
        # By (component, path): a function whose runs were seen to read the identity, or seen not to. Each
        # run is still judged by itself: a shared entry whose run reads the identity is split.
        self._reads_identity: set[tuple[str, str]] = set()
        self._identity_free: set[tuple[str, str]] = set()
        self._unused = UnusedEntries(bytes_max=limits.cache_bytes_max)
        self._waves = Waves(
            self,
            runner,
            environment=environment,
            limits=limits,
            showable=self._showable,
            recent=self._recent,
            tallies=self._tallies,
        )
        self.request_wave = self._waves.ask
        self.is_closed = False
        self.wakes = 0
        """Entries that a commit made stale since the start; tests and metrics count with it."""

    def figures(self) -> LiveFigures:
        """How much there is to keep true at the moment."""
        return live_figures(self._entries.values(), self._unused.sizes)

    # News from below.

    def on_group(self, report: GroupReport) -> None:
        """Apply one commit group. Called before the outcomes of its mutations are released."""
        if report.rows:
            self._fresh.register_all()
        for row in report.rows:
            if row.ts <= self.position:
                continue  # Told before: a runner that had to ask its log may repeat itself.
            for entry in self._index.touched(row):
                self._mark_stale(entry, row.ts)
            self._recent.append(row)
            self.position = row.ts
        self.position = max(self.position, report.last_ts)
        self._waves.turn_soon()

    def _mark_stale(self, entry: Entry, ts: int) -> None:
        if entry.stale_since is not None:
            return
        entry.stale_since = ts
        self.wakes += 1
        # It stays in the wake index: the run to come will most probably read the same.
        self._pin(entry)
        if entry.is_shown:
            self._tallies.invalidated(entry.key.question.path)
            self._mark_pending(entry)
        else:
            self._settle(entry)

    def _mark_pending(self, entry: Entry) -> None:
        # Who waited for it already is in a wave or on the way into one, and is asked again after that.
        waiting: list[LiveSession | Chorus] = []
        for chorus in (entry.choruses or {}).values():
            assert isinstance(chorus, Chorus)
            if chorus.await_result():
                waiting.append(chorus)
        # A copy: a session that asks the same twice leaves its chorus, and then shows this entry by itself.
        for subscription in tuple(entry.subscriptions):
            assert isinstance(subscription, Subscription)
            if subscription.session.await_result(subscription):
                waiting.append(subscription.session)
        if waiting:
            self._waves.await_wave(waiting)

    # Sessions.

    def open_session(self, listener: LiveListener) -> LiveSession:
        """Begin a session without queries; `listener` is handed its waves."""
        return LiveSession(self, listener)

    def subscribe(self, subscription: Subscription) -> None:
        """Attach a subscription to the entry of its question under its session's identity."""
        session = subscription.session
        entry = self._entry_for(subscription.question, subscription.call, session.identity)
        if entry.result is not None and entry.stale_since is None:
            self._tallies.hit(entry.key.question.path)
            self._fresh.register(entry)
        subscription.entry = entry
        subscription.question, subscription.call = entry.key.question, entry.call  # One text for all.
        entry.attach(subscription)
        if entry.result is not None:
            self._unused.drop(entry)
        session.await_result(subscription)

    def unsubscribe(self, subscription: Subscription) -> None:
        """Detach a subscription; an entry that nobody shows any more becomes cache."""
        if subscription in subscription.session.pending:
            subscription.session.await_nothing(subscription)
        entry = subscription.entry
        subscription.entry = None
        if entry is None:
            return
        entry.detach(subscription)
        self._settle(entry)

    def await_wave(self, session: LiveSession) -> None:
        """Have a session that still waits for a result take part in the next wave."""
        self._waves.await_wave((session,))

    def await_chorus(self, chorus: Chorus) -> None:
        """The same for a chorus."""
        self._waves.await_wave((chorus,))

    def drop_session(self, session: LiveSession) -> None:
        """Forget a session that was closed."""
        self._waves.drop(session)

    # One-shot reads.

    async def query(
        self,
        call: FunctionCall,
        identity: Identity,
        visibility: Visibility,
        called_from: CalledFrom = CalledFrom.UNKNOWN,
        lane: Lane = WAVES,
    ) -> Answer:
        """Answer one query from the shared cache or by a run; gives the result and a `ts` at which it holds.

        The answer includes every mutation acknowledged before the call.

        Raises:
            RunnerClosed: we are closing; not even the cache answers, which nobody keeps true any longer.
            Overloaded: a reader will not be free in time.
            ReaderBehind: run after run was of a snapshot from before the call.
        """
        if self.is_closed:
            raise RunnerClosed()
        question = question_key(call, None, visibility)
        asked_at = self.position
        for _ in range(ReaderBehind.runs):
            entry = self._entry_for(question, call, identity)
            if entry.result is not None and entry.serves_new_reader(self._environment.clock.monotonic()):
                self._unused.touch(entry)
                self._fresh.register(entry)
                self._tallies.hit(question.path)
                return entry.result.result, self.position
            if entry.askers is None and is_at_once():
                entry.askers = []  # Who cannot be cancelled takes nobody's run with him.
                result, ts = await self._run_alone(entry, called_from, lane)
            else:
                asker: Handoff[Answer] = Handoff()
                if entry.askers is None:
                    entry.askers = [asker]
                    at_once(self._run_beside(entry, called_from, lane))
                else:
                    entry.askers.append(asker)
                result, ts = await asker
            # We may have joined a run that others began: as somebody else, or before a commit that the caller
            # already knows of. Either can happen once; the run after it is ours or younger than the call.
            if not entry.key.identity or entry.key.identity == identity.fingerprint:
                if ts >= asked_at:
                    return result, ts
                kept = entry.result
                if kept is not None and kept.result is result and entry.is_valid_at(asked_at):
                    return result, asked_at
        raise ReaderBehind(asked=asked_at)

    async def _run_beside(self, entry: Entry, called_from: CalledFrom, lane: Lane) -> None:
        """Run an entry for those who ask, each of whom may give up."""
        with suppress(Exception):  # They are told.
            await self._run_alone(entry, called_from, lane)

    async def _run_alone(self, entry: Entry, called_from: CalledFrom, lane: Lane) -> Answer:
        """Run an entry for whoever awaits this, and tell those who ask beside him."""
        entry.runs += 1
        told: Answer | Exception
        keeping = self._recent.begin()
        try:
            job = entry.rerun_job(called_from)
            run, ts = await self._runner.ask(job, lane=lane)
            if ts > self._showable.ts:
                await self._showable.reached(ts)
            told = self._take_in(entry, job, run, ts), ts
        except Exception as error:
            told = error
        finally:
            self._recent.end(keeping)
        askers, entry.askers = entry.askers, None
        entry.runs -= 1
        self._settle(entry)
        if askers:
            answer_all(askers, told)
        if isinstance(told, Exception):
            raise told
        return told

    async def read_many(
        self,
        calls: Sequence[FunctionCall],
        identity: Identity,
        visibility: Visibility,
        *,
        at: int | None,
        lane: Lane = WAVES,
    ) -> tuple[list[LiveResult], int]:
        """Run queries of an HTTP request on one snapshot, the latest or the one at `at`, past the cache."""
        api, asker = CalledFrom.HTTP_API, identity.fingerprint
        jobs = [QueryJob(call, asker, visibility, called_from=api) for call in calls]
        wave = await self._runner.open_wave(jobs, at=at, lane=lane)
        try:
            if at is None:
                await self._showable.reached(wave.ts)
            return [LiveResult.of(run.result, run.journal) for run in wave.runs], wave.ts
        finally:
            await wave.close()

    def _take_in(self, entry: Entry, job: QueryJob, run: QueryRun, ts: int) -> Success | Failure:
        """Accept a run for one-shot readers; or only tell them what it came to, where it is good for nobody
        else: nobody shows the entry, and there is no room to keep it for the next.
        """
        result = run.result
        if entry.is_lone and not (isinstance(result, Success) and self._unused.takes(entry, result)):
            if run.read_identity or entry.key.identity:
                self._learn_identity_use(entry, run)
            return result
        return self.accept(entry, job, run, ts).result

    # Entries.

    def _entry_for(self, question: QuestionKey, call: FunctionCall, identity: Identity) -> Entry:
        shared = (question.component, question.path) in self._identity_free
        asker = identity.fingerprint
        key = EntryKey(question, "" if shared else asker)
        entry = self._entries.get(key)
        if entry is None:
            asked = FunctionCall(call.path, question.args, call.component)  # One text of the arguments.
            entry = self._entries[key] = Entry(key, asked, asker, question.journal)
        return entry

    def accept(self, entry: Entry, job: QueryJob, run: QueryRun, ts: int) -> LiveResult:
        """Take in a run of `job` at snapshot `ts`; returns what to show at `ts`."""
        result, before = LiveResult.of(run.result, run.journal), entry.result
        if before is not None and before.is_same_as(result):
            result = before  # Keep the encoded form that receivers share.
        # Before anything is shown: whoever is not the one that the run saw must be taken off this entry.
        if run.read_identity or entry.key.identity:
            self._learn_identity_use(entry, run)
        if before is not None and entry.valid_from > ts:
            return result  # Another wave has already brought a newer one.
        if before is not None and entry.pin not in (job.journal, run.journal):
            return result  # A page whose end another first run has fixed elsewhere: see `LiveSession`.
        if run.is_lost and before is not None:
            run = self._reading_as_before(entry, run)
        recent = self._recent
        touch = recent.first_touch(run.read_set, after=ts) if recent.newest > ts else None
        if touch is None and (self._runner.code_hash(entry.key.question.path) or "") != run.code_hash:
            touch = ts + 1  # The code was replaced while the run travelled.
        was_stale = entry.stale_since is not None
        entry.result, entry.valid_from, entry.stale_since = result, ts, touch
        entry.expires_at = (
            self._environment.clock.monotonic() + self._limits.clock_result_seconds
            if run.read_clock
            else None
        )
        if before is not None:
            # Also of what is stale already: what ends its process can only be known by what was read before.
            self._fresh.drop(entry)
            mark = hash(run.packed_read_set)  # Of 64 bits, made with the secret of this process.
            if entry.watched != mark:
                self._index.add(entry, run.read_set)
                entry.watched = mark
        elif touch is None and (outgrown := self._fresh.put(entry, run.packed_read_set)) is not None:
            self._unused.drop(outgrown)
            self._forget(outgrown)
        if touch is not None:
            self._pin(entry)
        if not was_stale and (touch is not None or (before is not None and result is not before)):
            # Stale already; or others still show what this run has replaced (it had failed, or aged). While
            # an entry is stale, all who show it wait for a result anyway.
            self._mark_pending(entry)
        return result

    def _reading_as_before(self, entry: Entry, run: QueryRun) -> QueryRun:
        """A run that ended its process, with what the runs before it had read: it was a change of that which
        made it end so, and one more may mend it.
        """
        self._fresh.register(entry)
        read_set = self._index.watched_by(entry).union(run.read_set)
        return replace(run, packed_read_set=read_set.to_wire())

    def _learn_identity_use(self, entry: Entry, run: QueryRun) -> None:
        question = entry.key.question
        function = (question.component, question.path)
        if run.read_identity:
            self._reads_identity.add(function)
            self._identity_free.discard(function)
            if entry.key.identity == "":
                self._split_by_identity(entry)
        # Only of functions that exist: callers can make up any number of other paths.
        elif function not in self._reads_identity and isinstance(run.result, Success):
            self._identity_free.add(function)
            shared = EntryKey(question, "")
            if entry.key.identity != "" and shared not in self._entries:
                self._rekey(entry, shared)

    def _rekey(self, entry: Entry, key: EntryKey) -> None:
        if self._entries.get(entry.key) is entry:
            del self._entries[entry.key]
        entry.key = key
        # Where another entry holds the key already, this one serves those who have it, and nobody new.
        self._entries.setdefault(key, entry)

    def _pin(self, entry: Entry) -> None:
        """Move a stale page to the question that knows its end: that is what is asked from now on, and who
        asks without knowing it must get a page of the length that they asked for.
        """
        journal = None if entry.result is None else entry.result.journal
        question = entry.key.question
        if journal is not None and journal != question.journal:
            self._rekey(entry, EntryKey(replace(question, journal=journal), entry.key.identity))

    def _split_by_identity(self, entry: Entry) -> None:
        """A shared question turned out to read the identity: give each other identity its own entry."""
        for chorus in list((entry.choruses or {}).values()):
            chorus.part()
        own = entry.asker
        self._rekey(entry, EntryKey(entry.key.question, own))
        for subscription in [s for s in entry.subscriptions if isinstance(s, Subscription)]:
            session = subscription.session
            if session.identity.fingerprint != own:
                entry.detach(subscription)
                self.subscribe(subscription)
                self._waves.await_wave([session])
        self._settle(entry)

    def ran(self, entries: Sequence[Entry]) -> None:
        """Let go of entries that were held for a run, whatever it came to."""
        for entry in entries:
            entry.runs -= 1
            if not entry.is_shown:
                self._settle(entry)

    def _settle(self, entry: Entry) -> None:
        """Once nobody shows or runs an entry: keep a valid result for the next reader, within the cache's
        bound; forget anything else.
        """
        if entry.runs or entry.is_shown:
            return
        if entry.result is not None:
            is_known = self._entries.get(entry.key) is entry
            if is_known and entry.serves_new_reader(self._environment.clock.monotonic()):
                for outgrown in self._unused.keep(entry):
                    self._forget(outgrown)
                return
            self._unused.drop(entry)
        self._forget(entry)

    def _unregister(self, entry: Entry) -> None:
        if not self._fresh.drop(entry):
            self._index.remove(entry)
            entry.watched = 0

    def _forget(self, entry: Entry) -> None:
        if entry.result is not None:  # Else it is nowhere but here.
            self._unregister(entry)
        if self._entries.get(entry.key) is entry:
            del self._entries[entry.key]

    async def close(self) -> None:
        """Wait for the runs under way, of waves and of others; no more begin."""
        self.is_closed = True
        await self._recent.all_arrived()
