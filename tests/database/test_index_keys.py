"""The keys of a document: what `encode_key` gives, field by field."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewake.database.index_keys import keys_writer
from rewake.values import UNSET, InvalidValue, encode_key, get_path
from tests.values.strategies import pending_values

ID = "0123456789abcdefghjkmnpqrstvwxyz"
ID_KEY = encode_key([ID])
DECLARED = [(7, [("a",)]), (300, [("a",), ("o", "a"), ("b",)]), (2**40, [("b",), ("a",)]), (9, [])]
_FIELDS = st.one_of(
    pending_values(),
    st.sampled_from(["", "text", "é", "a\0b", 1.5, -1.5, 0.0, -0.0, float("nan"), float("inf"), True, None]),
)
_DOCUMENTS = st.fixed_dictionaries(
    {"_id": st.just(ID), "_creationTime": st.floats()},
    optional={"a": _FIELDS, "b": _FIELDS, "o": _FIELDS | st.fixed_dictionaries({}, optional={"a": _FIELDS})},
)


@given(_DOCUMENTS)
def test_keys_are_those_of_the_fields_one_after_another(document: dict[str, Any]) -> None:
    end = encode_key([document["_creationTime"]]) + ID_KEY
    expected = [(3, ID_KEY), (4, end)]
    for number, paths in DECLARED:
        fields = [get_path(document, path) for path in paths]
        expected.append((number, encode_key(fields) + end))
    assert keys_writer(3, 4, DECLARED)(document) == tuple(expected)


def test_a_table_without_declared_indexes_has_two() -> None:
    keys = keys_writer(3, 4, [])({"_id": ID, "_creationTime": 1.0})
    assert keys == ((3, ID_KEY), (4, encode_key([1.0]) + ID_KEY))


def test_what_has_no_place_among_values_has_no_key() -> None:
    write = keys_writer(3, 4, [(5, [("a",)])])
    for odd in ("\ud800", object()):
        with pytest.raises(InvalidValue):
            write({"_id": ID, "_creationTime": 1.0, "a": odd})


def test_names_are_no_source() -> None:
    name = "a'] + evil('\n"
    keys = keys_writer(3, 4, [(5, [(name,)])])({"_id": ID, "_creationTime": 1.0, name: UNSET})
    assert keys[2] == (5, encode_key([UNSET, 1.0]) + ID_KEY)
