"""One action, in a thread and a loop of its own: what it is given, what it may ask, and how it ends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rewake.auth import User
from rewake.execution import Failure, Registry, Success, Visibility
from rewake.limits import Limits
from tests.execution.action_stage import (
    WAIT_SECONDS,
    House,
    in_thread,
    job_of,
    make_run,
    perform,
    registry_of,
)

SOURCE = """
    @action
    async def double(ctx: ActionCtx, n: int) -> int:
        print("doubling", n)
        return 2 * n

    @action
    def double_blocking(ctx: BlockingActionCtx, n: int) -> int:
        print("doubling", n)
        return 2 * n

    @internal_action
    async def hidden(ctx: ActionCtx) -> str:
        return "found"

    @query
    def look(ctx: QueryCtx) -> list[float]:
        return []

    @mutation
    def write(ctx: MutationCtx, n: int) -> int:
        return n

    @action
    async def ask(ctx: ActionCtx) -> list[float]:
        return [await ctx.run_query("m:look"), await ctx.run_mutation(write, n=3)]

    @action
    def ask_blocking(ctx: BlockingActionCtx) -> list[float]:
        return [ctx.run_query("m:look"), ctx.run_mutation(write, n=3)]

    @action
    async def ask_both(ctx: ActionCtx) -> list[float]:
        return await asyncio.gather(ctx.run_query("a:one"), ctx.run_query("a:two"))

    @action
    async def catch(ctx: ActionCtx) -> object:
        try:
            await ctx.run_mutation("a:fails")
        except ApplicationError as error:
            return error.data
        except Exception as error:
            return [type(error).__name__, error.message]

    @action
    async def pass_on(ctx: ActionCtx) -> None:
        await ctx.run_mutation("a:fails")

    @action
    async def wrong_return(ctx: ActionCtx) -> int:
        return "text"

    @action
    async def leave(ctx: ActionCtx) -> None:
        raise SystemExit(3)

    @action
    async def boom(ctx: ActionCtx) -> None:
        raise ValueError("boom")

    @action
    async def forget(ctx: ActionCtx) -> None:
        ctx.run_mutation("a:slow")
        asyncio.ensure_future(ctx.scheduler.run_after(0, "m:write", n=1))
        await asyncio.sleep(0)

    kept = []

    @action
    async def keep(ctx: ActionCtx) -> None:
        kept.append(ctx)

    @action
    async def use_kept(ctx: ActionCtx) -> object:
        try:
            await kept[0].run_query("m:look")
        except Exception as error:
            return error.message

    @action
    async def wait(ctx: ActionCtx) -> None:
        await ctx.run_query("a:never")

    @action
    def wait_blocking(ctx: BlockingActionCtx) -> None:
        ctx.run_query("a:never")

    @action
    async def sleep(ctx: ActionCtx) -> None:
        await ctx.run_mutation("a:begun")
        await asyncio.sleep(3600)

    @action
    async def cling(ctx: ActionCtx) -> str:
        try:
            await ctx.run_query("a:never")
        except BaseException:
            pass
        try:
            await ctx.run_query("a:again")
        except Exception:
            return "held up"
        return "went on"

    @action
    async def schedules(ctx: ActionCtx) -> list[str]:
        one = await ctx.scheduler.run_after(2, write, n=1)
        await ctx.scheduler.cancel(one)
        return [one]

    @action
    def schedules_blocking(ctx: BlockingActionCtx) -> list[str]:
        one = ctx.scheduler.run_after(2, write, n=1)
        ctx.scheduler.cancel(one)
        return [one]

    @action
    async def about(ctx: ActionCtx) -> object:
        user = ctx.auth.get_user_identity()
        meta = ctx.meta.get_function_metadata()
        request = ctx.meta.get_request_metadata()
        return [user and user.subject, meta.name, meta.type, meta.visibility, request.request_id,
                request.scheduled_function_id]

    @action
    async def takes_none(ctx: ActionCtx, note: Id[Note]) -> None: ...

    @action
    async def calls_nonsense(ctx: ActionCtx) -> None:
        await ctx.run_query(3)

    @action
    async def to_thread(ctx: ActionCtx) -> str:
        return await asyncio.to_thread(lambda: time.sleep(0) or "slept")
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return registry_of(tmp_path_factory.mktemp("project"), SOURCE)


def value(outcome: Any) -> Any:
    result, record = outcome
    assert isinstance(result, Success), result
    assert record.error is None
    return json.loads(result.value)


def message(outcome: Any) -> str:
    result, record = outcome
    assert isinstance(result, Failure), result
    assert record.error == result.message
    return result.message


@pytest.mark.parametrize("name", ["double", "double_blocking"])
def test_an_action_is_given_its_arguments_and_gives_its_result(registry: Registry, name: str) -> None:
    result, record = perform(registry, job_of(f"m.js:{name}", '{"n":4.0}'))
    assert result == Success("8.0", ("[LOG] 'doubling' 4",))
    assert (record.path, record.kind, record.request_id) == (f"m:{name}", "action", "0123456789abcdef")
    assert [line.text for line in record.log_lines] == ["'doubling' 4"]


@pytest.mark.parametrize("name", ["double", "double_blocking"])
def test_arguments_are_checked_before_it_begins(registry: Registry, name: str) -> None:
    assert message(perform(registry, job_of(f"m:{name}", '{"n":"x"}'))) == (
        'ArgumentValidationError: Value does not match validator.\nPath: .n\nValue: "x"\n'
        "Validator: v.float64()\n\n"
    )
    assert message(perform(registry, job_of(f"m:{name}", "{"))).startswith(
        f"Invalid arguments for m:{name}: "
    )
    assert "missing the required field `n`" in message(perform(registry, job_of(f"m:{name}", "{}")))


def test_an_id_of_no_table_is_refused(registry: Registry) -> None:
    assert "ArgumentValidationError" in message(
        perform(registry, job_of("m:takes_none", '{"note":"nonsense"}'))
    )


def test_sizes_are_bounded(registry: Registry) -> None:
    limits = Limits(arguments_bytes_max=1024)
    text = '{"n":"' + "x" * 2000 + '"}'
    assert "Arguments for m:double are too large" in message(
        perform(registry, job_of("m:double", text), limits=limits)
    )


def test_what_it_returns_is_checked(registry: Registry) -> None:
    assert message(perform(registry, job_of("m:wrong_return"))).startswith("ReturnsValidationError: ")


def test_internal_actions_are_hidden_from_clients(registry: Registry) -> None:
    assert (
        message(perform(registry, job_of("m:hidden"))) == "Could not find public function for 'm:hidden'.\n"
    )
    assert value(perform(registry, job_of("m:hidden", visibility=Visibility.INTERNAL))) == "found"


def test_a_function_of_another_kind_is_no_action(registry: Registry) -> None:
    assert message(perform(registry, job_of("m:write", '{"n":1.0}'))) == (
        "Trying to execute m.js:write as Action, but it is defined as Mutation.\n"
    )


def test_an_exception_is_told_with_the_authors_frames(registry: Registry) -> None:
    result, record = perform(registry, job_of("m:boom"))
    assert isinstance(result, Failure)
    assert result.message.startswith("Uncaught ValueError: boom\n    at boom (")
    assert record.traceback is not None
    assert 'raise ValueError("boom")' in record.traceback
    assert "action_run.py" not in result.message


def test_leaving_the_process_ends_the_action_and_nothing_else(registry: Registry) -> None:
    assert message(perform(registry, job_of("m:leave"))).startswith("Uncaught SystemExit: 3")


# What it asks.


@pytest.mark.parametrize("name", ["ask", "ask_blocking"])
def test_calls_go_out_encoded_and_come_back_typed(registry: Registry, name: str) -> None:
    house = House()
    house.answers = {"m:look": Success("[]"), "m:write": Success("3.0")}
    result = perform(registry, job_of(f"m:{name}"), house)
    assert "ReturnsValidationError" in message(result), "the two are not floats, which shows what came back"
    assert house.calls == [("query", "m:look", "{}"), ("mutation", "m:write", '{"n":3.0}')]


def test_calls_go_on_side_by_side(registry: Registry) -> None:
    house = House()
    run = in_thread(make_run(registry, job_of("m:ask_both"), house).work)
    one, two = house.wait_asked("a:one"), house.wait_asked("a:two")
    two.set_result(Success("2.0"))
    one.set_result(Success("1.0"))
    assert value(run.result(WAIT_SECONDS)) == [1.0, 2.0]


def test_a_failed_call_is_an_exception_that_can_be_caught(registry: Registry) -> None:
    house = House()
    house.answers["a:fails"] = Failure("Uncaught ConvexError\n", '{"code":"no"}')
    assert value(perform(registry, job_of("m:catch"), house)) == {"code": "no"}
    house.answers["a:fails"] = Failure("Uncaught ValueError: no\n")
    assert value(perform(registry, job_of("m:catch"), house)) == ["FunctionFailed", "Uncaught ValueError: no"]


def test_application_data_passes_through_an_action(registry: Registry) -> None:
    house = House()
    house.answers["a:fails"] = Failure("Uncaught ConvexError\n", '{"code":"no"}')
    result, _ = perform(registry, job_of("m:pass_on"), house)
    assert isinstance(result, Failure)
    assert result.data == '{"code":"no"}'
    house.answers["a:fails"] = Failure("Uncaught ValueError: no\n")
    assert "Uncaught ValueError: no" in message(perform(registry, job_of("m:pass_on"), house))


def test_a_call_of_what_is_no_function_is_told_with_its_reason(registry: Registry) -> None:
    assert "A function is called by itself or by its path; got 3" in message(
        perform(registry, job_of("m:calls_nonsense"))
    )


def test_what_it_does_not_await_is_cancelled_with_a_warning(registry: Registry) -> None:
    house = House()
    result, _ = perform(registry, job_of("m:forget"), house)
    assert result == Success(
        "null",
        (
            "[WARN] 2 unawaited operation(s): [run_mutation(a:slow), scheduler.run]. Async operations should "
            "be awaited or they might not run.",
        ),
    )


def test_ctx_is_closed_when_the_action_is_over(registry: Registry) -> None:
    perform(registry, job_of("m:keep"))
    assert value(perform(registry, job_of("m:use_kept"))) == (
        "This `ctx` belongs to a run of m:keep that is over. Await every call before the action returns."
    )


@pytest.mark.parametrize("name", ["schedules", "schedules_blocking"])
def test_scheduling_is_a_call_of_the_house(registry: Registry, name: str) -> None:
    house = House()
    house.answers = {
        "_system/scheduler:schedule": Success('"job"'),
        "_system/scheduler:cancel": Success("null"),
    }
    assert value(perform(registry, job_of(f"m:{name}", scheduled="parent"), house)) == ["job"]
    (kind, path, args), cancel = house.calls
    assert (kind, path) == ("mutation", "_system/scheduler:schedule")
    assert json.loads(args) == {
        "arguments": {"n": 1.0},
        "at_ms": 1_700_000_002_000.0,
        "name": "m.js:write",
        "parent": "parent",
    }
    assert cancel == ("mutation", "_system/scheduler:cancel", '{"id":"job"}')


def test_it_knows_its_caller_and_its_request(registry: Registry) -> None:
    user = User.from_attributes({"tokenIdentifier": "i|ann", "issuer": "i", "subject": "ann"})
    job = job_of("m:about", identity=user, scheduled="job")
    assert value(perform(registry, job)) == [
        "ann", "m:about", "action", "public", "0123456789abcdef", "job",
    ]  # fmt: skip


def test_threads_of_the_actions_own_are_welcome(registry: Registry) -> None:
    assert value(perform(registry, job_of("m:to_thread"))) == "slept"


# Stopping.


@pytest.mark.parametrize("name", ["wait", "wait_blocking"])
def test_a_stopped_action_that_waits_for_the_house_ends_with_the_reason(
    registry: Registry, name: str
) -> None:
    house = House()
    run = make_run(registry, job_of(f"m:{name}"), house)
    running = in_thread(run.work)
    asked = house.wait_asked("a:never")
    run.stop("over its time\n")
    run.stop("a second reason\n")
    assert message(running.result(WAIT_SECONDS)) == "over its time\n"
    assert asked.cancelled()


def test_a_stopped_action_that_waits_for_something_else_ends_as_well(registry: Registry) -> None:
    house = House()
    run = make_run(registry, job_of("m:sleep"), house)
    running = in_thread(run.work)
    house.wait_asked("a:begun").set_result(Success("null"))
    run.stop("over its time\n")
    assert message(running.result(WAIT_SECONDS)) == "over its time\n"


def test_a_stopped_action_can_ask_nothing_more(registry: Registry) -> None:
    house = House()
    run = make_run(registry, job_of("m:cling"), house)
    running = in_thread(run.work)
    house.wait_asked("a:never")
    run.stop("over its time\n")
    assert message(running.result(WAIT_SECONDS)) == "over its time\n"
    assert [path for _, path, _ in house.calls] == ["a:never"]


def test_an_action_that_was_stopped_before_it_began_does_not_begin(registry: Registry) -> None:
    for name in ("double", "double_blocking"):
        run = make_run(registry, job_of(f"m:{name}", '{"n":1.0}'))
        run.stop("too late\n")
        result, _ = in_thread(run.work).result(WAIT_SECONDS)
        assert result == Failure("too late\n")


def test_stopping_what_is_over_does_nothing(registry: Registry) -> None:
    run = make_run(registry, job_of("m:double", '{"n":1.0}'))
    assert value(in_thread(run.work).result(WAIT_SECONDS)) == 2.0
    run.stop("late\n")  # Raises nothing.
