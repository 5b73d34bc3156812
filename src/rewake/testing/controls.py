"""Controls: what a test holds in its hands, the clock and the faults.

Floor 8, `testing`. Both are parts of the deployment's `Environment`; nothing is patched.

    backend.clock.advance(hours=1)             functions see a later `ctx.now`
    backend.faults.arm("group.before_commit")  the next commit fails
    with backend.faults.disk_full(): ...       every commit fails until the block ends

Not here: seeded chance, which is a number given to `Backend`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rewake.environment import ManualClock
from rewake.storage import GroupDoomed, StorageFailed, StorageFull

FAULT_POINTS = ("group.after_savepoint", "group.before_commit", "group.after_commit_before_outcome")
"""Where a fault can be armed: behind each mutation, before COMMIT, and between COMMIT and the answers."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class HandClock:
    """The time that functions and commits see. It stands still until it is moved."""

    def __init__(self, clock: ManualClock) -> None:
        self._clock = clock

    @property
    def now(self) -> datetime:
        """The time, in UTC."""
        return _EPOCH + timedelta(microseconds=self._clock.time_ns // 1000)

    @property
    def now_ms(self) -> float:
        """The time as `ctx.now` gives it: milliseconds since the epoch."""
        return self._clock.time_ns // 1000 / 1000

    def advance(
        self, seconds: float = 0.0, *, minutes: float = 0.0, hours: float = 0.0, days: float = 0.0
    ) -> None:
        """Move forward by the sum of the parts.

        Raises:
            ValueError: the sum is negative; `move_to` sets the wall clock back.
        """
        step = timedelta(seconds=seconds, minutes=minutes, hours=hours, days=days).total_seconds()
        if step < 0:
            raise ValueError("A clock advances. To set the wall clock back, use `move_to`.")
        self._clock.advance(step)

    def move_to(self, moment: datetime) -> None:
        """Set the wall clock, back too. `moment` has a time zone."""
        if moment.tzinfo is None:
            raise ValueError("`move_to` takes a moment with a time zone, such as tzinfo=UTC.")
        self._clock.advance((moment - self.now) / timedelta(seconds=1))


@dataclass(slots=True)
class _Armed:
    """One fault. `skipped` counts down first, then `left`."""

    error: BaseException
    skipped: int
    left: int


class Faults:
    """Faults that come when the writer reaches a named point."""

    def __init__(self) -> None:
        self._armed: dict[str, _Armed] = {}
        self._is_full = False

    def arm(self, point: str, error: Exception | None = None, *, after: int = 0, times: int = 1) -> None:
        """Raise `error` the next `times` that the writer reaches `point`, `after` times later than now.

        Without `error` it is what a failing disk gives: the call raises `StorageFailed` and nothing is kept;
        behind COMMIT, where everything is kept, the answer is lost and found again in the commit log.

        Raises:
            ValueError: there is no such point; `FAULT_POINTS` lists them.
        """
        if point not in FAULT_POINTS:
            raise ValueError(f"There is no fault point {point!r}. There are {', '.join(FAULT_POINTS)}.")
        fault: BaseException = error or StorageFailed(detail=f"a test armed {point}")
        if isinstance(fault, StorageFailed) and point != FAULT_POINTS[-1]:
            # As SQLite's failures arrive: as something that authors cannot swallow.
            fault = GroupDoomed(fault)
        self._armed[point] = _Armed(fault, after, times)

    def disarm(self) -> None:
        """Forget every armed fault."""
        self._armed.clear()

    @contextmanager
    def disk_full(self) -> Iterator[None]:
        """Refuse every mutation as a full disk does; queries go on. Those that write nothing fail as well."""
        self._is_full = True
        try:
            yield
        finally:
            self._is_full = False

    def reach(self, point: str) -> None:
        """What the environment calls, in the writer's thread."""
        if self._is_full and point == "group.before_commit":
            raise GroupDoomed(StorageFull(detail="a test filled it"))
        armed = self._armed.get(point)
        if armed is None:
            return
        if armed.skipped > 0:
            armed.skipped -= 1
            return
        armed.left -= 1
        if armed.left <= 0:
            del self._armed[point]
        raise armed.error
