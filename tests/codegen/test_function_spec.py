"""The function spec, as the official command line reads it."""

from __future__ import annotations

import pytest

from rewake.codegen import FunctionSpec, HttpRoute, function_spec
from tests.codegen.rich_application import FUNCTIONS


@pytest.mark.parametrize(
    ("path", "module", "name", "identifier"),
    [
        ("messages:send", "messages", "send", "messages.js:send"),
        ("admin/tools:wipe", "admin/tools", "wipe", "admin/tools.js:wipe"),
        ("health", "health", "default", "health.js:default"),
        ("health.js", "health", "default", "health.js:default"),
    ],
)
def test_a_path_has_a_module_and_a_name(path: str, module: str, name: str, identifier: str) -> None:
    spec = FunctionSpec(path, "query")
    assert (spec.module, spec.name, spec.identifier) == (module, name, identifier)


def test_functions_come_by_identifier_and_routes_after_them() -> None:
    routes = [HttpRoute("POST", "/hook"), HttpRoute("GET", "/a/*")]
    spec = function_spec(FUNCTIONS, routes=routes, url="http://127.0.0.1:3210")
    assert spec["url"] == "http://127.0.0.1:3210"
    identifiers = [entry["identifier"] for entry in spec["functions"][: len(FUNCTIONS)]]
    assert identifiers == sorted(identifiers)
    assert spec["functions"][len(FUNCTIONS) :] == [
        {"functionType": "HttpAction", "method": "POST", "path": "/hook"},
        {"functionType": "HttpAction", "method": "GET", "path": "/a/*"},
    ]


def test_an_entry_has_the_official_fields() -> None:
    only = FunctionSpec("tasks:add", "mutation", "internal", {"type": "any"}, {"type": "null"}, "Adds.")
    assert function_spec([only]) == {
        "functions": [
            {
                "identifier": "tasks.js:add",
                "functionType": "Mutation",
                "visibility": {"kind": "internal"},
                "args": {"type": "any"},
                "returns": {"type": "null"},
            }
        ]
    }
