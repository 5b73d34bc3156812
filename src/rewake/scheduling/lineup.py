"""The lineup: which due jobs may begin now, and when to look again.

Floor 4, `scheduling`. A state machine without I/O. It holds the jobs that run and those that could not be run
(a full disk, a restarting writer) and wait for another try; the backlog itself stays in the database.

    looked(due) -> jobs to begin          ended(id)           not_run(id) -> another try later

Jobs begin in the order of their due times, a bounded number at once; between two of them nothing is promised.
Where many could not be run, no further ones are tried: it is not the jobs that are at fault.

Not here: finding and running (`scheduler.py`).
Source: semantics 6.5.
"""

from __future__ import annotations

from collections.abc import Iterable

from rewake.database import ScheduledJob

_RETRY_SECONDS_MIN = 0.5
_RETRY_SECONDS_MAX = 7_200.0
_WAITING_MAX = 100
"""Jobs that wait for another try while further ones are still begun."""


class Lineup:
    """Jobs between being due and being over. Times are monotonic seconds."""

    def __init__(self, *, running_max: int) -> None:
        self._running_max = running_max
        self._running: set[str] = set()
        # Jobs that could not be run, from then until they are begun again: tries so far, time of the next.
        self._waiting: dict[str, tuple[int, float]] = {}

    @property
    def running(self) -> frozenset[str]:
        """The jobs that run."""
        return frozenset(self._running)

    @property
    def is_full(self) -> bool:
        """Whether there is no place for another job."""
        return len(self._running) >= self._running_max

    @property
    def look_at_most(self) -> int:
        """How many due jobs to fetch: enough to fill the places even if all known ones come first."""
        return self._running_max + len(self._running) + len(self._waiting)

    def looked(self, due: Iterable[ScheduledJob], *, now: float) -> list[ScheduledJob]:
        """The jobs of `due` that begin now; they count as running from here on.

        `due` is what is due at the moment: a job that waited for another try and is not among them was
        cancelled meanwhile.
        """
        due = list(due)
        pending = {job.id for job in due}
        for id, (_, time) in list(self._waiting.items()):
            if time <= now and id not in pending and id not in self._running:
                del self._waiting[id]
        begun = []
        for job in due:
            if self.is_full:
                break
            if job.id not in self._running and self._may_begin(job.id, now):
                self._running.add(job.id)
                begun.append(job)
        return begun

    def _may_begin(self, id: str, now: float) -> bool:
        waiting = self._waiting.get(id)
        if waiting is None:
            return len(self._waiting) < _WAITING_MAX
        return waiting[1] <= now

    def ended(self, id: str) -> None:
        """A job is over."""
        self._running.discard(id)
        self._waiting.pop(id, None)

    def not_run(self, id: str, *, now: float) -> None:
        """A job could not be run, through no fault of its own; it waits longer each time."""
        self._running.discard(id)
        tries, _ = self._waiting.get(id, (0, 0.0))
        pause = min(_RETRY_SECONDS_MIN * 2**tries, _RETRY_SECONDS_MAX)
        self._waiting[id] = (tries + 1, now + pause)

    def seconds_to_retry(self, *, now: float) -> float | None:
        """How long until the next job may be tried again; None where none waits for that, or there is no
        place for it.
        """
        times = [time for id, (_, time) in self._waiting.items() if id not in self._running]
        return max(0.0, min(times) - now) if times and not self.is_full else None
