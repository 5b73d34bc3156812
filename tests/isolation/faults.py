"""Faults to plant in the house, each in the code that really runs; and delays that make them show.

A fault replaces a few functions: by pytest's monkeypatch where functions run in threads of this process, by
`planting/sitecustomize.py` in the processes of a server. Each is in a part that both servers share. What the
house offers its users knows nothing of them.

Not here: what makes them show (`test_planted_faults.py`, whose head has the table).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import rewake.database.document_writes
import rewake.deployment.housekeeping
import rewake.reactivity.live_session
from rewake.database import Database, GroupCommit, Snapshot
from rewake.database.group_commit import CommitResult
from rewake.environment import SystemClock
from rewake.execution.function_runs import FunctionRuns
from rewake.reactivity import Entry, EntryKey, LiveQueries
from rewake.reactivity.entries import question_key
from rewake.reactivity.live_session import Subscription
from rewake.reactivity.recent_rows import RecentRows
from rewake.storage.store import ReaderStore
from rewake.storage.writer_store import Replay, WriterStore
from tests.isolation.gate import Gate

Patch = Callable[[Any, str, Any], None]
"""`setattr`, for as long as the fault is there."""

HELD = "held"
"""The list whose first reading waits at the gate before it is told."""
TORN = "torn"
"""The list that is read on another snapshot than the rest."""
NOW_NS = 1_800_000_000_000_000_000


def delays(patch: Patch, gate: Gate) -> None:
    """What a sound house must stand: one result is long on its way, and nobody keeps house meanwhile."""
    query = FunctionRuns.query

    def slow(self: FunctionRuns, snapshot: Any, job: Any, registry: Any) -> Any:
        run = query(self, snapshot, job, registry)
        if f'"{HELD}"' in job.call.args:
            gate.pass_through()
        return run

    patch(FunctionRuns, "query", slow)
    # Housekeeping takes a commit group every second, and so ends by accident what some faults begin.
    patch(rewake.deployment.housekeeping, "_SECONDS", 3600.0)


def acknowledges_before_commit(patch: Patch) -> None:
    """A group of mutations is told of at once, and committed when the next one begins."""
    begin, perform, commit = GroupCommit.begin, FunctionRuns.perform, GroupCommit.commit
    early: set[GroupCommit] = set()

    def begin_late(self: GroupCommit) -> None:
        if self.is_open:
            commit(self)
        early.discard(self)
        begin(self)

    def note(self: FunctionRuns, group: GroupCommit, job: Any, registry: Any) -> Any:
        early.add(group)
        return perform(self, group, job, registry)

    def tell_early(self: GroupCommit) -> CommitResult:
        if self not in early:
            return commit(self)
        assert self._head is not None
        return CommitResult(self._rows, self._head.last_ts)

    patch(GroupCommit, "begin", begin_late)
    patch(FunctionRuns, "perform", note)
    patch(GroupCommit, "commit", tell_early)


def responds_before_invalidation(patch: Patch) -> None:
    """What a group has touched is marked when the next group comes."""
    mark, hear = LiveQueries._mark_stale, LiveQueries.on_group
    withheld: list[tuple[LiveQueries, Entry, int]] = []

    def hear_late(self: LiveQueries, report: Any) -> None:
        due, withheld[:] = tuple(withheld), ()
        for each in due:
            mark(*each)
        hear(self, report)

    patch(LiveQueries, "_mark_stale", lambda self, entry, ts: withheld.append((self, entry, ts)))
    patch(LiveQueries, "on_group", hear_late)


def registers_unchecked(patch: Patch) -> None:
    """A result is not held against what was committed while it travelled."""
    patch(RecentRows, "first_touch", lambda self, read_set, *, after: None)


def forgets_old_keys(patch: Patch) -> None:
    """The commit log says under which key a document lies now, and not where it lay."""
    joined = rewake.database.document_writes.joined_keys

    def only_new(old_keys: Any, new_keys: Any) -> Any:
        return tuple((index, None if new else old, new) for index, old, new in joined(old_keys, new_keys))

    patch(rewake.database.document_writes, "joined_keys", only_new)


def reads_two_snapshots(patch: Patch) -> None:
    """One query of a wave runs on the snapshot before the one of the others, and is told as if it had not."""
    begin, query = FunctionRuns.__init__, FunctionRuns.query
    databases: dict[FunctionRuns, Database] = {}

    def remember(self: FunctionRuns, database: Database, **named: Any) -> None:
        databases[self] = database
        begin(self, database, **named)

    def query_torn(self: FunctionRuns, snapshot: Snapshot, job: Any, registry: Any) -> Any:
        if f'"{TORN}"' not in job.call.args:
            return query(self, snapshot, job, registry)
        reader = databases[self].reader()
        try:
            with reader.begin_at(snapshot.ts - 1) as older:
                return query(self, older, job, registry)
        finally:
            reader.close()

    patch(FunctionRuns, "__init__", remember)
    patch(FunctionRuns, "query", query_torn)


def caches_without_identity(patch: Patch) -> None:
    """Whoever asks the same question is given the same answer."""

    def entry_for_all(self: LiveQueries, question: Any, call: Any, identity: Any) -> Entry:
        key = EntryKey(question, "")
        return self._entries.setdefault(key, Entry(key, call, identity.fingerprint))

    patch(LiveQueries, "_entry_for", entry_for_all)
    patch(LiveQueries, "_learn_identity_use", lambda self, entry, run: None)


def caches_without_journal(patch: Patch) -> None:
    """Pages that end in different places are one question."""

    def keep(self: Subscription, journal: str | None) -> None:
        self.journal = journal or self.journal

    patch(
        rewake.reactivity.live_session,
        "question_key",
        lambda call, journal, visibility: question_key(call, None, visibility),
    )
    patch(Subscription, "keep_journal", keep)
    patch(LiveQueries, "_pin", lambda self, entry: None)


def skips_replay_lookup(patch: Patch) -> None:
    """What a client sends again runs again."""
    keep, find = WriterStore.keep_mutation, WriterStore.find_replay

    def keep_once(self: WriterStore, logged: Any = None, replay: Replay | None = None) -> None:
        is_known = replay is not None and find(self, *replay[:2]) is not None
        keep(self, logged, None if is_known else replay)

    patch(WriterStore, "find_replay", lambda self, session, request: None)
    patch(WriterStore, "keep_mutation", keep_once)


def keeps_failed_parts(patch: Patch) -> None:
    """The savepoint of a part that failed is released."""
    patch(WriterStore, "drop_part", WriterStore.keep_part)


def reuses_timestamps(patch: Patch) -> None:
    """A new writer takes the last timestamp from a log that was trimmed, under a clock that went back."""
    begin = GroupCommit.begin
    begun: set[GroupCommit] = set()

    def begin_anew(self: GroupCommit) -> None:
        begin(self)
        if self not in begun:
            begun.add(self)
            assert self._head is not None
            self._store.trim_log(self._head.last_ts)
            self._head.last_ts = 0
            self._is_dirty = True

    patch(GroupCommit, "begin", begin_anew)


def stands_still(patch: Patch) -> None:
    """The clock of the machine stands: no fault, but timestamps can then only grow by what is remembered."""
    patch(SystemClock, "now_ns", lambda self: NOW_NS)


def leaves_readers_behind(patch: Patch) -> None:
    """A reader keeps its first snapshot for ever."""
    begin = ReaderStore.begin

    def begin_once(self: ReaderStore) -> Any:
        return self.head() if self._connection.in_transaction else begin(self)

    patch(Snapshot, "end", lambda self: None)
    patch(ReaderStore, "is_reading", False)
    patch(ReaderStore, "begin", begin_once)


FAULTS: dict[str, Callable[[Patch], None]] = {
    fault.__name__: fault
    for fault in (
        acknowledges_before_commit,
        caches_without_identity,
        caches_without_journal,
        forgets_old_keys,
        keeps_failed_parts,
        leaves_readers_behind,
        reads_two_snapshots,
        registers_unchecked,
        responds_before_invalidation,
        reuses_timestamps,
        skips_replay_lookup,
        stands_still,
    )
}


def plant(names: Sequence[str], patch: Patch, gate: Gate) -> None:
    """Plant faults by their names, and the delays."""
    for name in names:
        FAULTS[name](patch)
    delays(patch, gate)


def plant_in_process(names: str, gate: str) -> None:
    """Plant faults, their names parted by spaces, in this process for as long as it lives."""
    plant(names.split(), setattr, Gate(Path(gate)))
