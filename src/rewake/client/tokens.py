"""Tokens: where an application's fetcher is asked.

Floor 2, `client`. A fetcher is a function of the application. It may be a coroutine function, or a plain one,
which runs in a thread and so may wait for the network or a keyring.

Not here: when it is asked (`authentication.py`).
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable

TokenFetcher = Callable[[bool], str | None] | Callable[[bool], Awaitable[str | None]]
"""Gives a token, or None when nobody is logged in. It is told whether the one it gave last will not do."""


async def ask_fetcher(fetcher: TokenFetcher, *, is_forced: bool) -> str | None:
    """What the fetcher gives; raises what it raises."""
    if inspect.iscoroutinefunction(fetcher):
        token: str | None = await fetcher(is_forced)
        return token
    given = await asyncio.to_thread(fetcher, is_forced)
    return await given if inspect.isawaitable(given) else given
