"""The picture: what a client asked to see, and what it has been shown.

Floor 6, `sync`; part of the session's state. The client numbers its changes; a wave covers those received
when it began, and its Transition leads from the end of the last one to there (wire 1.7). An answer that the
client has already is not sent again, except that every Add is answered and every Remove confirmed.

    modify, change_identity ... begin_wave ......... finish_wave -> parts of one Transition
                                    `- changes from here on belong to the next wave
    (nothing) ............................... show -> a Transition that is made once for many sockets

Not here: when a wave may begin, and what becomes of its text (`session.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from rewake.limits import DEFAULT_LIMITS
from rewake.protocol import ZERO_VERSION, Add, ModifyQuerySet, StateVersion
from rewake.protocol.server_messages import transition_head
from rewake.sync.broadcast import Telling, Text
from rewake.sync.faults import (
    BaseVersionMismatch,
    NewVersionTooLow,
    QueryIdMisused,
    TooManyQueries,
    WaveBroken,
)
from rewake.sync.ports import LiveResult
from rewake.sync.rendering import modification_parts

_UNANSWERED = -1
"""Stands for the fingerprint of a query that has had no answer on this socket: none is that."""


class Footing(NamedTuple):
    """Where a client stands that was told of one query for a while and of nothing else."""

    version: StateVersion
    """The end of its last Transition."""
    query_id: int
    fingerprint: int
    """Of the last answer to this query."""
    monotonic: float
    """When the last Transition was sent."""


class Picture:
    """The query set of one socket and its versions."""

    __slots__ = (
        "_identity_version",
        "_queries",
        "_queries_max",
        "_query_set_version",
        "_removed",
        "_unanswered",
        "_version",
        "_wave_end",
        "_wave_removed",
        "_wave_unanswered",
        "in_wave",
    )

    def __init__(self, queries_max: int = DEFAULT_LIMITS.socket_queries_max) -> None:
        self._queries_max = queries_max
        # What was received. Ahead of `_version` while a wave is due.
        self._query_set_version = 0
        self._identity_version = 0
        self._queries: dict[int, int] = {}
        """Live queries: the fingerprint of the last answer sent, `_UNANSWERED` before the first."""
        self._unanswered: set[int] | None = None
        """Live queries not yet taken into a wave; None stands for the empty set, as mostly."""
        self._removed: dict[int, int] | None = None
        """Queries taken out since the last wave began; the next confirms them. None where there are none."""

        # What was sent.
        self._version = ZERO_VERSION  # The end of the last Transition.

        # The wave under way: set by begin_wave, cleared by finish_wave.
        self.in_wave = False
        """Has a wave begun and not finished?"""
        self._wave_end = (0, 0)  # The query set and identity version that it leads to.
        self._wave_removed: dict[int, int] | None = None
        self._wave_unanswered: set[int] | None = None

    @property
    def version(self) -> StateVersion:
        """Where the last Transition ended."""
        return self._version

    @property
    def identity_version(self) -> int:
        """The newest identity version received."""
        return self._identity_version

    def modify(self, message: ModifyQuerySet) -> None:
        """Take in a step of the query set.

        Raises:
            BaseVersionMismatch, NewVersionTooLow: the step does not follow the last one.
            QueryIdMisused: an id is added that lives, or removed that does not.
            TooManyQueries: there are as many as there may be.
        """
        base, current = message.base_version, self._query_set_version
        if base != current:
            raise BaseVersionMismatch(base=base, current=current)
        if message.new_version <= base:
            raise NewVersionTooLow(new=message.new_version, base=base)
        for modification in message.modifications:
            if isinstance(modification, Add):
                self._add(modification.query_id)
            else:
                self._take_out(modification.query_id)
        self._query_set_version = message.new_version

    def _add(self, query_id: int) -> None:
        # An id that was taken out counts as living until its removal is confirmed.
        queries, removed = self._queries, self._removed or ()
        if query_id in queries or query_id in removed:
            raise QueryIdMisused(f"query {query_id} was added while it lived")
        # A reader too slow for waves could add and remove for ever.
        if len(queries) + len(removed) >= self._queries_max:
            raise TooManyQueries(limit=self._queries_max)
        queries[query_id] = _UNANSWERED
        if self._unanswered is None:
            self._unanswered = set()
        self._unanswered.add(query_id)

    def _take_out(self, query_id: int) -> None:
        fingerprint = self._queries.pop(query_id, None)
        if fingerprint is None:
            raise QueryIdMisused(f"query {query_id} was removed while it did not live")
        if self._removed is None:
            self._removed = {}
        self._removed[query_id] = fingerprint
        if self._unanswered is not None:
            self._unanswered.discard(query_id)

    def change_identity(self) -> None:
        """The client is somebody else from here on."""
        self._identity_version += 1

    def begin_wave(self) -> None:
        """Fix what the wave covers: all that was received until now."""
        assert not self.in_wave
        self.in_wave = True
        self._wave_end = (self._query_set_version, self._identity_version)
        if self._removed is not None:
            self._wave_removed, self._removed = self._removed, None
        self._wave_unanswered, self._unanswered = self._unanswered, None

    def finish_wave(
        self,
        ts: int,
        updates: Sequence[tuple[int, LiveResult]],
        *,
        render: Callable[[LiveResult], bytes],
        skew: bytes,
        server_ns: int,
    ) -> tuple[bytes, ...]:
        """The parts of the Transition that ends the wave at `ts`; see `modification_parts`.

        Raises:
            WaveBroken: `ts` goes back, or a new query is missing from `updates`.
        """
        assert self.in_wave
        self.in_wave = False
        start = self._version
        end = StateVersion(*self._wave_end, ts)
        self._check_wave(ts, updates)
        removed, self._wave_removed = self._wave_removed, None
        fresh = []
        for update in updates:
            query_id, fingerprint, queries = update[0], update[1].fingerprint, self._queries
            if query_id not in queries:
                # Taken out since the wave began. If it was never answered, this Transition still answers it.
                if self._removed is None:
                    self._removed = {}
                queries = self._removed
            if queries.get(query_id) != fingerprint:  # Else the client has this answer already.
                queries[query_id] = fingerprint
                fresh.append(update)
        head = transition_head(start=start, end=end, skew=skew, server_ns=server_ns)
        self._version = end
        return modification_parts(head, removed or (), fresh, render)

    def show(
        self, telling: Telling[Text], updates: Sequence[tuple[int, LiveResult]], *, skew_length: int
    ) -> Text | None:
        """The Transition of a wave that begins and finishes in this step.

        None, and nothing has changed, where it takes more than that: a wave is under way, or the client has
        asked for something.
        """
        version = self._version
        if (
            self.in_wave
            or version[0] != self._query_set_version
            or version[1] != self._identity_version
            or version[2] > telling.ts
        ):
            return None
        queries = self._queries
        for query_id, live in updates:
            if queries[query_id] == live.fingerprint:
                updates = [each for each in updates if queries[each[0]] != each[1].fingerprint]
                break
        text = telling.text(version, updates, skew_length)
        if text is None:
            return None
        for query_id, live in updates:
            queries[query_id] = live.fingerprint
        self._version = text.end
        return text

    def catch_up(self, footing: Footing) -> None:
        """Others were told the same in its place since the last `show`, and this is where they stand."""
        self._version = footing.version
        if footing.query_id in self._queries:  # Else it came to its end.
            self._queries[footing.query_id] = footing.fingerprint

    def forget(self) -> None:
        """The socket came to its end; only the version stays, for the last message."""
        self._queries = {}
        self._removed = self._wave_removed = None
        self._unanswered = self._wave_unanswered = None

    def _check_wave(self, ts: int, updates: Sequence[tuple[int, LiveResult]]) -> None:
        """Hold the house to its promise: never back in time, every Add answered."""
        missing = self._wave_unanswered
        self._wave_unanswered = None
        if missing:
            for query_id, _ in updates:
                missing.discard(query_id)
            if missing and self._removed:
                # The hub may have dropped a query that the client took out meanwhile: nobody waits for it.
                missing.difference_update(self._removed)
        if missing or ts < self._version.ts:
            raise WaveBroken(f"wave at {ts} after {self._version.ts}, without answers to {missing}")
