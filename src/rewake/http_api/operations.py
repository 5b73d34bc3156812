"""Operations: how one endpoint is written down in OpenAPI.

Floor 6, `http_api`. Not here: which endpoints there are (`description.py`, `admin_description.py`).
Source: the OpenAPI specification, 3.1.0.
"""

from __future__ import annotations

from typing import Any

import msgspec

REF = "#/components/schemas/{name}"
TEXT, BYTES = "text/plain", "application/octet-stream"
ADMIN: list[dict[str, Any]] = [{"adminKey": []}]
ANYBODY: list[dict[str, Any]] = [{}, {"adminKey": []}, {"userToken": []}]


def operation(
    summary: str,
    *,
    answer: str,
    body: type[msgspec.Struct] | str | None = None,
    parameters: list[dict[str, Any]] | None = None,
    security: list[dict[str, Any]] = ANYBODY,
    statuses: tuple[int, ...] = (),
) -> dict[str, Any]:
    """One operation. `answer` and `body` name a schema, or the media type of something without one; an empty
    `answer` has no content.
    """
    described: dict[str, Any] = {
        "summary": summary,
        "security": security,
        "responses": {
            "200": {"description": "Done.", **({"content": _content(answer)} if answer else {})},
            **{str(status): {"description": "See RFC 9110."} for status in statuses},
            # Errors of the caller, and of a server that cannot now; 500 is our own mistake and not foreseen.
            "4XX": {"description": "Refused; nothing was done.", "content": _content("Error")},
            "503": {"description": "Not now; try again.", "content": _content("Error")},
        },
    }
    if parameters:
        described["parameters"] = parameters
    if body is not None:
        named = body if isinstance(body, str) else body.__name__
        described["requestBody"] = {"required": not isinstance(body, str), "content": _content(named)}
    return described


def _content(name: str) -> dict[str, Any]:
    if "/" in name:
        return {name: {"schema": {"type": "string"} if name == TEXT else {}}}
    return {"application/json": {"schema": {"$ref": REF.format(name=name)}}}


def parameter(name: str, description: str, *, required: bool = True) -> dict[str, Any]:
    """A parameter behind the question mark."""
    return {
        "name": name,
        "in": "query",
        "required": required,
        "description": description,
        "schema": {"type": "string"},
    }


def path_parameter(name: str) -> dict[str, Any]:
    """A part of the path."""
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
