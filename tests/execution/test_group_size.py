"""Group size: callers in step are parted in two halves where that pays, and nobody else is held up by it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rewake.execution.group_size import GroupSize

IDLE_MAX = 0.002


def size() -> GroupSize:
    return GroupSize(mutations_max=512, idle_seconds_max=IDLE_MAX)


class Callers:
    """So many callers who ask again a while after they were answered, and a writer in between."""

    def __init__(self, count: int, *, run: float, commit: float, think: float, answer: float) -> None:
        self.size = size()
        self._run, self._commit, self._think, self._answer = run, commit, think, answer
        self._asked_at = [0.0] * count  # When each caller's question is there.
        self._now = 0.0
        self.groups: list[int] = []

    def go(self, groups: int) -> float:
        """Run so many groups; returns mutations a second."""
        began, done = self._now, 0
        for _ in range(groups):
            first = min(self._asked_at)
            waited = max(0.0, first - self._now)
            self._now = max(self._now, first)
            deadline, taken = self._now + 0.002, []
            while len(taken) < self.size.most and self._now < deadline:
                at, who = min((at, who) for who, at in enumerate(self._asked_at))
                if at > self._now:
                    break
                taken.append(who)
                self._asked_at[who] = float("inf")
                self._now += self._run
            self._now += self._commit
            for place, who in enumerate(taken):
                self._asked_at[who] = self._now + self._think + self._answer * place
            left = sum(at <= self._now for at in self._asked_at)
            self.size.ended(taken=len(taken), left=left, waited_seconds=waited, commit_seconds=self._commit)
            self.groups.append(len(taken))
            done += len(taken)
        return done / (self._now - began)


def test_callers_in_step_are_parted_in_two_halves() -> None:
    callers = Callers(16, run=100e-6, commit=250e-6, think=900e-6, answer=30e-6)
    callers.go(100)
    assert set(callers.groups[-20:]) <= {7, 8, 9}, callers.groups


def test_callers_whose_questions_stream_in_anyway_stay_together() -> None:
    callers = Callers(16, run=100e-6, commit=250e-6, think=60e-6, answer=60e-6)
    callers.go(100)
    assert callers.size.most == 512


def test_nobody_is_parted_where_a_commit_takes_longer_than_the_writer_waits() -> None:
    callers = Callers(16, run=100e-6, commit=8e-3, think=900e-6, answer=30e-6)
    callers.go(50)
    assert callers.size.most == 512
    assert min(callers.groups[-20:]) >= 15, callers.groups


def test_more_callers_make_larger_groups_again_and_fewer_smaller_ones() -> None:
    group = size()
    for _ in range(20):
        group.ended(taken=16, left=0, waited_seconds=1e-3, commit_seconds=1e-4)
    assert group.most == 8
    group.ended(taken=8, left=24, waited_seconds=0.0, commit_seconds=1e-4)
    assert group.most == 24
    group.ended(taken=2, left=0, waited_seconds=1e-3, commit_seconds=1e-4)
    assert group.most == 1


def test_a_slow_disk_takes_all_at_once_again() -> None:
    group = size()
    for _ in range(20):
        group.ended(taken=16, left=0, waited_seconds=1e-3, commit_seconds=1e-4)
    assert group.most == 8
    for _ in range(20):
        group.ended(taken=8, left=8, waited_seconds=0.0, commit_seconds=5e-3)
    assert group.most == 512


GROUPS = st.tuples(st.integers(1, 600), st.integers(0, 600), st.floats(0, 100), st.floats(0, 10))


@given(st.lists(GROUPS, max_size=50))
def test_at_least_one_and_at_most_all_may_come(groups: list[tuple[int, int, float, float]]) -> None:
    group = size()
    for taken, left, waited, commit in groups:
        group.ended(taken=taken, left=left, waited_seconds=waited, commit_seconds=commit)
        assert 1 <= group.most <= 512


@given(
    callers=st.integers(1, 64),
    run=st.floats(2e-5, 5e-4),
    commit=st.floats(5e-5, 2e-2),
    think=st.floats(1e-5, 1e-2),
    answer=st.floats(1e-5, 2e-4),
)
def test_parting_never_costs_much(
    callers: int, run: float, commit: float, think: float, answer: float
) -> None:
    parted = Callers(callers, run=run, commit=commit, think=think, answer=answer)
    together = Callers(callers, run=run, commit=commit, think=think, answer=answer)
    together.size.ended = lambda **times: None  # type: ignore[method-assign]
    parted.go(60)
    together.go(60)
    assert parted.go(100) >= 0.8 * together.go(100)
