"""The lobby: the plain connections of one listening socket, looked after in turns of a bounded length.

Floor 7, `server`. An event loop reads whatever has become ready in a turn, so in a flood a turn is as long as
the flood is large, and everything else waits for its end. Here the kernel is asked for a number of ready
sockets at a time. What is beyond it lies unread until the next turn, first come, first served, while pushes,
sessions and the writer's answers have their part of each turn.

    the loop: something is ready -> sweep -> at most so many: accept, read, write -> the loop goes on
                                               first words -> full? -> refused unparsed, or waits unparsed
                                                                 `- no -> speak(protocol)

Of the time of a turn in which as many begin as may, what is refused beside them takes a third at most,
whatever comes: `TURN_EVENTS_MAX` is four times what the turnstile lets in, and a refusal costs an eighth of
a call. So a flood of any size leaves work its share.

Who has nothing under way is held to the bounds of `http_head.py` here: a place at the gate, a time to say
something. Protocols are lent: many connections that take turns need as many as are busy at once.

Not here: one connection (`caller.py`), what is said (`entrance.py`, `http_head.py`), TLS (`acceptor.py`).
Source: Mogul and Ramakrishnan, "Eliminating Receive Livelock in an Interrupt-driven Kernel" (1996).
"""

from __future__ import annotations

import asyncio
import select
import socket
from collections.abc import Callable, Coroutine
from typing import Any

from rewake.execution import Overloaded
from rewake.server.caller import Caller
from rewake.server.entrance import TOO_MANY, TOO_SLOW, Entrance, is_one_call, lane_of_address
from rewake.server.gate import Gate

TURN_EVENTS_MAX = 256
"""So many sockets are looked at in one turn."""
TURN_ACCEPTS_MAX = 1024
"""So many connections are accepted in one: some ten milliseconds. Those that the kernel has no place for wait
for seconds."""
IDLE_SECONDS_MAX = 65.0
"""So long a connection is kept after an answer, or a refusal."""
PROTOCOLS_IDLE_MAX = 256
"""So many idle connections keep their protocol; the others are given another when they need it. What lives as
long as a connection is looked at by the garbage collector again and again, and a protocol is forty objects.
"""

_READ_BYTES_MAX = 64 * 1024
"""Read in one piece."""
_PAUSE_SECONDS = 0.5
"""Nothing is accepted for so long when there are no descriptors."""

IS_POSSIBLE = hasattr(select, "epoll")
"""Whether this system can; where it cannot the loop looks after everybody."""


class Lobby:
    """The callers at one socket. Used from one event loop, between `open` and `end`."""

    def __init__(self, listening: socket.socket, *, gate: Gate, entrance: Entrance) -> None:
        self._listening = listening
        self._number = listening.fileno()
        self._gate = gate
        self._entrance = entrance
        self._protocol: Callable[[], asyncio.Protocol]  # Set by `open`.
        self._loop = asyncio.get_running_loop()
        self._epoll = select.epoll()
        self.buffer = memoryview(bytearray(_READ_BYTES_MAX))
        self._callers: dict[int, Caller] = {}
        # Those for whom nothing is under way, with when they came here, in that order: who said nothing yet,
        # and who was answered or refused.
        self._silent: dict[Caller, float] = {}
        self._idle: dict[Caller, float] = {}
        # Of the idle those that have a protocol; and protocols that nobody has.
        self._rested: dict[Caller, None] = {}
        self._spare: list[Any] = []
        self._waiting: dict[Caller, _Waiting] = {}  # Those whose call waits at the turnstile, as it came.
        self._timer: asyncio.TimerHandle | None = None  # Set while there are any.
        self._jobs: set[asyncio.Task[None]] = set()
        self._is_open = False
        self._behind_since: float | None = None  # Set while each sweep leaves some unread.
        self._now = 0.0  # When this sweep began.

    def __len__(self) -> int:
        """How many connections are open."""
        return len(self._callers)

    def open(self, protocol: Callable[[], asyncio.Protocol]) -> None:
        """Accept. Whoever says something that has to be parsed gets a `protocol`."""
        self._protocol = protocol
        self._is_open = True
        # Those that are accepted inherit it.
        self._listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._epoll.register(self._number, select.EPOLLIN)
        self._loop.add_reader(self._epoll.fileno(), self._sweep)

    def close(self) -> None:
        """Accept no more, and hang up on those who are asked for nothing. Requests go on."""
        if self._is_open:
            self._is_open = False
            self._epoll.unregister(self._number)
            for caller in [*self._silent, *self._idle]:
                caller.close()

    def end(self) -> None:
        """Cut who is left. Harmless when that was done."""
        if self._epoll.closed:
            return
        self.close()
        for caller in list(self._callers.values()):
            caller.abort()
        if self._timer is not None:
            self._timer.cancel()
        self._loop.remove_reader(self._epoll.fileno())
        self._epoll.close()

    # What a caller asks.

    def heard(self, caller: Caller, data: bytes) -> None:
        if self._waiting and (waiting := self._waiting.get(caller)) is not None:
            waiting.data += data  # Behind a call that waits: it has a parser to be told apart with.
            if len(waiting.data) > _READ_BYTES_MAX:
                caller.pause_reading()
        elif self._entrance.turnstile.is_full and is_one_call(data):
            self._ask_to_enter(caller, data)
        else:
            self._speak(caller, data, has_turn=False)

    def _ask_to_enter(self, caller: Caller, data: bytes) -> None:
        """Refuse a usual call, or have it wait for its turn as it came."""
        entrance, lane = self._entrance, lane_of_address(caller.peer[0])
        answer = entrance.refusal_unparsed(lane)
        if answer is not None:
            self._refuse(caller, answer)
            return
        self._no_longer_idle(caller)
        waiting = self._waiting[caller] = _Waiting(self, caller, data)
        try:
            entrance.turnstile.wait(waiting, lane)
        except Overloaded as error:
            waiting.turn_away(error)

    def _refuse(self, caller: Caller, answer: bytes) -> None:
        self._no_longer_idle(caller)
        self._is_idle(caller)
        caller.write(answer)

    def _speak(self, caller: Caller, data: bytes, *, has_turn: bool) -> None:
        if caller.is_resting:
            self._idle.pop(caller, None)
            self._rested.pop(caller, None)
            caller.speak_on(data, has_turn=has_turn)
        else:
            protocol = self._spare.pop() if self._spare else self._protocol()
            self._no_longer_idle(caller)
            caller.speak(protocol, data, has_turn=has_turn)

    # What the turnstile says of a call that waited.

    def begin(self, waiting: _Waiting) -> None:
        """It is its turn."""
        caller = waiting.caller
        if self._waiting.pop(caller, None) is None:
            return  # It hung up.
        caller.resume_reading()
        try:
            self._speak(caller, waiting.data, has_turn=True)
        except Exception as error:
            caller.fail(error)

    def turn_away(self, waiting: _Waiting, error: Overloaded) -> None:
        """It waited for too long. What came after it on its connection is heard next."""
        caller = waiting.caller
        if self._waiting.pop(caller, None) is None:
            return
        caller.resume_reading()
        self._refuse(caller, self._entrance.answer_unparsed(error))
        rest = waiting.data[waiting.size :]
        if rest and not caller.is_closing():
            self._speak(caller, rest, has_turn=False)

    def rested(self, caller: Caller) -> None:
        if not self._is_open:
            caller.close()
            return
        self._is_idle(caller)
        self._rested[caller] = None
        if len(self._rested) > PROTOCOLS_IDLE_MAX:
            longest = next(iter(self._rested))
            del self._rested[longest]
            protocol = longest.take_protocol()
            if protocol.connection_left() and len(self._spare) < PROTOCOLS_IDLE_MAX:
                self._spare.append(protocol)
            else:
                protocol.end()

    def watch(self, number: int, events: int) -> None:
        self._epoll.modify(number, events)

    def left(self, caller: Caller) -> None:
        self._epoll.unregister(caller.number)
        del self._callers[caller.number]
        self._no_longer_idle(caller)
        self._waiting.pop(caller, None)
        self._gate.leave(caller.peer[0])

    def spawn(self, job: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(job)
        self._jobs.add(task)
        task.add_done_callback(self._jobs.discard)

    def _is_idle(self, caller: Caller) -> None:
        self._idle[caller] = self._loop.time()
        if self._timer is None:
            self._set_timer()

    def _no_longer_idle(self, caller: Caller) -> None:
        self._silent.pop(caller, None)
        self._idle.pop(caller, None)
        self._rested.pop(caller, None)

    # Turns.

    def _sweep(self) -> None:
        self._now = self._loop.time()
        found = self._epoll.poll(0, TURN_EVENTS_MAX)
        if len(found) < TURN_EVENTS_MAX:
            self._behind_since = None
        elif self._behind_since is None:
            self._behind_since = self._now
        behind = 0.0 if self._behind_since is None else self._now - self._behind_since
        self._entrance.turnstile.came_late(behind)
        for number, events in found:
            caller = self._callers.get(number)
            if caller is None:
                if number == self._number:
                    self._accept()
                continue
            try:
                caller.ready(events)
            except Exception as error:
                caller.fail(error)

    def _accept(self) -> None:
        for _ in range(TURN_ACCEPTS_MAX):
            try:
                connection, address = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionError):
                break  # Nobody is left.
            except OSError:
                # No descriptor is left. The kernel would tell us of those who wait in every turn.
                self._listen(False)
                self._loop.call_later(_PAUSE_SECONDS, self._listen, True)
                break
            self._take(connection, (str(address[0]), int(address[1])))
        if self._silent and self._timer is None:
            self._set_timer()

    def _listen(self, listens: bool) -> None:
        if self._is_open:
            self._epoll.modify(self._number, select.EPOLLIN if listens else 0)

    def _take(self, connection: socket.socket, peer: tuple[str, int]) -> None:
        connection.setblocking(False)
        caller = Caller(self, connection, peer)
        if not self._gate.enter(peer[0]):
            self._turn_back(connection)
            return
        self._callers[caller.number] = caller
        self._epoll.register(caller.number, select.EPOLLIN)
        self._silent[caller] = self._now

    def _turn_back(self, connection: socket.socket) -> None:
        try:
            connection.send(TOO_MANY)
        except OSError:
            pass  # Gone already.
        finally:
            connection.close()

    # Time.

    def _set_timer(self) -> None:
        seconds = min(1.0, self._gate.limits.http_head_seconds_max)
        self._timer = self._loop.call_later(seconds, self._look_at_the_time)

    def _look_at_the_time(self) -> None:
        now, self._timer = self._loop.time(), None
        for caller in _older(self._silent, now - self._gate.limits.http_head_seconds_max):
            caller.write(TOO_SLOW)
            caller.close()
        for caller in _older(self._idle, now - IDLE_SECONDS_MAX):
            caller.close()
        if self._silent or self._idle:
            self._set_timer()


class _Waiting:
    """A usual call at the turnstile, unparsed."""

    __slots__ = ("_lobby", "caller", "data", "size")

    def __init__(self, lobby: Lobby, caller: Caller, data: bytes) -> None:
        self._lobby = lobby
        self.caller = caller
        self.data = data
        """The call, and whatever came after it."""
        self.size = len(data)

    def begin(self) -> None:
        self._lobby.begin(self)

    def turn_away(self, error: Overloaded) -> None:
        self._lobby.turn_away(self, error)


def _older(callers: dict[Caller, float], moment: float) -> list[Caller]:
    """Those who came before a moment."""
    found = []
    for caller, came in callers.items():
        if came > moment:
            break
        found.append(caller)
    return found
