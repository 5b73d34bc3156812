"""The description of the HTTP API is of this API, whole."""

from __future__ import annotations

import json
import re

from starlette.routing import Route

from rewake.http_api.description import description
from rewake.http_api.routes import build_routes
from tests.house.source_tree import ROOT
from tests.http_api.fake_backend import FakeBackend, caller

_PAGE = ROOT / "docs" / "reference" / "http-api.md"


def test_every_route_is_described_and_nothing_else() -> None:
    described = {(path, method.upper()) for path, item in description()["paths"].items() for method in item}
    served = {
        (re.sub(r":path\}", "}", route.path), method)
        for route in build_routes(FakeBackend())
        # Below /http the application decides.
        if isinstance(route, Route) and not route.path.startswith("/http")
        for method in methods_of(route)
    }
    assert described == served


def methods_of(route: Route) -> set[str]:
    answer = caller(FakeBackend())("TRACE", route.path.replace("{", "").replace("}", ""))
    return set(answer.headers["allow"].split(", ")) - {"HEAD"}


def test_it_refers_to_nothing_that_is_not_there() -> None:
    text = json.dumps(description())
    schemas = description()["components"]["schemas"]
    referred = set(re.findall(r'"#/components/schemas/(\w+)"', text))
    assert referred == set(schemas)


def test_it_is_served() -> None:
    answer = caller(FakeBackend()).get("/api/openapi.json")
    assert answer.json() == json.loads(json.dumps(description()))
    assert "/api/openapi.json" in _PAGE.read_text(encoding="utf-8")
