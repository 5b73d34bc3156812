"""The description of an application's functions: who gets it, that it follows the code, that it is true.

A running server with the application of `tests/codegen` is sent what the description allows and what it does
not; each answer must be of a shape that the description has.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from openapi_spec_validator import validate
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from rewake.auth import Scope
from rewake.execution import Analysis, FunctionFacts
from rewake.protocol import FunctionPath
from tests.codegen.test_projects import APPLICATION
from tests.http_api.fake_backend import ADMIN, SCOPED, FakeBackend, assert_error, caller
from tests.http_api.site_stage import KEY, Site, site_of

ADDRESS = "/api/functions/openapi.json"
EXAMPLES = int(os.environ.get("REWAKE_FUZZ_EXAMPLES", "10"))
CHECKS = (
    not_a_server_error,
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    modules = {file.stem: file.read_text() for file in (APPLICATION / "backend").glob("*.py")}
    with site_of(tmp_path_factory.mktemp("described"), workers=False, **modules) as served:
        yield served


def described(site: Site) -> dict[str, Any]:
    answer = httpx.get(site.url + ADDRESS, headers={"Authorization": f"Convex {KEY}"}, timeout=60)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


def test_it_wants_a_key_that_may_read() -> None:
    ask = caller(FakeBackend())
    assert_error(ask.get(ADDRESS), 403, "BadDeployKey")
    assert ask.get(ADDRESS, headers=SCOPED[Scope.READ]).status_code == 200
    assert ask.get(ADDRESS, headers=SCOPED[Scope.RUN]).status_code == 200
    assert ask.get(ADDRESS, headers=SCOPED[Scope.DEPLOY]).status_code == 403


def test_it_follows_the_code(monkeypatch: pytest.MonkeyPatch) -> None:
    facts = FunctionFacts(FunctionPath("a", "b"), "query", False, {"type": "any"}, {"type": "null"}, "Says.")
    analyses = [Analysis(), Analysis(functions=(facts,))]
    monkeypatch.setattr(FakeBackend, "analysis", property(lambda self: analyses[0]))
    ask = caller(FakeBackend())
    assert ask.get(ADDRESS, headers=ADMIN).json()["paths"] == {}
    assert ask.get(ADDRESS, headers=ADMIN).json()["paths"] == {}
    analyses.pop(0)
    document = ask.get(ADDRESS, headers=ADMIN).json()
    assert document["paths"]["/api/run/a/b"]["post"]["summary"] == "Says."
    assert document["servers"][0]["url"].startswith("http")


def test_a_served_description_is_valid_and_names_routes(site: Site) -> None:
    document = described(site)
    validate(document)
    assert document["servers"] == [{"url": site.url}]
    assert "/http/hooks/mail" in document["paths"]
    assert "/api/run/messages/purge" not in document["paths"]


def test_a_call_made_from_the_description_works(site: Site) -> None:
    document = described(site)
    tree = {"label": "x", "children": [{"label": "y", "children": []}]}
    answer = httpx.post(f"{site.url}/api/run/zoo/tree", json={"args": {"tree": tree}}, timeout=60).json()
    assert answer["value"] == tree
    body = document["paths"]["/api/run/zoo/tree"]["post"]["requestBody"]
    assert body["content"]["application/json"]["schema"]["properties"]["args"]["required"] == ["tree"]


@pytest.mark.slow
def test_the_server_keeps_to_the_description_of_every_function(site: Site) -> None:
    schema = schemathesis.openapi.from_dict(described(site))
    names, outcomes = set(), set[str]()
    for result in schema.get_all_operations():
        operation: Any = result.ok()
        if operation.path.startswith("/http"):
            continue
        names.add(operation.path)
        outcomes |= send(operation, site)
    assert len(names) > 15
    # Both shapes of an answer were held against the description.
    assert outcomes >= {"success", "error"}


def send(operation: Any, site: Site) -> set[str]:
    """Send what the operation allows and what it does not; what the functions that ran came to."""
    outcomes = set()

    @settings(max_examples=EXAMPLES, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck))
    @given(case=operation.as_strategy() | operation.as_strategy(generation_mode=GenerationMode.NEGATIVE))
    def attempt(case: Any) -> None:
        answer = case.call_and_validate(base_url=site.url, checks=CHECKS, timeout=60)
        if answer.status_code == 200:
            outcomes.add(answer.json()["status"])

    attempt()
    return outcomes
