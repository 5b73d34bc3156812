"""The voice: says one Transition to many sockets that stand at the same place, in one go.

Floor 6, `sync`; the door's side of a chorus (`reactivity/chorus.py`). What the sessions of its members would
each remember, it remembers once: the version that their Transitions have come to, the answer that they were
given, when they were last told something. So telling one more client is one write to one transport, of a
frame that is made once for all clients with the same clock skew and compression. Nothing else is touched:
with thousands of sockets, every object of a session would have to come from memory for its turn.

    join ....... show: one text -> a frame for each section -> write, write, write ....... leave: caught up
                                                               `- so many in each turn of the loop

Thousands are not written to in one step. The loop hears others in between; and the writer and the readers are
at the next commit and its wave while this one is on its way to the last. No member can tell, since whatever
happens to one finds it told: nobody leaves, and nothing else is shown, before everybody was (`finish`).

A member whose bytes do not get through, or whose transport breaks, is noted while the others are told, and
leaves when they were (`settle`).

Not here: who joins and leaves, and when (`reactivity`); the text (`broadcast.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol, cast

from rewake.reactivity import Singer
from rewake.sync.broadcast import Broadcast, SharedText
from rewake.sync.deflation import Deflater
from rewake.sync.picture import Footing
from rewake.sync.ports import LiveResult, Showing
from rewake.sync.socket import Writer

SOCKETS_A_TURN = 256
"""So many are written to in one turn of the loop. It takes about two milliseconds."""


class Unison(NamedTuple):
    """How a member is written to. Nothing of it changes while its socket lives."""

    writer: Writer
    skew: bytes
    window_bits: int
    """Of what was agreed on for compression; 0 for none."""


class Member(Singer, Protocol):
    """A connection, as its voice sees it."""

    @property
    def unison(self) -> Unison:
        """How it is written to."""
        ...

    @property
    def expires_ns(self) -> int | None:
        """When its user may be told no more, by the wall clock."""
        ...

    def broadcast(self, wave: Showing) -> Broadcast:
        """What is made once for `wave`."""
        ...

    def sings(self, voice: Voice) -> None:
        """It is told by `voice` from now on, and does not know what it was told, until it `stands`."""
        ...

    def stands(self, footing: Footing) -> None:
        """It left, and this is where."""
        ...

    def transition_waits(self, size: int, *, wire: int) -> None:
        """Of a text of `size` bytes that was written as `wire` bytes, some wait. Leave."""
        ...

    def broke(self, error: Exception) -> None:
        """Writing failed. Leave."""
        ...


class Voice:
    """Speaks to everybody in a chorus."""

    __slots__ = (
        "_deflater",
        "_expires_ns",
        "_failed",
        "_is_speaking",
        "_newcomers",
        "_sections",
        "_size",
        "_telling",
        "_waiting",
        "_will_turn",
        "_wire",
        "footing",
    )

    def __init__(self, footing: Footing, deflater: Deflater) -> None:
        self.footing = footing
        """Where everybody stands who was told."""
        self._deflater = deflater
        self._sections: dict[tuple[bytes, int], dict[Member, Writer]] = {}
        """Members by what their frames differ in."""
        self._expires_ns: int | None = None
        """The first moment at which somebody may be told no more; or earlier, where they left."""
        self._telling: Iterator[None] | None = None
        """Goes on with what was said last, up to the next pause. Set by `show`; None when all were told."""
        self._will_turn = False  # Set while a turn of the loop is to go on with it.
        self._is_speaking = False  # Set while frames are written.
        # The sizes of the text and of the frame that was written last, or is being written.
        self._size = self._wire = 0
        self._newcomers: list[Member] = []
        """Who joined since: taken in when all were told."""
        # Noted while it speaks, taken by `settle`.
        self._waiting: list[tuple[Member, int, int]] = []
        self._failed: list[tuple[Member, Exception]] = []

    # What live queries call.

    def join(self, singer: Singer) -> None:
        """See `reactivity.Voice`."""
        member = cast(Member, singer)  # A connection of this door: that is part of its place.
        if self._telling is None:
            self._take_in(member)
        else:
            self._newcomers.append(member)  # What is being said, it was told by itself.
        member.sings(self)

    def leave(self, singer: Singer) -> None:
        """See `reactivity.Voice`."""
        assert self._telling is None, "nobody leaves in the middle of a text"
        member = cast(Member, singer)
        unison = member.unison
        name = unison.skew, unison.window_bits
        section = self._sections[name]
        del section[member]
        if not section:
            del self._sections[name]
        member.stands(self.footing)

    def outgrown(self, wave: Showing) -> list[Singer]:
        """Users whose tokens have ended. See `reactivity.Voice`."""
        ended: list[Singer] = []
        if self._expires_ns is None or not self._sections:
            return ended
        now = self._broadcast(wave).server_ns
        if now < self._expires_ns:
            return ended
        self._expires_ns = None
        for member in (member for section in self._sections.values() for member in section):
            expires_ns = member.expires_ns
            if expires_ns is not None and expires_ns <= now:
                ended.append(member)
            else:
                self._may_speak_until(expires_ns)
        return ended

    def show(self, wave: Showing, updates: Sequence[tuple[int, LiveResult]]) -> bool:
        """See `reactivity.Voice`."""
        assert self._telling is None, "one text after the other"
        if not self._sections:
            return True
        version, query_id, fingerprint, _ = self.footing
        broadcast = self._broadcast(wave)
        if version.ts > broadcast.ts:
            return False
        ((answered, live),) = updates
        assert answered == query_id
        skew, _ = next(iter(self._sections))  # All are equally long: it is part of the place.
        text = broadcast.text(version, updates if live.fingerprint != fingerprint else (), len(skew))
        if text is None or not text.is_small:
            return False
        text.told += sum(map(len, self._sections.values()))
        self._telling = self._tell(text)
        self._tell_some()
        self.footing = Footing(text.end, query_id, live.fingerprint, broadcast.monotonic)
        return True

    def settle(self) -> None:
        """See `reactivity.Voice`."""
        if self._telling is not None:
            if not self._will_turn:
                self._will_turn = True
                asyncio.get_running_loop().call_soon(self._turn)
            return
        waiting, self._waiting = self._waiting, []
        failed, self._failed = self._failed, []
        for member, size, wire in waiting:
            member.transition_waits(size, wire=wire)
        for member, error in failed:
            member.broke(error)

    def finish(self) -> None:
        """See `reactivity.Voice`."""
        if self._telling is not None:
            while self._tell_some():
                pass
            self.settle()

    # What members call.

    def heeds(self, member: Member) -> bool:
        """Take note that bytes of `member` began to wait, if they are ours."""
        if self._is_speaking:
            self._waiting.append((member, self._size, self._wire))
        return self._is_speaking

    # Small steps.

    def _broadcast(self, wave: Showing) -> Broadcast:
        section = next(iter(self._sections.values()))
        return next(iter(section)).broadcast(wave)

    def _take_in(self, member: Member) -> None:
        unison = member.unison
        self._sections.setdefault((unison.skew, unison.window_bits), {})[member] = unison.writer
        self._may_speak_until(member.expires_ns)

    def _may_speak_until(self, expires_ns: int | None) -> None:
        if expires_ns is not None and (self._expires_ns is None or expires_ns < self._expires_ns):
            self._expires_ns = expires_ns

    def _turn(self) -> None:
        """A turn of the loop: tell some more, unless all were told meanwhile."""
        self._will_turn = False
        if self._telling is not None:
            self._tell_some()
            self.settle()

    def _tell_some(self) -> bool:
        """Go on to the next pause. False: all were told."""
        assert self._telling is not None
        self._is_speaking = True
        try:
            for _ in self._telling:
                return True
        finally:
            self._is_speaking = False
        self._telling = None
        newcomers, self._newcomers = self._newcomers, []
        for member in newcomers:
            self._take_in(member)
        return False

    def _tell(self, text: SharedText) -> Iterator[None]:
        """Write to everybody, and pause after each turn's worth."""
        self._size, told = text.size, 0
        for (skew, window_bits), section in self._sections.items():
            try:
                frame = text.frame(skew, window_bits, self._deflater)
            except Exception as error:
                self._failed += [(member, error) for member in section]
                continue
            self._wire = len(frame)
            # Not a look at the members themselves: see the head of this module.
            for writer in section.values():
                if told == SOCKETS_A_TURN:
                    told = 0
                    yield
                told += 1
                try:
                    writer.write(frame)
                except Exception as error:
                    member = next(each for each, its in section.items() if its is writer)
                    self._failed.append((member, error))
