"""Arguments into a handler, and what it returned out of it, whatever kind of function it is."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import pytest

from rewake.errors import RewakeError
from rewake.execution import FunctionRecord, Visibility
from rewake.execution.checked_values import (
    ArgumentsInvalid,
    ReturnInvalid,
    checked_arguments,
    checked_return,
    decoded_arguments,
    returned_text,
)
from rewake.execution.output import LogLines
from rewake.limits import Limits
from rewake.values import COMMIT_TS, UNSET, encode
from tests.execution.action_stage import Tables, registry_of

SOURCE = """
    from typing import Any

    @action
    async def typed(ctx: ActionCtx, n: int, word: str = "none") -> list[int]:
        return []

    @action
    async def untyped(ctx: ActionCtx, thing: Any):
        return thing
"""
LIMITS = Limits(arguments_bytes_max=1_024, return_bytes_max=1_024)
TABLES: Any = Tables()


@pytest.fixture(scope="module")
def find(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], FunctionRecord]:
    registry = registry_of(tmp_path_factory.mktemp("project"), SOURCE)
    return lambda name: registry.find(f"m:{name}", Visibility.PUBLIC)


Find = Callable[[str], FunctionRecord]


def refusal(work: Callable[[], Any]) -> RewakeError:
    with pytest.raises(RewakeError) as refused:
        work()
    return refused.value


def test_text_that_is_no_value_is_refused_with_the_function_named() -> None:
    error = refusal(lambda: decoded_arguments("m:f", '{"a":', limits=LIMITS, log_lines=LogLines()))
    assert isinstance(error, ArgumentsInvalid)
    assert error.message.startswith("Invalid arguments for m:f: ")


def test_large_arguments_are_warned_of_and_larger_ones_refused() -> None:
    lines = LogLines()
    decoded_arguments("m:f", encode("x" * 900), limits=LIMITS, log_lines=lines)
    assert [line.code for line in lines.lines] == ["warning:ArgumentsTooLarge"]
    error = refusal(lambda: decoded_arguments("m:f", encode("x" * 2_000), limits=LIMITS, log_lines=lines))
    assert error.message == "Arguments for m:f are too large (actual: 2 KiB, limit: 1 KiB)"


def test_arguments_become_keywords_and_those_left_out_keep_their_defaults(find: Find) -> None:
    assert checked_arguments(find("typed"), {"n": 2.0}, TABLES) == {"n": 2}
    assert checked_arguments(find("typed"), [{"n": 2.0, "word": "a"}], TABLES) == {"n": 2, "word": "a"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "Expected to receive an object as the function's argument. Instead received: 1.0"),
        (
            [1.0, 2.0],
            "Expected to receive a single object as the function's argument. Instead received 2 arguments: "
            "[1.0, 2.0]",
        ),
        (
            [],
            "Expected to receive a single object as the function's argument. Instead received 0 arguments: "
            "[]",
        ),
        ([1.0], "Expected to receive an object as the function's argument. Instead received: 1.0"),
    ],
)
def test_anything_but_one_object_is_refused(find: Find, value: Any, text: str) -> None:
    assert refusal(lambda: checked_arguments(find("typed"), value, TABLES)).message == text


def test_arguments_that_do_not_fit_are_refused_in_the_words_of_the_validator(find: Find) -> None:
    error = refusal(lambda: checked_arguments(find("typed"), {"n": 1.0, "more": 2.0}, TABLES))
    assert error.message.startswith(
        "ArgumentValidationError: Object contains extra field `more` that is not in the validator.\n"
    )
    assert error.message.endswith("\n")


def test_results_become_values(find: Find) -> None:
    assert checked_return(find("typed"), [1, 2], TABLES) == [1.0, 2.0]
    assert checked_return(find("untyped"), {"a": (1, None)}, TABLES) == {"a": [1.0, None]}
    assert checked_return(find("untyped"), UNSET, TABLES) is None


def test_results_that_do_not_fit_are_refused(find: Find) -> None:
    for result in ("text", None, [1, "a"]):
        error = refusal(partial(checked_return, find("typed"), result, TABLES))
        assert isinstance(error, ReturnInvalid)
        assert error.message.startswith("ReturnsValidationError: ")


def test_what_is_no_value_is_refused_with_the_function_named(find: Find) -> None:
    error = refusal(lambda: checked_return(find("untyped"), object(), TABLES))
    assert isinstance(error, ReturnInvalid)
    assert error.message.startswith("Function m:untyped return value invalid: ")


def text_of(record: FunctionRecord, result: Any, lines: LogLines | None = None) -> str:
    return returned_text(record, result, TABLES, limits=LIMITS, log_lines=lines or LogLines())


def test_results_become_text_by_a_writer_or_through_values(find: Find) -> None:
    assert text_of(find("typed"), [1, 2]) == "[1.0,2.0]"
    assert text_of(find("typed"), (1, 2.0)) == "[1.0,2.0]"
    assert text_of(find("untyped"), {"b": (1, None), "a": UNSET}) == '{"b":[1.0,null]}'
    assert text_of(find("untyped"), UNSET) == "null"


def test_what_no_writer_takes_is_refused_in_the_words_of_the_way_through_values(find: Find) -> None:
    for name, result in (
        ("typed", "text"),
        ("typed", [1, "a"]),
        ("untyped", object()),
        ("untyped", "\ud800"),
    ):
        said = refusal(partial(checked_return, find(name), result, TABLES)).message
        assert refusal(partial(text_of, find(name), result)).message == said


def test_results_are_bounded(find: Find) -> None:
    lines = LogLines()
    text_of(find("untyped"), "x" * 900, lines)
    assert [line.code for line in lines.lines] == ["warning:ReturnTooLarge"]
    error = refusal(lambda: text_of(find("untyped"), "x" * 2_000))
    assert error.message == "Function m:untyped return value is too large (actual: 2 KiB, limit: 1 KiB)"


@pytest.mark.parametrize("kind", ["query", "action"])
def test_only_a_mutation_can_return_the_timestamp_of_its_commit(find: Find, kind: Any) -> None:
    def text(kind: Any) -> str:
        return text_of(msgspec.structs.replace(find("untyped"), kind=kind), {"ts": COMMIT_TS})

    assert text("mutation") == '{"ts":{"$commitTs":null}}'
    assert refusal(lambda: text(kind)).message == (
        "Function m:untyped return value invalid: queries cannot return an unresolved commit timestamp"
    )
