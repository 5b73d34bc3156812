"""Every refused type says what to write instead."""

from __future__ import annotations

import datetime
import decimal
import fractions
import pathlib
import uuid

import pytest

from rewake.schema.refusals import advice_for


class Stamp(datetime.datetime):
    pass


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (datetime.datetime, "milliseconds since the epoch as a float"),
        (Stamp, "milliseconds"),
        (datetime.date, "2024-01-31"),
        (datetime.time, "isoformat"),
        (datetime.timedelta, "total_seconds"),
        (uuid.UUID, "str(uuid)"),
        (decimal.Decimal, "str(amount)"),
        (fractions.Fraction, "two Int64"),
        (complex, "two floats"),
        (set, "store a list"),
        (frozenset, "store a list"),
        (bytearray, "bytes(buffer)"),
        (memoryview, "bytes(view)"),
        (pathlib.Path, "str(path)"),
    ],
)
def test_the_advice_names_the_type_and_a_way_out(kind: type, words: str) -> None:
    advice = advice_for(kind)
    assert advice is not None
    assert advice.startswith(f"{kind.__qualname__} cannot be stored or sent: ")
    assert words in advice


@pytest.mark.parametrize("kind", [str, int, dict, object, Exception])
def test_other_types_have_no_advice(kind: type) -> None:
    assert advice_for(kind) is None
