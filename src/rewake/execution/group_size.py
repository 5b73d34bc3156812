"""Group size: how many mutations the next group takes at the most.

Floor 3, `execution`. A state machine without I/O. Callers who wait for an answer before they ask again fall
into step: all of them are in one group, and while their answers travel the writer has nothing to do. Where
each group takes half of them, one half is answered, thinks and asks while the other half runs. The price is
a second COMMIT for the same mutations, so it is paid where a COMMIT takes less than the writer waits.

    waited, taken, left -> callers -> half of them | as many as come
    COMMIT beside waiting -----------'

Not here: how long a group may run (`group_writer.py`). Source: measured, docs/architecture/speed.md.
"""

from __future__ import annotations

_WAITED_SECONDS = 50e-6
"""Less is no waiting: work that is there takes so long to be read."""
_SHARE = 1 / 8
"""How much one group changes what is known of times."""


class GroupSize:
    """Of one writer. Used from its thread."""

    def __init__(self, *, mutations_max: int, idle_seconds_max: float) -> None:
        """Longer idle times than `idle_seconds_max` are no sign of callers in step: nobody asked."""
        self._mutations_max = mutations_max
        self._idle_seconds_max = idle_seconds_max
        self._taken = 0  # By the group before.
        # Times of late; idle is only known of groups for which the writer has waited.
        self._idle_seconds = 0.0
        self._commit_seconds = 0.0
        self.most = mutations_max
        """So many may be in the next group."""

    def ended(self, *, taken: int, left: int, waited_seconds: float, commit_seconds: float) -> None:
        """A group is over. It took so many after waiting so long for the first; so many more are there."""
        has_waited = waited_seconds > _WAITED_SECONDS
        self._commit_seconds += _SHARE * (commit_seconds - self._commit_seconds)
        if has_waited:
            idle = min(waited_seconds, self._idle_seconds_max)
            self._idle_seconds += _SHARE * (idle - self._idle_seconds)
        # Who was answered before the wait is who came after it.
        callers = taken + left + (0 if has_waited else self._taken)
        self._taken = taken
        pays = self._commit_seconds < self._idle_seconds
        self.most = min(self._mutations_max, (callers + 1) // 2) if pays else self._mutations_max
