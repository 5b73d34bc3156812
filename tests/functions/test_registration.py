"""Decorators: what they remember, and what they refuse, saying what to write instead."""

from __future__ import annotations

from functools import wraps

import pytest

from rewake import internal_mutation, internal_query, mutation, query
from rewake.functions import RegistrationError


def test_kind_visibility_and_name_are_remembered():
    def f(ctx):
        """Words."""

    decorators = (query, mutation, internal_query, internal_mutation)
    seen = [(decorate(f).kind, decorate(f).is_internal) for decorate in decorators]
    assert seen == [("query", False), ("mutation", False), ("query", True), ("mutation", True)]
    assert [d(name="x")(f).exported_name for d in (query, mutation, internal_query, internal_mutation)] == [
        "x"
    ] * 4
    registered = query(f)
    assert registered.exported_name is None
    assert (registered.__name__, registered.__doc__, registered.handler) == ("f", "Words.", f)
    assert repr(internal_query(f)).startswith("<internal query ")


def test_a_registered_function_can_still_be_called_directly():
    @query
    def double(ctx, n: int) -> int:
        return 2 * n

    @mutation
    def triple(ctx, n: int) -> int:
        return 3 * n

    assert (double(None, 2), triple(None, n=2)) == (4, 6)  # type: ignore[arg-type]


async def waits(ctx): ...


async def waits_and_yields(ctx):
    yield 1


def yields(ctx):
    yield 1


def bare(): ...


def starred(*args): ...


def keyword_only(*, ctx): ...


def forgot(body: str, count: int = 1): ...


def listed(tags: list[str]): ...


def many(ctx, *args): ...


def positional(ctx, x, /): ...


@pytest.mark.parametrize(
    ("handler", "expected"),
    [
        (waits, "waits is `async def`, and a {kind} is plain `def`"),
        (waits_and_yields, "waits_and_yields is `async def`"),
        (yields, "yields yields, and a {kind} returns its result. Return a list instead."),
        (bare, "bare needs the context as its first parameter: `def bare(ctx: {context}, ...)`."),
        (starred, "starred needs the context as its first parameter"),
        (keyword_only, "keyword_only needs the context as its first parameter"),
        (
            forgot,
            "forgot has the argument `body` where the context comes first: `def forgot(ctx: {context}, body",
        ),
        (listed, "listed has the argument `tags` where"),
        (many, "many takes `*args`, but clients pass every argument by name. Name each argument."),
        (positional, "positional takes `x`, but clients pass every argument by name."),
        (5, "@{kind} decorates a function; got 5."),
        (int, "@{kind} decorates a function; got <class 'int'>."),
    ],
)
@pytest.mark.parametrize("decorator", [query, mutation])
def test_wrong_shapes_are_refused_with_advice(decorator, handler, expected):
    kind = decorator.__name__
    with pytest.raises(RegistrationError) as caught:
        decorator(handler)
    context = "QueryCtx" if kind == "query" else "MutationCtx"
    assert caught.value.message.startswith(expected.format(kind=kind, context=context))


def test_a_decorator_of_the_authors_may_pass_what_it_likes_for_the_context():
    def as_caller(handler):
        @wraps(handler)
        def inner(ctx, **arguments):
            return handler(str(ctx), **arguments)

        return inner

    @as_caller
    def send(caller: str, body: str) -> None: ...

    assert mutation(send).kind == "mutation"
