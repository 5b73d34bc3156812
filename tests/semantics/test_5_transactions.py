"""Semantics 5: transactions, nested calls, limits, and what a run can ask about itself."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from rewake import (
    ApplicationError,
    Document,
    Index,
    MutationCtx,
    QueryCtx,
    internal_query,
    mutation,
    query,
)
from rewake.database import IndexNotFound, TooManyDocumentsRead, TooManyWrites
from rewake.errors import LimitExceeded
from rewake.execution import CallRecord
from rewake.limits import DEFAULT_LIMITS, MIB, Limits
from rewake.schema import ValidationFailed
from rewake.sync.faults import TooManyActions, TooManyConcurrentMutations
from rewake.testing import Backend, FunctionFailed

HELP = (
    "Consider using smaller limits in your queries, paginating your queries, or using indexed queries with a "
    "selective index range expressions."
)
HERE = "semantics/test_5_transactions"


class Note(Document, table="notes"):
    n: int
    text: str = ""
    by_n = Index("n")


# Functions.


@query
def count(ctx: QueryCtx) -> int:
    return len(ctx.db.query(Note).collect())


@query
def take(ctx: QueryCtx, most: int) -> int:
    return len(ctx.db.query(Note).take(most))


@query
def numbers(ctx: QueryCtx) -> list[int]:
    return [note.n for note in ctx.db.query(Note).with_index(Note.by_n)]


@query
def get_each(ctx: QueryCtx) -> int:
    return len(ctx.db.get_many([note.id for note in ctx.db.query(Note)]))


@mutation
def write(ctx: MutationCtx, times: int, size: int = 0) -> None:
    for n in range(times):
        ctx.db.insert(Note(n=n, text="x" * size))


@query
def measured(ctx: QueryCtx, data: Any) -> int:
    return len(data)


@query
def returns(ctx: QueryCtx, size: int) -> list[str]:
    return ["x" * 1_000_000] * size


@mutation
def fails(ctx: MutationCtx, n: int) -> None:
    ctx.db.insert(Note(n=n))
    logging.warning("about to fail")
    raise ApplicationError({"n": n})


@mutation
def catches(ctx: MutationCtx) -> list[int]:
    ctx.db.insert(Note(n=1))
    ctx.run_mutation(write, times=1, size=5)
    try:
        ctx.run_mutation(fails, n=7)
    except ApplicationError as error:
        return [*ctx.run_query(numbers), int(error.data["n"])]
    return []


@mutation
def lets_it_through(ctx: MutationCtx) -> None:
    ctx.db.insert(Note(n=1))
    ctx.run_mutation(fails, n=7)


@mutation
def reads_then_fails(ctx: MutationCtx) -> None:
    ctx.db.query(Note).collect()
    ctx.db.insert(Note(n=0))
    raise ValueError("no")


@mutation
def used_by_a_failed_part(ctx: MutationCtx) -> Any:
    try:
        ctx.run_mutation(reads_then_fails)
    except ValueError:
        pass
    return ctx.meta.get_transaction_metrics()


@query
def calls_a_mutation(ctx: QueryCtx) -> None:
    ctx.run_query(HERE + ":write", times=1)


@query
def calls_itself(ctx: QueryCtx, depth: int) -> int:
    return ctx.run_query(calls_itself, depth=depth - 1) if depth > 1 else 1


@query
def stale_in_a_query(ctx: QueryCtx) -> None:
    ctx.at_begin_snapshot().run_query(count)


@mutation
def compares(ctx: MutationCtx) -> list[list[int]]:
    ctx.db.insert(Note(n=2))
    for note in ctx.db.query(Note).with_index(Note.by_n, n=1):
        ctx.db.patch(note.id, n=10)
    before = ctx.at_begin_snapshot().run_query(numbers)
    nested = ctx.at_begin_snapshot().run_query(calls_numbers)
    return [before, nested, ctx.run_query(numbers)]


@internal_query
def calls_numbers(ctx: QueryCtx) -> list[int]:
    return ctx.run_query(numbers)


@query
def given_less(ctx: QueryCtx, documents_read: int) -> list[Any]:
    said: list[Any] = []
    try:
        said.append(ctx.with_limits(documents_read=documents_read).run_query(count))
    except TooManyDocumentsRead as error:
        said += [error.message, error.detail, error.observed, error.limit]
    said.append(ctx.run_query(count))
    return said


@mutation
def writes_with_less(ctx: MutationCtx) -> list[str]:
    try:
        ctx.with_limits(documents_written=2).run_mutation(write, times=3)
    except TooManyWrites as error:
        return [error.message, str(len(ctx.run_query(numbers)))]
    return []


@query
def catches_and_reads_again(ctx: QueryCtx) -> int:
    caught = 0
    for _ in range(3):
        try:
            ctx.db.query(Note).collect()
        except LimitExceeded:
            caught += 1
    return caught


@query
def time_and_chance(ctx: QueryCtx) -> list[Any]:
    first = ctx.random.random()
    inner = ctx.run_query(inner_time_and_chance)
    return [ctx.now, inner[0], first, inner[1], ctx.random.random()]


@internal_query
def inner_time_and_chance(ctx: QueryCtx) -> list[Any]:
    return [ctx.now, min(ctx.random.random() for _ in range(3))]


@query
def calls_directly(ctx: QueryCtx) -> int:
    return count(ctx) + count(ctx) + unchecked(ctx, n="not a number")  # type: ignore[arg-type]


@internal_query
def unchecked(ctx: QueryCtx, n: int) -> int:
    return len(n)  # type: ignore[arg-type]


@query
def logs_lines(ctx: QueryCtx, lines: int) -> None:
    for n in range(lines):
        logging.warning(n)


@mutation
def about_itself(ctx: MutationCtx) -> list[Any]:
    ctx.db.insert(Note(n=1))
    ctx.db.query(Note).first()
    meta = ctx.meta
    return [
        meta.get_transaction_metrics(),
        meta.get_deployment_metadata(),
        meta.get_request_metadata(),
        meta.get_function_metadata(),
        ctx.run_query(nested_metrics),
    ]


@internal_query
def nested_metrics(ctx: QueryCtx) -> Any:
    return ctx.meta.get_transaction_metrics().documents_written.used


@query
def missing_index(ctx: QueryCtx, most: int) -> list[Any]:
    return ctx.db.query("notes").with_index("by_nothing").take(most)


# How they are called.


def made(**limits: Any) -> Backend:
    return Backend.from_functions(
        *(value for value in list(globals().values()) if hasattr(value, "is_internal")),
        documents=[Note],
        limits=Limits(**limits),
    )


@pytest.fixture
def backend() -> Iterator[Backend]:
    with made() as opened:
        yield opened


@pytest.fixture(scope="module")
def full() -> Iterator[Backend]:
    """Under the default limits, with more documents than one transaction may read."""
    with made() as opened:
        for times in (16_000, 16_000, 1):
            opened.mutation(write, times=times)
        yield opened


def failure(call: Any, function: Any, /, **arguments: Any) -> str:
    with pytest.raises(FunctionFailed) as caught:
        call(function, **arguments)
    return caught.value.message


def last_record(backend: Backend) -> CallRecord:
    return backend.deployment.call_log.records[-1]


# 5.6


def test_5_6_a_failed_part_is_rolled_back_alone(backend: Backend) -> None:
    live = backend.watch(numbers)
    assert backend.mutation(catches) == [0, 1, 7], "the numbers that are left, and the data of the error"
    assert live.value == [0, 1]
    assert backend.query(numbers) == [0, 1]


def test_5_6_a_failed_part_leaves_nothing_in_the_commit_log_and_keeps_its_log_lines(backend: Backend) -> None:
    backend.mutation(catches)
    assert backend.log_lines == ("[WARN] 'about to fail'",)
    with backend.run() as ctx:
        assert sorted(note.n for note in ctx.db.query(Note)) == [0, 1]


class Money(msgspec.Struct):
    """A class whose instances can become what nobody may make."""

    cents: int

    def __post_init__(self) -> None:
        if self.cents < 0:
            raise ValueError("no debts")


def test_5_6_a_part_whose_result_cannot_be_made_is_rolled_back() -> None:
    @mutation
    def pays(ctx: MutationCtx) -> Money:
        ctx.db.insert(Note(n=7))
        money = Money(cents=1)
        money.cents = -1
        return money

    @mutation
    def counts(ctx: MutationCtx) -> int:
        with pytest.raises(ValidationFailed, match="no debts"):
            ctx.run_mutation(pays)
        return len(ctx.db.query(Note).collect())

    with Backend.from_functions(pays, counts, documents=[Note]) as paying:
        assert paying.mutation(counts) == 0


def test_5_6_an_uncaught_error_of_a_part_fails_the_whole(backend: Backend) -> None:
    with pytest.raises(ApplicationError) as caught:
        backend.mutation(lets_it_through)
    assert caught.value.data == {"n": 7.0}
    assert backend.query(count) == 0


def test_5_6_what_a_failed_part_used_stays_counted(backend: Backend) -> None:
    backend.mutation(write, times=5)
    metrics = backend.mutation(used_by_a_failed_part)
    assert metrics["documentsRead"]["used"] == 5
    assert metrics["documentsWritten"]["used"] == 1
    assert metrics["databaseQueries"]["used"] > 0


def test_5_6_a_query_cannot_call_a_mutation(backend: Backend) -> None:
    assert "Cannot call a Mutation function from a Query function" in failure(backend.query, calls_a_mutation)
    assert backend.query(count) == 0


def test_5_6_calls_nest_eight_deep(backend: Backend) -> None:
    assert backend.query(calls_itself, depth=8) == 1
    assert failure(backend.query, calls_itself, depth=9) == (
        "Cross component call depth limit exceeded. Do you have an infinite loop in your app?\n"
        "[setting nested_calls_max, observed 9, limit 8]"
    )


def test_5_6_a_query_has_no_stale_snapshot(backend: Backend) -> None:
    assert failure(backend.query, stale_in_a_query) == (
        "`useStaleSnapshot` is only supported in mutations, not queries."
    )


def test_5_6_a_query_at_the_begin_snapshot_sees_no_own_writes(backend: Backend) -> None:
    backend.run(lambda ctx: [ctx.db.insert(Note(n=n)) for n in (1, 3)])
    assert backend.mutation(compares) == [[1, 3], [1, 3], [2, 3, 10]]


def test_5_6_a_call_can_be_given_less_than_is_left(backend: Backend) -> None:
    backend.mutation(write, times=5)
    assert backend.query(given_less, documents_read=5) == [5, 5]
    assert backend.query(given_less, documents_read=3) == [
        f"Too many documents read in a single function execution (limit: 3). {HELP}",
        "[with_limits(documents_read), observed 4, limit 3]",
        4,
        3,
        5,
    ]


def test_5_6_writes_of_a_call_that_was_given_less_are_undone(backend: Backend) -> None:
    assert backend.mutation(writes_with_less) == [
        "Too many writes in a single function execution (limit: 2)",
        "0",
    ]


def test_5_6_a_callee_has_its_callers_time_and_chance_derived_from_it() -> None:
    with made() as one, made() as other:
        now, inner_now, *drawn = one.query(time_and_chance)
        assert now == inner_now
        assert len(set(drawn)) == 3
        assert other.query(time_and_chance)[2:] == drawn, "the same seed gives the same chance"


def test_5_6_a_direct_call_is_unchecked_and_told_of_once(backend: Backend) -> None:
    backend.mutation(write, times=2)
    assert backend.query(calls_directly) == 2 + 2 + len("not a number")
    first, second = backend.log_lines
    assert first.startswith("[WARN] count is a registered query and was called directly: ")
    assert second.startswith("[WARN] unchecked is a registered query and was called directly: ")
    assert last_record(backend).log_lines[0].code == "warning:DirectFunctionCall"


# 5.8


def test_5_8_documents_read(full: Backend) -> None:
    assert failure(full.query, count) == (
        f"Too many documents read in a single function execution (limit: 32000). {HELP}\n"
        "[setting documents_read_max, observed 32001, limit 32000]"
    )
    reached = last_record(full).limit
    assert reached is not None
    assert (reached.code, reached.setting) == ("TooManyDocumentsRead", "documents_read_max")
    assert (reached.observed, reached.limit) == (32_001, 32_000)


def test_5_8_reads(full: Backend) -> None:
    assert failure(full.query, get_first, most=5_000).startswith(
        f"Too many reads in a single function execution (limit: 4096). {HELP}\n[setting intervals_read_max, "
    )


@query
def get_first(ctx: QueryCtx, most: int) -> None:
    for note in ctx.db.query(Note).take(most):
        ctx.db.get(note.id)


def test_5_8_writes(backend: Backend) -> None:
    assert failure(backend.mutation, write, times=16_001) == (
        "Too many writes in a single function execution (limit: 16000)\n"
        "[setting documents_written_max, observed 16001, limit 16000]"
    )
    assert backend.query(count) == 0


def test_5_8_bytes_written_and_read(backend: Backend) -> None:
    text = failure(backend.mutation, write, times=18, size=1_000_000)
    assert text.startswith(
        "Too many bytes written in a single function execution (limit: 16 MiB)\n[setting bytes_written_max, "
    )
    backend.mutation(write, times=9, size=1_000_000)
    backend.mutation(write, times=9, size=1_000_000)
    assert failure(backend.query, count).startswith(
        f"Too many bytes read in a single function execution (limit: 16777216 bytes). {HELP}\n"
        "[setting bytes_read_max, observed 1700"
    )


def test_5_8_sizes_of_arguments_and_results(backend: Backend) -> None:
    assert failure(backend.query, measured, data=["x" * 1_000_000] * 17).startswith(
        f"Arguments for {HERE}:measured are too large (actual: 16.2 MiB, limit: 16 MiB)\n"
        "[setting arguments_bytes_max, observed 1700"
    )
    assert failure(backend.query, returns, size=17).startswith(
        f"Function {HERE}:returns return value is too large (actual: 16.2 MiB, limit: 16 MiB)\n"
        "[setting return_bytes_max, observed 1700"
    )


def test_5_8_log_lines(backend: Backend) -> None:
    backend.query(logs_lines, lines=300)
    assert len(backend.log_lines) == 256
    assert backend.log_lines[-1] == "[ERROR] Log overflow (maximum 256). Remaining log lines omitted."


def test_5_8_mutations_that_wait_on_one_socket() -> None:
    error = TooManyConcurrentMutations(limit=DEFAULT_LIMITS.socket_mutations_waiting_max)
    assert error.message == (
        "Too many concurrent mutations. Only up to 1000 pending mutations allowed on a single websocket."
    )


def test_5_8_actions_that_one_socket_has_in_flight() -> None:
    error = TooManyActions(limit=DEFAULT_LIMITS.socket_actions_running_max)
    assert error.message == "Inflight actions overloaded for a single client, max concurrency: 1000"


def test_5_8_an_overflow_can_be_caught_and_comes_back() -> None:
    with made(documents_read_max=5) as backend:
        backend.mutation(write, times=6)
        assert backend.query(catches_and_reads_again) == 3


def test_5_8_limits_are_charged_on_the_whole_transaction() -> None:
    with made(documents_read_max=10) as backend:
        backend.mutation(write, times=6)
        assert failure(backend.query, counts_twice).startswith(
            f"Too many documents read in a single function execution (limit: 10). {HELP}"
        )


@query
def counts_twice(ctx: QueryCtx) -> int:
    return ctx.run_query(count) + ctx.run_query(count)


def warnings_of(backend: Backend) -> list[tuple[str, str, str]]:
    return [(line.level, line.text, line.code) for line in last_record(backend).log_lines]


def test_5_8_four_fifths_of_a_limit_are_told_of() -> None:
    here = "in a single function execution"
    with made(documents_read_max=10, documents_written_max=10) as backend:
        backend.mutation(write, times=7)
        assert warnings_of(backend) == []
        backend.mutation(write, times=8)
        text = f"Many writes {here} (actual: 8, limit: 10). {HELP}"
        assert warnings_of(backend) == [("WARN", text, "warning:TooManyWrites")]
        assert backend.query(take, most=8) == 8
        text = f"Many documents read {here} (actual: 8, limit: 10). {HELP}"
        assert warnings_of(backend) == [("WARN", text, "warning:TooManyDocumentsRead")]
        assert backend.log_lines == (f"[WARN] {text}",)


def test_5_8_four_fifths_of_bytes_ranges_and_sizes_are_told_of() -> None:
    here = "in a single function execution"
    with made(bytes_read_max=4_000, intervals_read_max=10, arguments_bytes_max=2_000) as backend:
        backend.mutation(write, times=3, size=1_000)
        backend.query(count)
        ((_, text, code),) = warnings_of(backend)
        assert text.startswith(f"Many bytes read {here} (actual: 3")
        assert text.endswith(f" bytes, limit: 4000 bytes). {HELP}")
        assert code == "warning:TooManyBytesRead"
        backend.query(measured, data="x" * 1_700)
        ((_, text, code),) = warnings_of(backend)
        assert text == (
            f"Large size of the function arguments (actual: 1709 bytes, limit: 2000 bytes). {HELP}"
        )
        assert code == "warning:ArgumentsTooLarge"
    with made(intervals_read_max=10) as backend:
        backend.mutation(write, times=6)
        backend.query(get_each)
        ((_, text, code),) = warnings_of(backend)
        assert text.startswith(f"Many reads {here} (actual: ")
        assert text.endswith(f", limit: 10). {HELP}")
        assert code == "warning:TooManyReads"


# 5.9


def test_5_9_what_a_run_can_ask() -> None:
    with made(documents_written_max=10, bytes_read_max=1 * MIB) as backend:
        metrics, deployment, request, function, nested = backend.mutation(about_itself)
    assert sorted(metrics) == [
        "bytesRead",
        "bytesWritten",
        "databaseQueries",
        "documentsRead",
        "documentsWritten",
        "fileReadBytes",
        "fileWriteBytes",
        "filesRead",
        "filesWritten",
        "functionsScheduled",
        "scheduledFunctionArgsBytes",
    ]
    assert metrics["documentsWritten"] == {"used": 1, "remaining": 9}
    assert metrics["documentsRead"] == {"used": 1, "remaining": 31_999}
    assert metrics["bytesRead"]["used"] + metrics["bytesRead"]["remaining"] == MIB
    assert metrics["functionsScheduled"] == {"used": 0, "remaining": 1_000}
    assert metrics["scheduledFunctionArgsBytes"] == {"used": 0, "remaining": 16 * MIB}
    assert deployment == {"name": "testing", "region": None, "class": "self-hosted"}
    assert sorted(request) == ["authToken", "ip", "requestId", "scheduledFunctionId", "userAgent"]
    assert function == {
        "name": f"{HERE}:about_itself",
        "componentPath": "",
        "type": "mutation",
        "visibility": "public",
    }
    assert nested == 1


# Leftovers of 3.2.


@pytest.mark.parametrize("most", [0, 1])
def test_3_2_a_missing_index_is_named_even_where_nothing_is_taken(backend: Backend, most: int) -> None:
    assert failure(backend.query, missing_index, most=most) == "Index notes.by_nothing not found."


def test_3_2_a_missing_index_is_named_where_the_reading_begins(backend: Backend) -> None:
    with backend.run() as ctx:
        with pytest.raises(IndexNotFound):
            iter(ctx.db.query("notes").with_index("nowhere"))
        with pytest.raises(IndexNotFound, match=r"Index nothing\.by_n not found\."):
            ctx.db.query("nothing").with_index("by_n").take(0)
        assert ctx.db.query("nothing").collect() == []
        assert ctx.db.query("nothing").with_index("by_creation_time").take(3) == []
        assert ctx.db.query("nothing").with_index("by_id").first() is None
