"""Text writers: the same text as the way through values, or none at all."""

from __future__ import annotations

import dataclasses
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rewake.limits import ARRAY_LENGTH_MAX, VALUE_BYTES_MAX
from rewake.schema import NotPlain, TypeCodec, ValidationFailed, codec_for, plain_value, text_writer, v
from rewake.values import COMMIT_TS, UNSET, Int64, InvalidValue, Unset, encode, normalize
from tests.schema.support import TABLES, an_id

QUOTED = '"\\\n'
UserId = Annotated[str, v.id("users")]


class Note(msgspec.Struct):
    body: str
    score: float
    count: int
    is_read: bool
    author: UserId
    place: str | None = None


class Box(msgspec.Struct, rename={"label": "theLabel"}):
    notes: list[Note]
    label: str | Unset = UNSET
    extra: Any = None


class Larger(Note):
    more: int = 0


@dataclasses.dataclass
class Pair:
    left: float
    right: list[int | None]


class Word(str):
    pass


TYPES: list[Any] = [
    str,
    float,
    int,
    bool,
    None,
    bytes,
    Int64,
    Any,
    UserId,
    Note,
    Box,
    Pair,
    Literal["a", "b"],
    Note | None,
    str | int,
    list[Note],
    list[Note | None],
    list[list[float]],
    list[Any],
    dict[str, float],
    dict[str, Note],
    tuple[int, ...],
    Annotated[str, msgspec.Meta(max_length=2)],
    Annotated[list[int], msgspec.Meta(max_length=1)],
    Annotated[int | None, msgspec.Meta(ge=1)],
]
_SCALARS = st.one_of(
    st.sampled_from(
        ["", "a", "text", '"\\\n', "é", "\ud800", Word("word"), an_id("users"), an_id("channels")]
    ),
    st.sampled_from(
        [0.0, -0.0, 1.5, 1e300, float("nan"), float("-inf"), 0, 7, 2**53, 2**53 + 1, True, False]
    ),
    st.sampled_from([None, UNSET, COMMIT_TS, Int64(3), b"x", bytearray(b"y"), object()]),
)
_THINGS: st.SearchStrategy[Any] = st.recursive(
    _SCALARS,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.tuples(inner),
        st.dictionaries(st.sampled_from(["a", "theLabel", "$b", ""]), inner, max_size=2),
        st.builds(Note, inner, inner, inner, inner, inner, inner),
        st.builds(
            Larger, st.just("b"), st.just(1.0), st.just(1), st.just(True), st.just(an_id("users")), inner
        ),
        st.builds(Box, st.lists(inner, max_size=2), inner, inner),
        st.builds(Pair, inner, inner),
    ),
    max_leaves=8,
)
_GOOD_NOTES = st.builds(
    Note,
    st.sampled_from(["", "text", "é"]),
    st.sampled_from([0.0, -0.0, 2.5, 3]),
    st.sampled_from([0, -5, 2.0]),
    st.booleans(),
    st.just(an_id("users")),
    st.none() | st.just("here"),
)


def long_way(codec: TypeCodec | None, thing: object) -> str | None:
    """The text that the way through values comes to; None where it refuses."""
    try:
        value = normalize(plain_value(thing) if codec is None else codec.to_value(thing))
        if codec is not None:
            codec.validator.check(value, TABLES)
        return encode(value)
    except (InvalidValue, ValidationFailed):
        return None


def written(codec: TypeCodec | None, thing: object) -> str | None:
    """The text that the writer comes to; None where it is not for it."""
    try:
        return text_writer(codec)(thing, TABLES)
    except NotPlain:
        return None


@pytest.mark.parametrize("kind", [*TYPES, "nothing said"], ids=str)
@given(thing=_THINGS)
def test_a_writer_writes_what_the_way_through_values_does_or_nothing(kind: Any, thing: Any) -> None:
    codec = None if kind == "nothing said" else codec_for(kind)
    text = written(codec, thing)
    assert text is None or text == long_way(codec, thing)


@given(notes=st.lists(_GOOD_NOTES, max_size=3), label=st.sampled_from([UNSET, "l"]), extra=_SCALARS)
def test_what_fits_is_written(notes: list[Note], label: Any, extra: Any) -> None:
    codec, box = codec_for(Box), Box(notes, label, extra)
    assert written(codec, box) == long_way(codec, box)
    codec = codec_for(list[Note])
    assert written(codec, notes) == long_way(codec, notes) is not None


def test_fields_are_in_order_and_absent_ones_left_out() -> None:
    note = Note("b", 1.0, 2, True, an_id("users"))
    inner = f'{{"author":"{an_id("users")}","body":"b","count":2.0,"is_read":true,"place":null,"score":1.0}}'
    assert written(codec_for(Note), note) == inner
    assert written(codec_for(Box), Box([note])) == f'{{"extra":null,"notes":[{inner}]}}'


@pytest.mark.parametrize(
    ("kind", "good", "bad"),
    [
        (Annotated[int | None, msgspec.Meta(ge=1)], 1, 0.0),
        (Annotated[int | None, msgspec.Meta(ge=1)], None, 0),
        (Annotated[str | None, msgspec.Meta(max_length=1)], "a", "ab"),
        (Annotated[list[str] | None, msgspec.Meta(max_length=1)], ["a"], ["a", "b"]),
        (list[Annotated[float | None, msgspec.Meta(lt=2)]], [1.0, None], [2.0]),
    ],
)
def test_a_constraint_on_what_may_be_null_is_one_on_the_rest(kind: Any, good: Any, bad: Any) -> None:
    codec = codec_for(kind)
    assert written(codec, good) == long_way(codec, good) is not None
    assert written(codec, bad) is long_way(codec, bad) is None


def test_an_id_of_another_table_is_not_written() -> None:
    codec = codec_for(list[UserId])
    assert written(codec, [an_id("users")]) == f'["{an_id("users")}"]'
    assert written(codec, [an_id("channels")]) is None
    assert written(codec, ["nonsense"]) is None


def test_what_is_too_long_too_deep_or_too_large_goes_the_other_way() -> None:
    codec = codec_for(list[bool])
    assert written(codec, [True] * ARRAY_LENGTH_MAX) is not None
    assert written(codec, [True] * (ARRAY_LENGTH_MAX + 1)) is None
    assert written(codec_for(str), "x" * (VALUE_BYTES_MAX // 4)) is None
    deep: Any = 1.0
    for _ in range(60):
        deep = [deep]
    assert written(codec_for(list[Any]), [deep]) is None
    assert long_way(codec_for(list[Any]), [deep]) is not None
    assert written(None, [deep]) is not None
    round_and_round: list[Any] = []
    round_and_round.append(round_and_round)
    assert written(codec_for(list[Any]), round_and_round) is None
    assert written(None, round_and_round) is None


def test_types_deeper_than_the_generated_code_are_written_through_values() -> None:
    kind: Any = float
    thing: Any = 1.0
    for _ in range(20):
        kind, thing = list[kind], [thing]
    assert written(codec_for(kind), thing) == long_way(codec_for(kind), thing) == "[" * 20 + "1.0" + "]" * 20


@given(st.floats(allow_nan=False, allow_infinity=False) | st.floats(1e-5, 1e17) | st.floats(1.7e12, 1.9e12))
@example(1e-4)
@example(9.999999999999999e-05)
@example(1e16)
@example(9999999999999998.0)
@example(1763800000000.0)
def test_a_number_is_written_as_it_is_stored(number: float) -> None:
    assert text_writer(codec_for(float))(number, TABLES) == encode(number)


def test_a_list_of_instances_may_hold_others() -> None:
    codec, author = codec_for(list[Note]), an_id("users")
    fields = {"body": "b", "score": 1.0, "count": 2, "is_read": True, "author": author, "place": None}
    note, larger = Note(**fields), Larger(**fields, more=3)
    for notes in ([], [fields], [note, fields, larger], [note, Note(**{**fields, "place": "here"})]):
        assert written(codec, notes) == long_way(codec, notes) is not None
