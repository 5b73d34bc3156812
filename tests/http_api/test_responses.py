"""Function results as text: canonical text is spliced, never parsed."""

from __future__ import annotations

import json

import pytest

from rewake.execution import Failure, Success
from rewake.http_api.formats import OutputFormat
from rewake.http_api.responses import function_text, json_response, json_text


def text_of(result: Success | Failure) -> str:
    return function_text(result, OutputFormat.ENCODED, request_id="0b7f6589656abd68", is_redacted=False)


def test_a_value_is_spliced_as_it_is() -> None:
    assert text_of(Success('{"n":1.0}', ("[LOG] 'hi'",))) == (
        '{"status":"success","value":{"n":1.0},"logLines":["[LOG] \'hi\'"]}'
    )


def test_a_failure_carries_its_request_id_and_ends_in_a_newline() -> None:
    message = "[Request ID: 0b7f6589656abd68] Server Error\\nno\\n"
    expected = f'{{"status":"error","errorMessage":"{message}","logLines":[]}}'
    assert text_of(Failure("no")) == text_of(Failure("no\n")) == expected


@pytest.mark.parametrize("data", ["null", '"text"', '{"code":"full"}', "1.0"])
def test_error_data_is_there_when_the_author_gave_some(data: str) -> None:
    assert json.loads(text_of(Failure("no", data)))["errorData"] == json.loads(data)


def test_a_redacted_failure_keeps_only_its_data() -> None:
    failure = Failure("Uncaught ValueError: secret", '"full"', ("[LOG] secret",))
    text = function_text(failure, OutputFormat.ENCODED, request_id="r", is_redacted=True)
    assert json.loads(text) == {
        "status": "error",
        "errorMessage": "[Request ID: r] Server Error",
        "errorData": "full",
        "logLines": [],
    }
    success = function_text(
        Success("1.0", ("[LOG] x",)), OutputFormat.ENCODED, request_id="r", is_redacted=True
    )
    assert json.loads(success) == {"status": "success", "value": 1.0, "logLines": []}


def test_half_a_surrogate_pair_does_not_leave_the_house() -> None:
    result = Success("null", ("[LOG] 'a\ud800b'", "[LOG] '\U0001f600'"))
    lines = json.loads(text_of(result))["logLines"]
    assert lines == ["[LOG] 'a\ufffdb'", "[LOG] '\U0001f600'"]
    assert json_text("\udc00\ud800") == '"\ufffd\ufffd"'


def test_a_response_is_json_in_utf_8() -> None:
    response = json_response('"é"')
    assert response.body == '"é"'.encode()
    assert response.headers["content-type"] == "application/json"
