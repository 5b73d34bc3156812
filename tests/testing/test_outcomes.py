"""Results as Python values, failures as exceptions."""

from __future__ import annotations

import pytest

from rewake.errors import ApplicationError, FunctionFailed
from rewake.execution import Failure, Success, encoded_arguments
from rewake.testing.outcomes import value_of


def test_arguments_of_an_unknown_function_are_sent_as_they_are() -> None:
    assert encoded_arguments(None, {"n": 1, "names": ("a", "b")}) == '{"n":1.0,"names":["a","b"]}'


def test_a_success_is_its_value() -> None:
    assert value_of(Success('{"n":1.0}'), None) == {"n": 1.0}


@pytest.mark.parametrize("data", ["null", '"text"', '{"code":"x"}'])
def test_a_failure_with_data_is_an_application_error(data: str) -> None:
    with pytest.raises(ApplicationError) as caught:
        value_of(Failure("Uncaught ConvexError: ...\n", data), None)
    assert caught.value.data == {"null": None, '"text"': "text"}.get(data, {"code": "x"})


def test_another_failure_keeps_its_text_and_lines() -> None:
    with pytest.raises(FunctionFailed) as caught:
        value_of(Failure("Uncaught KeyError: 'x'\n", None, ("[LOG] a",)), None, traceback="Traceback ...")
    assert caught.value.message == "Uncaught KeyError: 'x'"
    assert caught.value.log_lines == ("[LOG] a",)
    assert caught.value.__notes__ == ["In the function:\nTraceback ..."]
