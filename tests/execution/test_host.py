"""One run: arguments in, result out, nested calls, and a context that ends with it."""

from __future__ import annotations

import json
import threading

import pytest

from rewake.auth import Admin, User
from rewake.execution import Failure, FunctionCall
from tests.deployment.stage import CallFailed, Stage, play

MODULE = """
    import dataclasses
    from typing import Any
    from rewake import ApplicationError, Document, Id, Index, Int64, MutationCtx, QueryCtx
    from rewake import UNSET, internal_mutation, mutation, query
    from rewake.values import COMMIT_TS

    class Note(Document, table="notes"):
        text: str
        by_text = Index("text")

    kept: list[Any] = []

    @query
    def echo(ctx: QueryCtx, value: Any) -> Any:
        return value

    @query
    def typed(ctx: QueryCtx, n: int, text: str = "x") -> str:
        return text * n

    @query
    def texts(ctx: QueryCtx) -> list[str]:
        return [note.text for note in ctx.db.query(Note)]

    @query
    def lies(ctx: QueryCtx) -> str:
        return 5

    @query
    def returns_query(ctx: QueryCtx):
        return ctx.db.query(Note)

    @query
    def returns_unset(ctx: QueryCtx):
        return UNSET

    @query
    def returns_placeholder(ctx: QueryCtx):
        return [COMMIT_TS]

    @query
    def returns_object(ctx: QueryCtx):
        return object()

    @query
    def returns_generator(ctx: QueryCtx):
        return (n for n in [1])

    @query
    def returns_much(ctx: QueryCtx):
        return ["x" * 1_000_000] * 17

    @query
    def twice(ctx: QueryCtx, text: str) -> str:
        return ctx.run_query(typed, n=2, text=text) + ctx.run_query("m:typed", n=1, text="!")

    @query
    def calls_wrongly(ctx: QueryCtx, how: str) -> Any:
        match how:
            case "mutation": return ctx.run_query(write, text="x")
            case "kind": return ctx.run_query("m:write", text="x")
            case "missing": return ctx.run_query("m:missing")
            case "object": return ctx.run_query(print)
            case "arguments": return ctx.run_query(typed, n="no")
            case "extra": return ctx.run_query(typed, n=1, other=2)
            case "position": return ctx.run_query(typed, 1)

    @query
    def endless(ctx: QueryCtx, n: int) -> int:
        return ctx.run_query(endless, n=n + 1)

    @query
    def deep(ctx: QueryCtx, n: int) -> int:
        return 1 if n == 1 else 1 + ctx.run_query(deep, n=n - 1)

    @mutation
    def write(ctx: MutationCtx, text: str, fail: bool = False) -> Id[Note]:
        id = ctx.db.insert(Note(text=text))
        if fail:
            raise ApplicationError({"failed": text})
        return id

    @mutation
    def parts(ctx: MutationCtx) -> list[str]:
        ctx.run_mutation(write, text="a")
        try:
            ctx.run_mutation(write, text="b", fail=True)
        except ApplicationError as error:
            assert error.data == {"failed": "b"}
        try:
            ctx.run_mutation(outer_part)
        except ApplicationError:
            pass
        ctx.run_mutation("m:write", text="d")
        return ctx.run_query(texts)

    @mutation
    def outer_part(ctx: MutationCtx) -> None:
        ctx.run_mutation(write, text="c1")
        ctx.run_mutation(write, text="c2", fail=True)

    @mutation
    def query_as_mutation(ctx: MutationCtx) -> None:
        ctx.run_mutation(texts)

    @internal_mutation
    def hidden(ctx: MutationCtx) -> str:
        return "found"

    @mutation
    def calls_hidden(ctx: MutationCtx) -> str:
        return ctx.run_mutation("m:hidden")

    @query
    def keep(ctx: QueryCtx) -> None:
        kept.clear()
        iterator = iter(ctx.db.query("notes"))
        next(iterator)
        kept.extend([ctx, ctx.db, ctx.db.query("notes"), iterator])

    @query
    def use_kept(ctx: QueryCtx, what: str) -> Any:
        old, db, one, iterator = kept
        match what:
            case "ctx": return old.now
            case "run": return old.run_query(texts)
            case "db": return db.get("x")
            case "query": return one.collect()
            case "iterator": return next(iterator)["text"]
            case "random": return old.random.random()
            case "auth": return old.auth.get_user_identity()

    @query
    def frozen(ctx: QueryCtx) -> list[Any]:
        return [ctx.now, ctx.now, ctx.run_query(now)]

    @query
    def now(ctx: QueryCtx) -> float:
        return ctx.now

    @query
    def who(ctx: QueryCtx) -> str | None:
        identity = ctx.auth.get_user_identity()
        return None if identity is None else identity.token_identifier

    @query
    def required(ctx: QueryCtx) -> str:
        return ctx.auth.require_identity().subject
"""


def story_of(tmp_path, story) -> None:
    play(tmp_path, story, m=MODULE)


async def failure(stage: Stage, path: str, kind: str = "query", **args) -> str:
    with pytest.raises(CallFailed) as caught:
        await (stage.query(path, **args) if kind == "query" else stage.mutate(path, **args))
    return caught.value.failure.message


async def raw(stage: Stage, path: str, text: str) -> str:
    from rewake.auth import ANONYMOUS

    result, _ = await stage.deployment.query(FunctionCall(path, text), ANONYMOUS, request_id="r")
    assert isinstance(result, Failure)
    return result.message


def test_arguments_are_checked_in_the_words_of_the_specification(tmp_path):
    async def story(stage: Stage) -> None:
        assert await stage.query("m:typed", n=2, text="ab") == "abab"
        assert await stage.query("m:typed", n=3) == "xxx"
        assert await failure(stage, "m:typed", n="no") == (
            'ArgumentValidationError: Value does not match validator.\nPath: .n\nValue: "no"\n'
            "Validator: v.float64()\n\n"
        )
        assert (await failure(stage, "m:typed")).startswith(
            "ArgumentValidationError: Object is missing the required field `n`."
        )
        assert (await failure(stage, "m:typed", n=1, extra=2)).startswith(
            "ArgumentValidationError: Object contains extra field `extra` that is not in the validator."
        )
        for text, shown in (("[1]", "1.0"), ("5", "5.0"), ('[["a"]]', '["a"]')):
            assert await raw(stage, "m:typed", text) == (
                f"Expected to receive an object as the function's argument. Instead received: {shown}\n"
            )
        assert await raw(stage, "m:typed", '[{"n":1},2]') == (
            "Expected to receive a single object as the function's argument. "
            "Instead received 2 arguments: [{n: 1.0}, 2.0]\n"
        )
        assert await raw(stage, "m:typed", "[]") == (
            "Expected to receive a single object as the function's argument. Instead received 0 arguments: "
            "[]\n"
        )
        for text in ("{", '{"n":{"$float":1}}', '{"n":NaN}', '{"$bad":1}', "{" * 5000):
            assert (await raw(stage, "m:typed", text)).startswith("Invalid arguments for m:typed: ")
        large = json.dumps({"value": ["x" * 1_000_000] * 17})
        assert await raw(stage, "m:echo", large) == (
            "Arguments for m:echo are too large (actual: 16.2 MiB, limit: 16 MiB)\n"
            "[setting arguments_bytes_max, observed 17000044, limit 16777216]\n"
        )

    story_of(tmp_path, story)


def test_results_are_checked_in_the_words_of_the_specification(tmp_path):
    async def story(stage: Stage) -> None:
        assert await failure(stage, "m:lies") == (
            "ReturnsValidationError: Value does not match validator.\n\nValue: 5.0\nValidator: v.string()\n"
        )
        assert (await failure(stage, "m:returns_query")).startswith(
            "Return value is a Query. Results must be retrieved with `.collect()`"
        )
        assert await stage.query("m:returns_unset") is None
        assert await failure(stage, "m:returns_placeholder") == (
            "Function m:returns_placeholder return value invalid: "
            "queries cannot return an unresolved commit timestamp\n"
        )
        for path in ("m:returns_object", "m:returns_generator"):
            assert (await failure(stage, path)).startswith(f"Function {path} return value invalid: ")
        assert await failure(stage, "m:returns_much") == (
            "Function m:returns_much return value is too large (actual: 16.2 MiB, limit: 16 MiB)\n"
            "[setting return_bytes_max, observed 17000036, limit 16777216]\n"
        )

    story_of(tmp_path, story)


def test_nested_calls_are_checked_and_share_the_transaction(tmp_path):
    async def story(stage: Stage) -> None:
        assert await stage.query("m:twice", text="a") == "aa!"
        assert await stage.mutate("m:parts") == ["a", "d"]
        assert await stage.query("m:texts") == ["a", "d"]
        assert await stage.mutate("m:calls_hidden") == "found"

    story_of(tmp_path, story)


def test_only_the_failed_part_is_undone_and_an_uncaught_one_undoes_all(tmp_path):
    async def story(stage: Stage) -> None:
        message = await failure(stage, "m:outer_part", "mutation")
        assert message.startswith('Uncaught ConvexError: {"failed":"c2"}\n')
        assert await stage.query("m:texts") == []

    story_of(tmp_path, story)


def test_wrong_nested_calls_are_refused(tmp_path):
    async def story(stage: Stage) -> None:
        expected = {
            "mutation": "Cannot call a Mutation function from a Query function\n",
            "kind": "Cannot call a Mutation function from a Query function\n",
            "missing": "Could not find function for 'm:missing'.",
            "object": "A function is called by itself or by its path; got <function ",
            "arguments": "ArgumentValidationError: Value does not match validator.\nPath: .n",
            "extra": "ArgumentValidationError: Object contains extra field `other`",
            "position": "Uncaught TypeError: run_query takes arguments by name\n",
        }
        for how, text in expected.items():
            assert (await failure(stage, "m:calls_wrongly", how=how)).startswith(text), how
        assert await failure(stage, "m:query_as_mutation", "mutation") == (
            "`run_mutation` was given m:texts, which is a query.\n"
        )

    story_of(tmp_path, story)


def test_nesting_has_a_limit(tmp_path):
    async def story(stage: Stage) -> None:
        assert await stage.query("m:deep", n=8) == 8.0
        message = await failure(stage, "m:deep", n=9)
        assert message.startswith("Cross component call depth limit")
        assert (await failure(stage, "m:endless", n=1)).startswith("Cross component call depth limit")

    story_of(tmp_path, story)


def test_a_context_ends_with_its_run(tmp_path):
    async def story(stage: Stage) -> None:
        await stage.mutate("m:write", text="a")
        await stage.mutate("m:write", text="b")
        await stage.query("m:keep")
        for what in ("ctx", "run", "db", "query", "iterator", "random", "auth"):
            assert (await failure(stage, "m:use_kept", what=what)).startswith(
                "This `ctx` belongs to a run of m:keep that is over, or to another thread."
            ), what

    story_of(tmp_path, story)


def test_a_context_is_of_its_thread(tmp_path):
    threaded = """
        import threading
        from rewake import QueryCtx, query

        @query
        def threaded(ctx: QueryCtx) -> str:
            found = []
            def use():
                try:
                    ctx.db.query("x").collect()
                except Exception as error:
                    found.append(type(error).__name__)
            thread = threading.Thread(target=use)
            thread.start()
            thread.join()
            return found[0]
    """

    async def story(stage: Stage) -> None:
        assert await stage.query("m:threaded") == "RunIsOver"

    assert threading.active_count() < 50
    play(tmp_path, story, m=threaded)


def test_time_stands_still_in_a_run(tmp_path):
    async def story(stage: Stage) -> None:
        times = await stage.query("m:frozen")
        assert len(set(times)) == 1
        assert abs(times[0] - stage.deployment.now_ns() / 1e6) < 60_000

    story_of(tmp_path, story)


def test_the_identity_is_the_callers(tmp_path):
    user = User.from_attributes({"tokenIdentifier": "i|s", "issuer": "i", "subject": "s"})

    async def story(stage: Stage) -> None:
        async def ask(path, identity):
            result, _ = await stage.deployment.query(FunctionCall(path, "{}"), identity, request_id="r")
            return getattr(result, "value", None) or result.message

        assert await ask("m:who", user) == await ask("m:who", Admin(user)) == '"i|s"'
        assert await ask("m:who", Admin()) == "null"
        assert await ask("m:required", user) == '"s"'
        assert (await ask("m:required", Admin())).startswith("Unauthenticated: ")

    story_of(tmp_path, story)
