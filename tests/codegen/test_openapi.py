"""Functions as an OpenAPI document. That a running server keeps to it is shown in
`tests/http_api/test_function_description.py`.
"""

from __future__ import annotations

import json
from typing import Any

import pytest
from openapi_spec_validator import validate

from rewake.codegen import FunctionSpec, HttpRoute, openapi_of, render_openapi
from tests.codegen.rich_application import ANY, FUNCTIONS, SCHEMA, STRING, fields


def document(functions: list[FunctionSpec], routes: list[HttpRoute] | None = None) -> dict[str, Any]:
    made = openapi_of(SCHEMA, functions, routes=routes or [], title="chat", url="http://127.0.0.1:3210")
    validate(made)
    return made


def test_each_public_function_is_an_operation_and_no_internal_one() -> None:
    assert sorted(document(FUNCTIONS)["paths"]) == [
        "/api/run/admin/tools",
        "/api/run/admin/tools/rename",
        "/api/run/events/all",
        "/api/run/health/default",
        "/api/run/messages/first",
        "/api/run/messages/list_recent",
        "/api/run/messages/send",
    ]


def test_an_operation_says_what_the_function_takes_and_gives() -> None:
    operation = document(FUNCTIONS)["paths"]["/api/run/messages/list_recent"]["post"]
    assert (operation["operationId"], operation["tags"]) == ("messages_list_recent", ["messages"])
    assert operation["summary"] == "The latest messages."
    assert operation["description"] == "The latest messages.\n\nOldest first."
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"]["args"]["required"] == ["author"]
    success, failure = operation["responses"]["200"]["content"]["application/json"]["schema"]["oneOf"]
    assert success["properties"]["value"]["items"] == {"$ref": "#/components/schemas/MessagesDocument"}
    assert failure == {"$ref": "#/components/schemas/FunctionFailure"}


def test_a_document_cannot_take_the_name_of_another_schema() -> None:
    names = list(document(FUNCTIONS)["components"]["schemas"])
    assert len(names) == len(set(names))
    assert "MessagesDocument" in names


def test_operations_have_names_of_their_own() -> None:
    functions = [FunctionSpec(path, "query") for path in ("a/b:c", "a_b:c", "a:b_c")]
    paths = document(functions)["paths"].values()
    assert sorted(item["post"]["operationId"] for item in paths) == ["a_b_c", "a_b_c_2", "a_b_c_3"]


def test_arguments_of_any_kind_are_an_object() -> None:
    operation = document([FunctionSpec("a:b", "query", args=ANY)])["paths"]["/api/run/a/b"]["post"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]
    assert body["properties"]["args"] == {"type": "object"}


def test_routes_of_http_actions_are_named() -> None:
    routes = [
        HttpRoute("POST", "/hook"),
        HttpRoute("GET", "/hook"),
        HttpRoute("GET", "/a/{x}"),
        HttpRoute("GET", "/files/*"),
        HttpRoute("*", "/app/*"),
        HttpRoute("CONNECT", "/odd"),
        HttpRoute("GET", "/hook"),
    ]
    paths = document([], routes)["paths"]
    assert {path: sorted(item.keys() - {"parameters"}) for path, item in paths.items()} == {
        "/http/hook": ["get", "post"],
        "/http/a/%7Bx%7D": ["get"],
        "/http/files/{rest}": ["get"],
        "/http/app/{rest}": ["delete", "get", "patch", "post", "put"],
        "/http/odd": [],
    }
    assert paths["/http/files/{rest}"]["parameters"][0]["name"] == "rest"


def test_the_order_of_functions_does_not_change_the_text() -> None:
    text = render_openapi(document(FUNCTIONS))
    assert render_openapi(document(FUNCTIONS[::-1])) == text
    assert json.loads(text)["openapi"] == "3.1.0"
    assert text.endswith("}\n")


def test_nothing_at_all_is_a_document_too() -> None:
    assert document([])["paths"] == {}


@pytest.mark.parametrize("text", ["", "  \n", "one", "über\n\u2028"])
def test_docstrings_of_any_kind(text: str) -> None:
    spec = FunctionSpec("a:b", "mutation", args=fields({"x": STRING}), documentation=text)
    operation = document([spec])["paths"]["/api/run/a/b"]["post"]
    assert operation["summary"]
    assert operation["x-function-kind"] == "mutation"
