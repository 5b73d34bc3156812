"""Group commit: many mutations, one fsync.

Floor 2, `database`. Above, `execution` hands in mutations one by one; below, `storage` holds the engine's
transaction; the row we append to the commit log tells the rest of the house.

    gather -> begin -> (savepoint, run, release)* -> log rows -> commit -> publish

Mutations run one after another, so nothing here takes a lock and nobody is ever refused. Nothing of a group
may be told to anyone before `commit` has returned: also a failure may rest on a group mate's write that was
not durable yet. A crash between commit and publish does no harm: opening reads the log again from storage.

A group is doomed when the engine lost its transaction (`storage/failures.py`): `perform` raises GroupDoomed,
the caller rolls back and performs the others again in order, the culprit alone.

Not here: checking arguments (`execution`), deciding who must hear of it (`reactivity`). Source: Gawlick and
Kinkade, "Varieties of Concurrency Control in IMS/VS Fast Path" (1985); spec/semantics 5.5.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from rewake.database.active_schema import ActiveSchemas
from rewake.database.catalog import Catalog, CatalogCache
from rewake.database.staged_validators import follow_writes, staged_verdicts
from rewake.database.writes import WriteTransaction
from rewake.environment import Environment
from rewake.limits import Limits
from rewake.storage import (
    GroupDoomed,
    Head,
    LogRow,
    OutcomeUnknown,
    PackedRow,
    Replay,
    StorageFailed,
    StorageFull,
    WriterStore,
    pack_writes,
)
from rewake.values import NewIds, holds_commit_ts, resolve_commit_ts

_TRIM_STEP = 256
"""Rows that one step of trimming looks at, so that it fits between two mutations."""

_lines_decoder = msgspec.json.Decoder(tuple[str, ...])


class ReplayKey(msgspec.Struct, frozen=True, gc=False):
    """By what a client's repeated mutation is recognised: its session and the number of its request."""

    session: str
    request: int


class Invocation(msgspec.Struct, frozen=True, gc=False):
    """One mutation to perform.

    `id` is unique; after a crash the log is asked by it what became of the mutation.
    """

    id: str
    replay: ReplayKey | None = None


class CallResult(msgspec.Struct, frozen=True, gc=False):
    """What a mutation's body returns: canonical encoded JSON text, and its log lines.

    `value` may hold COMMIT_TS; what `perform` answers has the timestamp in its place.
    """

    value: str
    log_lines: tuple[str, ...] = ()


class Performed(msgspec.Struct, frozen=True):
    """What became of a mutation, valid once its group is committed.

    Exactly one of `result` and `error` is there. `ts` is the commit timestamp, or for a mutation that wrote
    nothing or failed the one it read at. `is_replay` says that the body did not run: the result is the
    recorded one.
    """

    ts: int
    result: CallResult | None = None
    error: Exception | None = None
    is_replay: bool = False


class CommitResult(NamedTuple):
    """What a commit made durable. `last_ts` is the label of every snapshot taken from now on."""

    rows: list[LogRow]
    last_ts: int


class TrimResult(NamedTuple):
    """What one step of trimming removed, and whether there is more to remove now."""

    log_rows: int
    replays: int
    has_more: bool


class GroupCommit:
    """The writer of a deployment: one group after another on one connection."""

    def __init__(
        self,
        store: WriterStore,
        *,
        catalogs: CatalogCache,
        schemas: ActiveSchemas,
        environment: Environment,
        limits: Limits,
    ) -> None:
        self._store = store
        self._catalogs = catalogs
        self._schemas = schemas
        self._environment = environment
        self._now_ns = environment.clock.now_ns
        self._limits = limits
        self._ids = NewIds(environment.random_bytes)
        # Of the group under way; `begin` sets them, `commit` and `rollback` clear the first.
        self._head: Head | None = None
        self._catalog: Catalog
        self._began: Head
        self._rows: list[LogRow] = []

    @property
    def is_open(self) -> bool:
        """Whether a group is under way."""
        return self._head is not None

    def begin(self) -> None:
        """Begin a group.

        Raises:
            StorageFailed: the data file cannot be written now.
        """
        assert self._head is None, "one group at a time"
        try:
            head = self._store.begin()
            self._catalog = self._catalogs.at(head.catalog_ts, self._store)
        except GroupDoomed as error:
            self._store.rollback()
            raise error.reason from error
        self._began, self._head = replace(head), head
        self._rows = []

    def perform(self, invocation: Invocation, body: Callable[[WriteTransaction], CallResult]) -> Performed:
        """Run one mutation in the group.

        What `body` raises takes its writes back and is handed on in the answer.

        The answer must be kept back until `commit` has returned.

        Raises:
            GroupDoomed: the whole group is lost; `rollback`, then run the others again and this one alone.
        """
        head = self._head
        assert head is not None, "begin the group first"
        store, key = self._store, invocation.replay
        if key is not None:
            found = store.find_replay(key.session, key.request)
            if found is not None:
                ts, value, lines = found
                recorded = CallResult(value, _lines_decoder.decode(lines))
                return Performed(ts=ts, result=recorded, is_replay=True)
        store.begin_mutation()
        transaction = WriteTransaction(
            store,
            self._catalog,
            head=head,
            schemas=self._schemas,
            environment=self._environment,
            limits=self._limits,
            ids=self._ids,
        )
        try:
            result = body(transaction)
            if store.doomed is not None:
                self._raise_if_doomed()
            transaction.raise_if_broken()
            row, result = self._keep(head, invocation, transaction, result)
        except GroupDoomed:
            raise
        except Exception as error:
            self._raise_if_doomed()
            store.drop_mutation()
            return Performed(ts=head.last_ts, error=error)
        except BaseException:
            # An interrupt of the process itself. The group can go on without this mutation, if anybody wants
            # it to.
            self._raise_if_doomed()
            store.drop_mutation()
            raise
        self._environment.reach("group.after_savepoint")
        if row is not None:
            self._rows.append(row)
            if transaction.catalog is not self._catalog:
                self._catalog = transaction.catalog
                head.catalog_ts = row.ts
        return Performed(ts=head.last_ts, result=result)

    def commit(self) -> CommitResult:
        """Make the group durable. Everything that it came to may be told after this returns, and not before.

        Raises:
            GroupDoomed: nothing of the group was kept (it is rolled back already); run its mutations again.
            OutcomeUnknown: the data file cannot even be asked; nobody knows until it can.
        """
        head = self._head
        assert head is not None, "begin the group first"
        self._environment.reach("group.before_commit")
        try:
            # Also where every mutation failed: the numbers that they used up are not given out again.
            if head != self._began:
                self._store.set_head(head)
            self._store.commit()
        except GroupDoomed as error:
            self._settle_by_log(error)
        self._head = None
        self._environment.reach("group.after_commit_before_outcome")
        if head.catalog_ts != self._began.catalog_ts:
            self._catalogs.keep(head.catalog_ts, self._catalog)
        return CommitResult(self._rows, head.last_ts)

    def rollback(self) -> None:
        """Take the whole group back. Harmless when there is none."""
        self._head = None
        self._store.rollback()

    def trim(self) -> TrimResult:
        """Forget old log rows and replay records, a small step of them, as part of the group under way."""
        head = self._head
        assert head is not None, "begin the group first"
        limits, now_ns = self._limits, self._environment.clock.now_ns()
        log = self._store.oldest_log(_TRIM_STEP)
        oldest_kept_ns = now_ns - round(limits.log_retention_seconds * 1e9)
        floor, rows = head.log_floor_ts, 0
        for ts, size in log:
            if ts >= oldest_kept_ns and head.log_bytes <= limits.log_retention_bytes:
                break
            floor, rows = ts, rows + 1
            head.log_bytes -= size
        if rows:
            self._store.trim_log(floor)
            head.log_floor_ts = floor
        oldest_kept_ms = now_ns // 10**6 - round(limits.replay_retention_seconds * 1e3)
        replays = [
            number
            for number, recorded_ms in self._store.oldest_replays(_TRIM_STEP)
            if recorded_ms < oldest_kept_ms
        ]
        if replays:
            self._store.trim_replays(replays[-1])
        return TrimResult(rows, len(replays), has_more=_TRIM_STEP in (rows, len(replays)))

    def restart_log(self, *, patience_seconds: float) -> bool:
        """Have the write-ahead log begin anew, between two groups; see `WriterStore.restart_log`."""
        assert self._head is None, "between two groups"
        return self._store.restart_log(patience_seconds=patience_seconds)

    def find_invocation(self, id: str, *, after: int) -> int | None:
        """The timestamp at which an invocation was committed above `after`, None if it was not.

        For the caller that lost its answer: after a crash of the writer, before running a mutation again.
        """
        return self._store.find_invocation(id, after=after)

    def close(self) -> None:
        """Take back what is under way and close the connection."""
        self.rollback()
        self._store.close()

    def _keep(
        self, head: Head, invocation: Invocation, transaction: WriteTransaction, result: CallResult
    ) -> tuple[LogRow | None, CallResult]:
        """Keep what the mutation wrote with its log row and its replay record: all or nothing.

        Before that everything that waits for the mutation's timestamp gets it, the result too; where nothing
        was written, the timestamp that it read at, which is the one that its caller is told.
        """
        row: LogRow | None = None
        logged: PackedRow | None = None
        replay: Replay | None = None
        ts, log_bytes = head.last_ts, head.log_bytes
        writes = transaction.log_writes()
        if writes:
            ts = max(ts + 1, self._now_ns(), transaction.earliest_ts())
            if transaction.has_commit_ts or staged_verdicts(transaction.catalog):
                transaction.resolve_commit_ts(ts)
                follow_writes(transaction)
                writes = transaction.log_writes()
            row, packed = LogRow(ts, invocation.id, writes), pack_writes(writes)
            logged = ts, invocation.id, packed
            log_bytes += len(packed)
        if holds_commit_ts(result.value):
            result = replace(result, value=resolve_commit_ts(result.value, ts))
        if (key := invocation.replay) is not None:
            lines = msgspec.json.encode(result.log_lines).decode() if result.log_lines else "[]"
            replay = key.session, key.request, ts, result.value, lines, int(transaction.now_ms)
        self._store.keep_mutation(logged, replay)
        head.last_ts, head.log_bytes = ts, log_bytes
        return row, result

    def _raise_if_doomed(self) -> None:
        # A bare `except:` of an author may have swallowed GroupDoomed.
        if self._store.doomed is not None:
            raise GroupDoomed(self._store.doomed)

    def _settle_by_log(self, error: GroupDoomed) -> None:
        """COMMIT failed.

        Open the file again and ask the log whether the group is in. It is in whole or not at all. If it is
        not, it must stay out before anybody is told so.
        """
        self._head = None
        store = self._store
        try:
            store.reopen()
            last = self._rows[-1] if self._rows else None
            if last is not None and store.find_invocation(last.invocation, after=last.ts - 1) is not None:
                return
            if not isinstance(error.reason, StorageFull):
                store.erase_lost_commit()
        except (GroupDoomed, StorageFailed) as still:
            store.rollback()
            raise OutcomeUnknown(detail=str(still)) from still
        raise error
