"""Arguments and results of a function that is called from Python."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rewake import ApplicationError
from rewake.errors import FunctionFailed
from rewake.execution import (
    Failure,
    FunctionRecord,
    Success,
    Visibility,
    encoded_arguments,
    error_of,
    value_of,
)
from rewake.execution.typed_calls import system_call
from rewake.values import Int64, InvalidValue
from tests.execution.action_stage import registry_of

SOURCE = """
    from typing import Any
    from rewake import Int64

    @query
    def typed(ctx: QueryCtx, n: int, big: Int64, data: bytes) -> Note | None:
        return None

    @query
    def untyped(ctx: QueryCtx, thing: Any):
        return thing
"""


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> dict[str, FunctionRecord]:
    registry = registry_of(tmp_path_factory.mktemp("project"), SOURCE)
    return {name: registry.find(f"m:{name}", Visibility.INTERNAL) for name in ("typed", "untyped")}


def test_arguments_are_encoded_by_their_hints(records: dict[str, FunctionRecord]) -> None:
    text = encoded_arguments(records["typed"], {"n": 1, "big": Int64(2), "data": b"\x01"})
    assert json.loads(text) == {"n": 1.0, "big": {"$integer": "AgAAAAAAAAA="}, "data": {"$bytes": "AQ=="}}


def test_wrong_arguments_are_left_for_the_function_to_refuse(records: dict[str, FunctionRecord]) -> None:
    assert json.loads(encoded_arguments(records["typed"], {"n": "x", "more": True})) == {
        "n": "x",
        "more": True,
    }


def test_an_unknown_function_takes_plain_values() -> None:
    assert encoded_arguments(None, {"a": [1, None, {"b": 2.5}]}) == '{"a":[1.0,null,{"b":2.5}]}'


@pytest.mark.parametrize("known", [True, False])
def test_what_is_no_value_is_refused_where_it_is_handed_over(
    records: dict[str, FunctionRecord], known: bool
) -> None:
    with pytest.raises(InvalidValue):
        encoded_arguments(records["untyped"] if known else None, {"thing": object()})


def test_a_result_is_typed_by_the_hint(records: dict[str, FunctionRecord]) -> None:
    text = '{"_creationTime":1.0,"_id":"' + "1" * 32 + '","text":"hello"}'
    note: Any = value_of(Success(text), records["typed"])
    assert (type(note).__name__, note.text) == ("Note", "hello")
    assert value_of(Success("null"), records["typed"]) is None
    plain: Any = value_of(Success(text), records["untyped"])
    assert plain["text"] == "hello"
    assert value_of(Success('{"$integer":"AgAAAAAAAAA="}'), None) == Int64(2)


def test_a_failure_with_data_is_an_application_error() -> None:
    with pytest.raises(ApplicationError) as raised:
        value_of(Failure("Uncaught ConvexError: no\n", '{"code":1.0}'), None)
    assert raised.value.data == {"code": 1.0}
    error = error_of(Failure("x\n", "null"))
    assert isinstance(error, ApplicationError)
    assert error.data is None, "null is data, too"


def test_any_other_failure_keeps_its_text_and_what_was_printed() -> None:
    error = error_of(Failure("Uncaught ValueError: no\n", None, ("[LOG] 'a'",)))
    assert isinstance(error, FunctionFailed)
    assert error.message == "Uncaught ValueError: no"
    assert error.log_lines == ("[LOG] 'a'",)


def test_calls_of_the_house_name_their_function_without_the_prefix() -> None:
    call = system_call("files:begin", {"n": 1, "none": None})
    assert (call.path, call.args) == ("_system/files:begin", '{"n":1.0,"none":null}')
