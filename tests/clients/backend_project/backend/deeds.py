"""Actions: what a client calls and the outside world sees."""

import asyncio
import os
import threading
from contextlib import suppress
from typing import Any

from rewake import ActionCtx, ApplicationError, BlockingActionCtx, action

from . import counters, ledger


async def _pause() -> None:
    """What a service outside would take."""
    with suppress(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), 0.01)


@action
async def record(ctx: ActionCtx, source: str, number: int) -> int:
    """Record a number through a mutation, and say so."""
    print("recording", number)
    return await ctx.run_mutation(ledger.record, source=source, number=number)


@action
def record_blocking(ctx: BlockingActionCtx, source: str, number: int) -> int:
    print("recording", number)
    return ctx.run_mutation(ledger.record, source=source, number=number)


@action
async def wait_for(ctx: ActionCtx, source: str, gate: str) -> float:
    """Record 0, wait until the counter `gate` is above 0, and record 1."""
    await ctx.run_mutation(ledger.record, source=source, number=0)
    while (value := await ctx.run_query(counters.get, name=gate)) == 0:
        await _pause()
    await ctx.run_mutation(ledger.record, source=source, number=1)
    return value


@action
def block(ctx: BlockingActionCtx, file: str) -> str:
    """Hold its thread until there is a file."""
    while not os.path.exists(file):
        threading.Event().wait(0.01)
    return "unblocked"


@action
async def fail(ctx: ActionCtx) -> None:
    print("about to fail")
    raise ValueError("boom")


@action
async def refuse(ctx: ActionCtx, data: Any) -> None:
    raise ApplicationError(data)


@action
async def wrong_return(ctx: ActionCtx) -> int:
    return "text"  # type: ignore[return-value]  # What this function is for.


@action
async def echo(ctx: ActionCtx, value: Any) -> Any:
    return value


@action
async def process(ctx: ActionCtx) -> float:
    """The process that runs actions."""
    return os.getpid()
