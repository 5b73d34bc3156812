"""A chorus: sessions that stand at the same place with one query, and are shown waves as one.

Floor 4, `reactivity`. Most of a fan-out goes to sessions that do nothing but watch. Each has an object or ten
on this floor and on the next, and going through them costs as much as the kernel takes for a third of the
write: they lie cold in memory, since all others were gone through in between. So whoever was shown the same
query twice in a row, and stands where others do, is put into a chorus, and from then on a commit, a wave and
a transition touch the chorus. What its sessions know stands still meanwhile, and is brought up to date when
they leave.

    shown the same query twice -> join ...... await_result -> joins -> show ...... leave -> a session again

A session leaves by the first thing that happens to it alone: its client says something, another query of its
is touched, its socket is full or lost. If a result was owed to the chorus then, it is owed to the session.
Leaving is always possible and never loses anything; so whatever is out of the ordinary makes the whole chorus
part, and each of its sessions is shown the next wave by itself.

Not here: what is written, and to which sockets (`sync/voice.py`).
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Protocol

from rewake.reactivity.entries import Entry
from rewake.reactivity.showing import Showing, Singer, Voice


class Member(Protocol):
    """A session, as its chorus sees it."""

    def left(self, query_id: int, *, is_owed: bool) -> None:
        """Be a session of its own again, to which a result of this query may be owed."""
        ...

    def fail_wave(self) -> None:
        """Tell the listener that its wave could not be run."""
        ...


class Stage(Protocol):
    """What a chorus asks of the hub."""

    def await_chorus(self, chorus: Chorus) -> None: ...


class Chorus:
    """Sessions that are shown one query together."""

    __slots__ = ("_entry", "_is_owed", "_key", "_members", "_query_id", "_stage", "_voice", "in_wave", "ts")

    def __init__(self, stage: Stage, entry: Entry, query_id: int, *, place: Hashable, voice: Voice) -> None:
        self._stage = stage
        self._entry = entry
        self._query_id = query_id
        self._key = query_id, place
        self._voice = voice
        self._members: dict[Singer, Member] = {}
        self._is_owed = False
        """Set when the entry becomes stale; cleared by the wave that shows its newest result."""
        self.in_wave = False
        self.ts = -1
        """The last wave that everybody here was shown."""

    @classmethod
    def at(cls, stage: Stage, entry: Entry, query_id: int, singer: Singer, wave: Showing) -> Chorus | None:
        """The chorus of those who were shown `wave` and stand where `singer` does; None where there is one
        that was not shown it.
        """
        place = singer.place()
        chorus = entry.choruses.get((query_id, place)) if entry.choruses else None
        if chorus is None:
            result = wave.known(entry)
            assert result is not None
            chorus = cls(stage, entry, query_id, place=place, voice=singer.voice(query_id, result))
            chorus.ts = wave.ts
        assert isinstance(chorus, cls)
        return chorus if chorus.ts == wave.ts else None

    def __len__(self) -> int:
        return len(self._members)

    # Who is in it.

    def join(self, member: Member, singer: Singer) -> None:
        """Take in a session that was shown what the others were."""
        self._voice.join(singer)
        self._members[singer] = member
        if self._entry.choruses is None:
            self._entry.choruses = {}
        self._entry.choruses[self._key] = self

    def leave(self, singer: Singer) -> None:
        """Let a session go; it is where the others are, and is owed what they are owed."""
        self._voice.finish()  # Else it could be told something else before.
        member = self._members.pop(singer, None)
        if member is None:
            return  # It was one of those whom the voice did not get through to.
        choruses = self._entry.choruses
        if not self._members and choruses is not None:
            del choruses[self._key]
            self._entry.choruses = choruses or None
        self._voice.leave(singer)
        member.left(self._query_id, is_owed=self._is_owed)

    def part(self) -> None:
        """Let everybody go."""
        for singer in list(self._members):
            self.leave(singer)

    # Waves: as a session, see there.

    def await_result(self) -> bool:
        """Everybody is owed a result. False: they were before."""
        was_owed, self._is_owed = self._is_owed, True
        return not was_owed

    def joins(self, entries: dict[Entry, None]) -> bool:
        """Take part in a wave; what it is waited for is added to `entries`. False: nobody is left."""
        if self._members:
            entries[self._entry] = None
            self.in_wave = True
        return self.in_wave

    def show(self, wave: Showing) -> None:
        """Show everybody the wave that was joined, or part: then each begins the next."""
        self.in_wave = False
        self._voice.finish()  # One wave after the other.
        entry, result = self._entry, wave.known(self._entry)
        for singer in self._voice.outgrown(wave):
            self.leave(singer)
        # A journal is for each session to remember.
        if (
            result is None
            or result.journal is not None
            or not self._voice.show(wave, ((self._query_id, result),))
        ):
            self.part()
            return
        self.ts = wave.ts
        self._is_owed = entry.stale_since is not None or entry.result is not result
        if self._is_owed:
            self._stage.await_chorus(self)
        self._voice.settle()

    def fail_wave(self) -> None:
        """Tell everybody that the wave could not be run."""
        self.in_wave = False
        members = list(self._members.values())
        self.part()
        for member in members:
            member.fail_wave()
