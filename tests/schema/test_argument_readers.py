"""Argument readers: the same arguments as the way through values, or none at all."""

from __future__ import annotations

import enum
import inspect
import json
from collections.abc import Callable
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rewake.limits import VALUE_BYTES_MAX
from rewake.schema import NotPlain, ValidationFailed, argument_reader, arguments_codec, explicit_arguments, v
from rewake.values import UNSET, Int64, InvalidValue, Unset, Value, decode
from tests.schema.support import TABLES, an_id

UserId = Annotated[str, v.id("users")]


class Colour(enum.Enum):
    RED = "red"
    ONE = 1.0


Short = Annotated[str, msgspec.Meta(max_length=2)]
Grown = Annotated[int, msgspec.Meta(ge=1)]


def several(ctx: Any, *, a: str, b: float, c: int, d: bool, e: UserId) -> None: ...
def with_defaults(ctx: Any, a: str, b: int = 0, c: float | None = None, d: bool | Unset = UNSET) -> None: ...
def unset(ctx: Any, a: int | Unset, b: UserId | Unset | None) -> None: ...
def choices(
    ctx: Any, *, a: Literal["a", "b"], b: Colour, c: str | int, d: None, e: Literal[0, 1]
) -> None: ...
def bounded(ctx: Any, a: Short, b: Grown, c: Short | None = None) -> None: ...
def nothing(ctx: Any) -> None: ...


FUNCTIONS: list[Callable[..., None]] = [several, with_defaults, unset, choices, bounded, nothing]


def codec_of(function: Callable[..., None]) -> Any:
    _, *parameters = inspect.signature(function).parameters.values()
    return arguments_codec(parameters, names=globals())


READERS = [(codec_of(function), argument_reader(codec_of(function))) for function in FUNCTIONS]

_STRINGS = st.sampled_from(["", "a", "b", "red", "-0", "text", an_id("users"), an_id("channels")]) | st.text(
    max_size=3
)
_NUMBERS = st.sampled_from(
    [
        "0",
        "-0",
        "-0.0",
        "-0e1",
        "1",
        "1.0",
        "0.5",
        "-1",
        "9007199254740991",
        "9007199254740993",
        "1e400",
        "-1e400",
        "18446744073709551616",
        "123456789012345678901234567890",
    ]
)
_LEAVES = st.one_of(
    _STRINGS.map(json.dumps),
    _NUMBERS,
    st.sampled_from(
        ["true", "false", "null", '{"$integer":"AQAAAAAAAAA="}', "{}", "[]", "[0]", '{"a":1}', "NaN", "tru"]
    ),
)
_NAMES = st.sampled_from(["a", "b", "c", "d", "e", "a", "b", "c", "d", "e", "extra", "$integer", "_x"])
_OBJECTS = st.lists(st.tuples(_NAMES, _LEAVES), max_size=7).map(
    lambda fields: "{" + ", ".join(f"{json.dumps(name)}: {text}" for name, text in fields) + "}"
)
_TEXTS = st.one_of(_OBJECTS, _OBJECTS.map(lambda text: f"[{text}]"), _LEAVES)


def through_values(codec: Any, text: str) -> dict[str, Any] | None:
    """What the way through values comes to; None where it refuses."""
    try:
        value: Value = decode(text)
        if not isinstance(value, dict):
            return None
        codec.validator.check(value, TABLES)
        bound: dict[str, Any] = codec.bind(value)
    except (InvalidValue, ValidationFailed):
        return None
    return bound


def exact(bound: dict[str, Any] | None) -> Any:
    """Arguments with their types, and zeros told apart."""
    if bound is None:
        return None
    return sorted((name, type(value), repr(value)) for name, value in bound.items())


@pytest.mark.parametrize("number", range(len(FUNCTIONS)), ids=[function.__name__ for function in FUNCTIONS])
@given(text=_TEXTS)
@example(text='{"a": "x", "b": -0, "c": 0, "d": true, "e": "-0"}')
@example(text='{"a": "x", "b": -0}')
@example(text='{"a": 1, "a": "x"}')
@example(text="{}")
def test_both_ways_come_to_the_same_arguments(number: int, text: str) -> None:
    codec, read = READERS[number]
    assert read is not None
    try:
        bound = read(text, TABLES)
    except NotPlain:
        return
    assert exact(bound) == exact(through_values(codec, text))


@pytest.mark.parametrize(
    ("function", "text"),
    [
        (several, json.dumps({"a": "é\n", "b": 1, "c": 2, "d": False, "e": an_id("users")})),
        (several, json.dumps({"e": an_id("users"), "b": 0.5, "c": 2.0, "d": True, "a": ""})),
        (with_defaults, '{"a": "2024-01-05"}'),
        (with_defaults, '{"a": "x", "b": 3, "c": null, "d": true}'),
        (unset, "{}"),
        (unset, '{"a": 0, "b": null}'),
        (choices, '{"a": "b", "b": "red", "c": 1, "d": null, "e": 0}'),
        (bounded, '{"a": "ab", "b": 1, "c": "b"}'),
        (nothing, "{}"),
    ],
)
def test_what_callers_mostly_send_is_read_in_one_pass(function: Callable[..., None], text: str) -> None:
    codec, read = READERS[FUNCTIONS.index(function)]
    assert read is not None
    assert exact(read(text, TABLES)) == exact(through_values(codec, text))


def test_what_is_no_leaf_takes_the_way_through_values() -> None:
    def lists(ctx: Any, a: list[str]) -> None: ...
    def whole(ctx: Any, a: Int64 | None = None) -> None: ...
    def anything(ctx: Any, a: Any) -> None: ...
    def open_ended(ctx: Any, **a: Any) -> None: ...

    for function in (lists, whole, anything, open_ended):
        assert argument_reader(codec_of(function)) is None
    assert argument_reader(explicit_arguments({"a": v.string()})) is None


def test_long_texts_take_the_way_through_values() -> None:
    _, read = READERS[FUNCTIONS.index(with_defaults)]
    assert read is not None
    with pytest.raises(NotPlain):
        read(json.dumps({"a": "x" * (VALUE_BYTES_MAX // 8)}), TABLES)
