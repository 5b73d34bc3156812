from __future__ import annotations

import pytest

from rewake.errors import InvalidInput
from rewake.limits import MIB
from rewake.values import (
    ArrayTooLong,
    CommitTsUnresolved,
    InvalidDocument,
    InvalidFieldName,
    InvalidId,
    InvalidName,
    InvalidValue,
    TooManyFields,
    TooNested,
    ValueTooLarge,
)
from rewake.values.errors import too_large


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ArrayTooLong, "ArrayTooLong"),
        (TooManyFields, "TooManyFieldsError"),
        (TooNested, "TooNestedError"),
        (ValueTooLarge, "ValueTooLargeError"),
        (InvalidDocument, "InvalidDocumentError"),
        (InvalidFieldName, "InvalidFieldName"),
        (CommitTsUnresolved, "CommitTsUnresolved"),
    ],
)
def test_every_error_of_a_value_is_an_invalid_value_with_a_code(error: type[InvalidValue], code: str) -> None:
    assert issubclass(error, InvalidValue)
    assert (error.code, error.status) == (code, 400)


@pytest.mark.parametrize("error", [InvalidValue, InvalidName, InvalidId])
def test_every_error_is_the_callers_to_mend(error: type[InvalidInput]) -> None:
    assert issubclass(error, InvalidInput)
    assert error.__doc__


def test_a_size_just_over_the_limit_is_given_in_bytes() -> None:
    assert str(too_large(3 * MIB // 2, MIB)) == "Value is too large (1.50 MiB > maximum size 1 MiB)"
    assert str(too_large(MIB + 1, MIB)) == "Value is too large (1048577 bytes > maximum size 1 MiB)"
    assert too_large(MIB + 1, MIB).fields["size_bytes"] == MIB + 1


def test_where_a_commit_timestamp_belongs_is_said_in_one_sentence() -> None:
    assert str(CommitTsUnresolved()) == "An unresolved commit timestamp cannot leave its mutation."
