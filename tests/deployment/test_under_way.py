"""How many calls a deployment takes on at once."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from rewake import MutationCtx, QueryCtx, mutation, query
from rewake.auth import ANONYMOUS
from rewake.deployment.under_way import ArgumentsFull, ArgumentsUnderWay, CallsUnderWay, TooManyCalls
from rewake.execution import FunctionCall, Success
from rewake.limits import Limits
from rewake.testing import Backend


def test_a_place_is_given_back_whatever_happens() -> None:
    calls = CallsUnderWay(1, kind="queries")

    def take() -> None:
        with calls:
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        take()
    with calls:
        assert calls.count == 1
        with pytest.raises(TooManyCalls) as refused:
            take()
    assert calls.count == 0
    assert refused.value.message == (
        "Too many concurrent requests. Your backend is limited to 1 concurrent queries. To resolve, try "
        "again in a moment or raise the setting queries_under_way_max."
    )


@query
def look(ctx: QueryCtx, n: int) -> int:
    return n


@mutation
def write(ctx: MutationCtx, n: int) -> int:
    ctx.db.insert("rows", {"n": n})
    return n


@pytest.mark.parametrize("kind", ["query", "mutation"])
def test_the_last_to_come_are_told_to_try_again_and_the_others_are_served(kind: str) -> None:
    limits = Limits(queries_under_way_max=3, mutations_under_way_max=3)
    with Backend.from_functions(look, write, limits=limits) as backend:
        deployment = backend.deployment
        path = next(each.public for each in deployment.analysis.by_path if each.function in ("look", "write"))
        module = path.partition(":")[0]

        async def call(n: int) -> Any:
            if kind == "query":
                asked = FunctionCall(f"{module}:look", f'{{"n":{n}}}')
                return (await deployment.query(asked, ANONYMOUS, request_id="r"))[0]
            asked = FunctionCall(f"{module}:write", f'{{"n":{n}}}')
            return (await deployment.mutate(asked, ANONYMOUS, request_id="r")).result

        async def at_once(work: Callable[[int], Awaitable[Any]]) -> list[Any]:
            return await asyncio.gather(*(work(n) for n in range(5)), return_exceptions=True)

        served = backend.loop.run(at_once(call))
        assert [type(each) for each in served] == [Success] * 3 + [TooManyCalls] * 2
        again = backend.loop.run(call(7))
        assert again == Success("7.0")


def test_arguments_are_bounded_together_and_one_alone_is_always_taken() -> None:
    arguments = ArgumentsUnderWay(10)
    large, small = FunctionCall("m:f", "x" * 50), FunctionCall("m:f", "x")
    with arguments.of(large):
        assert arguments.bytes == 50
        with pytest.raises(ArgumentsFull) as refused, arguments.of(small):
            pass
    with arguments.of(small), arguments.of(small):
        assert arguments.bytes == 2
    assert arguments.bytes == 0
    assert (refused.value.status, refused.value.retry_seconds) == (503, 2)
