"""Pages against a plain list, whatever comes and goes between their runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from msgspec.structs import replace

from rewake.auth import User
from rewake.database import InvalidCursor, TooManyDocumentsRead, apply_schema
from rewake.execution import FunctionCall, Success
from rewake.execution.pages import Pages
from rewake.functions import InvalidPaginationOptions, PageEnds, PaginationOptions
from rewake.limits import DEFAULT_LIMITS, PAGE_ITEMS_SPLIT, Limits
from rewake.reactivity import LiveResult, Showing
from rewake.schema import QuerySpec, RangeBound, define_schema, define_table, v
from rewake.values import UNSET, decode, decode_stored
from tests.database.world import World
from tests.deployment.stage import CallFailed, Stage, play

SCHEMA = define_schema(
    {"t": define_table(v.any()).index("by_n", ["n"]).index("by_group_n", ["group", "n"])},
    schema_validation=False,
)
BY_N = QuerySpec("t", "by_n")


@dataclass
class Page:
    """What a client holds of one page."""

    rows: list[dict[str, Any]]
    ends: PageEnds
    journal: str | None

    @property
    def numbers(self) -> list[int]:
        return [int(row["n"]) for row in self.rows]


def read(
    world: World,
    spec: QuerySpec = BY_N,
    *,
    journal: str | None = None,
    keep: Callable[[dict[str, Any]], bool] = lambda row: True,
    function: str = "m.js:f",
    **options: Any,
) -> Page:
    """One run of a page on the latest snapshot."""
    wanted = PaginationOptions(**{"num_items": 10, "cursor": None, **options})
    rows: list[dict[str, Any]] = []

    def accept(text: str) -> bool:
        row = decode_stored(text)
        assert isinstance(row, dict)
        if keep(row):
            rows.append(row)
        return keep(row)

    world.reader._store.end()
    transaction = world.reader.begin().transaction()
    pages = Pages(transaction, world.database.cursors, journal=journal)
    ends = pages.read(spec, wanted, accept, function=function)
    return Page(rows, ends, pages.journal)


def worlds(limits: Limits = DEFAULT_LIMITS) -> World:
    world = World(limits=limits)
    world.mutate(lambda tx: apply_schema(tx, SCHEMA))
    return world


@pytest.fixture
def world() -> Iterator[World]:
    world = worlds()
    yield world
    world.close()


def fill(world: World, *numbers: int) -> list[str]:
    return world.insert("t", *({"n": n, "group": "a"} for n in numbers))


def test_pages_follow_each_other_to_the_end(world: World) -> None:
    fill(world, *range(25))
    first = read(world)
    second = read(world, cursor=first.ends.continue_cursor)
    third = read(world, cursor=second.ends.continue_cursor)
    assert first.numbers + second.numbers + third.numbers == list(range(25))
    assert [page.ends.is_done for page in (first, second, third)] == [False, False, True]
    after_the_end = read(world, cursor=third.ends.continue_cursor)
    assert (after_the_end.rows, after_the_end.ends.is_done) == ([], True)
    assert after_the_end.ends.continue_cursor == third.ends.continue_cursor


def test_a_page_that_is_just_full_does_not_look_further(world: World) -> None:
    fill(world, *range(10))
    page = read(world)
    assert (page.numbers, page.ends.is_done) == (list(range(10)), False)
    assert read(world, cursor=page.ends.continue_cursor).ends.is_done


def test_the_end_stays_where_it_is_when_rows_come_and_go(world: World) -> None:
    ids = fill(world, *range(0, 40, 2))
    first = read(world)
    fill(world, 1, 3, 5, 19)
    again = read(world, journal=first.journal)
    assert again.numbers == [0, 1, 2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 18]
    assert again.ends.continue_cursor == first.ends.continue_cursor
    assert again.journal == first.journal
    world.mutate(lambda tx: [tx.delete(id) for id in ids[:10]])
    assert read(world, journal=first.journal).numbers == [1, 3, 5]
    assert read(world, cursor=first.ends.continue_cursor).numbers[:2] == [19, 20]


def test_a_pinned_last_page_has_no_end(world: World) -> None:
    fill(world, 1)
    last = read(world)
    assert last.ends.is_done
    fill(world, *range(100, 130))
    again = read(world, journal=last.journal)
    assert (len(again.rows), again.ends.is_done) == (31, True)


def test_an_end_cursor_says_where_the_page_ends(world: World) -> None:
    fill(world, *range(20))
    first = read(world)
    again = read(world, end_cursor=first.ends.continue_cursor, num_items=1, maximum_rows_read=1)
    assert (again.numbers, again.ends.is_done) == (list(range(10)), False)
    assert again.ends.page_status is None
    assert read(world, end_cursor=None).numbers == list(range(10))


def test_a_table_that_comes_into_being_later_belongs_to_the_page(world: World) -> None:
    empty = read(world, QuerySpec("later"))
    assert (empty.rows, empty.ends.is_done) == ([], True)
    world.insert("later", {"n": 1})
    assert read(world, QuerySpec("later"), journal=empty.journal).numbers == [1]


def test_a_cursor_belongs_to_one_query(world: World) -> None:
    fill(world, *range(20))
    page = read(world)
    in_group = QuerySpec("t", "by_group_n", (RangeBound("group", "eq", "a"),))
    others: list[tuple[QuerySpec, str]] = [
        (QuerySpec("t"), "m.js:f"),
        (QuerySpec("u"), "m.js:f"),
        (QuerySpec("t", "by_id"), "m.js:f"),
        (in_group, "m.js:f"),
        (replace(BY_N, order="desc"), "m.js:f"),
        (replace(BY_N, bounds=(RangeBound("n", "gt", 1.0),)), "m.js:f"),
        (BY_N, "m.js:g"),
    ]
    for spec, function in others:
        for where in ("cursor", "end_cursor", "journal"):
            with pytest.raises(InvalidCursor, match="this cursor is from a different query"):
                read(world, spec, function=function, **{where: page.ends.continue_cursor})
    cursor = read(world, in_group).ends.continue_cursor
    other_group = replace(in_group, bounds=(RangeBound("group", "eq", "b"),))
    with pytest.raises(InvalidCursor):
        read(world, other_group, cursor=cursor)
    with pytest.raises(InvalidCursor, match="Failed to parse cursor"):
        read(world, cursor="made up")


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"num_items": 0}, "Must request at least 1 document while paginating"),
        ({"num_items": -3}, "`options.numItems` must be a positive number. Received `-3`."),
        ({"num_items": 32_001}, "Requested too many items: 32001"),
        ({"maximum_rows_read": 0}, "maximumRowsRead and maximumBytesRead must be greater than 0"),
        ({"maximum_bytes_read": -1}, "maximumRowsRead and maximumBytesRead must be greater than 0"),
    ],
)
def test_impossible_options_are_refused_in_the_known_words(
    world: World, options: dict[str, int], text: str
) -> None:
    with pytest.raises(InvalidPaginationOptions) as caught:
        read(world, **options)
    assert caught.value.message == text


def test_rows_count_before_the_filter_and_items_after_it(world: World) -> None:
    fill(world, *range(30))

    def is_third(row: dict[str, Any]) -> bool:
        return bool(row["n"] % 3 == 0)

    page = read(world, keep=is_third, num_items=4)
    assert page.numbers == [0, 3, 6, 9]
    assert read(world, keep=is_third, cursor=page.ends.continue_cursor).numbers[:2] == [12, 15]
    cut = read(world, keep=is_third, maximum_rows_read=5)
    assert (cut.numbers, cut.ends.page_status) == ([0, 3], "SplitRequired")
    assert read(world, keep=is_third, cursor=cut.ends.continue_cursor).numbers[0] == 6
    assert not cut.ends.is_done


def test_a_page_cut_short_can_be_split_however_little_it_shows(world: World) -> None:
    fill(world, *range(30))
    cut = read(world, keep=lambda row: False, maximum_rows_read=8)
    assert (cut.rows, cut.ends.page_status) == ([], "SplitRequired")
    assert cut.ends.split_cursor is not None
    halves = [
        read(world, end_cursor=cut.ends.split_cursor),
        read(world, cursor=cut.ends.split_cursor, end_cursor=cut.ends.continue_cursor),
    ]
    assert [half.numbers for half in halves] == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_bytes_are_bounded_as_well(world: World) -> None:
    world.insert("t", *({"n": n, "body": "x" * 1000} for n in range(20)))
    cut = read(world, maximum_bytes_read=3_500)
    assert (cut.numbers, cut.ends.page_status) == ([0, 1, 2, 3], "SplitRequired")
    large = read(world, maximum_bytes_read=11_000, num_items=9)
    assert (len(large.rows), large.ends.page_status) == (9, "SplitRecommended")
    assert read(world, maximum_bytes_read=20_000).ends.page_status is None


def test_a_page_that_nears_its_bounds_should_be_split(world: World) -> None:
    fill(world, *range(20))
    assert read(world, maximum_rows_read=12, num_items=9).ends.page_status is None
    assert read(world, maximum_rows_read=12, num_items=10).ends.page_status == "SplitRecommended"
    assert read(world, maximum_rows_read=10, num_items=10).ends.page_status == "SplitRecommended"


@pytest.mark.slow
def test_a_page_with_very_many_items_should_be_split(world: World) -> None:
    fill(world, *range(PAGE_ITEMS_SPLIT + 1))
    assert read(world, num_items=PAGE_ITEMS_SPLIT).ends.page_status is None
    assert read(world, num_items=PAGE_ITEMS_SPLIT + 1).ends.page_status == "SplitRecommended"


def test_a_page_leaves_some_of_what_the_transaction_may_read() -> None:
    world = worlds(msgspec.structs.replace(DEFAULT_LIMITS, documents_read_max=20))
    try:
        fill(world, *range(60))
        cut = read(world, num_items=50)
        assert (cut.numbers, cut.ends.page_status) == (list(range(15)), "SplitRequired")
        # With a pinned end there is no choice: all of it, or the limit's own error.
        assert read(world, journal=cut.journal).ends.page_status == "SplitRecommended"
        far = read(world, cursor=cut.ends.continue_cursor, num_items=50).ends.continue_cursor
        with pytest.raises(TooManyDocumentsRead):
            read(world, end_cursor=far)
    finally:
        world.close()


def test_small_pages_have_no_middle(world: World) -> None:
    fill(world, *range(3))
    assert read(world, num_items=2).ends.split_cursor is None
    page = read(world)
    assert page.ends.split_cursor is not None
    assert read(world, end_cursor=page.ends.split_cursor).numbers == [0, 1]
    assert read(world, cursor=page.ends.split_cursor).numbers == [2]


def test_a_page_depends_on_what_lies_between_its_ends(world: World) -> None:
    fill(world, *range(0, 40, 2))
    world.reader._store.end()
    transaction = world.reader.begin().transaction()
    pages = Pages(transaction, world.database.cursors, journal=None)
    first = pages.read(BY_N, PaginationOptions(num_items=5, cursor=None), bool, function="f")
    (row,) = world.mutate(lambda tx: tx.insert("t", {"n": 3})).rows
    assert transaction.read_set.touched_by(row)
    (row,) = world.mutate(lambda tx: tx.insert("t", {"n": 9})).rows
    assert not transaction.read_set.touched_by(row)

    # The second page alone, in a run of its own, pinned.
    world.reader._store.end()
    transaction = world.reader.begin().transaction()
    pages = Pages(transaction, world.database.cursors, journal=None)
    options = PaginationOptions(num_items=1, cursor=first.continue_cursor)
    second = pages.read(BY_N, options, bool, function="f")
    world.reader._store.end()
    transaction = world.reader.begin().transaction()
    again = Pages(transaction, world.database.cursors, journal=second.continue_cursor)
    again.read(BY_N, options, bool, function="f")
    for number, is_touched in ((1, False), (8.5, True), (9.5, False), (11, False)):
        (row,) = world.mutate(lambda tx, n=number: tx.insert("t", {"n": n})).rows
        assert transaction.read_set.touched_by(row) is is_touched, number


def test_only_the_first_page_of_a_run_has_the_journal(world: World) -> None:
    fill(world, *range(20))
    transaction = world.reader.begin().transaction()
    pinned = read(world, num_items=2).journal
    transaction = world.reader._store.end() or world.reader.begin().transaction()
    pages = Pages(transaction, world.database.cursors, journal=pinned)
    first = pages.read(BY_N, PaginationOptions(num_items=9, cursor=None), bool, function="m.js:f")
    other = pages.read(QuerySpec("t"), PaginationOptions(num_items=3, cursor=None), bool, function="m.js:g")
    assert pages.journal == pinned == first.continue_cursor
    assert other.continue_cursor != pinned


MODULE = """
    from rewake import ApplicationError, Document, Index, MutationCtx, PaginationOptions, PaginationResult
    from rewake import QueryCtx, mutation, query

    class Note(Document, table="notes"):
        n: int
        by_n = Index("n")

    @query
    def page(ctx: QueryCtx, pagination_opts: PaginationOptions) -> PaginationResult[Note]:
        return ctx.db.query(Note).with_index(Note.by_n).paginate(pagination_opts)

    @query
    def numbers(ctx: QueryCtx, pagination_opts: PaginationOptions):
        shown = ctx.run_query(page, pagination_opts=pagination_opts)
        if any(note.n == 13 for note in shown.page):
            raise ApplicationError("thirteen")
        return [note.n for note in shown.page]

    @query
    def twice(ctx: QueryCtx, pagination_opts: PaginationOptions):
        ctx.db.query(Note).paginate(pagination_opts)
        return ctx.db.query(Note).paginate(pagination_opts)

    @query
    def untyped(ctx: QueryCtx, paginationOpts):
        return ctx.db.query("notes").with_index("by_n").paginate(paginationOpts)

    @mutation
    def add(ctx: MutationCtx, numbers: list[int]) -> None:
        for n in numbers:
            ctx.db.insert(Note(n=n))

    @mutation
    def remove(ctx: MutationCtx, n: int) -> None:
        ctx.db.delete(ctx.db.query(Note).with_index(Note.by_n, n=n).first().id)

    @mutation
    def page_in_mutation(ctx: MutationCtx, cursor: str | None) -> list[int]:
        ctx.db.insert(Note(n=-1))
        options = PaginationOptions(num_items=2, cursor=cursor)
        found = ctx.db.query(Note).with_index(Note.by_n).paginate(options)
        return [note.n for note in found.page]
"""


def first(count: int = 2, cursor: str | None = None, **others: Any) -> dict[str, Any]:
    return {"numItems": count, "cursor": cursor, **others}


def tell(root: Path, story: Callable[[Stage], Any]) -> None:
    play(root, story, schema="", m=MODULE)


def test_a_page_crosses_the_door_under_the_official_names(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.mutate("m:add", numbers=[1, 2, 3])
        page = await stage.query("m:page", paginationOpts=first())
        assert set(page) == {"page", "isDone", "continueCursor", "splitCursor", "pageStatus"}
        assert [note["n"] for note in page["page"]] == [1, 2]
        rest = await stage.query("m:page", paginationOpts=first(5, page["continueCursor"], id=3))
        assert ([note["n"] for note in rest["page"]], rest["isDone"]) == ([3], True)
        untyped = await stage.query("m:untyped", paginationOpts=first())
        assert [note["n"] for note in untyped["page"]] == [1, 2]
        assert await stage.mutate("m:page_in_mutation", cursor=None) == [-1, 1]

    tell(tmp_path, story)


def test_a_function_reads_one_page(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        with pytest.raises(CallFailed) as caught:
            await stage.query("m:twice", paginationOpts=first())
        assert caught.value.failure.message == (
            "This query or mutation function ran multiple paginated queries. "
            "Convex only supports a single paginated query in each function.\n"
        )

    tell(tmp_path, story)


def test_a_wrong_cursor_reaches_clients_as_data_that_hooks_know(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.mutate("m:add", numbers=[1, 2, 3])
        page = await stage.query("m:page", paginationOpts=first())
        with pytest.raises(CallFailed) as caught:
            await stage.query("m:untyped", paginationOpts=first(2, page["continueCursor"]))
        assert caught.value.failure.message == (
            "InvalidCursor: Tried to run a query starting from a cursor, "
            "but it looks like this cursor is from a different query.\n"
        )
        assert caught.value.failure.data == '{"isConvexSystemError":true,"paginationError":"InvalidCursor"}'

    tell(tmp_path, story)


class Reader:
    """A client with one live page. Implements `LiveListener`."""

    def __init__(self, stage: Stage, path: str, journal: str | None = None) -> None:
        self.journal = journal
        self.shown: list[Any] = []
        self.ts = 0
        self._moved = asyncio.Event()
        self.session = stage.deployment.open_session(self)
        call = FunctionCall(path, json.dumps({"paginationOpts": first()}))
        self.session.add(0, call, journal)

    async def reached(self, ts: int) -> Any:
        self.session.request_wave()
        while self.ts < ts or not self.shown:
            self._moved.clear()
            await self._moved.wait()
        return self.shown[-1]

    def begin_wave(self) -> bool:
        return True

    def finish_wave(self, ts: int, updates: Sequence[tuple[int, LiveResult]]) -> None:
        self.ts = ts
        for _, update in updates:
            self.journal = update.journal
            is_value = isinstance(update.result, Success)
            self.shown.append(decode(update.result.value) if is_value else update.result.message)
        self._moved.set()

    def show(self, wave: Showing, updates: Sequence[tuple[int, LiveResult]]) -> bool:
        return False

    def fail_wave(self) -> None:
        raise AssertionError("the wave failed")


def test_a_live_page_keeps_its_end_and_who_comes_later_gets_the_length_asked_for(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.mutate("m:add", numbers=[10, 20, 30])
        early = Reader(stage, "m:numbers")
        assert await early.reached(1) == [10, 20]
        journal = early.journal
        outcome = await stage.outcome("m:add", numbers=[11, 12])
        assert await early.reached(outcome.ts) == [10, 11, 12, 20]
        assert early.journal == journal
        late = Reader(stage, "m:numbers")
        assert await late.reached(outcome.ts) == [10, 11]
        assert await stage.query("m:numbers", paginationOpts=first()) == [10, 11]
        again = Reader(stage, "m:numbers", journal)
        assert await again.reached(outcome.ts) == [10, 11, 12, 20]
        # A failed run decides nothing: the end is still there when it is over.
        outcome = await stage.outcome("m:add", numbers=[13])
        assert "thirteen" in await early.reached(outcome.ts)
        assert early.journal == journal
        outcome = await stage.outcome("m:remove", n=13)
        assert await early.reached(outcome.ts) == [10, 11, 12, 20]
        # And when the client is somebody else.
        early.session.set_identity(User('{"tokenIdentifier":"x"}'))
        outcome = await stage.outcome("m:remove", n=11)
        assert await early.reached(outcome.ts) == [10, 12, 20]

    tell(tmp_path, story)


def test_a_journal_that_is_none_fails_as_a_wrong_cursor(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        reader = Reader(stage, "m:numbers", "no journal")
        assert await reader.reached(0) == "InvalidCursor: Failed to parse cursor\n"

    tell(tmp_path, story)


class PagedList(RuleBasedStateMachine):
    """A client that shows a list as `usePaginatedQuery` does, beside clients that change it."""

    def __init__(self) -> None:
        super().__init__()
        self.world = worlds()
        self.rows: dict[str, tuple[float, float, str]] = {}
        # Arguments of each page shown, and the journal that came with its last result.
        self.pages: list[tuple[dict[str, Any], Page]] = []

    def teardown(self) -> None:
        self.world.close()

    @initialize(
        order=st.sampled_from(["asc", "desc"]),
        is_filtered=st.booleans(),
        lower=st.none() | st.integers(0, 4),
        numbers=st.lists(st.integers(0, 12), max_size=12),
    )
    def begin(
        self, order: Literal["asc", "desc"], is_filtered: bool, lower: int | None, numbers: list[int]
    ) -> None:
        bounds = () if lower is None else (RangeBound("n", "gte", float(lower)),)
        self.spec = QuerySpec("t", "by_n", bounds, order)
        self.is_filtered, self.lower = is_filtered, lower
        for number in numbers:
            self.insert(number)

    @rule(number=st.integers(0, 12))
    def insert(self, number: int) -> None:
        (id,) = self.world.insert("t", {"n": number})
        self._learn(id)

    @precondition(lambda self: self.rows)
    @rule(data=st.data(), number=st.integers(0, 12))
    def move(self, data: st.DataObject, number: int) -> None:
        id = data.draw(st.sampled_from(sorted(self.rows)))
        self.world.mutate(lambda tx: tx.patch(id, {"n": number}))
        self._learn(id)

    @precondition(lambda self: self.rows)
    @rule(data=st.data())
    def remove(self, data: st.DataObject) -> None:
        id = data.draw(st.sampled_from(sorted(self.rows)))
        self.world.mutate(lambda tx: tx.delete(id))
        del self.rows[id]

    @precondition(lambda self: not self.pages or not self.pages[-1][1].ends.is_done)
    @rule(
        count=st.integers(1, 5),
        rows_max=st.none() | st.integers(1, 6),
    )
    def load_more(self, count: int, rows_max: int | None) -> None:
        options = {
            "num_items": count,
            "cursor": self.pages[-1][1].ends.continue_cursor if self.pages else None,
            "maximum_rows_read": UNSET if rows_max is None else rows_max,
        }
        page = self._run(options, None)
        assert len(page.rows) <= count
        assert len(page.rows) == count or page.ends.is_done or page.ends.page_status == "SplitRequired"
        self.pages.append((options, page))

    @precondition(lambda self: any(page.ends.split_cursor for _, page in self.pages))
    @rule(data=st.data())
    def split(self, data: st.DataObject) -> None:
        splittable = [i for i, (_, page) in enumerate(self.pages) if page.ends.split_cursor]
        i = data.draw(st.sampled_from(splittable))
        options, page = self.pages[i]
        halves = [
            {**options, "end_cursor": page.ends.split_cursor},
            {**options, "cursor": page.ends.split_cursor, "end_cursor": page.ends.continue_cursor},
        ]
        self.pages[i : i + 1] = [(half, self._run(half, None)) for half in halves]

    @invariant()
    def pages_are_the_list_without_gap_or_overlap(self) -> None:
        self.pages = [(options, self._run(options, page.journal)) for options, page in self.pages]
        shown = [row["_id"] for _, page in self.pages for row in page.rows]
        listed = self._listed()
        assert shown == listed[: len(shown)]
        if self.pages and self.pages[-1][1].ends.is_done:
            assert shown == listed
        for (_, before), (options, _) in zip(self.pages, self.pages[1:], strict=False):
            assert options["cursor"] == before.ends.continue_cursor

    def _listed(self) -> list[str]:
        rows = sorted(self.rows.values(), reverse=self.spec.order == "desc")
        return [id for n, _, id in rows if self._is_in(n)]

    def _is_in(self, n: float) -> bool:
        return (self.lower is None or n >= self.lower) and not (self.is_filtered and n % 3 == 0)

    def _run(self, options: dict[str, Any], journal: str | None) -> Page:
        return read(
            self.world,
            self.spec,
            journal=journal,
            keep=lambda row: not self.is_filtered or row["n"] % 3 != 0,
            **options,
        )

    def _learn(self, id: str) -> None:
        self.world.reader._store.end()
        text = self.world.reader.begin().transaction().get(id)
        assert text is not None
        row = decode_stored(text)
        assert isinstance(row, dict)
        self.rows[id] = (row["n"], row["_creationTime"], id)


PagedList.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
test_pages_stay_contiguous_and_disjoint = PagedList.TestCase
