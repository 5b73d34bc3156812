"""From signatures to what callers send."""

from __future__ import annotations

import dataclasses
import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any

import annotated_types
import pytest

from rewake.schema import (
    ArgumentsCodec,
    Document,
    Id,
    InvalidValidator,
    Scope,
    UnknownReference,
    UnsupportedType,
    ValidationFailed,
    arguments_codec,
    explicit_arguments,
    function_names,
    v,
)
from rewake.values import UNSET, Int64, Unset


class Channel(Document, table="channels"):
    name: str


@dataclasses.dataclass
class Point:
    x: int
    y: int = 0


def codec_of(function: Callable[..., Any], **options: Any) -> ArgumentsCodec:
    parameters = list(inspect.signature(function).parameters.values())[1:]
    return arguments_codec(parameters, names=function_names(function), **options)


def test_defaults_and_unset_make_arguments_optional() -> None:
    def f(
        ctx: Any, channel: Id[Channel], limit: int = 50, q: str | Unset = UNSET, r: int | Unset = 5
    ) -> None: ...

    codec = codec_of(f)
    assert str(codec.validator) == (
        'v.object({channel: v.id("channels"), limit: v.optional(v.float64()), q: v.optional(v.string()), '
        "r: v.optional(v.float64())})"
    )
    assert codec.bind({"channel": "c"}) == {"channel": "c"}
    assert codec.bind({"channel": "c", "limit": 3.0, "q": "x"}) == {"channel": "c", "limit": 3, "q": "x"}


def test_an_argument_that_may_be_unset_needs_no_default() -> None:
    def f(ctx: Any, q: str | Unset) -> None: ...

    codec = codec_of(f)
    assert codec.bind({}) == {"q": UNSET}
    assert codec.bind({"q": "a"}) == {"q": "a"}


def test_classes_are_constructed() -> None:
    def f(ctx: Any, at: Point, many: list[Point] | None = None) -> None: ...

    codec = codec_of(f)
    assert codec.bind({"at": {"x": 1.0}, "many": [{"x": 2.0, "y": 3.0}]}) == {
        "at": Point(1),
        "many": [Point(2, 3)],
    }


def test_no_parameters_is_the_empty_object_and_no_annotation_is_any() -> None:
    def nothing(ctx: Any) -> None: ...

    def loose(ctx, a, b=None): ...

    assert codec_of(nothing).validator == v.object({})
    assert codec_of(loose).validator == v.object({"a": v.any(), "b": v.optional(v.any())})


def test_keyword_rest_alone_takes_anything() -> None:
    def f(ctx: Any, **rest: Any) -> None: ...

    def bare(ctx, **rest): ...

    for function in (f, bare):
        codec = codec_of(function)
        assert codec.validator == v.any()
        assert codec.bind({"a": 1.0}) == {"a": 1.0}


def test_names_can_be_changed_at_the_door() -> None:
    def f(ctx: Any, channel_id: str, n: int = 0) -> None: ...

    codec = codec_of(f, rename=lambda name: "channelId" if name == "channel_id" else name)
    assert codec.validator == v.object({"channelId": v.string(), "n": codec.validator.fields["n"]})  # type:
    # ignore[attr-defined]
    assert codec.bind({"channelId": "c"}) == {"channel_id": "c"}
    assert codec.to_value({"channel_id": "c", "n": 5}) == {"channelId": "c", "n": 5.0}


def test_arguments_are_made_into_values_for_calls_within_the_server() -> None:
    def f(ctx: Any, at: Point, count: Int64, q: str | Unset = UNSET) -> None: ...

    codec = codec_of(f)
    value = codec.to_value({"at": Point(1), "count": 5, "q": UNSET, "stranger": 1})
    assert value == {"at": {"x": 1.0, "y": 0.0}, "count": Int64(5), "stranger": 1.0}
    assert type(value["count"]) is Int64
    with pytest.raises(ValidationFailed, match="extra field `stranger`"):
        codec.validator.check(value)


def test_constraints_are_checked_on_arguments() -> None:
    def f(ctx: Any, limit: Annotated[int, annotated_types.Ge(1)] = 5) -> None: ...

    with pytest.raises(ValidationFailed, match="Constraint: must be at least 1"):
        codec_of(f).validator.check({"limit": 0.0})


def test_an_int_argument_refuses_fractions() -> None:
    def f(ctx: Any, n: int) -> None: ...

    with pytest.raises(ValidationFailed, match="whole number"):
        codec_of(f).validator.check({"n": 1.5})


def _positional_only(ctx: Any, a: int, /) -> None: ...
def _star(ctx: Any, *a: int) -> None: ...
def _mixed(ctx: Any, a: int, **rest: int) -> None: ...
def _annotated_rest(ctx: Any, **rest: int) -> None: ...
def _refused(ctx: Any, when: set[str]) -> None: ...
def _only_unset(ctx: Any, a: Unset) -> None: ...


@pytest.mark.parametrize(
    ("function", "words"),
    [
        (_positional_only, r'f, argument "a": arguments are passed by name; remove the `/`'),
        (_star, "take a list instead of \\*a"),
        (_mixed, "cannot stand beside named arguments"),
        (_annotated_rest, "cannot be annotated"),
        (_refused, r'f, argument "when": set cannot be stored or sent'),
        (_only_unset, "Unset alone is no type"),
    ],
)
def test_what_cannot_be_sent_by_name_is_refused(function: Callable[..., Any], words: str) -> None:
    with pytest.raises(UnsupportedType, match=words):
        codec_of(function, where="f")


def test_renaming_two_arguments_into_one_is_refused() -> None:
    def f(ctx: Any, a: int, b: int) -> None: ...

    with pytest.raises(UnsupportedType, match='another argument is called "x" as well'):
        codec_of(f, rename=lambda _: "x")
    with pytest.raises(UnsupportedType, match="invalid character"):
        codec_of(f, rename=lambda _: "a b")


def test_unknown_references_name_the_argument() -> None:
    def f(ctx: Any, a: Id["Nobody"]) -> None: ...  # noqa: F821, UP037

    with pytest.raises(UnknownReference, match='f, argument "a": Id'):
        codec_of(f, where="f", scope=Scope({}, frozenset({"users"})))


def test_explicit_validators_pass_values_through() -> None:
    codec = explicit_arguments({"a": v.string()})
    assert codec.validator == v.object({"a": v.string()})
    assert codec.bind({"a": "x"}) == {"a": "x"}
    assert codec.to_value({"a": "x"}) == {"a": "x"}
    assert explicit_arguments(v.any()).validator == v.any()
    with pytest.raises(InvalidValidator, match=r"^Args validator must be an object or any$"):
        explicit_arguments(v.string())


def test_names_of_a_function_include_what_it_closes_over_and_ignore_wrappers() -> None:
    class Local(Document, table="local"):
        pass

    def plain(ctx: Any, a: Id[Local]) -> Any:
        return Local, later

    @functools.wraps(plain)
    def wrapped(*args: Any) -> None: ...

    assert function_names(wrapped)["Local"] is Local
    assert "later" not in function_names(wrapped)
    later = 5
    assert function_names(plain)["later"] == later
    assert codec_of(plain).validator == v.object({"a": v.id("local")})
