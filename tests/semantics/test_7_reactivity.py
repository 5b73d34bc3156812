"""Semantics 7: what wakes a live query, what is shared between callers, and who sees what."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rewake import Document, Id, Index, MutationCtx, PaginationOptions, PaginationResult, QueryCtx, gte, query
from rewake.schema import define_schema, define_table, v
from rewake.testing import Backend, FunctionFailed

HERE = "semantics/test_7_reactivity"
RUNS: list[str] = []
"""Which functions ran, in order; cleared for each test."""


class Score(Document, table="scores"):
    team: str
    points: int
    by_team = Index("team", "points")


@query
def of_team(ctx: QueryCtx, team: str) -> list[int]:
    RUNS.append("of_team")
    return [score.points for score in ctx.db.query(Score).with_index(Score.by_team, team=team)]


@query
def lowest(ctx: QueryCtx, count: int) -> list[int]:
    found = ctx.db.query(Score).with_index(Score.by_team, team="red").take(count)
    return [score.points for score in found]


@query
def even(ctx: QueryCtx) -> list[int]:
    return [score.points for score in ctx.db.query(Score).filter(lambda score: score.points % 2 == 0)]


@query
def one(ctx: QueryCtx, id: Id[Score]) -> int | None:
    score = ctx.db.get(id)
    return None if score is None else score.points


@query
def nested(ctx: QueryCtx, team: str) -> int:
    return sum(ctx.run_query(of_team, team=team))


@query
def only(ctx: QueryCtx) -> int:
    score = ctx.db.query(Score).unique()
    return 0 if score is None else score.points


@query
def me(ctx: QueryCtx) -> str | None:
    RUNS.append("me")
    identity = ctx.auth.get_user_identity()
    return None if identity is None else identity.subject


@query
def seconds(ctx: QueryCtx) -> float:
    RUNS.append("seconds")
    return ctx.now // 1000


@query
def dice(ctx: QueryCtx) -> float:
    RUNS.append("dice")
    return ctx.random.random()


@query
def at_least(ctx: QueryCtx, points: int) -> list[int]:
    found = ctx.db.query(Score).with_index(Score.by_team, team="red", points=gte(points))
    return [score.points for score in found]


@query
def in_pages(ctx: QueryCtx, pagination_opts: PaginationOptions) -> PaginationResult[int]:
    found = ctx.db.query(Score).with_index(Score.by_team, team="red").paginate(pagination_opts)
    return found.with_page([score.points for score in found.page])


@query
def loose(ctx: QueryCtx) -> int:
    return len(ctx.db.query("loose").collect())


FUNCTIONS = (of_team, lowest, even, one, nested, only, me, seconds, dice, at_least, in_pages, loose)


@pytest.fixture
def backend() -> Iterator[Backend]:
    with Backend.from_functions(*FUNCTIONS) as made:
        RUNS.clear()
        yield made


def add(backend: Backend, team: str, points: int) -> Id[Score]:
    return backend.run(lambda ctx: ctx.db.insert(Score(team=team, points=points)))


# 7.1


def test_7_1_a_write_in_what_was_read_wakes_and_others_do_not(backend: Backend) -> None:
    with backend.watch(of_team, team="red") as live:
        add(backend, "red", 1)
        assert (live.value, live.wakes) == ([1], 1)
        add(backend, "blue", 1)
        assert (live.value, live.wakes) == ([1], 1)


def test_7_1_the_old_key_wakes_and_the_new_one_does(backend: Backend) -> None:
    id = add(backend, "blue", 1)
    with backend.watch(of_team, team="red") as live:
        backend.run(lambda ctx: ctx.db.patch(id, team="red"))
        assert (live.value, live.wakes) == ([1], 1)
        backend.run(lambda ctx: ctx.db.patch(id, team="green"))
        assert (live.value, live.wakes) == ([], 2)
        backend.run(lambda ctx: ctx.db.patch(id, team="blue"))
        assert live.wakes == 2


def test_7_1_rows_after_the_last_one_read_do_not_wake(backend: Backend) -> None:
    for points in (10, 20, 30):
        add(backend, "red", points)
    with backend.watch(lowest, count=2) as live:
        add(backend, "red", 25)
        assert (live.value, live.wakes) == ([10, 20], 0)
        add(backend, "red", 15)
        assert (live.value, live.wakes) == ([10, 15], 1)


def test_7_1_a_scan_that_came_to_its_end_depends_on_the_whole_range(backend: Backend) -> None:
    add(backend, "red", 10)
    with backend.watch(lowest, count=2) as live:
        add(backend, "red", 99)
        assert (live.value, live.wakes) == ([10, 99], 1)


def test_7_1_rows_that_a_filter_dropped_wake_and_nothing_is_sent(backend: Backend) -> None:
    with backend.watch(even) as live:
        add(backend, "red", 1)
        assert (live.wakes, live.history) == (1, [[]])


def test_7_1_a_result_that_is_the_same_again_is_not_sent(backend: Backend) -> None:
    id = add(backend, "red", 1)
    with backend.watch(of_team, team="red") as live:

        def twice(ctx: MutationCtx) -> None:
            ctx.db.delete(id)
            ctx.db.insert(Score(team="red", points=1))

        before = live.ts
        backend.run(twice)
        assert (live.wakes, live.history) == (1, [[1]])
        assert live.ts > before


def test_7_1_a_document_read_by_id_wakes_when_it_changes_or_goes(backend: Backend) -> None:
    id, other = add(backend, "red", 1), add(backend, "red", 2)
    with backend.watch(one, id=id) as live:
        backend.run(lambda ctx: ctx.db.patch(other, points=3))
        assert live.wakes == 0
        backend.run(lambda ctx: ctx.db.patch(id, points=5))
        backend.run(lambda ctx: ctx.db.delete(id))
        assert live.history == [1, 5, None]


def test_7_1_a_write_that_changes_nothing_wakes_nobody(backend: Backend) -> None:
    id = add(backend, "red", 1)
    with backend.watch(one, id=id) as live:
        backend.run(lambda ctx: ctx.db.patch(id, points=1))
        backend.run(lambda ctx: ctx.db.replace(id, Score(team="red", points=1)))
        assert live.wakes == 0


def test_7_1_a_mutation_that_fails_wakes_nobody(backend: Backend) -> None:
    with backend.watch(of_team, team="red") as live:
        with pytest.raises(ZeroDivisionError):
            backend.run(lambda ctx: (ctx.db.insert(Score(team="red", points=1)), 1 / 0))
        assert live.wakes == 0


def test_7_1_what_nested_queries_read_counts(backend: Backend) -> None:
    with backend.watch(nested, team="red") as live:
        add(backend, "red", 2)
        add(backend, "red", 3)
        add(backend, "blue", 4)
        assert live.history == [0, 2, 5]


def test_7_1_a_query_that_fails_stays_and_recovers(backend: Backend) -> None:
    add(backend, "red", 1)
    with backend.watch(only) as live:
        id = add(backend, "red", 2)
        with pytest.raises(FunctionFailed, match="unique"):
            _ = live.value
        backend.run(lambda ctx: ctx.db.delete(id))
        assert live.value == 1


def test_7_1_a_table_that_comes_into_being_wakes(backend: Backend) -> None:
    with backend.watch(loose) as live:
        backend.run(lambda ctx: ctx.db.insert("other", {}))
        assert live.wakes == 0
        backend.run(lambda ctx: ctx.db.insert("loose", {}))
        assert live.value == 1


def test_7_1_a_schema_that_brings_an_index_wakes_who_missed_it() -> None:
    @query
    def by_x(ctx: QueryCtx) -> int:
        return len(ctx.db.query("things").with_index("by_x").collect())

    table = define_table({"x": v.float64()})
    with Backend.from_functions(by_x, schema=define_schema({"things": table})) as made:
        made.run(lambda ctx: ctx.db.insert("things", {"x": 1}))
        with made.watch(by_x) as live:
            with pytest.raises(FunctionFailed, match=r"Index things\.by_x not found\."):
                _ = live.value
            made.push_schema(define_schema({"things": define_table({"x": v.float64()}).index("by_x", ["x"])}))
            assert live.value == 1


# 7.2


def test_7_2_callers_share_what_does_not_read_the_identity(backend: Backend) -> None:
    for caller in (backend, backend.as_user("ann"), backend.as_user("bob")):
        assert caller.query(of_team, team="red") == []
    assert RUNS == ["of_team"]


def test_7_2_who_reads_the_identity_is_run_for_each(backend: Backend) -> None:
    callers = [backend, backend.as_user("ann"), backend.as_user("bob"), backend.as_user("ann")]
    assert [caller.query(me) for caller in callers] == [None, "ann", "bob", "ann"]
    assert RUNS.count("me") == 3


def test_7_2_arguments_and_visibility_are_part_of_what_is_shared(backend: Backend) -> None:
    for _ in range(2):
        backend.query(of_team, team="red")
        backend.query(of_team, team="blue")
    assert RUNS == ["of_team"] * 2
    backend.query(f"{HERE}:of_team", team="red")
    assert RUNS == ["of_team"] * 3


def test_7_2_a_result_serves_until_a_write_touches_it(backend: Backend) -> None:
    backend.query(of_team, team="red")
    add(backend, "blue", 1)
    backend.query(of_team, team="red")
    assert len(RUNS) == 1
    add(backend, "red", 1)
    assert backend.query(of_team, team="red") == [1]
    assert len(RUNS) == 2


def test_7_2_errors_are_not_kept(backend: Backend) -> None:
    @query
    def fails(ctx: QueryCtx) -> None:
        RUNS.append("fails")
        raise ValueError

    with Backend.from_functions(fails) as made:
        for _ in range(2):
            with pytest.raises(FunctionFailed):
                made.query(fails)
    assert RUNS == ["fails"] * 2


def test_7_2_a_result_of_the_clock_ages_for_new_readers(backend: Backend) -> None:
    first = backend.query(seconds)
    backend.clock.advance(seconds=10)
    assert backend.query(seconds) == first
    backend.clock.advance(seconds=20)
    assert backend.query(seconds) == first + 30


def test_7_2_time_wakes_nobody_and_a_new_readers_answer_is_shown_to_all(backend: Backend) -> None:
    path = f"{HERE}:seconds"
    with backend.watch(path) as live:
        first = live.value
        backend.clock.advance(hours=1)
        add(backend, "red", 1)
        assert (live.value, live.wakes) == (first, 0)
        assert backend.query(path) == first + 3600
        assert live.value == first + 3600


def test_7_2_a_result_of_chance_is_kept(backend: Backend) -> None:
    assert backend.query(dice) == backend.query(dice)
    assert RUNS == ["dice"]


def test_7_2_nested_queries_run_inside_their_caller(backend: Backend) -> None:
    backend.query(of_team, team="red")
    backend.query(nested, team="red")
    assert RUNS == ["of_team"] * 2


# 7.3


def test_7_3_a_live_query_never_goes_back(backend: Backend) -> None:
    with backend.watch(of_team, team="red") as live:
        stamps = [live.ts]
        for points in range(5):
            add(backend, "red", points)
            stamps.append(live.ts)
        assert stamps == sorted(set(stamps))
        assert live.history == [list(range(n)) for n in range(6)]


def test_7_3_two_live_queries_agree_after_each_commit(backend: Backend) -> None:
    a, b = add(backend, "red", 10), add(backend, "red", 0)
    with backend.watch(one, id=a) as left, backend.watch(one, id=b) as right:

        def move(ctx: MutationCtx) -> None:
            for id, change in ((a, -1), (b, 1)):
                score = ctx.db.get(id)
                assert score is not None
                ctx.db.patch(id, points=score.points + change)

        for _ in range(3):
            backend.run(move)
            assert (left.value or 0) + (right.value or 0) == 10
            assert left.ts == right.ts


# 7.7


def test_7_7_pages_stay_side_by_side_while_rows_come_and_go(backend: Backend) -> None:
    ids = [add(backend, "red", points) for points in range(0, 80, 10)]

    def opts(cursor: str | None) -> PaginationOptions:
        return PaginationOptions(num_items=3, cursor=cursor)

    with (
        backend.watch(in_pages, pagination_opts=opts(None)) as first,
        backend.watch(in_pages, pagination_opts=opts(first.value.continue_cursor)) as second,
    ):
        for points in (5, 25, 35, 55):
            add(backend, "red", points)
        for id in ids[1:5]:
            backend.run(lambda ctx, id=id: ctx.db.delete(id))
        both = [*first.value.page, *second.value.page]
        everything: list[Any] = backend.query(at_least, points=0)
        assert both == everything[: len(both)]
        assert (first.value.page, second.value.page) == ([0, 5], [25, 35, 50])
