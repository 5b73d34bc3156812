"""The functions of a project as an OpenAPI document.

Floor 5, `codegen`. Each public function is one operation, `POST /api/run/{module}/{function}`, whose body and
answer are spelled out from its validators. So any language with an OpenAPI generator has a typed client,
without live queries. Routes of HTTP actions are named; what they take and give only they know.

`rewake codegen --openapi FILE` writes it, `GET /api/functions/openapi.json` serves it. Internal functions are
not in it, since nobody can call them there.

Source: the OpenAPI specification, 3.1.0; wire 4.1. Not here: schemas of values (`json_schema.py`), the
server's own API (`http_api/description.py`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from rewake.codegen.function_spec import FunctionSpec, HttpRoute
from rewake.codegen.json_schema import REF, Direction, SchemaWriter
from rewake.codegen.typescript import document_shapes

_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE"})
_METHODS_USUAL = ("DELETE", "GET", "PATCH", "POST", "PUT")
"""What stands for a mounted application, which takes every method."""

_COMPONENTS: dict[str, Any] = {
    "FunctionFailure": {
        "description": "The function raised an error, or refused its arguments.",
        "type": "object",
        "required": ["status", "errorMessage", "logLines"],
        "properties": {
            "status": {"const": "error"},
            "errorMessage": {"type": "string"},
            "errorData": {},
            "logLines": {"type": "array", "items": {"type": "string"}},
        },
    },
    "Error": {
        "description": "Whatever goes wrong outside a function.",
        "type": "object",
        "required": ["code", "message"],
        "properties": {"code": {"type": "string"}, "message": {"type": "string"}},
    },
}
SECURITY_SCHEMES = {
    "adminKey": {
        "type": "apiKey",
        "in": "header",
        "name": "Authorization",
        "description": "`Convex {admin key}`",
    },
    "userToken": {"type": "http", "scheme": "bearer"},
}
_ERROR_CONTENT = {"application/json": {"schema": {"$ref": REF.format(name="Error")}}}
_REFUSALS = {
    "4XX": {"description": "Refused; nothing was done.", "content": _ERROR_CONTENT},
    "503": {"description": "Not now; try again.", "content": _ERROR_CONTENT},
}


def openapi_of(
    schema: Mapping[str, Any] | None,
    functions: Iterable[FunctionSpec],
    *,
    routes: Iterable[HttpRoute] = (),
    title: str,
    url: str = "/",
) -> dict[str, Any]:
    """The document. `title` is the deployment's name, `url` where clients reach it."""
    writer = SchemaWriter(documents=document_shapes(schema))
    public = sorted((spec for spec in functions if spec.visibility == "public"), key=lambda spec: spec.path)
    paths: dict[str, Any] = {}
    taken: set[str] = set()
    for spec in public:
        paths[f"/api/run/{spec.module}/{spec.name}"] = {"post": _operation(writer, spec, taken)}
    for route in routes:
        _add_route(paths, route, taken)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": title,
            "description": "The public functions of this deployment, and its HTTP actions.",
            "version": "1",
        },
        "servers": [{"url": url}],
        "paths": paths,
        "components": {
            "schemas": {**_COMPONENTS, **dict(sorted(writer.components.items()))},
            "securitySchemes": SECURITY_SCHEMES,
        },
    }


def render_openapi(document: Mapping[str, Any]) -> str:
    """The text of a file."""
    return msgspec.json.format(msgspec.json.encode(document), indent=2).decode() + "\n"


def _operation(writer: SchemaWriter, spec: FunctionSpec, taken: set[str]) -> dict[str, Any]:
    arguments = writer.schema_of(spec.args, Direction.SENT) or {"type": "object"}
    result = writer.schema_of(spec.returns, Direction.RECEIVED)
    text = spec.documentation.strip()
    return {
        "operationId": _free_name(f"{spec.module}_{spec.name}", taken),
        "tags": [spec.module],
        "summary": text.splitlines()[0] if text else f"The {spec.kind} {spec.path}",
        **({"description": text} if "\n" in text else {}),
        "x-function-kind": spec.kind,
        "security": [{}, {"adminKey": []}, {"userToken": []}],
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _body(arguments)}},
        },
        "responses": {
            "200": {
                "description": "What the function came to.",
                "content": {"application/json": {"schema": _answer(result)}},
            },
            **_REFUSALS,
        },
    }


def _body(arguments: dict[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["args"],
        # Another format would give another answer than the one below.
        "properties": {"args": arguments, "format": {"const": "json"}},
        "additionalProperties": False,
    }


def _answer(result: dict[str, Any]) -> dict[str, Any]:
    success = {
        "type": "object",
        "required": ["status", "value", "logLines"],
        "properties": {
            "status": {"const": "success"},
            "value": result,
            "logLines": {"type": "array", "items": {"type": "string"}},
        },
    }
    return {"oneOf": [success, {"$ref": REF.format(name="FunctionFailure")}]}


def _add_route(paths: dict[str, Any], route: HttpRoute, taken: set[str]) -> None:
    """Add an HTTP action; the first route for a path and method wins, as it does when it is asked."""
    is_prefix = route.path.endswith("/*")
    below = route.path.removesuffix("*").replace("{", "%7B").replace("}", "%7D")
    path = f"/http{below}" + ("{rest}" if is_prefix else "")
    item = paths.setdefault(path, {})
    for method in _METHODS_USUAL if route.method == "*" else (route.method,):
        if method not in _METHODS or method.lower() in item:
            continue
        item[method.lower()] = {
            "operationId": _free_name(f"http_{method}_{below}", taken),
            "tags": ["http"],
            "summary": f"The HTTP action for {method} {route.path}",
            "responses": {"default": {"description": "Whatever the action answers."}},
        }
    if is_prefix:
        item["parameters"] = [
            {
                "name": "rest",
                "in": "path",
                "required": True,
                "description": "The rest of the path, which may have slashes in it.",
                "schema": {"type": "string"},
            }
        ]


def _free_name(wanted: str, taken: set[str]) -> str:
    """A name that generators can use for a method; those that differ only in signs get a number."""
    plain = re.sub(r"[^A-Za-z0-9_]+", "_", wanted).strip("_")
    name, number = plain, 2
    while name in taken:
        name, number = f"{plain}_{number}", number + 1
    taken.add(name)
    return name
