"""The endpoint for SQL."""

from __future__ import annotations

from tests.http_api.fake_backend import ADMIN, FakeBackend, assert_error, caller


def test_administrators_read_with_sql() -> None:
    ask = caller(FakeBackend())
    done = ask.post("/api/sql", {"query": "SELECT 1"}, headers=ADMIN)
    assert done.json() == {"columns": ["text"], "rows": [["SELECT 1"]], "isCut": False}
    assert_error(ask.post("/api/sql", {"query": "bad"}, headers=ADMIN), 400, "InvalidSql")
    assert_error(ask.post("/api/sql", {"sql": "x"}, headers=ADMIN), 400, "BadJsonBody")
    assert ask.post("/api/sql", {"query": "SELECT 1"}).status_code in (401, 403)
