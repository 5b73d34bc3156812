"""One endpoint in OpenAPI."""

from __future__ import annotations

from rewake.http_api.bodies import CallBody
from rewake.http_api.operations import ADMIN, BYTES, TEXT, operation, parameter, path_parameter


def test_an_operation_names_its_shapes() -> None:
    described = operation("Run", body=CallBody, answer="FunctionResult", security=ADMIN, statuses=(304,))
    assert described["requestBody"]["required"]
    assert described["requestBody"]["content"] == {
        "application/json": {"schema": {"$ref": "#/components/schemas/CallBody"}}
    }
    assert described["security"] == [{"adminKey": []}]
    assert set(described["responses"]) == {"200", "304", "4XX", "503"}


def test_media_types_stand_for_themselves() -> None:
    described = operation("Send", body=BYTES, answer=TEXT)
    assert not described["requestBody"]["required"]
    assert described["requestBody"]["content"] == {BYTES: {"schema": {}}}
    assert described["responses"]["200"]["content"] == {TEXT: {"schema": {"type": "string"}}}
    assert "content" not in operation("Nothing", answer="")["responses"]["200"]


def test_parameters_say_where_they_stand() -> None:
    assert parameter("cursor", "Where.", required=False)["in"] == "query"
    assert path_parameter("id")["required"]
