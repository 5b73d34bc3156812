"""The endpoints for keys, and what each scope opens."""

from __future__ import annotations

from typing import Any

import pytest

from rewake.auth import Scope
from tests.http_api.fake_backend import ADMIN, SCOPED, Caller, FakeBackend, assert_error, caller

NEW = {"label": "ci", "scopes": ["deploy"]}


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def ask(backend: FakeBackend) -> Caller:
    return caller(backend)


def test_a_key_is_made_told_once_listed_and_revoked(ask: Caller) -> None:
    made = ask.post("/api/keys/create", NEW | {"expiresMs": 5000}, headers=ADMIN)
    assert made.json() == {"id": "k0", "key": "x|k0-secret"}
    assert made.headers["cache-control"] == "no-store"
    listed = ask.get("/api/keys", headers=ADMIN)
    assert listed.json() == {
        "keys": [
            {
                "id": "k0",
                "label": "ci",
                "scopes": ["deploy"],
                "createdMs": 1000.0,
                "expiresMs": 5000.0,
                "revokedMs": None,
                "lastUsedMs": None,
            }
        ]
    }
    assert "secret" not in listed.text
    assert "digest" not in listed.text
    assert ask.post("/api/keys/revoke", {"id": "k0"}, headers=ADMIN).json() == {}
    assert ask.get("/api/keys", headers=ADMIN).json()["keys"][0]["revokedMs"] == 2000.0


def test_refusals_keep_their_codes(ask: Caller) -> None:
    assert_error(ask.post("/api/keys/revoke", {"id": "?"}, headers=ADMIN), 404, "KeyNotFound")
    bad = NEW | {"label": "BAD"}
    assert_error(ask.post("/api/keys/create", bad, headers=ADMIN), 400, "KeyLabelInvalid")
    assert_error(ask.post("/api/keys/create", {"label": "x"}, headers=ADMIN), 400, "BadJsonBody")


def call(path: str, **more: Any) -> dict[str, Any]:
    return {"path": path, "args": {}, **more}


ENDPOINTS: list[tuple[str, str, Any, Scope | None]] = [
    ("GET", "/api/keys", None, Scope.ADMIN),
    ("POST", "/api/sql", {"query": "SELECT 1"}, Scope.READ),
    ("POST", "/api/keys/create", NEW, Scope.ADMIN),
    ("POST", "/api/keys/revoke", {"id": "k0"}, Scope.ADMIN),
    ("POST", "/api/update_environment_variables", {"changes": []}, Scope.DEPLOY),
    ("GET", "/api/list_environment_variables", None, Scope.DEPLOY),
    ("GET", "/api/v1/get_canonical_urls", None, Scope.DEPLOY),
    ("GET", "/api/stream_function_logs", None, Scope.READ),
    ("GET", "/api/stream_udf_execution", None, Scope.READ),
    ("POST", "/api/query", call("messages:list"), Scope.READ),
    ("GET", "/api/query?path=messages:list", None, Scope.READ),
    ("POST", "/api/query_at_ts", call("messages:list", ts="AAAAAAAAAAA="), Scope.READ),
    ("POST", "/api/query_batch", {"queries": [call("messages:list")]}, Scope.READ),
    ("POST", "/api/mutation", call("secret:purge"), Scope.RUN),
    ("POST", "/api/action", call("ai:reply"), Scope.RUN),
    ("POST", "/api/function", call("secret:purge"), Scope.RUN),
    ("POST", "/api/function", call("messages:list"), Scope.READ),
    ("POST", "/api/run/secret/purge", {"args": {}}, Scope.RUN),
    ("POST", "/api/query", call("_system/cli/queryEnvironmentVariables:default"), Scope.DEPLOY),
    ("POST", "/api/mutation", call("_system/keys:create"), Scope.ADMIN),
    ("GET", "/api/check_admin_key", None, None),
]
OPENS = {
    Scope.ADMIN: set(Scope),
    Scope.DEPLOY: {Scope.DEPLOY},
    Scope.READ: {Scope.READ},
    Scope.RUN: {Scope.RUN, Scope.READ},
}


@pytest.mark.parametrize("scope", Scope)
@pytest.mark.parametrize("endpoint", ENDPOINTS, ids=lambda endpoint: endpoint[1])
def test_a_key_with_too_small_a_scope_gets_a_403_that_names_the_scope(
    backend: FakeBackend, scope: Scope, endpoint: tuple[str, str, Any, Scope | None]
) -> None:
    method, path, body, needed = endpoint
    response = caller(backend)(method, path, json=body, headers=SCOPED[scope])
    if needed is None or needed in OPENS[scope]:
        assert response.status_code in (200, 404), response.text
        return
    assert f"({needed.value})" in assert_error(response, 403, "OperationNotPermitted")
    assert backend.ran == []


def test_the_login_of_a_dashboard_is_told_what_a_key_may_do(ask: Caller) -> None:
    def told(scope: Scope) -> Any:
        return ask.get("/api/check_admin_key", headers=SCOPED[scope]).json()

    assert told(Scope.READ) == {"success": True, "allowedOps": ["read"], "isReadOnly": True}
    assert told(Scope.RUN) == {"success": True, "allowedOps": ["run"], "isReadOnly": False}
    assert told(Scope.ADMIN) == {"success": True, "allowedOps": [], "isReadOnly": False}


@pytest.mark.parametrize("path", ["/api/keys", "/api/keys/create", "/api/keys/revoke"])
def test_users_have_nothing_to_do_with_keys(ask: Caller, path: str) -> None:
    method = "GET" if path == "/api/keys" else "POST"
    response = ask(method, path, headers={"Authorization": "Bearer good"})
    assert_error(response, 403, "BadDeployKey")
