"""From what an author hands to the scheduler to what is stored."""

from __future__ import annotations

from typing import Any

import pytest

from rewake.errors import RewakeError
from rewake.execution import Registry
from rewake.execution.analysis import FunctionNotFound
from rewake.execution.scheduled_calls import (
    NotSchedulable,
    ScheduledArgumentsTooLarge,
    ScheduledFunctionMissing,
    scheduled_call,
)
from rewake.functions import MutationCtx, mutation
from rewake.limits import Limits
from tests.execution.action_stage import registry_of

LIMITS = Limits()
SOURCE = """
    @internal_mutation
    def tidy(ctx: MutationCtx, n: int) -> None: ...

    @action
    async def reply(ctx: ActionCtx) -> None: ...

    @query
    def look(ctx: QueryCtx) -> None: ...
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    return registry_of(tmp_path_factory.mktemp("project"), SOURCE)


def refusal(registry: Registry, reference: object, arguments: dict[str, Any] | None = None) -> RewakeError:
    with pytest.raises(RewakeError) as refused:
        scheduled_call(registry, reference, arguments or {}, limits=LIMITS)
    return refused.value


def test_internal_functions_can_be_scheduled_by_themselves_and_by_their_path(registry: Registry) -> None:
    function = next(each.function for each in registry.functions.values() if each.path.function == "tidy")
    for reference in (function, "m:tidy", "m.js:tidy"):
        assert scheduled_call(registry, reference, {"n": 1}, limits=LIMITS) == ("m.js:tidy", '{"n":1.0}')
    assert scheduled_call(registry, "m:reply", {}, limits=LIMITS) == ("m.js:reply", "{}")


def test_arguments_are_stored_as_they_are_and_checked_when_they_are_used(registry: Registry) -> None:
    assert scheduled_call(registry, "m:tidy", {"n": "x"}, limits=LIMITS) == ("m.js:tidy", '{"n":"x"}')


def test_queries_cannot_be_scheduled(registry: Registry) -> None:
    error = refusal(registry, "m:look")
    assert isinstance(error, NotSchedulable)
    assert error.message == "m.js:look is a query, and only mutations and actions can be scheduled."


@pytest.mark.parametrize(
    ("path", "text"),
    [
        (
            "m:gone",
            "Attempted to schedule function, but no exported function gone found in the file: m.js. Did you "
            "forget to export it?",
        ),
        ("gone:f", "Attempted to schedule function at nonexistent path: gone.js:f"),
        ("gone", "Attempted to schedule function at nonexistent path: gone.js:default"),
    ],
)
def test_what_does_not_exist_is_told_at_once(registry: Registry, path: str, text: str) -> None:
    error = refusal(registry, path)
    assert isinstance(error, ScheduledFunctionMissing)
    assert error.message == text


def test_what_is_no_path_and_no_function_is_refused(registry: Registry) -> None:
    assert isinstance(refusal(registry, "m:a:b"), ScheduledFunctionMissing)

    @mutation
    def stranger(ctx: MutationCtx) -> None: ...

    assert isinstance(refusal(registry, stranger), FunctionNotFound)
    with pytest.raises(TypeError, match="Did you forget its decorator"):
        scheduled_call(registry, lambda ctx: None, {}, limits=LIMITS)


def test_the_arguments_of_one_call_are_bounded(registry: Registry) -> None:
    error = refusal(registry, "m:tidy", {"n": "x" * (4 * 2**20)})
    assert isinstance(error, ScheduledArgumentsTooLarge)
    assert error.message == "The arguments of the scheduled m.js:tidy are too large (limit: 4194304 bytes)"
    assert error.detail == "[setting scheduled_call_arguments_bytes_max, observed 4194312, limit 4194304]"
