"""The waiting line: who is let in and who is turned away, at half load, at double load and beside a flood."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from rewake.environment import ManualClock
from rewake.execution.lanes import HOUSE, Lane, Standing
from rewake.execution.waiting_line import Overloaded, ReadersOverloaded, WaitingLine, WriterOverloaded

STEP = 0.005
"""Between two groups of the writer in these tests."""
GROUP = 20
"""Mutations that a group holds: so the server does 4,000 a second."""
WAIT = 1.0
BEGUN = Lane("action", Standing.BEGUN)


@dataclass
class Server:
    """A writer of a known rate behind a line, and what became of everybody."""

    clock: ManualClock = field(default_factory=ManualClock)
    waited: dict[str, list[float]] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    late: Counter[str] = field(default_factory=Counter)
    errors: list[Overloaded] = field(default_factory=list)
    group: int = GROUP
    waiting_max: int = 1_000_000
    order: list[tuple[str, int]] = field(default_factory=list)
    number: int = 0

    def __post_init__(self) -> None:
        chance = random.Random(7)
        self.line: WaitingLine[tuple[str, float, int]] = WaitingLine(
            WriterOverloaded,
            now=self.clock.monotonic,
            chance=chance.random,
            wait_seconds_max=WAIT,
            waiting_max=self.waiting_max,
            house_turn=64,
        )

    def ask(self, lane: Lane) -> bool:
        self.number += 1
        try:
            self.line.join((lane.name, self.clock.seconds, self.number), lane)
        except Overloaded as error:
            self.refused[lane.name] += 1
            self.errors.append(error)
            return False
        return True

    def run_group(self, *, seconds: float = STEP) -> None:
        taken = []
        while len(taken) < self.group and (item := self.line.next()) is not None:
            taken.append(item)
        self.line.in_service = len(taken)
        self.clock.advance(seconds)
        self.line.in_service = 0
        self.line.done(len(taken))
        for name, came, number in taken:
            self.waited.setdefault(name, []).append(self.clock.seconds - came)
            self.order.append((name, number))
        for name, _, _ in self.line.too_late():
            self.late[name] += 1

    def serve(self, seconds: float, offers: Callable[[int], list[Lane]]) -> None:
        for turn in range(round(seconds / STEP)):
            for lane in offers(turn):
                self.ask(lane)
            self.run_group()

    def p99(self, *lanes: str) -> float:
        waits = sorted(wait for name in lanes or self.waited for wait in self.waited[name])
        return waits[len(waits) * 99 // 100]


def crowd(share: float) -> Callable[[int], list[Lane]]:
    """Callers that ask `share` of what the server does, each from one of a thousand lanes."""
    chance = random.Random(3)
    return lambda turn: [Lane(f"caller {chance.randrange(1_000)}") for _ in range(round(share * GROUP))]


def test_at_half_load_nobody_is_turned_away() -> None:
    server = Server()
    server.serve(10.0, crowd(0.5))
    assert not server.refused
    assert not server.late
    assert server.p99() <= 2 * STEP


@pytest.mark.parametrize("share", [1.5, 2.0, 6.0])
@pytest.mark.parametrize("lanes", [1, 1_000])
def test_over_capacity_all_capacity_is_used_and_the_wait_stays_bounded(share: float, lanes: int) -> None:
    server, chance = Server(), random.Random(3)
    server.serve(
        20.0,
        lambda turn: [Lane(f"caller {chance.randrange(lanes)}") for _ in range(round(share * GROUP))],
    )
    served = sum(map(len, server.waited.values()))
    asked = round(share * GROUP) * 20.0 / STEP
    assert served >= 0.999 * GROUP * 20.0 / STEP, "the server was never without work"
    assert server.p99() <= 2 * WAIT + 2 * STEP
    assert sum(server.late.values()) <= 0.05 * asked, "who is turned away is told so at the door"
    assert served + sum(server.refused.values()) + sum(server.late.values()) + len(server.line) == asked


def test_the_work_of_each_lane_is_done_in_its_order() -> None:
    server = Server()
    server.serve(5.0, crowd(2.0))
    for lane in server.waited:
        numbers = [number for name, number in server.order if name == lane]
        assert numbers == sorted(set(numbers))


def test_a_gentle_caller_beside_a_flood_neither_waits_nor_is_turned_away() -> None:
    server = Server()
    flood, gentle = Lane("flood"), Lane("gentle")
    server.serve(20.0, lambda turn: [flood] * 100 + [gentle] * (turn % 4 == 0))
    assert server.refused["flood"] > 10_000
    assert not server.refused["gentle"]
    assert not server.late["gentle"]
    assert server.p99("gentle") <= 3 * STEP
    assert server.p99("flood") <= 2 * WAIT + 2 * STEP


def test_a_gentle_caller_finds_a_place_though_a_flood_takes_all_there_are() -> None:
    server = Server(waiting_max=200)
    for _ in range(400):
        server.ask(Lane("flood"))
    assert server.refused["flood"] > 0
    assert server.ask(Lane("gentle"))


def test_who_has_less_than_half_of_an_equal_share_of_a_full_line_may_wait() -> None:
    server = Server(waiting_max=200)
    for _ in range(400):
        server.ask(Lane("flood"))
    asked = [server.ask(Lane("gentle")) for _ in range(200)]
    assert asked == sorted(asked, reverse=True)
    assert 40 <= sum(asked) <= 60, "half of the 90 that would be its share, and of its own"
    crowd = Server(waiting_max=200)
    for number in range(400):
        crowd.ask(Lane(f"caller {number}"))
    assert not any(crowd.ask(Lane(f"caller {number}")) for number in range(400)), "a second of each"


def test_those_of_a_flood_whom_a_crowd_pushes_back_are_told_so_in_the_end() -> None:
    server = Server()
    server.serve(2.0, lambda turn: [Lane("flood")] * 100)
    assert len(server.line) > 2_000
    server.serve(10.0, lambda turn: [Lane("flood"), *crowd(1.0)(turn)])
    assert server.late["flood"] > 1_000
    assert server.p99("flood") <= 2 * WAIT + 2 * STEP


@pytest.mark.parametrize("seconds", [0.9, 5.0])
def test_one_slow_mutation_on_an_idle_server_turns_nobody_away(seconds: float) -> None:
    server = Server()
    server.serve(1.0, crowd(0.2))
    server.ask(Lane("slow"))
    for number in range(600):
        server.ask(Lane(f"early {number}"))
    server.group = 1
    server.run_group(seconds=seconds)
    server.group = GROUP
    for number in range(600):
        server.ask(Lane(f"late {number}"))
    server.serve(2.0, crowd(0.2))
    assert not server.refused
    assert not server.late


@pytest.mark.parametrize("seconds", [1.0, 30.0])
def test_a_writer_that_is_held_or_asleep_turns_nobody_away_at_half_load(seconds: float) -> None:
    """A deploy, a writer that is started again, a paused process, a laptop's sleep."""
    server = Server()
    server.serve(3.0, crowd(0.5))
    for lane in crowd(100.0)(0):  # What comes in one second at half load.
        server.ask(lane)
    server.clock.advance(seconds)
    server.serve(3.0, crowd(0.5))
    assert not server.refused
    assert not server.late


def test_work_of_the_house_and_of_actions_is_never_turned_away_and_the_house_is_never_far_behind() -> None:
    server = Server()

    def offers(turn: int) -> list[Lane]:
        begun = [BEGUN] if turn % 10 == 0 else []
        return crowd(5.0)(turn) + begun + ([HOUSE] if turn % 10 == 0 else [])

    server.serve(10.0, offers)
    assert server.refused
    assert not server.refused[HOUSE.name]
    assert not server.refused[BEGUN.name]
    assert not server.late[BEGUN.name]
    assert server.p99(HOUSE.name) <= (64 / GROUP + 2) * STEP


def test_the_time_that_is_told_follows_the_line_and_is_spread() -> None:
    server = Server()
    server.serve(2.0, lambda turn: [Lane("flood")] * 100)
    assert {error.retry_seconds for error in server.errors} <= {1, 2}, "half of a second of work, and spread"
    slow = Server(group=1)
    for _ in range(2_000):
        slow.ask(Lane("flood"))
    for _ in range(10):
        slow.run_group(seconds=0.1)
    for _ in range(50):
        slow.ask(Lane("flood"))
    told = {error.retry_seconds for error in slow.errors}
    assert told == {60}, "never longer than a minute, however long the line is"
    for error in (server.errors[0], slow.errors[0]):
        assert (error.status, error.code) == (503, "CommitterFullError")
        assert error.message == (
            "The server has more mutations to do than it can in time. Nothing was done; try again in "
            f"{error.retry_seconds} seconds."
        )


def test_between_one_second_and_a_minute_the_time_is_spread() -> None:
    line: WaitingLine[int] = WaitingLine(
        ReadersOverloaded,
        now=lambda: 0.0,
        chance=random.Random(1).random,
        wait_seconds_max=WAIT,
        waiting_max=100,
        house_turn=4,
    )
    told = Counter(line.refusal(20.0).retry_seconds for _ in range(1_000))
    assert set(told) == set(range(11, 21))
    assert min(told.values()) > 50


@pytest.mark.parametrize(("before", "share"), [(0.0, 1.5), (0.5, 0.75), (100.0, 0.375)])
def test_one_piece_of_each_may_wait_half_as_long_again_and_less_where_all_have_waited_before(
    before: float, share: float
) -> None:
    server = Server()
    server.serve(1.0, crowd(1.5))
    assert server.line.wait_seconds(1) is not None, "the pace is known"
    server.line.clear()
    server.serve(0.5, lambda turn: [Lane(f"warm {turn} {n}") for n in range(2 * GROUP)])
    server.line.waited_before = before * WAIT
    while server.ask(Lane(f"session {server.number}")):
        pass
    rate = GROUP / STEP
    waiting = 0.5 * rate  # Since the others came at twice the pace.
    assert len(server.line) == pytest.approx(max(share * WAIT * rate, waiting), rel=0.1)
