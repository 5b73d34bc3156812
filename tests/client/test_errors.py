"""What a caller of a remote function can meet."""

from __future__ import annotations

import pytest

from rewake.client.errors import CallFailed, ClientClosed, InvalidAddress, NotConnected, function_failure
from rewake.errors import ApplicationError, FunctionFailed

TEXT = "[Request ID: 0b7f6589656abd68] Server Error\nUncaught ValueError: no\n    at f (x.py:1:1)\n"


def failure(text: str, data: bytes | None = None) -> Exception:
    return function_failure(text, path="m:f", log_lines=("x",), data=data)


def test_a_failure_has_its_request_id_apart_from_its_text() -> None:
    error = failure(TEXT)
    assert isinstance(error, CallFailed)
    assert isinstance(error, FunctionFailed)
    assert error.request_id == "0b7f6589656abd68"
    assert error.message == "Uncaught ValueError: no\n    at f (x.py:1:1)"
    assert (error.path, error.log_lines) == ("m:f", ("x",))
    assert str(error).startswith("m:f failed (request 0b7f6589656abd68): Uncaught ValueError: no")


def test_a_redacted_failure_says_where_to_look() -> None:
    assert str(failure("[Request ID: 12ab] Server Error")) == "m:f failed (request 12ab)"


def test_a_text_of_another_shape_is_kept() -> None:
    assert str(failure("something else")) == "m:f failed: something else"


def test_an_application_error_has_its_data_and_says_whose_it_is() -> None:
    error = failure(TEXT, b'{"code":"full"}')
    assert isinstance(error, ApplicationError)
    assert error.data == {"code": "full"}
    assert error.__notes__ == ["raised by m:f, request 0b7f6589656abd68"]


def test_each_caller_gets_an_error_of_its_own() -> None:
    error = NotConnected(url="u", reason="r")
    error.__cause__ = OSError()
    again = error.again()
    assert again is not error
    assert (type(again), str(again), again.fields) == (NotConnected, str(error), error.fields)
    assert again.__cause__ is error.__cause__
    assert str(ClientClosed().again()) == "The client is closed"


@pytest.mark.parametrize("error", [NotConnected(url="u", reason="r"), InvalidAddress(url="u")])
def test_texts_name_what_they_are_about(error: Exception) -> None:
    assert "u" in str(error)
