"""The two ways of checking agree; what every validator can do."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewake.schema import ValidationFailed, Validator, v, validator_from_json
from rewake.schema.constraints import WHOLE_NUMBER, Constraint
from tests.schema.support import TABLES, VALIDATORS, VALUES, value_for


@given(VALIDATORS, VALUES)
def test_generated_check_and_explanation_agree(validator: Validator, value: Any) -> None:
    accepted = validator.accepts(value, TABLES)
    difference = validator.explain(value, TABLES)
    assert accepted is (difference is None)


@given(st.data(), VALIDATORS)
def test_values_made_for_a_validator_are_accepted_both_ways(
    data: st.DataObject, validator: Validator
) -> None:
    value = data.draw(value_for(validator))
    assert validator.accepts(value, TABLES)
    assert validator.explain(value, TABLES) is None
    validator.check(value, TABLES)


@given(VALIDATORS)
def test_exported_form_reads_back_as_the_same_validator(validator: Validator) -> None:
    again = validator_from_json(validator.to_json())
    assert again.to_json() == validator.to_json()
    assert again == validator
    assert repr(again) == repr(validator)


@given(VALIDATORS, VALUES)
def test_without_tables_ids_are_any_strings(validator: Validator, value: Any) -> None:
    assert validator.accepts(value, None) is (validator.explain(value, None) is None)


def test_check_raises_what_explain_says() -> None:
    with pytest.raises(ValidationFailed) as failure:
        v.array(v.string()).check(["a", 1.0], TABLES)
    assert (
        str(failure.value) == "Value does not match validator.\nPath: [1]\nValue: 1.0\nValidator: v.string()"
    )
    assert failure.value.path == "[1]"


def test_a_constraint_is_checked_both_ways_and_says_so_on_a_line_of_its_own() -> None:
    whole = v.object({"n": v.float64().constrained(WHOLE_NUMBER)})
    assert whole.accepts({"n": 2.0}, None)
    for bad in (2.5, float("nan"), float("inf"), 2.0**53 + 2):
        assert not whole.accepts({"n": bad}, None)
    with pytest.raises(ValidationFailed) as failure:
        whole.check({"n": 2.5})
    assert str(failure.value).splitlines()[1:] == [
        "Path: .n",
        "Value: 2.5",
        "Validator: v.float64()",
        "Constraint: must be a whole number between -2**53 and 2**53",
    ]


def test_constraints_without_source_are_called() -> None:
    short = v.string().constrained(Constraint("short", lambda x: len(x) < 3, frozenset({"string"})))
    assert short.accepts("ab", None)
    assert not short.accepts("abc", None)
    assert not short.accepts(1.0, None)


def test_constraints_are_part_of_equality_and_not_of_the_export() -> None:
    whole = v.float64().constrained(WHOLE_NUMBER)
    assert whole != v.float64()
    assert whole.to_json() == v.float64().to_json()
    assert whole == v.number().constrained(WHOLE_NUMBER)


def test_optional_is_a_copy() -> None:
    name = v.string()
    assert name.optional().is_optional
    assert not name.is_optional
    assert name.optional().required() == name
    assert str(name.optional()) == "v.optional(v.string())"
