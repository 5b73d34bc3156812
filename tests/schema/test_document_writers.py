"""Document writers: the text and the fields of the general way, or nothing."""

from __future__ import annotations

import enum
from typing import Annotated, Any, Literal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Meta

from rewake.limits import DOCUMENT_BYTES_MAX, DOCUMENT_NESTING_MAX
from rewake.schema import (
    Document,
    Id,
    Schema,
    Validator,
    VObject,
    VRecord,
    as_it_is,
    document_writer,
    field,
    v,
)
from rewake.schema.constraints import WHOLE_NUMBER
from rewake.values import (
    COMMIT_TS,
    UNSET,
    Int64,
    InvalidValue,
    Unset,
    Value,
    check_document_limits,
    encode,
    holds_commit_ts,
    normalize,
    values_equal,
)
from tests.schema.support import MESSAGE, TABLES, VALIDATORS, VALUES, an_id, value_for

ID, TIME = an_id("users", 9), 1_700_000_000_000.25
_NAMES = ["a", "b", "Capital", "name", "z_9"]


class Word(str):
    pass


class Odd(float):
    def __repr__(self) -> str:
        return "odd"


ANYTHING: st.SearchStrategy[Any] = st.one_of(
    VALUES,
    st.sampled_from(
        [
            0,
            7,
            -(2**53),
            2**53 + 1,
            UNSET,
            "\ud800",
            "é",
            Word("w"),
            Odd(1.0),
            b"x",
            bytearray(b"y"),
            object(),
        ]
    ),
    st.sampled_from([(1, 2), [1, "\ud800"], {"$a": 1}, {"_b": 1}, {1: 2}, {"a": UNSET}, [UNSET], Int64(3)]),
)


def _with_constraints(validator: Validator) -> Validator:
    return validator.constrained(WHOLE_NUMBER) if validator.kind == "float64" else validator


OBJECTS = st.dictionaries(
    st.sampled_from(_NAMES), st.tuples(VALIDATORS, st.booleans(), st.booleans()), max_size=5
).map(
    lambda fields: VObject(
        {
            name: (_with_constraints(x) if is_bound else x).optional() if is_optional else x
            for name, (x, is_optional, is_bound) in fields.items()
        }
    )
)


def general_way(validator: Validator, fields: dict[str, Any]) -> tuple[str, Value] | None:
    """What the general way stores; None where it refuses."""
    try:
        normal = normalize(fields)
        if not validator.accepts(normal, TABLES):
            return None
        assert isinstance(normal, dict)
        document = {**normal, "_id": ID, "_creationTime": TIME}
        check_document_limits(document)
        return encode(document), document
    except InvalidValue:
        return None


def written(validator: Validator, fields: dict[str, Any], straighten: Any = normalize) -> Any:
    write = document_writer(validator)
    assert write is not None
    return write(fields, ID, TIME, TABLES, straighten)


def is_same(found: Any, expected: Any) -> bool:
    return found[0] == expected[0] and encode(found[1]) == expected[0]


@given(data=st.data(), validator=OBJECTS)
def test_a_writer_writes_what_the_general_way_stores_or_nothing(data: Any, validator: VObject) -> None:
    fields = data.draw(st.dictionaries(st.sampled_from([*_NAMES, "more", "_id"]), ANYTHING, max_size=5))
    found = written(validator, fields)
    assert found is None or is_same(found, general_way(validator, fields))


@given(data=st.data(), validator=OBJECTS)
def test_what_fits_is_written(data: Any, validator: VObject) -> None:
    fields = data.draw(value_for(validator))
    expected = general_way(validator, fields)
    for straighten in (normalize, as_it_is):
        found = written(validator, fields, straighten)
        if expected is None or holds_commit_ts(expected[0]):
            assert found is None
        elif expected[0].count("{") + expected[0].count("[") <= DOCUMENT_NESTING_MAX:
            assert is_same(found, expected)


def test_fields_stand_in_order_around_the_systems() -> None:
    validator = v.object({"b": v.number(), "A": v.optional(v.boolean()), "a": v.nullable(v.string())})
    system = f'"_creationTime":{TIME!r},"_id":"{ID}"'
    assert written(validator, {"b": 1, "a": None})[0] == f'{{{system},"a":null,"b":1.0}}'
    assert written(validator, {"b": 1, "a": "x", "A": True})[0] == f'{{"A":true,{system},"a":"x","b":1.0}}'
    assert written(v.object({}), {})[0] == f"{{{system}}}"


@pytest.mark.parametrize(
    "change",
    [
        {"edited": -0.0},
        {"edited": 3},
        {"kind": "system"},
        {"body": 'é"\\\n'},
        {"edited": float("nan")},
    ],
)
def test_a_message_is_written(change: dict[str, Any]) -> None:
    fields = {"channel": an_id("channels"), "author": an_id("users"), "body": "b", "kind": "text", **change}
    assert is_same(written(MESSAGE, fields), general_way(MESSAGE, fields))


@pytest.mark.parametrize(
    "change",
    [
        {"author": an_id("channels")},
        {"author": "nobody"},
        {"kind": "other"},
        {"edited": UNSET},
        {"edited": None},
        {"body": "\ud800"},
        {"body": Word("w")},
        {"body": "x" * (DOCUMENT_BYTES_MAX // 4)},
        {"_id": ID},
        {"more": 1.0},
    ],
)
def test_what_is_not_as_it_should_be_goes_the_general_way(change: dict[str, Any]) -> None:
    fields = {"channel": an_id("channels"), "author": an_id("users"), "body": "b", "kind": "text", **change}
    assert written(MESSAGE, fields) is None
    assert written(MESSAGE, {"body": "b"}) is None


def test_depth_is_bounded_and_commit_timestamps_wait() -> None:
    validator = v.object({"x": v.any()})
    deep: Any = 1.0
    for _ in range(15):
        deep = [deep]
    assert is_same(written(validator, {"x": deep}), general_way(validator, {"x": deep}))
    assert written(validator, {"x": [deep]}) is general_way(validator, {"x": [deep]}) is None
    assert written(validator, {"x": [COMMIT_TS]}) is None
    round_and_round: list[Any] = []
    round_and_round.append(round_and_round)
    assert written(validator, {"x": round_and_round}) is None


def test_a_time_that_no_clock_tells_goes_the_general_way() -> None:
    write = document_writer(v.object({}))
    assert write is not None
    for time in (0.0, -1.0, float("inf"), float("nan"), 5):
        assert write({}, ID, time, TABLES, normalize) is None


def test_only_plain_objects_have_a_writer() -> None:
    constrained = v.object({"a": v.number()}).constrained(WHOLE_NUMBER)
    for validator in (v.any(), v.union(v.object({})), VRecord(v.string(), v.any()), constrained):
        assert document_writer(validator) is None
    assert document_writer(VObject({"_own": v.any()})) is None
    assert document_writer(VObject({f"f{n}": v.any() for n in range(1_023)})) is None
    assert document_writer(VObject({f"f{n}": v.any() for n in range(1_022)})) is not None


def test_nobody_else_holds_what_is_given_back() -> None:
    fields: dict[str, Any] = {"x": [[1.0]]}
    _, document = written(v.object({"x": v.any()}), fields)
    fields["x"][0].append(2.0)
    assert document["x"] == [[1.0]]


def test_a_name_that_only_claims_to_be_one_is_read_once() -> None:
    class Claims(str):
        __hash__ = str.__hash__

        def __eq__(self, other: object) -> bool:
            return next(answers)

    answers = iter([True, False, True, False])
    found = written(v.object({"body": v.string()}), {Claims("body"): "text"})
    assert found is None or encode(found[1]) == found[0]


class Shade(enum.Enum):
    DARK = "dark"
    LIGHT = "light"


class Place(msgspec.Struct):
    x: float
    name: str | Unset = UNSET


class Thing(Document, table="users"):
    body: str
    count: int
    share: float
    shade: Shade
    owner: Id[Thing] | None = None
    Big: Int64 | Unset = UNSET
    word: Literal["a", "b"] | Unset = UNSET
    level: int | Unset | None = UNSET
    place: Place | None = None
    other: Any = 0.0
    short: Annotated[str, Meta(max_length=2)] | Unset = field(default=UNSET, name="shortOne")


THING = Schema.from_documents([Thing]).tables["users"]
_GOOD_PARTS: dict[str, st.SearchStrategy[Any]] = {
    "body": st.sampled_from(["", 'é"']),
    "count": st.sampled_from([0, 7, 2.0]),
    "share": st.sampled_from([0.5, -0.0, 3]),
    "shade": st.sampled_from(Shade),
    "owner": st.sampled_from([None, an_id("users", 3)]),
    "Big": st.sampled_from([UNSET, 3, Int64(4)]),
    "word": st.sampled_from([UNSET, "b"]),
    "level": st.sampled_from([UNSET, None, 5]),
    "place": st.sampled_from([None, Place(1), Place(2.0, "here")]),
    "other": st.sampled_from([None, [1, Place(1.0)], {"a": b"x"}]),
    "short": st.sampled_from([UNSET, "ab"]),
}
_SYSTEM_PARTS: dict[str, st.SearchStrategy[Any]] = {
    "_id": st.sampled_from([UNSET, ID, an_id("users", 8), Word(ID)]),
    "_creationTime": st.sampled_from([UNSET, TIME, TIME + 1, int(TIME)]),
}
GOOD_THINGS = st.builds(Thing, **_GOOD_PARTS)
THINGS = st.builds(
    Thing,
    **{name: st.one_of(part, part, part, ANYTHING) for name, part in _GOOD_PARTS.items()},
    **_SYSTEM_PARTS,
)


def written_instance(thing: object) -> Any:
    write = document_writer(THING.validator, THING.codec.instance)
    assert write is not None
    return write(thing, ID, TIME, TABLES, normalize)


def general_way_of(thing: Thing) -> tuple[str, Value] | None:
    """What the general way stores for an instance that takes the place of the document ID."""
    try:
        value = THING.codec.to_value(thing)
    except InvalidValue:
        return None
    if not is_equal(value.pop("_id", ID), ID) or not is_equal(value.pop("_creationTime", TIME), TIME):
        return None
    return general_way(THING.validator, value)


def is_equal(value: Any, other: Any) -> bool:
    try:
        return values_equal(value, other)
    except InvalidValue:
        return False


@given(thing=GOOD_THINGS)
def test_an_instance_is_written_as_its_fields_are(thing: Thing) -> None:
    assert is_same(written_instance(thing), general_way_of(thing))


@given(thing=THINGS)
def test_an_instance_is_written_as_the_general_way_stores_it_or_not(thing: Thing) -> None:
    found = written_instance(thing)
    assert found is None or is_same(found, general_way_of(thing))


def test_only_instances_of_the_class_itself_are_written() -> None:
    class Special(Thing, table="users"):
        pass

    fields: dict[str, Any] = {"body": "b", "count": 1, "share": 1.0, "shade": Shade.DARK}
    assert written_instance(Thing(**fields)) is not None
    assert written_instance(Special(**fields)) is None
    assert written_instance(fields) is None


def test_what_was_stored_may_only_be_stored_as_the_same_document() -> None:
    fields: dict[str, Any] = {"body": "b", "count": 1, "share": 1.0, "shade": Shade.DARK}
    assert written_instance(Thing(**fields, _id=ID, _creationTime=TIME)) is not None
    assert written_instance(Thing(**fields, _id=an_id("users", 8))) is None
    assert written_instance(Thing(**fields, _creationTime=TIME + 1)) is None


def test_a_class_with_other_fields_than_the_validator_has_no_writer() -> None:
    assert document_writer(THING.validator.extend({"more": v.any()}), THING.codec.instance) is None
    assert document_writer(THING.validator.omit("body"), THING.codec.instance) is None
