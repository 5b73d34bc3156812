"""Each kind of validator: what it accepts, and the exact words when it does not (semantics 2.2)."""

from __future__ import annotations

from typing import Any

import pytest

from rewake.schema import ValidationFailed, Validator, v
from rewake.schema.validators import VRecursive
from rewake.values import COMMIT_TS, Int64, encode_id
from tests.schema.support import MESSAGE, TABLES, an_id


def message_of(validator: Validator, value: Any) -> str:
    with pytest.raises(ValidationFailed) as failure:
        validator.check(value, TABLES)
    return str(failure.value)


@pytest.mark.parametrize(
    ("validator", "good", "bad"),
    [
        (v.null(), [None], [False, 0.0, ""]),
        (v.boolean(), [True, False], [0.0, 1.0, None]),
        (v.float64(), [0.0, float("nan"), float("-inf")], [Int64(0), True, "0", None]),
        (v.int64(), [Int64(0), COMMIT_TS], [0.0, False]),
        (v.commit_ts(), [Int64(0), COMMIT_TS], [0.0, False, None, ""]),
        (v.union(v.commit_ts(), v.null()), [Int64(0), COMMIT_TS, None], [0.0]),
        (v.any(), [COMMIT_TS], []),
        (v.union(v.float64(), v.literal(Int64(2**63 - 1))), [], [COMMIT_TS]),
        (v.string(), ["", "a"], [b"a", None]),
        (v.bytes(), [b""], ["", []]),
        (v.any(), [None, 1.0, {}, [b""]], []),
        (v.literal("a"), ["a"], ["b", None, b"a"]),
        (v.literal(True), [True], [1.0, Int64(1), False, "true"]),
        (v.literal(1), [1.0], [True, Int64(1), 2.0]),
        (v.literal(Int64(1)), [Int64(1)], [1.0, True]),
        (v.literal(0), [0.0], [-0.0, False, Int64(0)]),
        (v.literal(-0.0), [-0.0], [0.0]),
        (v.array(v.any()), [[], [1.0, None]], [{}, "a", None]),
        (v.array(v.string()), [[], ["a"]], [["a", None]]),
        (v.object({}), [{}], [{"a": None}, [], None]),
        (v.object({"a": v.optional(v.null())}), [{}, {"a": None}], [{"a": 1.0}, {"b": None}]),
        (v.record(v.string(), v.null()), [{}, {"a": None}], [{"a": 1.0}, [], None]),
        (v.record(v.id("users"), v.any()), [{an_id("users"): 1.0}], [{"a": 1.0}, {an_id("channels"): 1.0}]),
        (v.union(), [], [None, 1.0]),
        (v.union(v.string(), v.null()), ["a", None], [1.0, False]),
        (v.union(v.literal("a"), v.literal("b"), v.float64()), ["a", "b", 1.0], ["c", None]),
        (v.nullable(v.id("users")), [None, an_id("users")], [an_id("channels"), "x"]),
        (
            v.id("users"),
            [an_id("users")],
            ["", "x", an_id("channels"), encode_id(77_777, bytes(16)), None, "y" * 99],
        ),
        (v.id("_storage"), [an_id("_storage")], [an_id("users")]),
    ],
)
def test_accepts_exactly_its_values(validator: Validator, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        assert validator.accepts(value, TABLES), value
        assert validator.explain(value, TABLES) is None, value
    for value in bad:
        assert not validator.accepts(value, TABLES), value
        assert validator.explain(value, TABLES) is not None, value


def test_missing_field_has_the_official_words() -> None:
    outer = v.object({"a": v.array(v.object({"x": v.string()}))})
    assert message_of(outer, {"a": [{"b": 1.0}]}) == (
        "Object is missing the required field `x`. Consider wrapping the field validator in "
        "`v.optional(...)` if this "
        "is expected.\nPath: .a[0]\nObject: {b: 1.0}\nValidator: v.object({x: v.string()})"
    )


def test_extra_field_has_the_official_words() -> None:
    outer = v.object({"a": v.array(v.object({"x": v.string()}))})
    assert message_of(outer, {"a": [{"x": "s", "y": 1.0}]}) == (
        "Object contains extra field `y` that is not in the validator.\n"
        'Path: .a[0]\nObject: {x: "s", y: 1.0}\nValidator: v.object({x: v.string()})'
    )


def test_wrong_type_has_the_official_words() -> None:
    assert message_of(v.object({"x": v.string()}), {"x": 1.0}) == (
        "Value does not match validator.\nPath: .x\nValue: 1.0\nValidator: v.string()"
    )


def test_at_the_root_the_path_is_an_empty_line() -> None:
    assert (
        message_of(v.string(), 1.0) == "Value does not match validator.\n\nValue: 1.0\nValidator: v.string()"
    )


def test_id_of_another_table_has_the_official_words() -> None:
    found = an_id("channels")
    assert message_of(v.object({"u": v.id("users")}), {"u": found}) == (
        f'Found ID "{found}" from table `channels`, which does not match the table name in validator '
        '`v.id("users")`.Path: .u'
    )
    assert message_of(v.id("users"), found).endswith('`v.id("users")`.')


def test_id_of_a_system_table_has_the_official_words() -> None:
    found = an_id("_storage")
    assert message_of(v.id("users"), found) == (
        f'Found ID "{found}" from a system table, which does not match the table name in validator '
        '`v.id("users")`.'
    )


@pytest.mark.parametrize("text", ["", "no id", encode_id(77_777, bytes(16))])
def test_undecodable_and_unknown_ids_are_just_no_match(text: str) -> None:
    assert message_of(v.id("users"), text).startswith("Value does not match validator.\n\nValue: ")


def test_literal_has_the_official_words() -> None:
    assert message_of(v.object({"k": v.literal("a")}), {"k": 1.0}) == (
        '`1.0` does not match literal validator `v.literal("a")`.Path: .k'
    )
    assert message_of(v.literal(Int64(3)), 3.0) == "`3.0` does not match literal validator `v.literal(3)`."


def test_record_paths_have_keys_and_values_steps() -> None:
    record = v.object({"r": v.record(v.id("users"), v.string())})
    assert "\nPath: .r.keys()\nValue: " in message_of(record, {"r": {"x": "a"}})
    assert "\nPath: .r.values()\nValue: 1.0\n" in message_of(record, {"r": {an_id("users"): 1.0}})


def test_a_union_of_several_hides_its_members_errors_and_of_one_does_not() -> None:
    several = v.union(v.object({"a": v.string()}), v.null())
    assert message_of(several, {"a": 1.0}) == (
        "Value does not match validator.\n\nValue: {a: 1.0}\nValidator: v.union(v.object({a: v.string()}), "
        "v.null())"
    )
    assert "Path: .a" in message_of(v.union(v.object({"a": v.string()})), {"a": 1.0})


def test_declared_fields_come_before_extra_ones_and_in_sorted_order() -> None:
    fields = v.object({"b": v.string(), "a": v.string()})
    assert "field `a`" in message_of(fields, {"zzz": 1.0})
    assert "Path: .a" in message_of(fields, {"a": 1.0, "b": 1.0, "c": 1.0})
    assert "extra field `c`" in message_of(fields, {"a": "", "b": "", "d": 1.0, "c": 1.0})


def test_an_optional_field_that_is_there_is_checked_and_null_is_not_absent() -> None:
    assert "Path: .x" in message_of(v.object({"x": v.optional(v.string())}), {"x": None})


def test_rendering_mirrors_the_source_with_sorted_fields() -> None:
    validator = v.object({"b": v.optional(v.number()), "a": v.record(v.string(), v.array(v.bigint()))})
    assert str(validator) == (
        "v.object({a: v.record(v.string(), v.array(v.int64())), b: v.optional(v.float64())})"
    )
    assert str(v.union(v.literal("x"), v.literal(1), v.literal(True), v.id("t"), v.any(), v.bytes())) == (
        'v.union(v.literal("x"), v.literal(1.0), v.literal(true), v.id("t"), v.any(), v.bytes())'
    )
    assert str(v.commit_ts()) == "v.commitTs()"
    assert str(v.object({})) == "v.object({})"


def test_export_is_the_official_json() -> None:
    assert MESSAGE.to_json() == {
        "type": "object",
        "value": {
            "author": {"fieldType": {"type": "id", "tableName": "users"}, "optional": False},
            "body": {"fieldType": {"type": "string"}, "optional": False},
            "channel": {"fieldType": {"type": "id", "tableName": "channels"}, "optional": False},
            "edited": {"fieldType": {"type": "number"}, "optional": True},
            "kind": {
                "fieldType": {
                    "type": "union",
                    "value": [{"type": "literal", "value": "text"}, {"type": "literal", "value": "system"}],
                },
                "optional": False,
            },
        },
    }
    assert v.record(v.string(), v.int64()).to_json() == {
        "type": "record",
        "keys": {"type": "string"},
        "values": {"fieldType": {"type": "bigint"}, "optional": False},
    }
    assert v.literal(Int64(1)).to_json() == {"type": "literal", "value": {"$integer": "AQAAAAAAAAA="}}
    assert [x.to_json()["type"] for x in (v.commit_ts(), v.null(), v.any(), v.bytes(), v.boolean())] == [
        "commitTs", "null", "any", "bytes", "boolean",
    ]  # fmt: skip


def test_object_helpers_make_new_validators() -> None:
    fields = v.object({"a": v.string(), "b": v.float64()})
    assert fields.pick("a") == v.object({"a": v.string()})
    assert fields.omit("a") == v.object({"b": v.float64()})
    assert fields.partial() == v.object({"a": v.optional(v.string()), "b": v.optional(v.float64())})
    assert fields.extend({"b": v.null(), "c": v.any()}) == v.object(
        {"a": v.string(), "b": v.null(), "c": v.any()}
    )
    assert set(fields.fields) == {"a", "b"}


def test_literals_compare_and_hash_by_exact_value() -> None:
    assert v.literal(1) == v.literal(1.0)
    assert v.literal(1) != v.literal(Int64(1))
    assert v.literal(True) != v.literal(1)
    assert v.literal(0) != v.literal(-0.0)
    assert len({v.literal("a"), v.literal("a")}) == 1


def test_a_recursive_validator_is_any_outside_and_checked_inside() -> None:
    tree = v.object({"children": v.array(VRecursive(lambda: tree)), "name": v.string()})
    good = {"name": "a", "children": [{"name": "b", "children": []}]}
    bad = {"name": "a", "children": [{"name": "b", "children": [{"name": 1.0, "children": []}]}]}
    assert tree.to_json()["value"]["children"]["fieldType"] == {"type": "array", "value": {"type": "any"}}
    # Copies of the outer object must not confuse the functions generated for the inner one.
    for validator in (tree, tree.optional(), v.union(tree, v.null())):
        assert validator.accepts(good, TABLES)
        assert not validator.accepts(bad, TABLES)
    assert "Path: .children[0].children[0].name" in message_of(tree, bad)


def test_many_fields_and_deep_nesting_compile() -> None:
    wide = v.object({f"f{i}": v.optional(v.string()) if i % 2 else v.string() for i in range(1024)})
    assert wide.accepts({f"f{i}": "" for i in range(0, 1024, 2)}, None)
    deep: Validator = v.string()
    value: Any = "x"
    for _ in range(60):
        deep, value = v.object({"a": v.array(deep)}), {"a": [value]}
    assert deep.accepts(value, None)
    literals = v.union(*[v.literal(i) for i in range(300)])
    assert literals.accepts(299.0, None)
    assert not literals.accepts(300.0, None)
