"""The call log: what ran, how long it took, what it printed and how it failed.

Floor 3, `execution`. Every function run reports here once it is over; `rewake dev` prints the records, and
later issues stream them. Records carry the author's own traceback, which clients never see in production.

Not here: the text that goes to clients (`failures.py`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from rewake.observability import logger

_log = logger(__name__)


@dataclass(frozen=True, slots=True)
class RunLogLine:
    """One line that a run printed, or that the house added to it."""

    level: str
    """DEBUG, LOG, INFO, WARN or ERROR."""
    text: str
    code: str = ""
    """What the house says with it, such as `warning:TooManyDocumentsRead`; empty for the author's lines."""

    def __str__(self) -> str:
        return f"[{self.level}] {self.text}"


@dataclass(frozen=True, slots=True)
class LimitReached:
    """Which limit ended a run."""

    code: str
    setting: str
    """The field of `limits.Limits`."""
    observed: float
    limit: float


@dataclass(frozen=True, slots=True)
class CallRecord:
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


class CallLog:
    """The latest records, and those who listen to new ones. Called from runner threads."""

    def __init__(self, records_max: int = 1000) -> None:
        self._records: deque[CallRecord] = deque(maxlen=records_max)
        self._listeners: list[Callable[[CallRecord], None]] = []

    @property
    def records(self) -> list[CallRecord]:
        """The latest records, oldest first."""
        return list(self._records)

    def listen(self, listener: Callable[[CallRecord], None]) -> None:
        """Call `listener` with every record from now on, in the thread of the run."""
        self._listeners.append(listener)

    def append(self, record: CallRecord) -> None:
        """Take a record. A listener that raises is reported and does not disturb the run."""
        self._records.append(record)
        for listener in self._listeners:
            try:
                listener(record)
            except Exception:
                _log.exception("a listener of the call log failed")
