"""The endpoints of exports: shapes, refusals, and who may."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.http_api.fake_backend import ADMIN, Caller, FakeBackend, assert_error, caller


@pytest.fixture
def backend(tmp_path: Path) -> FakeBackend:
    backend = FakeBackend()
    backend.exports.path = tmp_path / "snapshot_77.zip"
    backend.exports.path.write_bytes(b"archive")
    return backend


@pytest.fixture
def ask(backend: FakeBackend) -> Caller:
    return caller(backend)


def test_one_is_begun_at_a_time(ask: Caller) -> None:
    begun = ask.post("/api/export/request/zip?includeStorage=true", {}, headers=ADMIN)
    assert begun.json() == {"id": "e1"}
    again = ask.post("/api/export/request/zip?includeStorage=false", {}, headers=ADMIN)
    assert_error(again, 400, "ExportInProgress")


@pytest.mark.parametrize("query", ["?includeStorage=yes", "?component=child"])
def test_what_it_does_not_know_it_refuses(ask: Caller, query: str) -> None:
    assert_error(ask.post(f"/api/export/request/zip{query}", {}, headers=ADMIN), 400, "BadQueryParameter")


def test_an_archive_comes_under_its_name(ask: Caller) -> None:
    found = ask.get("/api/export/zip/77", headers=ADMIN)
    assert found.content == b"archive"
    assert found.headers["content-type"] == "application/zip"
    assert found.headers["content-disposition"] == "attachment; filename=snapshot_77.zip"
    assert_error(ask.get("/api/export/zip/78", headers=ADMIN), 404, "ExportNotFound")


def test_it_can_be_kept_longer_and_canceled(ask: Caller, backend: FakeBackend) -> None:
    body: dict[str, Any] = {"expirationTsNs": 5}
    assert ask.post("/api/export/set_expiration/e1", body, headers=ADMIN).json() is None
    assert backend.exports.expirations == {"e1": 5}
    bad = ask.post("/api/export/set_expiration/e1", {"expirationTsNs": -1}, headers=ADMIN)
    assert_error(bad, 400, "BadQueryParameter")
    assert_error(ask.post("/api/export/cancel/e1", {}, headers=ADMIN), 404, "ExportNotFound")
    ask.post("/api/export/request/zip", {}, headers=ADMIN)
    assert ask.post("/api/export/cancel/e1", {}, headers=ADMIN).json() is None


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/export/request/zip"),
        ("GET", "/api/export/zip/77"),
        ("POST", "/api/export/set_expiration/e1"),
        ("POST", "/api/export/cancel/e1"),
    ],
)
def test_only_administrators_may(ask: Caller, method: str, path: str) -> None:
    found = ask.get(path) if method == "GET" else ask.post(path, {"expirationTsNs": 5})
    assert_error(found, 403, "BadDeployKey")
