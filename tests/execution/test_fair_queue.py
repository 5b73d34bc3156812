"""The fair queue: lanes take turns, work of one lane stays in order, nothing is lost."""

from __future__ import annotations

from collections import deque

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from rewake.execution.fair_queue import FairQueue
from rewake.execution.lanes import Lane, Standing

CALLERS = [Lane(name) for name in "abcd"]
HOUSE = [Lane(f"house {name}", Standing.HOUSE) for name in "xy"]


def filled(*lanes: tuple[Lane, int], house_turn: int = 64) -> FairQueue[str]:
    queue: FairQueue[str] = FairQueue(house_turn=house_turn)
    for lane, count in lanes:
        for number in range(count):
            queue.put(f"{lane.name}{number}", lane)
    return queue


def drained(queue: FairQueue[str]) -> list[str]:
    return [waiting.item for waiting in iter(queue.pop, None)]


def test_one_lane_is_a_plain_queue() -> None:
    assert drained(filled((CALLERS[0], 3))) == ["a0", "a1", "a2"]


def test_who_hands_in_thousands_waits_behind_his_own() -> None:
    order = drained(filled((CALLERS[0], 1_000), (CALLERS[1], 2), (CALLERS[2], 1)))
    assert order[:6] == ["a0", "b0", "c0", "a1", "b1", "a2"]
    assert order[6:] == [f"a{number}" for number in range(3, 1_000)]


def test_a_lane_that_comes_back_takes_its_turn_behind_the_others() -> None:
    queue = filled((CALLERS[0], 2), (CALLERS[1], 2))
    assert queue.pop() is not None
    queue.put("c", CALLERS[2])
    assert drained(queue) == ["b0", "a1", "c", "b1"]


def test_the_house_has_a_turn_after_a_round_and_after_so_many_at_the_latest() -> None:
    few = drained(filled((CALLERS[0], 3), (CALLERS[1], 3), (HOUSE[0], 2)))
    assert few == ["a0", "b0", "house x0", "a1", "b1", "house x1", "a2", "b2"]
    crowd = [(Lane(f"caller {number} "), 1) for number in range(100)]
    many = drained(filled(*crowd, (HOUSE[0], 20), (HOUSE[1], 1), house_turn=10))
    assert many.index("house x0") == 10
    assert many.index("house y0") == 21, "lanes of the house take turns, too"


def test_the_house_does_not_wait_where_nobody_else_does() -> None:
    assert drained(filled((HOUSE[0], 2), (HOUSE[1], 1))) == ["house x0", "house y0", "house x1"]


def test_the_oldest_of_callers_are_taken_out_wherever_they_are() -> None:
    queue: FairQueue[int] = FairQueue(house_turn=64)
    for moment in range(6):
        queue.put(moment, (CALLERS[0], CALLERS[1], HOUSE[0])[moment % 3], since=moment)
    assert queue.drop_oldest(lambda since: since < 4) == [0, 1, 3]
    assert [waiting.item for waiting in iter(queue.pop, None)] == [4, 2, 5]
    assert (len(queue), queue.lanes) == (0, 0)


def test_emptying_takes_everything() -> None:
    queue = filled((CALLERS[0], 2), (HOUSE[0], 1))
    assert sorted(queue.clear()) == ["a0", "a1", "house x0"]
    assert (len(queue), queue.pop()) == (0, None)


class Queues(RuleBasedStateMachine):
    """Against a model: a queue for each lane, and how often others were served since a lane waits."""

    def __init__(self) -> None:
        super().__init__()
        self.queue: FairQueue[int] = FairQueue(house_turn=3)
        self.lanes: dict[Lane, deque[int]] = {lane: deque() for lane in CALLERS + HOUSE}
        self.passed_over = dict.fromkeys(self.lanes, 0)
        self.next = 0

    @rule(lane=st.sampled_from(CALLERS + HOUSE), count=st.integers(1, 5))
    def put(self, lane: Lane, count: int) -> None:
        for _ in range(count):
            self.queue.put(self.next, lane, since=self.next)
            self.lanes[lane].append(self.next)
            self.next += 1

    @rule(count=st.integers(1, 8))
    def pop(self, count: int) -> None:
        for _ in range(count):
            waiting = self.queue.pop()
            if waiting is None:
                assert not any(self.lanes.values())
                return
            assert waiting.item == self.lanes[waiting.lane].popleft(), "the first of its lane"
            for lane, queued in self.lanes.items():
                self.passed_over[lane] = self.passed_over[lane] + 1 if queued and lane != waiting.lane else 0
                # Each other caller once, and a turn of the house for every two of them at the most; lanes of
                # the house every third turn, two of them in turn.
                assert self.passed_over[lane] <= 2 * len(self.lanes), (lane, self.passed_over)

    @rule(age=st.integers(0, 20))
    def drop(self, age: int) -> None:
        before = self.next - age
        expected = sorted(n for lane in CALLERS for n in self.lanes[lane] if n < before)
        assert self.queue.drop_oldest(lambda since: since < before) == expected
        for lane in CALLERS:
            self.lanes[lane] = deque(n for n in self.lanes[lane] if n >= before)

    @invariant()
    def counts_agree(self) -> None:
        assert len(self.queue) == sum(map(len, self.lanes.values())) == len(list(self.queue))
        assert self.queue.lanes == sum(map(bool, self.lanes.values()))
        assert all(self.queue.waiting_in(lane) == len(queued) for lane, queued in self.lanes.items())


TestQueues = Queues.TestCase
TestQueues.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
