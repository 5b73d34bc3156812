"""A class declares which environment variables there are and what they may be."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from rewake.schema import (
    DeclaredVariable,
    EnvironmentVariables,
    InvalidSchema,
    declared_variables,
    v,
    variables_from_json,
    variables_to_json,
)
from rewake.values import UNSET, Unset


class Base(EnvironmentVariables):
    KEY: str


class Env(Base):
    MODE: Literal["test", "live"]
    ONE: Literal["only"]
    DSN: str | Unset = UNSET
    LEVEL: Literal["low"] | Literal["high"] | Unset


def test_hints_are_strings_and_literals_and_may_be_missing() -> None:
    declared = declared_variables(Env)
    assert {name: (each.validator.to_json(), each.is_required) for name, each in declared.items()} == {
        "DSN": (v.string().to_json(), False),
        "KEY": (v.string().to_json(), True),
        "LEVEL": (v.union(v.literal("low"), v.literal("high")).to_json(), False),
        "MODE": (v.union(v.literal("test"), v.literal("live")).to_json(), True),
        "ONE": (v.literal("only").to_json(), True),
    }


def test_a_value_is_taken_or_not() -> None:
    declared = declared_variables(Env)
    assert declared["KEY"].takes("")
    assert declared["MODE"].takes("live")
    assert not declared["MODE"].takes("Live")
    assert not declared["ONE"].takes("")


def test_it_comes_back_from_json() -> None:
    declared = declared_variables(Env)
    again = variables_from_json(variables_to_json(declared))
    assert variables_to_json(again) == variables_to_json(declared)
    assert isinstance(again["MODE"], DeclaredVariable)
    assert again["MODE"].takes("test")


@pytest.mark.parametrize("hint", [int, str | None, Literal[1], Literal["a", 1], list[str], Unset, Any])
def test_other_hints_are_refused(hint: Any) -> None:
    declaring = type("Env", (EnvironmentVariables,), {"__annotations__": {"A": hint}, "__module__": __name__})
    with pytest.raises(InvalidSchema, match=r"Env\.A: environment variables are strings"):
        declared_variables(declaring)


def test_a_default_is_refused() -> None:
    class Env(EnvironmentVariables):
        A: str = "a"

    with pytest.raises(InvalidSchema, match=r"A: an environment variable has no default here"):
        declared_variables(Env)
