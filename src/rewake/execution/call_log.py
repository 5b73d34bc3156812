"""The call log: what ran, how long it took, what it printed and how it failed.

Floor 3, `execution`. Every function run reports here once it is over, together with those that it came with,
and a running action with each line that it prints. `rewake dev` and `serve` listen; who asks from outside
follows by a cursor, or waits for news:

    extend(records), progress(line) -> entries with growing cursors -> after(cursor) | wait_after(cursor)

The latest entries are kept, bounded in number and size. Records carry the author's own traceback, which
clients never see in production.

Not here: the text that goes to clients (`failures.py`).
"""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from rewake.auth import Admin, Identity, User
from rewake.environment import Clock, SystemClock
from rewake.execution.calls import SYSTEM_PREFIX, CalledFrom
from rewake.limits import MIB
from rewake.observability import logger

_log = logger(__name__)

TRUNCATED = " (truncated due to length)"
"""How a line ends that was cut."""

_CURSOR_STEP_MS = 0.001
"""Doubles of this size lie 0.0002 ms apart."""
_ENTRY_BYTES = 200
"""Of an entry or a line without its texts."""


@dataclass(frozen=True, slots=True)
class RunLogLine:
    """One line that a run printed, or that the house added to it."""

    level: str
    """DEBUG, LOG, INFO, WARN or ERROR."""
    text: str
    code: str = ""
    """What the house says with it, such as `warning:TooManyDocumentsRead`; empty for the author's lines."""
    at_ms: float = field(default=0.0, compare=False)
    """When it was printed: milliseconds since the epoch. In transactions time stands still."""
    function: str = field(default="", compare=False)
    """Which function printed it, where that is not the one that was called."""

    @property
    def is_truncated(self) -> bool:
        """Whether the line was cut."""
        return self.text.endswith(TRUNCATED)

    def __str__(self) -> str:
        return f"[{self.level}] {self.text}"


class LimitReached(msgspec.Struct, frozen=True):
    """Which limit ended a run."""

    code: str
    setting: str
    """The field of `limits.Limits`."""
    observed: float
    limit: float


class CallUsage(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a run used."""

    documents_read: int = 0
    bytes_read: int = 0
    documents_written: int = 0
    bytes_written: int = 0
    arguments_bytes: int = 0
    returned_bytes: int | None = None
    """None where it returned nothing."""


NO_USAGE = CallUsage()


class CallRecord(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One function run."""

    path: str
    """`module:function`, as the author wrote it."""
    kind: str
    seconds: float
    log_lines: tuple[RunLogLine, ...]
    error: str | None
    """The message for clients, or None where the run succeeded."""
    traceback: str | None
    """The author's traceback, where an exception of theirs ended the run."""
    request_id: str
    limit: LimitReached | None = None
    """The limit that the run went over, where that ended it."""
    usage: CallUsage = NO_USAGE
    identity: str = ""
    """What kind of caller: `anonymous`, `user`, `admin`, `admin as user`; empty where it never ran."""
    scheduled: str = ""
    """The id of the job that it ran for; empty without one."""
    is_http: bool = False
    """Whether it was an HTTP action, whose path is a method and a route."""
    status: int = 0
    """What an HTTP action answered with; 0 where it did not come to that."""
    trace: str = ""
    """The span of the run as a `traceparent`; empty where traces are not wanted."""
    called_from: CalledFrom = CalledFrom.UNKNOWN
    """What kind of caller it had; of the run of a job, unknown."""


class RunProgress(msgspec.Struct, frozen=True):
    """A line of an action that still runs."""

    path: str
    kind: str
    request_id: str
    line: RunLogLine


class LogEntry(NamedTuple):
    """One piece of news of the log."""

    cursor: float
    """Milliseconds since the epoch, and larger than that of every entry before: also the time of the news."""
    news: CallRecord | RunProgress


class CallLog:
    """The latest entries, and those who listen to new records. Called from any thread."""

    def __init__(
        self, records_max: int = 1000, *, bytes_max: int = 8 * MIB, clock: Clock | None = None
    ) -> None:
        self._records_max = records_max
        self._bytes_max = bytes_max
        self._clock = clock or SystemClock()
        self._lock = threading.Lock()
        # What follows is guarded by the lock.
        self._entries: deque[tuple[float, CallRecord | RunProgress, int]] = deque()
        self._bytes = 0
        self._cursor = 0.0
        self._listeners: list[Callable[[Sequence[CallRecord]], None]] = []
        self._waiting: list[Callable[[], object]] = []
        self._is_over = False

    @property
    def records(self) -> list[CallRecord]:
        """The latest records, oldest first."""
        with self._lock:
            news = [news for _, news, _ in self._entries]
        return [each for each in news if isinstance(each, CallRecord)]

    def listen(self, listener: Callable[[Sequence[CallRecord]], None]) -> None:
        """Call `listener` with all records from now on, those together that came together, in the thread of
        the runs.
        """
        self._listeners.append(listener)

    def append(self, record: CallRecord) -> None:
        """Take one record: see `extend`."""
        self.extend((record,))

    def extend(self, records: Sequence[CallRecord]) -> None:
        """Take records, in order. A listener that raises is reported and does not disturb the runs.

        What the house did for itself is left out where it went well.
        """
        told = [one for one in records if one.error is not None or not one.path.startswith(SYSTEM_PREFIX)]
        if not told:
            return
        self._take([(record, _size_of(record)) for record in told])
        for listener in self._listeners:
            try:
                listener(told)
            except Exception:
                _log.exception("a listener of the call log failed")

    def progress(self, progress: RunProgress) -> None:
        """Take a line of an action that still runs; its record will hold it again."""
        self._take([(progress, _ENTRY_BYTES + len(progress.line.text))])

    def after(self, cursor: float) -> list[LogEntry]:
        """The entries that are kept and come after `cursor`, oldest first; 0 for all."""
        with self._lock:
            return self._after(cursor)

    async def wait_after(self, cursor: float, *, seconds: float) -> list[LogEntry]:
        """The same, as soon as there are any; none after `seconds`, or when the log ends."""
        loop, news = asyncio.get_running_loop(), asyncio.Event()

        def wake() -> None:
            with suppress(RuntimeError):  # The loop has ended meanwhile.
                loop.call_soon_threadsafe(news.set)

        with self._lock:
            if self._is_over or (found := self._after(cursor)):
                return [] if self._is_over else found
            self._waiting.append(wake)
        try:
            await asyncio.wait_for(news.wait(), seconds)
        except TimeoutError:
            pass
        finally:
            with self._lock:
                if wake in self._waiting:
                    self._waiting.remove(wake)
        return self.after(cursor)

    def end_waits(self) -> None:
        """Let nobody wait any more: the server stops."""
        with self._lock:
            self._is_over = True
            waiting, self._waiting = self._waiting, []
        for wake in waiting:
            wake()

    def _after(self, cursor: float) -> list[LogEntry]:
        found: list[LogEntry] = []
        for at, news, _ in reversed(self._entries):
            if at <= cursor:
                break
            found.append(LogEntry(at, news))
        return found[::-1]

    def _take(self, news: list[tuple[CallRecord | RunProgress, int]]) -> None:
        """Take entries, each with its size."""
        with self._lock:
            entries, cursor = self._entries, self._cursor
            now = self._clock.now_ns() / 1e6
            for each, size in news:
                # A millisecond may bring many, and a clock may go back.
                cursor += _CURSOR_STEP_MS
                cursor = max(cursor, now)
                entries.append((cursor, each, size))
                self._bytes += size
            self._cursor = cursor
            count = len(entries)
            while (count > self._records_max or self._bytes > self._bytes_max) and count > 1:
                self._bytes -= entries.popleft()[2]
                count -= 1
            waiting, self._waiting = self._waiting, []
        for wake in waiting:
            wake()


def identity_kind(identity: Identity) -> str:
    """A caller as `CallRecord.identity` has it."""
    if isinstance(identity, Admin):
        return "admin" if identity.acting_as is None else "admin as user"
    return "user" if isinstance(identity, User) else "anonymous"


def _size_of(record: CallRecord) -> int:
    """About how much memory the entry of a record takes."""
    size = _ENTRY_BYTES
    for text in (record.error, record.traceback):
        if text:
            size += len(text)
    for line in record.log_lines:
        size += _ENTRY_BYTES + len(line.text)
    return size
