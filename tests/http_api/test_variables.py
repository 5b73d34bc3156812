"""The endpoints for environment variables."""

from __future__ import annotations

import pytest

from tests.http_api.fake_backend import ADMIN, Caller, FakeBackend, assert_error, caller


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def ask(backend: FakeBackend) -> Caller:
    return caller(backend)


@pytest.mark.parametrize("prefix", ["/api", "/api/v1"])
def test_variables_are_changed_and_listed(ask: Caller, backend: FakeBackend, prefix: str) -> None:
    backend.variables.values = {"OLD": "x"}
    changes = [{"name": "A", "value": "1"}, {"name": "OLD", "value": None}]
    response = ask.post(f"{prefix}/update_environment_variables", {"changes": changes}, headers=ADMIN)
    assert (response.status_code, response.content) == (200, b"")
    listed = ask.get(f"{prefix}/list_environment_variables", headers=ADMIN)
    assert listed.json() == {"environmentVariables": {"A": "1"}}


def test_only_administrators_may(ask: Caller, backend: FakeBackend) -> None:
    assert_error(ask.get("/api/list_environment_variables"), 403, "BadDeployKey")
    body = {"changes": [{"name": "A", "value": "1"}]}
    assert_error(ask.post("/api/update_environment_variables", body), 403, "BadDeployKey")
    assert backend.variables.values == {}


@pytest.mark.parametrize(
    "body", [{}, {"changes": {}}, {"changes": [{"name": "A"}]}, {"changes": [{"name": 1}]}, []]
)
def test_a_body_of_another_shape_is_refused(ask: Caller, body: object) -> None:
    assert_error(ask.post("/api/update_environment_variables", body, headers=ADMIN), 400, "BadJsonBody")


def test_a_refusal_keeps_its_code(ask: Caller, backend: FakeBackend) -> None:
    body = {"changes": [{"name": "BAD", "value": "1"}]}
    response = ask.post("/api/update_environment_variables", body, headers=ADMIN)
    assert assert_error(response, 400, "InvalidHeaderFailure") == "BAD is refused"
