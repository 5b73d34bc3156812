"""What an action is given as `ctx`: every call is handed on with its kind."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rewake.auth import ANONYMOUS, Identity
from rewake.functions import (
    ActionCtx,
    BlockingActionCtx,
    FunctionKind,
    FunctionMetadata,
    NotSignedIn,
    RequestMetadata,
)


class Host:
    """Answers a call with what was called."""

    def read_identity(self) -> Identity:
        return ANONYMOUS

    def call(self, reference: object, arguments: dict[str, Any], *, kind: FunctionKind) -> Any:
        return kind, reference, arguments

    async def begin_call(self, reference: object, arguments: dict[str, Any], *, kind: FunctionKind) -> Any:
        return self.call(reference, arguments, kind=kind)

    def function_metadata(self) -> FunctionMetadata:
        return FunctionMetadata(name="m:act", component_path="", type="action", visibility="public")

    def request_metadata(self) -> RequestMetadata:
        return RequestMetadata(request_id="0123456789abcdef", scheduled_function_id=None)

    def schedule(self, reference: object, arguments: dict[str, Any], *, at_ms: float) -> str:
        return "job"

    def cancel_scheduled(self, id: str) -> None:
        pass

    async def begin_schedule(self, reference: object, arguments: dict[str, Any], *, at_ms: float) -> str:
        return "job"

    async def begin_cancel_scheduled(self, id: str) -> None:
        pass

    def scheduling_ms(self) -> float:
        return 0.0


@pytest.mark.parametrize("kind", ["query", "mutation", "action"])
def test_each_call_is_of_its_kind(kind: str) -> None:
    async def run() -> Any:
        return await getattr(ActionCtx(Host()), f"run_{kind}")("m:f", a=1)

    assert asyncio.run(run()) == (kind, "m:f", {"a": 1})
    assert getattr(BlockingActionCtx(Host()), f"run_{kind}")("m:f", a=1) == (kind, "m:f", {"a": 1})


@pytest.mark.parametrize("kind", ["query", "mutation", "action"])
@pytest.mark.parametrize("ctx", [ActionCtx(Host()), BlockingActionCtx(Host())])
def test_arguments_are_given_by_name(ctx: Any, kind: str) -> None:
    with pytest.raises(TypeError, match=f"run_{kind} takes arguments by name"):
        getattr(ctx, f"run_{kind}")("m:f", 1)


@pytest.mark.parametrize("ctx", [ActionCtx(Host()), BlockingActionCtx(Host())])
def test_both_know_the_caller_and_the_request_and_have_no_database(ctx: Any) -> None:
    assert ctx.auth.get_user_identity() is None
    with pytest.raises(NotSignedIn):
        ctx.auth.require_identity()
    assert ctx.meta.get_function_metadata().name == "m:act"
    assert ctx.meta.get_request_metadata().request_id == "0123456789abcdef"
    assert not hasattr(ctx, "db")


def test_a_scheduler_of_each_kind() -> None:
    async def run() -> str:
        return await ActionCtx(Host()).scheduler.run_after(1, "m:f")

    assert asyncio.run(run()) == BlockingActionCtx(Host()).scheduler.run_after(1, "m:f") == "job"
