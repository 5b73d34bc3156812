"""The endpoints that tell of tables."""

from __future__ import annotations

import pytest

from tests.http_api.fake_backend import ADMIN, FakeBackend, assert_error, caller


def test_tables_are_told() -> None:
    backend = FakeBackend()
    ask = caller(backend)
    schema = ask.get("/api/streaming_import/get_schema", headers=ADMIN).json()
    assert schema == (backend.analysis.schema if backend.analysis.schema["tables"] else None)
    shapes = ask.get("/api/shapes2", headers=ADMIN).json()
    assert shapes == {"empty": {"type": "Never"}, "notes": {"type": "Unknown"}}
    assert ask.get("/api/shapes2?component=child", headers=ADMIN).json() == {}
    indexes = ask.get("/api/get_indexes", headers=ADMIN).json()
    assert indexes == {"indexes": [{"table": "notes", "name": "by_n"}]}


@pytest.mark.parametrize("path", ["/api/streaming_import/get_schema", "/api/shapes2", "/api/get_indexes"])
def test_only_administrators_may(path: str) -> None:
    assert_error(caller(FakeBackend()).get(path), 403, "BadDeployKey")
