"""Entries: one per distinct query, shared by everyone who asks it.

Floor 4, `reactivity`. An entry is at once the shared result cache and the thing that a live query
subscribes to, so a thousand screens that show one list cost one run and one encoding.

    valid at every timestamp in [valid_from, stale_since)    stale_since None: still valid at the log position

Not here: deciding when to run (`live_queries.py`).
Source: semantics 7.2 (what the cache key holds).
"""

from __future__ import annotations

import re
from collections.abc import Collection, Hashable, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Protocol

import msgspec

from rewake.errors import InvalidInput, Unavailable
from rewake.execution import CalledFrom, Failure, FunctionCall, QueryJob, Success, Visibility
from rewake.handoff import Handoff
from rewake.protocol import canonical_path
from rewake.values import decode, encode

_ONE_WORD = re.compile(r'\{ ?"([A-Za-z][A-Za-z0-9_]*)" ?: ?"([A-Za-z0-9_-]*)" ?\}')
"""The commonest arguments of all: one, such as an id, that is written one way only but for spaces."""
_REMEMBERED_LENGTH_MAX = 500
"""Characters of arguments whose canonical form is remembered."""


RESULT_BYTES = 400
"""About what a result takes besides its texts."""


class ReaderBehind(Unavailable):
    """A reader does not see what was committed before the call. Try again; if it stays so, restart the
    server.
    """

    code = "ReaderBehind"
    template = "A reader does not see what was committed at timestamp {asked}. Try again."
    runs = 8
    """After so many for one answer. Two are joined that others began, and one may be split by identity; who
    is still behind after those has a connection that does not see what is committed."""


class LiveResult(msgspec.Struct, gc=False):
    """A query's result with what the doors need to send it to many.

    `fingerprint` is equal for equal results (value or error without request id, and log lines; wire 1.7), and
    for no others: 64 bits of them, made with the secret of this process, and never -1.
    `rendered` is a slot of the door's: the encoded part of a message that all receivers share. The garbage
    collector need not go through these, of which there may be as many as queries: no cycle leads through one.
    """

    result: Success | Failure
    journal: str | None
    fingerprint: int
    rendered: bytes | None = None

    @classmethod
    def of(cls, result: Success | Failure, journal: str | None) -> LiveResult:
        if isinstance(result, Success):
            return cls(result, journal, hash((result.value, result.log_lines)))
        return cls(result, journal, hash((result.message, result.data, result.log_lines)))

    def is_same_as(self, other: LiveResult) -> bool:
        """Whether a client that has one needs not be sent the other."""
        return self.fingerprint == other.fingerprint and self.journal == other.journal

    def with_lines(self, lines: Sequence[str]) -> LiveResult:
        """The same result with more log lines, for one receiver."""
        result, lines = self.result, (*lines, *self.result.log_lines)
        if isinstance(result, Success):
            return LiveResult.of(Success(result.value, lines), self.journal)
        return LiveResult.of(replace(result, log_lines=lines), self.journal)

    @property
    def size_bytes(self) -> int:
        """About how much memory it holds."""
        body = self.result.value if isinstance(self.result, Success) else self.result.message
        return RESULT_BYTES + len(body) + (len(self.rendered) if self.rendered else 0)


Answer = tuple[Success | Failure, int]
"""What one-shot readers are given: a result, and a timestamp at which it holds."""


class QuestionKey(msgspec.Struct, frozen=True, gc=False):
    """What is asked, apart from who asks. All who ask the same hold one and the same."""

    component: str
    path: str
    args: str
    journal: str | None
    visibility: Visibility


class EntryKey(msgspec.Struct, frozen=True, gc=False):
    """The key of an entry. `identity` is empty where the question is known not to read it."""

    question: QuestionKey
    identity: str


def question_key(call: FunctionCall, journal: str | None, visibility: Visibility) -> QuestionKey:
    """The canonical form of a question: equal for every spelling of path and arguments.

    Arguments or a path that cannot be read keep their own text: the run will fail, each spelling for itself.
    """
    try:
        path = canonical_path(call.path)
    except InvalidInput:
        path = call.path
    args = call.args
    try:
        if len(args) > _REMEMBERED_LENGTH_MAX:
            args = encode(decode(args))
        elif (word := _ONE_WORD.fullmatch(args)) is not None:
            args = f'{{"{word[1]}":"{word[2]}"}}'
        else:
            args = _canonical_arguments(args)
    except InvalidInput:
        pass
    # Most clients spell them so: then there is one text, and not two that are equal.
    return QuestionKey(call.component, path, call.args if args == call.args else args, journal, visibility)


@lru_cache(maxsize=1024)
def _canonical_arguments(text: str) -> str:
    """The canonical form of arguments, remembered: pages ask the same again and again."""
    return encode(decode(text))


class Together(Protocol):
    """Live queries that are shown as one: a chorus."""

    def __len__(self) -> int: ...
    def await_result(self) -> bool: ...
    def part(self) -> None: ...


class _Several(set[Hashable]):
    """More than one live query."""

    __slots__ = ()


class Entry(msgspec.Struct, eq=False):
    """One distinct query. Compared by identity; lives in the wake index while it has a registered result."""

    key: EntryKey
    call: FunctionCall
    """The path as whoever asked first wrote it, and canonical arguments."""
    asker: str
    """The fingerprint of who asked first; runs are theirs."""
    journal: str | None = None
    """What they knew of the end of a page."""
    result: LiveResult | None = None
    """Set by every accepted run; None until the first."""
    valid_from: int = 0
    """The snapshot of the run that gave `result`."""
    stale_since: int | None = None
    """Set by the first commit that touches the result; cleared by the next accepted run."""
    expires_at: float | None = None
    """Monotonic seconds after which new readers are not served (the run read the clock)."""
    watched: int = 0
    """The hash of the packed read set with which it lies in the wake index: most runs read what the last one
    read. 0 where that is not known."""
    _shown: Hashable | _Several | None = None
    """The live queries that show this entry. Most are shown once, and a set would be as large as the rest."""
    choruses: dict[Hashable, Together] | None = None
    """Live queries that show this entry and are not among those. Each adds itself with its first session, and
    goes with its last."""
    runs: int = 0
    """Runs under way that will end in this entry; it is not given up before they are back."""
    askers: list[Handoff[Answer]] | None = None
    """Who waits for a run of one-shot readers, which others may join: set when it begins, cleared when it
    ends."""

    def is_valid_at(self, ts: int) -> bool:
        """Whether `result` is the answer at snapshot `ts`, as far as the log position tells."""
        return (
            self.result is not None
            and self.valid_from <= ts
            and (self.stale_since is None or self.stale_since > ts)
        )

    def serves_new_reader(self, now: float) -> bool:
        """Whether a reader who comes now may have the result without a run. Errors are not cached."""
        return (
            self.result is not None
            and self.stale_since is None
            and isinstance(self.result.result, Success)
            and (self.expires_at is None or now < self.expires_at)
        )

    @property
    def is_lone(self) -> bool:
        """Whether nobody has a result of it or asks for one, but for who waits for the one run under way."""
        return self.result is None and self.runs == 1 and self._shown is None and not self.choruses

    @property
    def subscriptions(self) -> Collection[Hashable]:
        """The live queries that show this entry by themselves."""
        shown = self._shown
        if shown is None:
            return ()
        return shown if isinstance(shown, _Several) else (shown,)

    @property
    def subscription_count(self) -> int:
        """How many live queries show this entry, alone or in a chorus; without any it is only cache."""
        count = len(self.subscriptions)
        return count + sum(map(len, self.choruses.values())) if self.choruses else count

    @property
    def is_shown(self) -> bool:
        """Whether any live query shows this entry."""
        return self._shown is not None or bool(self.choruses)

    @property
    def is_shared(self) -> bool:
        """Whether several live queries show this entry."""
        return isinstance(self._shown, _Several) or (bool(self.choruses) and self.subscription_count > 1)

    def attach(self, subscription: Hashable) -> None:
        """A live query shows this entry from now on."""
        shown = self._shown
        if shown is None:
            self._shown = subscription
        elif isinstance(shown, _Several):
            shown.add(subscription)
        elif shown is not subscription:
            self._shown = _Several((shown, subscription))

    def detach(self, subscription: Hashable) -> None:
        """A live query shows this entry no longer."""
        shown = self._shown
        if shown is subscription:
            self._shown = None
        elif isinstance(shown, _Several):
            shown.discard(subscription)
            if len(shown) <= 1:
                self._shown = next(iter(shown), None)

    def drop_text(self) -> None:
        """Let go of the text that receivers share where it is not shared: it is as large as the result."""
        result = self.result
        if result is not None and result.rendered is not None and not self.is_shared:
            result.rendered = None

    @property
    def pin(self) -> str | None:
        """The journal that runs are given: the newest there is, so that a page keeps its end."""
        result = self.result
        return result.journal if result is not None and result.journal else self.journal

    def rerun_job(self, called_from: CalledFrom = CalledFrom.SYNC_WORKER) -> QueryJob:
        """The job of the next run: of a live query, or for somebody else who asks."""
        visibility = self.key.question.visibility
        pin = self.journal if self.result is None else self.pin
        return QueryJob(self.call, self.asker, visibility, pin, called_from=called_from)
