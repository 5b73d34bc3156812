"""A loop over a query that writes to what it reads (with section 3.2).

The rule: each step gives the first document behind the place of the one before, in the order of the loop, as
the data stand at that step. So what is moved or inserted ahead of the loop is met, what is moved or inserted
behind it is not, and a document that moves itself ahead is met again.

The rule is written down once more below, over a plain list (`expected_walk`), and compared with what the
engine does under random moves in both orders.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from rewake import CommitTs, Document, Id, Index, Int64, MutationCtx, Query, gte, internal_mutation, lt
from rewake.database.usage import TooManyWrites
from rewake.testing import Backend
from rewake.values import COMMIT_TS

Order = Literal["asc", "desc"]
ORDERS: tuple[Order, ...] = ("asc", "desc")


class Job(Document, table="jobs"):
    name: int
    due: float
    by_due = Index("due")


class Event(Document, table="events"):
    name: int
    at: CommitTs
    by_at = Index("at")


@internal_mutation
def move_and_fail(ctx: MutationCtx, id: Id[Job], due: float) -> None:
    ctx.db.patch(id, due=due)
    raise ZeroDivisionError


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    with Backend.from_functions(move_and_fail, documents=[Job, Event]) as made:
        yield made


class Undone(Exception):
    """Ends a block so that it leaves nothing behind."""


@contextmanager
def jobs_due_at(backend: Backend, *due: float) -> Iterator[tuple[MutationCtx, list[Id[Job]]]]:
    """Jobs named 0, 1, 2, ... in a mutation that is undone at the end."""
    with suppress(Undone), backend.run() as ctx:
        yield ctx, [ctx.db.insert(Job(name=name, due=at)) for name, at in enumerate(due)]
        raise Undone


def in_order(ctx: MutationCtx, order: Order) -> Query[Job]:
    return ctx.db.query(Job).with_index(Job.by_due).order(order)


def walk(jobs: Query[Job], work: Callable[[Job], Any]) -> list[int]:
    """The names that a loop meets that does `work` on each document, and stops when it has met 200."""
    met: list[int] = []
    for job in jobs:
        met.append(int(job.name))
        if len(met) == 200:
            break
        work(job)
    return met


@pytest.mark.parametrize("order", ORDERS)
def test_3_2_a_document_that_moves_itself_behind_the_loop_is_met_once(backend: Backend, order: Order) -> None:
    with jobs_due_at(backend, *range(40)) as (ctx, _):
        back = -100 if order == "asc" else 100
        met = walk(in_order(ctx, order), lambda job: ctx.db.patch(job.id, due=job.due + back))
        assert met == [int(job.name) for job in in_order(ctx, order)]
        assert sorted(met) == list(range(40))


@pytest.mark.parametrize("order", ORDERS)
def test_3_2_a_document_that_moves_itself_ahead_is_met_again(backend: Backend, order: Order) -> None:
    with jobs_due_at(backend, 0, 1, 2) as (ctx, _):
        ahead, end = (5, 9) if order == "asc" else (-5, -7)

        def work(job: Job) -> None:
            if -3 < job.due < 5:
                ctx.db.patch(job.id, due=job.due + ahead)

        met = walk(in_order(ctx, order), work)
        assert met == ([0, 1, 2] if order == "asc" else [2, 1, 0]) * 2
        assert all(abs(job.due) <= abs(end) for job in in_order(ctx, order))


@pytest.mark.parametrize("order", ORDERS)
def test_3_2_collect_first_and_each_is_touched_once(backend: Backend, order: Order) -> None:
    with jobs_due_at(backend, *range(20)) as (ctx, _):
        for job in in_order(ctx, order).collect():
            ctx.db.patch(job.id, due=job.due + 3)
        assert sorted(job.due for job in in_order(ctx, order)) == [at + 3 for at in range(20)]


@pytest.mark.parametrize("order", ORDERS)
def test_3_2_the_rest_of_a_page_is_what_it_has_become(backend: Backend, order: Order) -> None:
    with jobs_due_at(backend, *range(10)) as (ctx, ids):
        first, last = (0, 9) if order == "asc" else (9, 0)

        def work(job: Job) -> None:
            if job.name == first:
                ctx.db.delete(ids[3])
                ctx.db.patch(ids[4], due=ctx.db.get(ids[last]).due)  # type: ignore[union-attr]
                ctx.db.patch(ids[5], due=100 if order == "desc" else -100)
                ctx.db.insert(Job(name=50, due=6.5))

        met = walk(in_order(ctx, order), work)
        expected = [0, 1, 2, 6, 50, 7, 8, 4, 9] if order == "asc" else [9, 8, 7, 50, 6, 2, 1, 4, 0]
        assert met == expected


@pytest.mark.parametrize("order", ORDERS)
def test_3_2_a_part_that_was_undone_is_not_met(backend: Backend, order: Order) -> None:
    with jobs_due_at(backend, *range(5)) as (ctx, ids):

        def work(job: Job) -> None:
            with pytest.raises(ZeroDivisionError):
                ctx.run_mutation(move_and_fail, id=ids[2], due=-100 if order == "asc" else 100)

        assert walk(in_order(ctx, order), work) == (
            list(range(5)) if order == "asc" else list(range(4, -1, -1))
        )


@pytest.mark.parametrize("order", ORDERS)
def test_3_2_a_loop_stays_within_its_range(backend: Backend, order: Order) -> None:
    with jobs_due_at(backend, *range(10)) as (ctx, _):
        jobs = ctx.db.query(Job).with_index(Job.by_due, due=gte(3) & lt(7)).order(order)
        met = walk(jobs, lambda job: ctx.db.patch(job.id, due=job.due + (2 if order == "asc" else -2)))
        # 3 and 4 come back at 5 and 6 and leave the range from there; the others leave it at once.
        assert met == ([3, 4, 3, 5, 4, 6] if order == "asc" else [6, 5, 6, 4, 5, 3])


@pytest.mark.parametrize("order", ORDERS)
def test_3_2_filters_and_take_count_what_the_loop_meets(backend: Backend, order: Order) -> None:
    with jobs_due_at(backend, *range(10)) as (ctx, ids):
        jobs = iter(in_order(ctx, order).filter(lambda job: job.due % 2 == 0))
        first = next(jobs)
        second = ids[2] if order == "asc" else ids[6]
        ctx.db.patch(second, due=2.5 if order == "asc" else 5.5)
        assert [int(first.name), *(int(job.name) for job in jobs)] == (
            [0, 4, 6, 8] if order == "asc" else [8, 4, 2, 0]
        )


@pytest.mark.parametrize("order", ORDERS)
def test_3_2_two_loops_over_one_index_go_their_own_ways(backend: Backend, order: Order) -> None:
    with jobs_due_at(backend, *range(4)) as (ctx, ids):
        pairs = []
        for one in in_order(ctx, order):
            for other in in_order(ctx, order):
                pairs.append((int(one.name), int(other.name)))
                if len(pairs) == 3:
                    ctx.db.delete(ids[1])
        names = [0, 2, 3] if order == "asc" else [3, 2, 0]
        start = [(0, 0), (0, 1), (0, 2), (0, 3)] if order == "asc" else [(3, 3), (3, 2), (3, 1), (3, 0)]
        assert pairs == start + [(one, other) for one in names[1:] for other in names]


def test_3_2_a_loop_that_always_moves_ahead_ends_at_the_limit(backend: Backend) -> None:
    def chase(ctx: MutationCtx) -> None:
        ctx.db.insert(Job(name=0, due=0))
        for job in ctx.db.query(Job).with_index(Job.by_due):
            ctx.db.patch(job.id, due=job.due + 1)

    with pytest.raises(TooManyWrites):
        backend.run(chase)


def test_3_2_a_loop_that_stamps_the_field_it_walks_by_meets_each_twice_and_ends(backend: Backend) -> None:
    with suppress(Undone), backend.run() as ctx:
        for name in range(3):
            ctx.db.insert(Event(name=name, at=Int64(name)))
        met = []
        for event in ctx.db.query(Event).with_index(Event.by_at):
            met.append((int(event.name), event.at is COMMIT_TS))
            ctx.db.patch(event.id, at=ctx.db.vars.commit_ts)
        assert met == [(0, False), (1, False), (2, False), (0, True), (1, True), (2, True)]
        raise Undone


# At the n-th document that a loop meets, put job `name` to another time, make a new one, or delete one.
Move = tuple[Literal["put", "new", "delete"], int, int]
MOVES = st.tuples(st.sampled_from(["put", "new", "delete"]), st.integers(0, 30), st.integers(0, 40))
STEPS_MAX = 200


def expected_walk(due: list[int], moves: dict[int, list[Move]], order: Order) -> list[int]:
    """The rule over a plain dict: name -> time; ties are broken by age, which is the name."""
    times = dict(enumerate(due))
    met: list[int] = []
    last: tuple[int, int] | None = None
    while len(met) < STEPS_MAX:
        places = [(at, name) for name, at in times.items()]
        if last is not None:
            places = [place for place in places if (place > last if order == "asc" else place < last)]
        if not places:
            break
        last = min(places) if order == "asc" else max(places)
        met.append(last[1])
        for kind, name, at in moves.get(len(met), ()):
            if kind == "new":
                times[len(due) + sum(n >= len(due) for n in times) + 1000 * len(met)] = at
            elif name in times:
                if kind == "put":
                    times[name] = at
                else:
                    del times[name]
    return met


@given(
    due=st.lists(st.integers(0, 40), max_size=30),
    moves=st.dictionaries(st.integers(1, 60), st.lists(MOVES, max_size=3), max_size=20),
    order=st.sampled_from(ORDERS),
)
@example(due=list(range(30)), moves={n: [("put", n, n + 20)] for n in range(1, 20)}, order="asc")
@settings(deadline=None)
@example(due=list(range(30)), moves={n: [("put", n, 0), ("new", 0, n)] for n in range(1, 20)}, order="desc")
def test_3_2_a_loop_meets_what_the_rule_says(
    backend: Backend, due: list[int], moves: dict[int, list[Move]], order: Order
) -> None:
    with jobs_due_at(backend, *due) as (ctx, made):
        ids = dict(enumerate(made))
        met: list[int] = []
        for job in in_order(ctx, order):
            met.append(int(job.name))
            for kind, name, at in moves.get(len(met), ()):
                if kind == "new":
                    new = len(due) + sum(n >= len(due) for n in ids) + 1000 * len(met)
                    ids[new] = ctx.db.insert(Job(name=new, due=at))
                elif name in ids:
                    if kind == "put":
                        ctx.db.patch(ids[name], due=at)
                    else:
                        ctx.db.delete(ids.pop(name))
            if len(met) == STEPS_MAX:
                break
        assert met == expected_walk(due, moves, order)
