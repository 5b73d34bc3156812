from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from rewake import limits
from rewake.values import (
    COMMIT_TS,
    UNSET,
    ArrayTooLong,
    CommitTsPlaceholder,
    Int64,
    InvalidDocument,
    InvalidFieldName,
    InvalidValue,
    TooManyFields,
    TooNested,
    ValueTooLarge,
    check_document_limits,
    check_value,
    encode,
    nesting,
    normalize,
    value_size,
)
from tests.values.strategies import documents, nested, pending_values


@pytest.mark.parametrize(
    ("value", "size", "levels"),
    [
        (None, 1, 0),
        (True, 1, 0),
        (Int64(1), 9, 0),
        (1.5, 9, 0),
        (1, 9, 0),
        (COMMIT_TS, 9, 0),
        ({"at": [COMMIT_TS]}, 2 + 3 + 2 + 9, 2),
        ("", 2, 0),
        ("aé😀", 2 + 1 + 2 + 4, 0),
        (b"abc", 5, 0),
        (bytearray(b"abc"), 5, 0),
        ([], 2, 1),
        ([None, [True]], 2 + 1 + 2 + 1, 2),
        ((1,), 11, 1),
        ({}, 2, 1),
        ({"ab": "c", "gone": UNSET}, 2 + 3 + 3, 1),
        ({"a": {"b": []}}, 2 + 2 + 2 + 2 + 2, 3),
    ],
)
def test_sizes_and_nesting_follow_the_model(value: Any, size: int, levels: int) -> None:
    assert value_size(value) == size
    assert nesting(value) == levels
    check_value(value)


def model_size(value: Any) -> int:
    """The table of semantics 1.2, once more."""
    if value is None or isinstance(value, bool):
        return 1
    if isinstance(value, float | Int64 | CommitTsPlaceholder):
        return 9
    if isinstance(value, str):
        return 2 + len(value.encode())
    if isinstance(value, bytes):
        return 2 + len(value)
    if isinstance(value, list):
        return 2 + sum(map(model_size, value))
    return 2 + sum(len(name) + 1 + model_size(field) for name, field in value.items())


def model_nesting(value: Any) -> int:
    if isinstance(value, dict):
        value = list(value.values())
    return 1 + max(map(model_nesting, value), default=0) if isinstance(value, list) else 0


@given(pending_values())
def test_sizes_and_nesting_agree_with_a_second_count(value: Any) -> None:
    assert value_size(value) == model_size(value)
    assert nesting(value) == model_nesting(value)


@given(pending_values())
def test_a_value_is_never_more_than_four_times_as_large_as_its_text(value: Any) -> None:
    # `encode` and `decode` measure only values whose text is so long that they could be too large.
    assert value_size(value) <= 4 * len(encode(value))


@given(documents())
def test_documents_of_the_strategy_are_documents(document: dict[str, Any]) -> None:
    check_document_limits(document)


@pytest.mark.parametrize("check", [check_value, value_size, nesting, normalize, encode])
@pytest.mark.parametrize(
    ("value", "error"),
    [
        ([None] * 8193, ArrayTooLong),
        ({f"f{n}": 1 for n in range(1025)}, TooManyFields),
        (nested(65), TooNested),
        ({"$a": 1}, InvalidFieldName),
        ({"a": {"é": 1}}, InvalidFieldName),
        ({1: 2}, InvalidValue),
        ([UNSET], InvalidValue),
        ({1, 2}, InvalidValue),
        ("\ud800", InvalidValue),
        (2**60, InvalidValue),
    ],
)
def test_every_check_refuses_the_same(check: Any, value: Any, error: type[InvalidValue]) -> None:
    with pytest.raises(error):
        check(value)


def test_a_value_may_have_32_mib() -> None:
    check_value(b"x" * (limits.VALUE_BYTES_MAX - 2))
    with pytest.raises(ValueTooLarge) as caught:
        check_value(b"x" * (limits.VALUE_BYTES_MAX - 1))
    assert str(caught.value) == "Value is too large (33554433 bytes > maximum size 32 MiB)"


def test_a_document_may_have_1_mib() -> None:
    check_document_limits({"a": b"x" * (limits.DOCUMENT_BYTES_MAX - 6)})
    with pytest.raises(ValueTooLarge) as caught:
        check_document_limits({"a": b"x" * 2 * limits.DOCUMENT_BYTES_MAX})
    assert str(caught.value) == "Value is too large (2.00 MiB > maximum size 1 MiB)"


def test_a_document_may_nest_16_deep_itself_included() -> None:
    check_document_limits({"a": nested(15)})
    with pytest.raises(TooNested) as caught:
        check_document_limits({"a": nested(19)})
    assert str(caught.value) == "Document is too nested (nested 20 levels deep > maximum nesting 16)"


def test_only_system_fields_start_with_an_underscore_at_the_top() -> None:
    check_document_limits({"_id": "x", "_creationTime": 1.0, "a": {"_b": 1}})
    with pytest.raises(InvalidDocument) as caught:
        check_document_limits({"_b": 1})
    assert str(caught.value) == (
        "Field '_b' starts with an underscore, which is only allowed for system fields like '_id'"
    )
