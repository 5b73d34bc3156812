"""Semantics 1: what a value is, its limits, its names, its encodings, and what a document adds."""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from rewake import UNSET, Int64, MutationCtx, QueryCtx, mutation, query
from rewake.schema import define_schema, define_table, v
from rewake.testing import Backend
from rewake.values import (
    InvalidId,
    check_identifier,
    check_value,
    decode,
    decode_id,
    encode,
    encode_id,
    get_path,
    normalize,
    render,
    value_size,
)
from tests.semantics.telling import told


@query
def nothing(ctx: QueryCtx) -> None:
    """Returns nothing, as JavaScript returns undefined."""


@mutation
def keep(ctx: MutationCtx, value: Any) -> Any:
    document = ctx.db.get(ctx.db.insert("anything", {"value": value}))
    assert document is not None
    return document["value"]


@pytest.fixture(scope="module")
def backend() -> Iterator[Backend]:
    with Backend.from_functions(nothing, keep) as made:
        yield made


def bits(number: float) -> bytes:
    return struct.pack("<d", number)


# 1.1


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        False,
        Int64(0),
        Int64(-(2**63)),
        Int64(2**63 - 1),
        0.0,
        1.5,
        5e-324,
        1.7976931348623157e308,
        math.inf,
        -math.inf,
        "",
        "a\0b",
        "\U0001f600",
        "'\"\\\n",
        b"",
        bytes(range(256)),
        [],
        [1.0, "a", None, [True]],
        {},
        {"": 1.0, "_a": None, "a b": Int64(1)},
    ],
    ids=repr,
)
def test_1_1_every_type_is_stored_and_returned_as_it_was(backend: Backend, value: Any) -> None:
    kept = backend.mutation(keep, value=value)
    assert kept == value
    assert type(kept) is type(value)


@pytest.mark.parametrize(
    "number",
    [
        -0.0,
        math.nan,
        -math.nan,
        struct.unpack("<d", b"\x01\x00\x00\x00\x00\x00\xf8\x7f")[0],
    ],
)
def test_1_1_every_double_keeps_its_bits(backend: Backend, number: float) -> None:
    assert bits(backend.mutation(keep, value=number)) == bits(number)


def test_1_1_a_python_int_is_a_float64_and_int64_is_asked_for(backend: Backend) -> None:
    for number, kind in ((3, float), (Int64(3), Int64)):
        assert type(backend.mutation(keep, value=number)) is kind
    with told(
        "Integer 9007199254740993 is outside the range of a Float64 (-2^53 to 2^53). "
        "Use Int64, a `bigint` in JavaScript, for whole numbers beyond it."
    ):
        backend.mutation(keep, value=2**53 + 1)


def test_1_1_a_lone_surrogate_is_no_string() -> None:
    with told(
        "A string with a lone surrogate is not a valid Convex value. "
        "Strings must be valid Unicode; use bytes for anything else."
    ):
        normalize("\ud800")


# 1.2


def nested(levels: int) -> Any:
    value: Any = 1.0
    for _ in range(levels):
        value = [value]
    return value


def test_1_2_an_array_has_at_most_8192_elements() -> None:
    assert decode(encode([0.0] * 8192)) == [0.0] * 8192
    with told("Array length is too long (8193 > maximum length 8192)"):
        encode([0.0] * 8193)


def test_1_2_an_object_has_at_most_1024_fields_at_every_level() -> None:
    encode({f"f{i}": 0.0 for i in range(1024)})
    with told("Object has too many fields (1025 > maximum number 1024)"):
        encode([{f"f{i}": 0.0 for i in range(1025)}])


def test_1_2_a_value_is_nested_at_most_64_deep() -> None:
    assert decode(encode(nested(64))) == nested(64)
    with told("Value is too nested (nested 65 levels deep > maximum nesting 64)"):
        encode(nested(65))


def test_1_2_a_value_has_at_most_32_mib() -> None:
    with told("Value is too large (34.00 MiB > maximum size 32 MiB)"):
        check_value(["x" * 2**20] * 34)


def test_1_2_a_document_has_at_most_1_mib_with_its_system_fields(backend: Backend) -> None:
    def insert(size: int) -> Any:
        return lambda ctx: ctx.db.insert("large", {"body": "x" * size})

    # Strings have 2 bytes more than their text, and so has the object; names have one more.
    around = 2 + (5 + 2) + (4 + 2 + 32) + (14 + 9)
    system = value_size({"body": "", "_id": "i" * 32, "_creationTime": 1.0})
    assert around == system
    backend.run(insert(2**20 - system))
    with told("Value is too large (1048577 bytes > maximum size 1 MiB)"):
        backend.run(insert(2**20 - system + 1))
    with told("Value is too large (2.00 MiB > maximum size 1 MiB)"):
        backend.run(insert(2 * 2**20))


def test_1_2_a_document_is_nested_at_most_16_deep_counting_itself(backend: Backend) -> None:
    backend.mutation(keep, value=nested(15))
    with told("Document is too nested (nested 17 levels deep > maximum nesting 16)"):
        backend.run(lambda ctx: ctx.db.insert("deep", {"value": nested(16)}))


def test_1_2_a_field_name_has_at_most_1024_characters() -> None:
    encode({"x" * 1024: 1.0})
    with told("Field name is too long (1025 > maximum 1024)"):
        encode({"x" * 1025: 1.0})


@pytest.mark.parametrize(
    ("value", "size"),
    [
        (None, 1),
        (True, 1),
        (Int64(1), 9),
        (1.0, 9),
        ("äb", 2 + 3),
        (b"abc", 2 + 3),
        ([], 2),
        ([1.0, None], 2 + 9 + 1),
        ({}, 2),
        ({"ab": 1.0, "": "x"}, 2 + (2 + 1 + 9) + (0 + 1 + 3)),
    ],
    ids=repr,
)
def test_1_2_the_size_of_a_value_follows_the_model(value: Any, size: int) -> None:
    assert value_size(value) == size


# 1.3


@pytest.mark.parametrize("name", ["", " ", "a b", "_x", "a$", "1", "~"])
def test_1_3_a_key_is_any_printable_ascii(backend: Backend, name: str) -> None:
    assert backend.mutation(keep, value={name: 1.0}) == {name: 1.0}


def test_1_3_a_key_does_not_begin_with_a_dollar() -> None:
    with told("Field name $a starts with '$', which is reserved."):
        encode({"$a": 1.0})


@pytest.mark.parametrize("character", ["\n", "\x7f", "ä", "\U0001f600"])
def test_1_3_a_key_has_no_other_characters(character: str) -> None:
    with told(
        f"Field name a{character} has invalid character '{character}': "
        "Field names can only contain non-control ASCII characters"
    ):
        encode({f"a{character}": 1.0})


def test_1_3_at_the_top_of_a_document_underscores_are_the_systems(backend: Backend) -> None:
    with told("Field '_mine' starts with an underscore, which is only allowed for system fields like '_id'"):
        backend.run(lambda ctx: ctx.db.insert("anything", {"_mine": 1}))
    backend.run(lambda ctx: ctx.db.insert("anything", {"inner": {"_mine": 1}}))


def test_1_3_keys_come_back_sorted(backend: Backend) -> None:
    assert list(backend.mutation(keep, value={"b": 1, "a": 2, "B": 3})) == ["B", "a", "b"]


# 1.4


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("", "Identifier cannot be empty"),
        (
            "1a",
            "Invalid first character '1' in 1a: Identifiers must start with an alphabetic character or "
            "underscore",
        ),
        (
            "a-b",
            "Identifier a-b has invalid character '-': "
            "Identifiers can only contain alphanumeric characters or underscores",
        ),
        ("a" * 65, "Identifier is too long (65 > maximum 64)"),
        ("__", "Identifier __ cannot have exclusively underscores"),
    ],
)
def test_1_4_an_identifier_is_refused_in_these_words(name: str, text: str) -> None:
    with told(text):
        check_identifier(name)
    with told(f"Invalid validator for key `{name}`: {text}"):
        v.object({name: v.any()})


@pytest.mark.parametrize("name", ["a", "_a", "A1_", "_1", "a" * 64])
def test_1_4_an_identifier_is_accepted(name: str) -> None:
    check_identifier(name)
    assert v.object({name: v.any()}).fields.keys() == {name}


def test_1_4_a_path_goes_through_objects_only() -> None:
    document = {"a": {"b": {"c": 1.0}}, "list": [{"b": 1.0}], "text": "x"}
    assert get_path(document, ("a", "b", "c")) == 1.0
    for path in (("a", "x"), ("a", "b", "c", "d"), ("list", "b"), ("text", "b"), ("x", "y")):
        assert get_path(document, path) is UNSET


# 1.5


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": [None, True, "x"], "a": 1.5}, '{"a":1.5,"b":[null,true,"x"]}'),
        (math.inf, '{"$float":"AAAAAAAA8H8="}'),
        (-0.0, '{"$float":"AAAAAAAAAIA="}'),
        (math.nan, '{"$float":"AAAAAAAA+H8="}'),
        (Int64(1), '{"$integer":"AQAAAAAAAAA="}'),
        (Int64(-2), '{"$integer":"/v////////8="}'),
        (b"abc", '{"$bytes":"YWJj"}'),
    ],
    ids=str,
)
def test_1_5_values_have_one_encoding(value: Any, text: str) -> None:
    assert json.loads(encode(value)) == json.loads(text)
    assert encode(decode(text)) == encode(value)


def test_1_5_a_float_that_json_can_write_is_written_so() -> None:
    with told("Float64 1.0 should be encoded as a number"):
        decode('{"$float":"AAAAAAAA8D8="}')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"$set":[]}', "Received a Set which is no longer supported as a Convex type."),
        ('{"$map":[]}', "Received a Map which is no longer supported as a Convex type."),
        ('{"$other":1}', "Field name $other starts with '$', which is reserved."),
    ],
)
def test_1_5_other_marks_are_refused(text: str, said: str) -> None:
    with told(said):
        decode(text)


# 1.6


def test_1_6_unset_fields_of_an_object_are_absent(backend: Backend) -> None:
    assert backend.mutation(keep, value={"a": UNSET, "b": {"c": UNSET}}) == {"b": {}}


def test_1_6_unset_in_an_array_or_alone_is_no_value() -> None:
    with told(
        "undefined is not a valid Convex value (present at path .a[1] in original object {'a': [1, UNSET]}). "
        "To learn about Convex's supported types, see https://docs.convex.dev/using/types."
    ):
        normalize({"a": [1, UNSET]})
    with told(
        "undefined is not a valid Convex value. "
        "To learn about Convex's supported types, see https://docs.convex.dev/using/types."
    ):
        normalize(UNSET)


def test_1_6_another_python_object_is_no_value() -> None:
    with told(
        "<class 'object'> is not a supported Convex type "
        "(present at path .a.b in original object {'a': {'b': <class 'object'>}}). "
        "To learn about Convex's supported types, see https://docs.convex.dev/using/types."
    ):
        normalize({"a": {"b": object}})


def test_1_6_types_that_have_a_better_form_are_refused_with_advice(backend: Backend) -> None:
    with told(
        "set cannot be stored or sent: store a list, or a dict[str, bool] where membership is asked often."
    ):
        backend.run(lambda ctx: ctx.db.insert("anything", {"x": {1, 2}}))


def test_1_6_an_int64_has_64_bits() -> None:
    with told("BigInt 9223372036854775808 does not fit into a 64-bit signed integer."):
        Int64(2**63)
    with told("BigInt -9223372036854775809 does not fit into a 64-bit signed integer."):
        Int64(-(2**63)) - 1


def test_1_6_a_function_without_a_return_gives_null(backend: Backend) -> None:
    assert backend.query(nothing) is None


# 1.7


def test_1_7_a_document_has_an_id_and_a_creation_time(backend: Backend) -> None:
    def look(ctx: MutationCtx) -> dict[str, Any]:
        id = ctx.db.insert("things_of_time", {"n": 1})
        document = ctx.db.get("things_of_time", id)
        assert document is not None
        assert document["_id"] == id
        return document

    document = backend.run(look)
    assert document.keys() == {"_id", "_creationTime", "n"}
    assert document["_creationTime"] == pytest.approx(backend.clock.now_ms, abs=1000)


def test_1_7_creation_times_grow_by_the_next_double_within_a_mutation(backend: Backend) -> None:
    def insert(ctx: MutationCtx) -> list[float]:
        ids = [ctx.db.insert("grown", {"n": n}) for n in range(5)]
        return [document["_creationTime"] for document in ctx.db.get_many("grown", ids) if document]

    times = backend.run(insert)
    assert times == [*times[:1], *(math.nextafter(time, math.inf) for time in times[:-1])]


def test_1_7_a_table_is_read_in_order_of_creation_and_comes_into_being_with_its_first_document(
    backend: Backend,
) -> None:
    assert backend.query(lambda ctx: ctx.db.query("newborn").collect()) == []
    for n in (3, 1, 2):
        backend.run(lambda ctx, n=n: ctx.db.insert("newborn", {"n": n}))
    assert backend.query(lambda ctx: [row["n"] for row in ctx.db.query("newborn")]) == [3, 1, 2]


def test_1_7_there_are_at_most_10000_tables() -> None:
    with told("Number of tables cannot exceed 10000."):
        define_schema({f"t{i}": define_table(v.any()) for i in range(10_001)})


# 1.8


def test_1_8_an_id_is_the_same_text_again_and_hides_its_table(backend: Backend) -> None:
    id = backend.run(lambda ctx: ctx.db.insert("named", {}))
    assert len(id) in range(31, 38)
    assert set(id) <= set("0123456789abcdefghjkmnpqrstvwxyz")
    decoded = decode_id(id)
    assert encode_id(decoded.table_number, decoded.internal) == id


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("u" * 32, "Unable to decode ID: ID wasn't valid base32"),
        ("short", "Unable to decode ID: Invalid ID length 5"),
        ("0" * 32, "Unable to decode ID: Invalid table number"),
    ],
)
def test_1_8_what_is_no_id_is_refused_in_these_words(text: str, said: str) -> None:
    with told(said):
        decode_id(text)


def test_1_8_a_mistyped_id_is_found_out() -> None:
    id = encode_id(10_001, bytes(16))
    wrong = id[:10] + ("1" if id[10] != "1" else "2") + id[11:]
    with pytest.raises(InvalidId) as caught:
        decode_id(wrong)
    version = caught.value.message.removeprefix("Unable to decode ID: Invalid ID version ").partition(" ")[0]
    assert caught.value.message == f"Unable to decode ID: Invalid ID version {version} (expected 0)"


def test_1_8_normalize_id_answers_and_reads_nothing(backend: Backend) -> None:
    id = backend.run(lambda ctx: ctx.db.insert("named", {}))
    other = backend.run(lambda ctx: ctx.db.insert("renamed", {}))

    def look(ctx: QueryCtx) -> list[Any]:
        normal = [ctx.db.normalize_id("named", text) for text in (id, other, "no id", id.upper(), "")]
        assert ctx.db.normalize_id("nowhere", id) is None
        assert ctx.meta.get_transaction_metrics().documents_read.used == 0
        return normal

    assert backend.query(look) == [id, None, None, None, None]
    backend.run(lambda ctx: ctx.db.delete(id))
    assert backend.query(lambda ctx: ctx.db.normalize_id("named", id)) == id


def test_1_8_normalize_id_has_a_door_for_each_kind_of_table(backend: Backend) -> None:
    with told("System tables can only be accessed from db.system.normalizeId()."):
        backend.query(lambda ctx: ctx.db.normalize_id("_storage", "x"))
    with told("User tables can only be accessed from db.normalizeId()."):
        backend.query(lambda ctx: ctx.db.system.normalize_id("named", "x"))
    assert backend.query(lambda ctx: ctx.db.system.normalize_id("_storage", "x")) is None


def test_1_8_an_id_validator_asks_for_the_table_and_not_for_the_document() -> None:
    schema = define_schema({"named": define_table({}), "linked": define_table({"to": v.id("named")})})
    with Backend.from_modules(schema=schema) as backend:
        id = backend.run(lambda ctx: ctx.db.insert("named", {}))
        backend.run(lambda ctx: ctx.db.delete(id))
        backend.run(lambda ctx: ctx.db.insert("linked", {"to": id}))


def test_1_1_values_are_shown_to_people_by_their_type() -> None:
    assert render({"b": [1.0, Int64(1)], "a": "x\n"}) == '{a: "x\\n", b: [1.0, 1]}'
