"""A session's side of the hub: its queries, and the wave that it is in.

Floor 4, `reactivity`. What a client adds and removes while a wave runs waits for the next wave, so that the
set of queries that a wave answers is exactly the one that the session fixed when the wave began (wire 1.7,
rules 3 to 6).

    changes queued    -> begin_wave: applied, the set is fixed -> finish_wave: what is new at ts is handed
    over
    nothing queued    -> joins: nothing to fix ................-> show: begun and finished in one step
    shown one query again and again, as others are ............-> a chorus takes part for it (`chorus.py`)

A notice is a log line from outside any run: the development server has a page's console say that the code
that was saved last is not served. It travels with the first result of a wave; where a wave has none, one
result is sent once more for its sake.

Not here: the hub's part (`live_queries.py`); versions and messages (`sync/session.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Protocol

import msgspec
from msgspec.structs import replace

from rewake.auth import ANONYMOUS, Admin, Identity, scope_of_call
from rewake.execution import FunctionCall, Visibility
from rewake.functions import FunctionKind
from rewake.reactivity.chorus import Chorus, Stage
from rewake.reactivity.entries import Entry, LiveResult, QuestionKey, question_key
from rewake.reactivity.showing import Showing, Singer


class QueryChange(msgspec.Struct, frozen=True, gc=False):
    """A query to keep answered; or, without a `call`, one that is no longer wanted."""

    query_id: int
    call: FunctionCall | None = None
    journal: str | None = None


Change = QueryChange | Identity
"""What waits for the next wave. An identity: every query is asked again as that."""


class LiveListener(Protocol):
    """Who is handed the waves of a session: the sync connection."""

    def begin_wave(self) -> bool:
        """Fix what the coming transition answers. False: not now; ask again after `request_wave`."""
        ...

    def finish_wave(self, ts: int, updates: Sequence[tuple[int, LiveResult]]) -> None:
        """Results at `ts` of the queries that are new or changed."""
        ...

    def show(self, wave: Showing, updates: Sequence[tuple[int, LiveResult]]) -> bool:
        """Begin and finish a wave in one step. False, and nothing has happened: not so, begin it."""
        ...

    def fail_wave(self) -> None:
        """The wave could not be run. The connection should be closed as an internal error."""
        ...


class Hub(Stage, Protocol):
    """What a session asks of the hub."""

    def request_wave(self, session: LiveSession) -> None: ...
    def subscribe(self, subscription: Subscription) -> None: ...
    def unsubscribe(self, subscription: Subscription) -> None: ...
    def await_wave(self, session: LiveSession) -> None: ...
    def drop_session(self, session: LiveSession) -> None: ...


def visibility_of(identity: Identity, path: str, kind: FunctionKind) -> Visibility:
    """What somebody finds at `path`: holders of an admin key whose scopes reach so far find internal
    functions, too; nobody else does.
    """
    if not isinstance(identity, Admin):
        return Visibility.PUBLIC
    is_permitted = identity.grant.may(scope_of_call(path, kind))
    return Visibility.INTERNAL if is_permitted else Visibility.DENIED


class Subscription:
    """One query of one session."""

    __slots__ = ("call", "entry", "is_answered", "journal", "query_id", "question", "session")

    def __init__(self, session: LiveSession, query_id: int, call: FunctionCall, journal: str | None) -> None:
        self.session = session
        self.query_id = query_id
        self.call = call
        self.journal = journal
        seen = visibility_of(session.identity, call.path, "query")
        self.question: QuestionKey = question_key(call, journal, seen)
        self.entry: Entry | None = None
        """Set by the hub while subscribed."""
        self.is_answered = False
        """Set by the first wave that carried a result to the client."""

    def known(self, wave: Showing) -> LiveResult | None:
        """The result of a query that has been answered before; None where it is not known, or where more is
        to be done than to show it: the end of a page must be remembered, or asked for elsewhere.
        """
        entry = self.entry
        result = None if entry is None else wave.known(entry)
        if result is None or result.journal is None:
            return result
        assert entry is not None
        return result if result.journal == self.journal == entry.pin else None

    def keep_journal(self, journal: str) -> None:
        """Remember what the client was just sent: a page keeps its end when it is asked as somebody else."""
        if journal != self.journal:
            self.journal = journal
            self.question = replace(self.question, journal=journal)


_entry_of = attrgetter("entry")


def _by_query(update: tuple[int, LiveResult]) -> int:
    return update[0]


class LiveSession:
    """The live queries of one client."""

    __slots__ = (
        "_chorus",
        "_hub",
        "_listener",
        "_notices",
        "_shown_last",
        "_singer",
        "_subscriptions",
        "changes",
        "identity",
        "in_wave",
        "is_closed",
        "pending",
        "wants_wave",
    )

    def __init__(self, hub: Hub, listener: LiveListener) -> None:
        self._hub = hub
        self._listener = listener
        # There are many sessions, and mostly nothing waits: what is empty is nothing of one's own.
        self.changes: list[Change] | None = None
        """Of the query set, to be made when a wave begins. Set by `change`, taken by `begin_wave`."""
        self._notices: tuple[str, ...] = ()  # Kept until a wave has a result for them to go with.
        self._subscriptions: dict[int, Subscription] = {}
        self.identity: Identity = ANONYMOUS
        self.pending: tuple[()] | tuple[Subscription] | set[Subscription] = ()
        """Queries whose newest result the client does not have: new ones and stale ones."""
        self._chorus: Chorus | None = None
        """Set by `_sing`, cleared by `left`. Meanwhile it has what is pending, and takes part in waves."""
        self._singer: Singer | None = None  # Goes with it: how the chorus knows this session.
        self._shown_last: Entry | None = None  # The query that `show` brought last, where it was one.
        self.in_wave = False
        self.wants_wave = False
        self.is_closed = False

    @property
    def has_news(self) -> bool:
        """Whether a wave would have anything to say: a new or stale query, a change that waits, or that a
        wave was asked for.
        """
        return not self.is_closed and bool(self.pending or self.wants_wave or self.changes)

    def add(self, query_id: int, call: FunctionCall, journal: str | None) -> None:
        """Watch a query from the next wave on."""
        self.change((QueryChange(query_id, call, journal),))

    def remove(self, query_id: int) -> None:
        """Stop watching a query from the next wave on."""
        self.change((QueryChange(query_id),))

    def set_identity(self, identity: Identity) -> None:
        """Ask every query again as `identity`, in the next wave."""
        self.change((identity,))

    def change(self, changes: Sequence[Change]) -> None:
        """Make these changes with the next wave, which is asked for even where there are none."""
        if self.is_closed:
            return
        if self._chorus is not None:
            self.stand_alone()
        if self.changes is None:
            self.changes = [*changes]
        else:
            self.changes += changes
        self._hub.request_wave(self)

    def request_wave(self) -> None:
        """Make a wave for this session even if nothing changed."""
        if self._chorus is not None:
            self.stand_alone()
        self._hub.request_wave(self)

    def tell(self, line: str) -> None:
        """Show a log line in the client's console, once: now, or with the first query that it watches."""
        if self.is_closed:
            return
        self.stand_alone()
        self._notices = (*self._notices, line)
        if self._subscriptions:
            self._hub.request_wave(self)

    def close(self) -> None:
        """Drop every query. A wave under way no longer reports."""
        if self.is_closed:
            return
        self.stand_alone()
        self.is_closed = True
        self.changes = None
        for subscription in self._subscriptions.values():
            self._hub.unsubscribe(subscription)
        self._subscriptions.clear()
        self.pending = ()
        self._hub.drop_session(self)

    def stand_alone(self) -> None:
        """Leave the chorus, where there is one: something happens to this session alone."""
        if self._chorus is not None:
            assert self._singer is not None
            self._chorus.leave(self._singer)

    # Called by the hub.

    def begin_wave(self) -> bool:
        """Make the changes that wait and fix the set; False where there is no news, or the listener is not
        ready.
        """
        if not self.has_news or not self._listener.begin_wave():
            return False
        self.in_wave = True
        self.wants_wave = False
        changes, self.changes = self.changes, None
        for change in changes or ():
            if not isinstance(change, QueryChange):
                self._set_identity(change)
            elif change.call is None:
                self._remove(change.query_id)
            else:
                self._add(change.query_id, change.call, change.journal)
        return True

    def await_result(self, subscription: Subscription) -> bool:
        """The client is owed a result. False: it was before."""
        if self._chorus is not None:
            self.stand_alone()
        pending = self.pending
        if not pending:
            self.pending = (subscription,)
        elif subscription in pending:
            return False
        elif isinstance(pending, set):
            pending.add(subscription)
        else:
            self.pending = {*pending, subscription}
        return True

    def await_nothing(self, subscription: Subscription) -> None:
        """The client has the result, or wants none."""
        pending = self.pending
        if isinstance(pending, set):
            pending.discard(subscription)
            if not pending:
                self.pending = ()
        elif subscription in pending:
            self.pending = ()

    def shows_only(self, entries: set[Entry]) -> bool:
        """Whether no other query than these is watched."""
        return entries.issuperset(map(_entry_of, self._subscriptions.values()))

    def joins(self, entries: dict[Entry, None]) -> bool:
        """Take part in a wave without beginning one, where nothing was asked since the last: it will be shown
        what it waits for, which is added to `entries`. False where there is more to it.
        """
        pending = self.pending
        if not pending or self.wants_wave or self.changes or self._notices:
            return False
        for subscription in pending:
            entry = subscription.entry
            if entry is None or not subscription.is_answered:
                return False
            entries[entry] = None
        self.in_wave = True
        return True

    def show(self, wave: Showing) -> bool:
        """Begin and finish the wave that was joined. False: begin the next one in earnest."""
        self.in_wave = False
        pending = self.pending
        if not pending or self.changes or self._notices:
            return self.is_closed
        if len(pending) == 1:
            (only,) = pending
            entry = only.entry
            assert entry is not None
            result = wave.shown.get(entry)
            if result is None or result.journal is not None:
                result = only.known(wave)
            wave.singer = None
            if result is None or not self._listener.show(wave, ((only.query_id, result),)):
                return False
            is_owed = entry.stale_since is not None or entry.result is not result
            if not is_owed:
                self.pending = ()
            again, self._shown_last = entry is self._shown_last, entry
            if not (again and self._sings(only, entry, wave, is_owed=is_owed)) and is_owed:
                self._hub.await_wave(self)
            return True
        self._shown_last = None
        results = [(subscription, subscription.known(wave)) for subscription in pending]
        updates = [(subscription.query_id, result) for subscription, result in results if result is not None]
        updates.sort(key=_by_query)
        if len(updates) < len(results) or not self._listener.show(wave, updates):
            return False
        for subscription, result in results:
            entry = subscription.entry
            if entry is not None and entry.stale_since is None and entry.result is result:
                self.await_nothing(subscription)
        if self.pending:
            self._hub.await_wave(self)
        return True

    def show_nothing(self, wave: Showing) -> bool:
        """Begin and finish a wave that was asked for and brings no result. False: begin it in earnest."""
        if self.pending or self.changes or self._notices or self.is_closed or not self.wants_wave:
            return False
        if not self._listener.show(wave, ()):
            return False
        self.wants_wave = False
        return True

    def _sings(self, subscription: Subscription, entry: Entry, wave: Showing, *, is_owed: bool) -> bool:
        """Join those who were just shown this wave and are to be shown the next ones together, if any are.

        What is owed is from then on owed to the chorus, and the entry knows the chorus instead.
        """
        singer = wave.singer
        # Who asked for a wave meanwhile begins one alone, and must know by itself what it is owed.
        if singer is None or self.wants_wave or subscription.journal is not None or not entry.is_shared:
            return False
        chorus = Chorus.at(self._hub, entry, subscription.query_id, singer, wave)
        if chorus is None:
            return False
        chorus.join(self, singer)
        self._chorus, self._singer, self.pending = chorus, singer, ()
        entry.detach(subscription)
        if is_owed and chorus.await_result():
            self._hub.await_chorus(chorus)
        return True

    def left(self, query_id: int, *, is_owed: bool) -> None:
        """The chorus let go of this session."""
        self._chorus = self._singer = None
        subscription = self._subscriptions[query_id]
        assert subscription.entry is not None
        subscription.entry.attach(subscription)
        if is_owed:
            self.await_result(subscription)
            self._hub.await_wave(self)

    def finish_wave(self, ts: int, shown: dict[Entry, LiveResult]) -> None:
        """Hand over what is pending and known at `ts`."""
        self.in_wave = False
        if self.is_closed:
            return
        updates: list[tuple[int, LiveResult]] = []
        for subscription in tuple(self.pending):
            entry = subscription.entry
            if entry is None:
                continue
            result = shown.get(entry) or (entry.result if entry.is_valid_at(ts) else None)
            if result is None:
                continue
            updates.append((subscription.query_id, result))
            subscription.is_answered = True
            if result.journal is not None:
                subscription.keep_journal(result.journal)
                if result.journal != entry.pin:
                    # Two first runs of one page ended it in two places, and the entry kept the other end.
                    # This client was shown ours: its next page begins there.
                    self._hub.unsubscribe(subscription)
                    self._hub.subscribe(subscription)
                    continue
            if entry.stale_since is None and result is entry.result:
                self.await_nothing(subscription)
        if len(updates) > 1:
            updates.sort(key=_by_query)
        if self._notices:
            self._attach_notices(ts, updates)
        self._listener.finish_wave(ts, updates)

    def _attach_notices(self, ts: int, updates: list[tuple[int, LiveResult]]) -> None:
        if not updates:
            shown = ((query_id, one.entry) for query_id, one in sorted(self._subscriptions.items()))
            again = next(
                ((number, entry) for number, entry in shown if entry and entry.is_valid_at(ts)), None
            )
            if again is None or again[1].result is None:
                return
            updates.append((again[0], again[1].result))
        query_id, result = updates[0]
        updates[0] = (query_id, result.with_lines(self._notices))
        self._notices = ()

    def fail_wave(self) -> None:
        """Tell the listener that its wave could not be run."""
        self.in_wave = False
        if not self.is_closed:
            self._listener.fail_wave()

    def _add(self, query_id: int, call: FunctionCall, journal: str | None) -> None:
        if query_id in self._subscriptions:
            self._remove(query_id)
        subscription = Subscription(self, query_id, call, journal)
        self._subscriptions[query_id] = subscription
        self._hub.subscribe(subscription)

    def _remove(self, query_id: int) -> None:
        subscription = self._subscriptions.pop(query_id, None)
        if subscription is not None:
            self._hub.unsubscribe(subscription)

    def _set_identity(self, identity: Identity) -> None:
        if identity == self.identity:
            return
        self.identity = identity
        for query_id, old in list(self._subscriptions.items()):
            self._add(query_id, old.call, old.journal)
