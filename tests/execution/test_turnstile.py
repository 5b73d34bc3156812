"""The turnstile: a front of known speed, at half load, at double load, at eight times it, and afterwards."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from rewake.environment import Environment, ManualClock
from rewake.execution.lanes import Lane, Standing
from rewake.execution.turnstile import TURN_ENTRANTS, Turnstile
from rewake.execution.waiting_line import FrontOverloaded, Overloaded
from rewake.limits import DEFAULT_LIMITS

WAIT = 1.0
LIMITS = replace(DEFAULT_LIMITS, queue_wait_seconds_max=WAIT / 0.35)
READ = 0.000_02
"""What it costs to read a request, and to turn it away."""
BEGIN = 0.000_2
"""What it costs to begin one and to answer it: so the front does 4,500 a second."""
CAPACITY = 1 / (READ + BEGIN)
FLOOD, GENTLE = Lane("flood"), Lane("gentle")
SESSION = Lane("session", Standing.BEGUN)


@dataclass
class Front:
    """An event loop of known speed behind a turnstile, and what became of everybody."""

    clock: ManualClock = field(default_factory=ManualClock)
    waited: dict[str, list[float]] = field(default_factory=dict)
    turns_waited: dict[str, int] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    late: Counter[str] = field(default_factory=Counter)
    came: Counter[str] = field(default_factory=Counter)
    errors: list[Overloaded] = field(default_factory=list)
    begin_cost: float = BEGIN
    turns: int = 0
    longest_turn: float = 0.0
    ready: list[Callable[[], None]] = field(default_factory=list)
    owed: dict[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        environment = Environment(clock=self.clock, random_bytes=bytes)
        self.turnstile = Turnstile(LIMITS, environment, soon=self.ready.append)

    def read(self, lane: Lane) -> None:
        """A request is read, as a connection does it."""
        self.clock.advance(READ)
        self.came[lane.name] += 1
        refusal = self.turnstile.refuses(lane) if self.turnstile.is_crowded else None
        if refusal is not None:
            self.refused[lane.name] += 1
            self.errors.append(refusal)
            return
        one = One(self, lane)
        if self.turnstile.has_room():
            one.begin()
            return
        try:
            self.turnstile.wait(one, lane)
        except Overloaded as error:
            one.turn_away(error)

    def turn(self, *lanes: Lane) -> None:
        """One turn of the loop in which these are read."""
        before = self.clock.seconds
        self.turns += 1
        for lane in lanes:
            self.read(lane)
        ready, self.ready[:] = list(self.ready), []
        for step in ready:
            step()
        self.clock.advance(0.000_1)
        self.longest_turn = max(self.longest_turn, self.clock.seconds - before)

    def serve(self, seconds: float, **rates: float) -> None:
        """Let so many a second come of each lane."""
        lanes = {"flood": FLOOD, "gentle": GENTLE, "session": SESSION}
        end, last = self.clock.seconds + seconds, self.clock.seconds
        while self.clock.seconds < end:
            elapsed, last = self.clock.seconds - last, self.clock.seconds
            read: list[Lane] = []
            for name, rate in rates.items():
                self.owed[name] = self.owed.get(name, 0.0) + rate * elapsed
                whole = int(self.owed[name])
                self.owed[name] -= whole
                read += [lanes[name]] * whole
            self.turn(*read)

    def finish(self) -> int:
        """Turns until nobody waits."""
        before = self.turns
        while self.ready:
            self.turn()
        return self.turns - before

    def p99(self, name: str) -> float:
        waits = sorted(self.waited[name])
        return waits[len(waits) * 99 // 100]


class One:
    """One who wants to begin."""

    def __init__(self, front: Front, lane: Lane) -> None:
        self.front, self.name = front, lane.name
        self.came, self.turn = front.clock.seconds, front.turns
        self.is_settled = False

    def begin(self) -> None:
        assert not self.is_settled
        self.is_settled, front = True, self.front
        front.waited.setdefault(self.name, []).append(front.clock.seconds - self.came)
        waited = front.turns - self.turn
        front.turns_waited[self.name] = max(waited, front.turns_waited.get(self.name, 0))
        front.clock.advance(front.begin_cost)

    def turn_away(self, error: Overloaded) -> None:
        assert not self.is_settled
        self.is_settled = True
        self.front.late[self.name] += 1
        self.front.errors.append(error)


@settings(max_examples=10, deadline=None)
@given(st.floats(0.01, 0.7))
def test_below_capacity_nobody_is_turned_away_and_nobody_waits(share: float) -> None:
    front = Front()
    front.serve(2.0, flood=share * CAPACITY)
    assert not front.refused
    assert not front.late
    assert front.turns_waited["flood"] <= 1


@settings(max_examples=6, deadline=None)
@given(st.floats(1.5, 4.5), st.sampled_from([BEGIN, 5 * BEGIN]))
def test_above_capacity_the_wait_of_the_accepted_stays_bounded(share: float, cost: float) -> None:
    front = Front(begin_cost=cost)
    rate = share / (READ + cost)
    front.serve(5.0, flood=rate)
    assert front.refused["flood"] > 0
    assert front.p99("flood") <= 2 * WAIT + 2 * front.longest_turn
    begun = len(front.waited["flood"])
    reading = front.came["flood"] * READ
    assert begun * cost >= 0.9 * (front.clock.seconds - reading) - 1.0, "all that reading leaves is used"
    settled = begun + front.refused["flood"] + front.late["flood"] + len(front.turnstile)
    assert settled == front.came["flood"], "nobody is forgotten, nobody is told twice"


@settings(max_examples=5, deadline=None)
@given(st.floats(1.5, 8.0))
def test_a_caller_and_a_session_beside_a_flood_have_their_turn_at_once(share: float) -> None:
    front = Front()
    front.serve(4.0, flood=share * CAPACITY, gentle=20.0, session=20.0)
    assert front.refused["flood"] > 0
    for name in ("gentle", "session"):
        assert not front.refused[name]
        assert not front.late[name]
        assert front.turns_waited[name] <= 1


@settings(max_examples=5, deadline=None)
@given(st.floats(1.3, 20.0))
def test_a_turn_stays_short_while_reading_leaves_time(share: float) -> None:
    """So that answers, pushes and messages of sessions, which wait for its end, go on."""
    front = Front()
    front.serve(3.0, flood=min(share * CAPACITY, 0.4 / READ))
    most = (TURN_ENTRANTS * BEGIN + 0.001) / (1 - 0.4 - 0.4 / 16 * BEGIN / READ)
    assert front.longest_turn <= most


def test_a_flood_that_could_be_refused_all_day_leaves_work_its_share() -> None:
    """Closed loops that come again at once, and take all the time there is for reading."""
    front = Front()
    for _ in range(20):
        front.turn(*[FLOOD] * 20_000)
    begun = len(front.waited["flood"]) * BEGIN
    assert begun >= 0.25 * front.clock.seconds


@settings(max_examples=5, deadline=None)
@given(st.floats(1.5, 8.0), st.floats(1.0, 3.0))
def test_when_the_flood_ends_the_next_is_let_in_as_if_nothing_had_been(share: float, seconds: float) -> None:
    front = Front()
    front.serve(seconds, flood=share * CAPACITY)
    turns = front.finish()
    assert turns * TURN_ENTRANTS <= (2 * WAIT + 0.2) / BEGIN, "no more waited than could"
    assert not front.turnstile.is_crowded
    before = front.refused.total() + front.late.total()
    front.turns_waited.clear()
    front.serve(2.0, flood=0.7 * CAPACITY)
    assert front.refused.total() + front.late.total() == before
    assert front.turns_waited["flood"] <= 1


def test_a_burst_on_an_idle_front_is_served() -> None:
    front = Front()
    front.turn(*[FLOOD] * 4_000)
    front.finish()
    assert len(front.waited["flood"]) == 4_000
    assert front.waited["flood"] == sorted(front.waited["flood"])


@pytest.mark.parametrize("seconds", [1.0, 30.0])
def test_a_front_that_slept_turns_nobody_away(seconds: float) -> None:
    front = Front()
    front.serve(1.0, flood=0.5 * CAPACITY)
    front.turn(*[FLOOD] * 1_000)
    front.clock.advance(seconds)
    front.serve(3.0, flood=0.5 * CAPACITY)
    assert not front.errors


def test_while_there_is_room_nothing_is_asked_of_the_loop_but_one_step_a_turn() -> None:
    front = Front()
    for _ in range(TURN_ENTRANTS):
        assert front.turnstile.has_room()
    assert len(front.ready) == 1
    assert not front.turnstile.has_room()
    front.turn()
    assert not front.ready, "an idle loop sleeps"
    assert front.turnstile.has_room()


def test_the_mistake_of_one_who_begins_is_not_the_loss_of_others(caplog: pytest.LogCaptureFixture) -> None:
    front = Front()

    class Broken(One):
        def begin(self) -> None:
            raise ValueError("no")

    while front.turnstile.has_room():
        pass
    front.turnstile.wait(Broken(front, FLOOD), FLOOD)
    front.turnstile.wait(One(front, FLOOD), FLOOD)
    front.turn()
    assert len(front.waited["flood"]) == 1
    assert "could not be begun" in caplog.text


def test_the_error_says_what_it_is_and_when_to_come_back() -> None:
    front = Front()
    front.serve(3.0, flood=4 * CAPACITY)
    assert front.errors
    for error in front.errors:
        assert isinstance(error, FrontOverloaded)
        assert (error.status, error.code) == (503, "ServerFullError")
        assert error.retry_seconds is not None
        assert 1 <= error.retry_seconds <= 2
        assert error.message == (
            "The server has more requests to do than it can in time. Nothing was done; try again in "
            f"{error.retry_seconds} seconds."
        )


def test_tasks_wait_for_their_turn_and_one_that_is_cancelled_holds_nobody_up() -> None:
    async def story() -> None:
        loop = asyncio.get_running_loop()
        turnstile = Turnstile(LIMITS, Environment(), soon=loop.call_soon)

        async def come() -> None:
            while turnstile.has_room():
                pass
            await turnstile.turn_of(FLOOD)

        tasks = [loop.create_task(come()) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert [task.cancelled() for task in tasks] == [False, True, False]
        assert turnstile.has_room()

    asyncio.run(story())


def test_a_task_that_waited_for_too_long_is_told_so() -> None:
    async def story() -> None:
        clock, ready = ManualClock(), []
        turnstile = Turnstile(LIMITS, Environment(clock=clock), soon=ready.append)
        while turnstile.has_room():
            pass
        for _ in range(4_000):
            turnstile.wait(One(Front(clock=clock), FLOOD), FLOOD)
        waiting = asyncio.create_task(turnstile.turn_of(FLOOD))
        await asyncio.sleep(0)
        while ready:
            clock.advance(0.5)
            step, ready[:] = ready[0], []
            step()
        with pytest.raises(FrontOverloaded):
            await waiting

    asyncio.run(story())
