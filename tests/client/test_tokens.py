"""A fetcher may be a coroutine function, a plain one, or a plain one that gives something to await."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable
from functools import partial

import pytest

from rewake.client.tokens import ask_fetcher


async def coroutine(is_forced: bool) -> str | None:
    return f"coroutine {is_forced}"


def plain(is_forced: bool) -> str | None:
    assert threading.current_thread() is not threading.main_thread()
    return f"plain {is_forced}"


def plain_with_promise(tenant: str, is_forced: bool) -> Awaitable[str | None]:
    assert tenant == "x"
    return coroutine(is_forced)


def test_every_kind_of_fetcher_is_asked() -> None:
    assert asyncio.run(ask_fetcher(coroutine, is_forced=True)) == "coroutine True"
    assert asyncio.run(ask_fetcher(plain, is_forced=False)) == "plain False"
    promise = partial(plain_with_promise, "x")
    assert asyncio.run(ask_fetcher(promise, is_forced=True)) == "coroutine True"


def test_what_it_raises_is_raised() -> None:
    def fail(is_forced: bool) -> str:
        raise KeyError("x")

    with pytest.raises(KeyError):
        asyncio.run(ask_fetcher(fail, is_forced=False))
