"""The broadcast: what one wave says to many sockets, made once for all that stand at the same place.

Floor 6, `sync`. Most sessions of a fan-out are where the last one left them: nothing was asked meanwhile, and
all are owed the same results. Their Transitions differ in where they begin, and in the clock of the client.
So all the rest is made once, with the head of the frame, and what is left for each socket is to join three
pieces and write them.

    {"type":"Transition", ... "clientClockSkew":   -12   ,"serverTs": ... ,"modifications":[ ... ]}
    `- head, by start and length                   own   `- rest, by the results

An `Aside` says the same to one client, where there is no other.

Not here: which sessions may be told so (`picture.py`, `session.py`), the write (`uvicorn_socket.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar

from rewake.limits import Limits
from rewake.protocol import StateVersion
from rewake.protocol.server_messages import transition_head, transition_middle, transition_start
from rewake.sync.deflation import WINDOW_BITS_MAX, Deflater
from rewake.sync.frames import JOIN_BYTES_MAX, frame_head
from rewake.sync.ports import Facts, LiveResult
from rewake.sync.rendering import modification_parts
from rewake.tallies import Tallies

Updates = Sequence[tuple[int, LiveResult]]


class Transition(Protocol):
    """What a session must know of a text that its client is told."""

    @property
    def end(self) -> StateVersion:
        """The version to which it leads."""
        ...


Text = TypeVar("Text", bound=Transition)
_Text_co = TypeVar("_Text_co", bound=Transition, covariant=True)


class Telling(Protocol[_Text_co]):
    """One wave on its way to clients, as their sessions see it."""

    ts: int
    server_ns: int
    monotonic: float

    def text(self, start: StateVersion, updates: Updates, skew_length: int) -> _Text_co | None:
        """The Transition from `start` that brings `updates`, for clients whose skew takes `skew_length`
        bytes; None where it is too large.
        """
        ...


class Rest:
    """A Transition from behind the clock skew to its end."""

    __slots__ = ("_updates", "parts", "size", "whole")

    def __init__(self, parts: tuple[bytes, ...], updates: Updates) -> None:
        self.parts = parts
        self.size = sum(map(len, parts))
        self.whole = b"".join(parts) if self.size <= JOIN_BYTES_MAX else b""
        """The parts in one, where they are joined at all."""
        self._updates = updates  # Held, since a broadcast knows results by their place in memory.


class SharedText:
    """A Transition that only lacks the clock skew of its client."""

    __slots__ = ("_deflated", "_head", "_parts", "end", "framed", "is_small", "rest", "size", "told")

    def __init__(self, head: bytes, rest: Rest, *, skew_length: int, end: StateVersion) -> None:
        self._head = head
        self._parts = rest.parts
        self.rest = rest.whole
        """What follows the skew, where the text is small."""
        self.size = size = len(head) + skew_length + rest.size
        """Of the whole text, in bytes."""
        self.end = end
        """The version to which it leads."""
        self.is_small = size <= JOIN_BYTES_MAX
        """Whether it should be joined before it is written."""
        self.framed = frame_head(size) + head
        """The head of a single frame without compression, and the text up to the skew."""
        self._deflated: tuple[bytes, bytes] | None = None
        self.told = 0
        """To how many clients it went; counted by whoever takes it to one."""

    def deflated(self, deflater: Deflater, skew: bytes) -> tuple[bytes, bytes] | None:
        """What comes before and after the skew in a compressed frame, for clients with the largest window.

        None where a text for `skew` is not made of such pieces: it is not worth compressing, or the skew
        would be compressed with what is around it.
        """
        if self._deflated is None:
            whole = self.parts(skew)
            pieces = deflater.message(whole, self.size, WINDOW_BITS_MAX)
            # The head of a stored block, and the block with the skew in it, before what is shared.
            if pieces is None or len(pieces) < 3 or pieces[1] != whole[0]:
                return None
            head = frame_head(sum(map(len, pieces)), is_deflated=True) + pieces[0] + self._head
            self._deflated = (head, b"".join((self._parts[0], *pieces[2:])))
        return self._deflated

    def frame(self, skew: bytes, window_bits: int, deflater: Deflater) -> bytes:
        """The frame for clients with this `skew` that agreed on this window, 0 for none. Of a small text."""
        assert self.is_small
        if window_bits == WINDOW_BITS_MAX:
            around = self.deflated(deflater, skew)
            if around is not None:
                return around[0] + skew + around[1]
        if window_bits:
            pieces = deflater.message(self.parts(skew), self.size, window_bits)
            if pieces is not None:
                return b"".join((frame_head(sum(map(len, pieces)), is_deflated=True), *pieces))
        return self.framed + skew + self.rest

    def parts(self, skew: bytes) -> tuple[bytes, ...]:
        """The whole text for one client, in parts that it shares with others."""
        first, *others = self._parts
        return (self._head + skew + first, *others)


class Aside:
    """One wave at `ts`, for the only client that takes part in it: a Transition of which nothing is shared
    but the results.
    """

    __slots__ = ("_limits", "_render", "_skew", "end", "monotonic", "parts", "server_ns", "size", "ts")

    def __init__(
        self, ts: int, facts: Facts, *, limits: Limits, render: Callable[[LiveResult], bytes], skew: bytes
    ) -> None:
        """As of `Broadcast`; `skew` is the client's."""
        self.ts = ts
        self.server_ns = facts.now_ns()
        self.monotonic = facts.monotonic()
        self._limits = limits
        self._render = render
        self._skew = skew
        # Set by `text`.
        self.end: StateVersion
        """The version to which it leads."""
        self.parts: tuple[bytes, ...]
        self.size: int

    def text(self, start: StateVersion, updates: Updates, skew_length: int) -> Aside | None:
        """Itself as the Transition from `start` that brings `updates`; None where it is too large."""
        self.end = end = StateVersion(start.query_set, start.identity, self.ts)
        head = transition_head(start=start, end=end, skew=self._skew, server_ns=self.server_ns)
        self.parts = parts = modification_parts(head, (), updates, self._render)
        self.size = size = sum(map(len, parts))
        return self if size <= self._limits.chunk_bytes and size <= self._limits.frame_bytes_max else None


class Broadcast:
    """One wave at `ts`, in the making for whoever takes part in it."""

    __slots__ = ("_bytes_max", "_render", "_rests", "_tallies", "_texts", "monotonic", "server_ns", "ts")

    def __init__(
        self,
        ts: int,
        facts: Facts,
        *,
        limits: Limits,
        render: Callable[[LiveResult], bytes],
        tallies: Tallies,
    ) -> None:
        """`render` makes the tail that all subscribers of a result share; what is sent goes to `tallies`."""
        self.ts = ts
        self.server_ns = facts.now_ns()
        """When it began, by the wall clock; one look at it serves all."""
        self.monotonic = facts.monotonic()
        # A larger text would be cut for some clients, and is too much to be joined for any.
        self._bytes_max = min(limits.chunk_bytes, limits.frame_bytes_max)
        self._render = render
        self._tallies = tallies
        self._texts: dict[tuple[object, ...], SharedText | None] = {}
        self._rests: dict[tuple[int, ...], Rest] = {}

    def end(self) -> None:
        """Everybody was told."""
        tallies = self._tallies
        for text in self._texts.values():
            if text is not None:
                tallies.transitions += text.told
                tallies.messages_sent += text.told
                tallies.bytes_sent += text.told * text.size

    def text(self, start: StateVersion, updates: Updates, skew_length: int) -> SharedText | None:
        """The Transition from `start` that brings `updates`, for clients whose skew takes `skew_length`
        bytes; None where it is too large.
        """
        if len(updates) == 1:
            query_id, live = updates[0]
            name: tuple[int, ...] = (query_id, id(live))
        else:
            name = _named(updates) if updates else ()
        key = (start, skew_length, name)
        try:
            return self._texts[key]
        except KeyError:
            pass
        rest = self._rests.get(name)
        if rest is None:
            middle = transition_middle(self.server_ns)
            rest = self._rests[name] = Rest(modification_parts(middle, (), updates, self._render), updates)
        end = StateVersion(start.query_set, start.identity, self.ts)
        text = SharedText(transition_start(start=start, end=end), rest, skew_length=skew_length, end=end)
        told = self._texts[key] = text if text.size <= self._bytes_max else None
        return told


def _named(updates: Updates) -> tuple[int, ...]:
    """Updates, for comparison."""
    name: list[int] = []
    for query_id, live in updates:
        name += (query_id, id(live))
    return tuple(name)
