"""The writer's desk: nothing is lost, doubled or overtaken, whenever the writer dies."""

from __future__ import annotations

from collections import Counter
from typing import Any

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace

from rewake.auth import ANONYMOUS
from rewake.database import Invocation, ReplayKey
from rewake.environment import ManualClock
from rewake.execution import Failure, FunctionCall, MutationJob, Success, Visibility
from rewake.execution.call_log import CallRecord
from rewake.execution.lanes import HOUSE, Lane
from rewake.execution.waiting_line import WaitingLine, WriterOverloaded
from rewake.execution.worker_messages import Mutate, Outcome, Told, Trim
from rewake.execution.writer_desk import Work, WriterDesk
from rewake.limits import DEFAULT_LIMITS


def mutation(number: int) -> Mutate:
    call = FunctionCall("m:f", "{}")
    return Mutate.of(
        number, MutationJob(call, ANONYMOUS, Visibility.PUBLIC, Invocation(f"i{number}"), "request")
    )


def failed(text: str) -> Failure:
    return Failure(text)


def done(number: int) -> Outcome:
    return Outcome(number, number, Success(f"{number}"))


def new_desk(*, taken_max: int, clock: ManualClock | None = None) -> WriterDesk:
    clock = clock or ManualClock()
    line: WaitingLine[Work] = WaitingLine(
        WriterOverloaded,
        now=clock.monotonic,
        chance=lambda: 0.0,
        wait_seconds_max=1.0,
        waiting_max=1_000,
        house_turn=64,
    )
    return WriterDesk(line, replace(DEFAULT_LIMITS, group_mutations_max=taken_max // 2))


def desk_with(count: int, *, taken_max: int = 10) -> tuple[WriterDesk, list[int]]:
    desk = new_desk(taken_max=taken_max)
    for _ in range(count):
        desk.hand_in(mutation, None, HOUSE)
    taken, _ = desk.take()
    return desk, [work.number for work in taken]


def die(
    desk: WriterDesk,
    *,
    prepared: Any = (),
    running: int | None = None,
    cut_off: bool = False,
    committed: Any = (),
) -> list[int]:
    delivered = desk.died(
        prepared=prepared,
        running=running,
        cut_off=failed("too long") if cut_off else None,
        given_up=lambda work: failed("gave up"),
        committed=set(committed),
        ts=7,
    )
    return [work.number for work, _ in delivered]


def test_work_is_taken_in_order_and_no_more_than_allowed() -> None:
    desk, taken = desk_with(6, taken_max=4)
    assert taken == [1, 2, 3, 4]
    assert desk.take() == ([], [])
    delivered = desk.told(Told([], 1, [done(2), done(1)]))
    assert [work.number for work, _ in delivered] == [1, 2]
    assert [work.number for work in desk.take()[0]] == [5, 6]


def test_where_nothing_waits_work_passes_the_line_and_goes_with_the_next_take() -> None:
    desk = new_desk(taken_max=2)
    assert [desk.pass_through(mutation, None) for _ in range(3)] == [True, True, False]
    desk.hand_in(mutation, None, HOUSE)
    assert not desk.is_idle
    assert [work.number for work in desk.take()[0]] == [1, 2]
    desk.told(Told([], 1, [done(1), done(2)]))
    assert not desk.pass_through(mutation, None), "past somebody who waits"
    assert [work.number for work in desk.take()[0]] == [3]
    assert desk._line.waits.count == 3


def test_what_passed_the_line_is_lost_and_runs_again_as_what_the_writer_had() -> None:
    desk = new_desk(taken_max=10)
    assert desk.pass_through(mutation, None)
    assert die(desk) == []
    assert [work.number for work in desk.take()[0]] == [1]
    assert desk.take() == ([], [])
    desk.told(Told([], 1, [done(1)]))
    assert desk.pass_through(mutation, None)
    assert [work.number for work in desk.give_up()] == [2]
    assert desk.take() == ([], [])


def test_prepared_outcomes_stand_when_the_log_has_their_group() -> None:
    desk, _ = desk_with(3)
    assert die(desk, prepared=[done(1), done(2)], committed={"i2"}) == [1, 2]
    assert [work.number for work in desk.take()[0]] == [3]


def test_everything_runs_again_in_order_when_the_log_has_nothing() -> None:
    desk, _ = desk_with(3)
    assert die(desk, prepared=[done(1), done(2)]) == []
    desk.hand_in(mutation, None, HOUSE)
    assert [work.number for work in desk.take()[0]] == [1, 2, 3, 4]


def test_outcomes_prepared_for_a_group_that_was_told_mean_nothing_afterwards() -> None:
    desk, _ = desk_with(2)
    assert [work.number for work, _ in desk.told(Told([], 1, [done(1)]))] == [1]
    assert die(desk, prepared=[done(1)], committed={"i1"}) == []
    assert [work.number for work in desk.take()[0]] == [2]


def test_what_is_in_the_log_never_runs_again_when_its_result_is_lost() -> None:
    """The news of a group came to nobody, and the writer had prepared the next one when it died."""
    desk, _ = desk_with(3)
    assert die(desk, prepared=[done(3)], committed=["i1", "i2"]) == []
    taken, delivered = desk.take()
    assert [work.number for work, _ in delivered] == [1, 2]
    assert [outcome.error.name for _, outcome in delivered if outcome.error is not None] == ["ResultLost"] * 2
    assert [work.number for work in taken] == [3]


def test_what_is_in_the_log_may_run_again_to_find_its_recorded_result() -> None:
    desk = new_desk(taken_max=10)
    job = MutationJob(FunctionCall("m:f", "{}"), ANONYMOUS, Visibility.PUBLIC, Invocation("i1"), "r")
    recorded = msgspec.structs.replace(job, invocation=Invocation("i1", ReplayKey("session", 0)))
    for each in (recorded, msgspec.structs.replace(job, scheduled="a job")):
        desk.hand_in(lambda number, each=each: Mutate.of(number, each), None, HOUSE)
    desk.take()
    die(desk, committed=["i1"])
    taken, delivered = desk.take()
    assert ([work.number for work in taken], delivered) == ([1, 2], [])


def test_what_kills_its_writer_twice_fails_in_its_turn() -> None:
    desk, _ = desk_with(3)
    assert die(desk, running=2) == []
    desk.take()
    assert die(desk, running=2) == []
    taken, delivered = desk.take()
    assert ([work.number for work in taken], delivered) == ([1], []), "the first is told before it"
    desk.told(Told([], 1, [done(1)]))
    taken, delivered = desk.take()
    assert [work.number for work in taken] == [3]
    ((work, outcome),) = delivered
    assert (work.number, outcome.ts) == (2, 7)
    assert outcome.result == failed("gave up")
    assert outcome.record is not None
    assert outcome.record.error == "gave up"


def test_what_took_too_long_fails_at_once_and_the_others_run_again() -> None:
    desk, _ = desk_with(2)
    assert die(desk, running=1, cut_off=True) == []
    taken, delivered = desk.take()
    assert [outcome.result for _, outcome in delivered] == [failed("too long")]
    assert [work.number for work in taken] == [2]


def test_work_that_is_lost_again_and_again_without_being_to_blame_ends_as_an_error() -> None:
    desk, _ = desk_with(1)
    for _ in range(4):
        assert die(desk) == []
        assert desk.take()[0]
    die(desk)
    ((_, outcome),) = desk.take()[1]
    assert outcome.error is not None
    assert outcome.error.name == "WorkerLost"


def test_trimming_is_work_like_any_other() -> None:
    desk = new_desk(taken_max=2)
    desk.hand_in(Trim, "me", HOUSE)
    assert isinstance(desk.take()[0][0].message, Trim)
    assert die(desk) == []
    assert [work.asker for work in desk.give_up()] == ["me"]
    assert desk.is_empty


def ran(number: int, seconds: float) -> Outcome:
    record = CallRecord(
        path="m:f", kind="mutation", seconds=seconds, log_lines=(), error=None, traceback=None, request_id="r"
    )
    return Outcome(number, number, Success("1"), record=record)


def test_lanes_take_turns_and_what_a_dead_writer_had_goes_first() -> None:
    desk = new_desk(taken_max=2)
    for lane in ("flood", "flood", "flood", "flood", "gentle"):
        desk.hand_in(mutation, lane, Lane(lane))
    assert [work.number for work in desk.take()[0]] == [1, 5]
    assert die(desk) == []
    assert [work.number for work in desk.take()[0]] == [1, 5]
    desk.told(Told([], 1, [done(1), done(5)]))
    assert [work.number for work in desk.take()[0]] == [2, 3]


def test_a_writer_of_slow_functions_is_given_little_ahead() -> None:
    desk, taken = desk_with(200, taken_max=512)
    assert len(taken) == 200
    desk.told(Told([], 1, [ran(number, 0.02) for number in taken]))
    for _ in range(200):
        desk.hand_in(mutation, None, Lane("one"))
    assert len(desk.take()[0]) == 2


def test_what_waited_too_long_is_taken_out_and_never_what_the_writer_had() -> None:
    clock = ManualClock()
    desk = new_desk(taken_max=2, clock=clock)
    for number in range(4):
        desk.hand_in(mutation, number, Lane(f"lane {number}"))
    assert [work.number for work in desk.take()[0]] == [1, 2]
    late = []
    for _ in range(9):
        clock.advance(0.25)
        desk.told(Told([], 1, []))  # News of the house's own: time in which the writer serves.
        late += [work.number for work in desk.too_late()]
    assert late == [3, 4]
    assert len(desk) == 2


class Worlds(RuleBasedStateMachine):
    """A front and writers that die at any point; the log is a list of invocations."""

    def __init__(self) -> None:
        super().__init__()
        self.desk = new_desk(taken_max=4)
        self.handed_in = 0
        self.pipe: list[Work] = []
        self.group: list[Work] = []
        self.left: list[Outcome] = []
        self.is_committed = False
        self.log: list[str] = []
        self.told = 0
        self.answered: list[int] = []

    def deliver(self, delivered: list[tuple[Work, Outcome]]) -> None:
        self.answered += [work.number for work, _ in delivered]

    @rule()
    def hand_in(self) -> None:
        if not self.desk.pass_through(mutation, None):
            self.desk.hand_in(mutation, None, HOUSE)
        self.handed_in += 1

    @rule()
    def pump(self) -> None:
        taken, delivered = self.desk.take()
        self.pipe += taken
        self.deliver(delivered)

    @precondition(lambda self: self.pipe and not self.group)
    @rule(size=st.integers(1, 4))
    def prepare(self, size: int) -> None:
        self.group, self.pipe = self.pipe[:size], self.pipe[size:]
        self.left = [done(work.number) for work in self.group]

    @precondition(lambda self: self.group and not self.is_committed)
    @rule()
    def commit(self) -> None:
        self.log += [f"i{work.number}" for work in self.group]
        self.is_committed = True

    @precondition(lambda self: self.is_committed)
    @rule()
    def tell(self) -> None:
        self.told = len(self.log)
        self.deliver(self.desk.told(Told([], 1, [done(work.number) for work in self.group])))
        self.group, self.is_committed = [], False

    @rule(blame=st.booleans())
    def die(self, blame: bool) -> None:
        running = self.pipe[0].number if blame and self.pipe and not self.group else None
        self.deliver(
            self.desk.died(
                prepared=self.left,
                running=running,
                cut_off=None,
                given_up=lambda work: failed("gave up"),
                committed=set(self.log[self.told :]),
                ts=1,
            )
        )
        self.told = len(self.log)
        self.pipe, self.group, self.left, self.is_committed = [], [], [], False

    @invariant()
    def nothing_is_doubled_or_overtaken(self) -> None:
        assert max(Counter(self.log).values(), default=0) <= 1
        assert self.answered == list(range(1, len(self.answered) + 1))

    def teardown(self) -> None:
        while not self.desk.is_empty:
            self.pump()
            if self.group and not self.is_committed:
                self.commit()
            if self.is_committed:
                self.tell()
            if self.pipe:
                self.prepare(size=4)
        assert len(self.answered) == self.handed_in


TestWorlds = Worlds.TestCase
TestWorlds.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
