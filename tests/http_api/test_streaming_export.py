"""The endpoints of streaming export: shapes, parameters both ways, refusals, and who may."""

from __future__ import annotations

import json

import pytest

from rewake.database import Columns, Selection
from tests.http_api.fake_backend import ADMIN, Caller, FakeBackend, assert_error, caller


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def ask(backend: FakeBackend) -> Caller:
    return caller(backend)


def test_a_snapshot_is_paged(ask: Caller, backend: FakeBackend) -> None:
    first = ask.get("/api/list_snapshot", headers=ADMIN).json()
    row = {"_component": "", "_table": "notes", "_ts": 77, "_id": "i", "_creationTime": 1.0, "big": "7"}
    assert first == {"values": [row], "snapshot": 77, "cursor": first["cursor"], "hasMore": True}
    body = {"snapshot": first["snapshot"], "cursor": first["cursor"], "format": "export_json"}
    last = ask.post("/api/list_snapshot", body, headers=ADMIN).json()
    assert last == {"values": [row | {"big": 7}], "snapshot": 77, "cursor": None, "hasMore": False}
    assert [start for _, start in backend.feeds.asked] == [None, ("notes", b"\0k")]
    url = f"/api/list_snapshot?snapshot=77&cursor={first['cursor']}"
    assert ask.get(url, headers=ADMIN).json()["hasMore"] is False


@pytest.mark.parametrize("query", ["?cursor=!&snapshot=1", "?cursor=AAAA&snapshot=1", "?cursor=gqFh"])
def test_a_bad_cursor_is_refused(ask: Caller, query: str) -> None:
    found = ask.get(f"/api/list_snapshot{query}", headers=ADMIN)
    assert_error(found, 400, "InvalidListSnapshotCursor")


def test_deltas_need_a_cursor_and_say_what_is_gone(ask: Caller) -> None:
    assert_error(ask.get("/api/document_deltas", headers=ADMIN), 400, "DocumentDeltasCursorRequired")
    assert_error(ask.post("/api/document_deltas", {}, headers=ADMIN), 400, "DocumentDeltasCursorRequired")
    wanted = {
        "values": [
            {"_component": "", "_table": "notes", "_ts": 78, "_deleted": False, "_id": "i"},
            {"_component": "", "_table": "notes", "_ts": 79, "_deleted": True, "_id": "j"},
        ],
        "cursor": 79,
        "hasMore": False,
    }
    assert ask.get("/api/document_deltas?cursor=77", headers=ADMIN).json() == wanted
    assert ask.post("/api/document_deltas", {"cursor": 77}, headers=ADMIN).json() == wanted
    for bad in ("x", "-1", str(2**63)):
        assert_error(ask.get(f"/api/document_deltas?cursor={bad}", headers=ADMIN), 400, "BadQueryParameter")
    assert_error(ask.get("/api/document_deltas?cursor=1&format=x", headers=ADMIN), 400, "BadFormat")


ALL = Selection()
NOTHING = Selection(others=None)


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, ALL),
        ({"_other": "excluded"}, NOTHING),
        ({"": "excluded"}, NOTHING),
        ({"": "included", "_other": "excluded"}, ALL),
        ({"": {"_other": "excluded", "a": "included"}}, Selection(others=None, named={"a": Columns()})),
        (
            {"": {"a": {"_other": "excluded", "n": "included"}, "b": "excluded"}},
            Selection(named={"a": Columns(others=False, named={"n": True}), "b": None}),
        ),
    ],
)
def test_selections(ask: Caller, backend: FakeBackend, given: object, wanted: Selection) -> None:
    ask.post("/api/list_snapshot", {"selection": given}, headers=ADMIN)
    ask.get(f"/api/list_snapshot?selection={json.dumps(given)}", headers=ADMIN)
    assert [selection for selection, _ in backend.feeds.asked] == [wanted, wanted]


def test_one_table_and_no_components(ask: Caller, backend: FakeBackend) -> None:
    ask.get("/api/list_snapshot?tableName=a", headers=ADMIN)
    ask.get("/api/list_snapshot?component=child", headers=ADMIN)
    wanted = [Selection(others=None, named={"a": Columns()}), NOTHING]
    assert [selection for selection, _ in backend.feeds.asked] == wanted
    bad = ask.post("/api/list_snapshot", {"selection": {"": 5}}, headers=ADMIN)
    assert_error(bad, 400, "BadQueryParameter")
    assert_error(ask.get("/api/list_snapshot?selection={", headers=ADMIN), 400, "BadQueryParameter")


def test_schemas_and_columns(ask: Caller) -> None:
    plain = ask.get("/api/json_schemas", headers=ADMIN).json()
    assert plain["notes"]["properties"].keys() == {"_id", "_creationTime", "big"}
    delta = ask.get("/api/json_schemas?deltaSchema=true&byComponent=true", headers=ADMIN).json()
    assert "_deleted" in delta[""]["notes"]["properties"]
    names = ask.get("/api/get_table_column_names", headers=ADMIN).json()
    assert names == {"byComponent": {"": [{"name": "notes", "columns": ["_creationTime", "_id", "big"]}]}}
    assert ask.get("/api/test_streaming_export_connection", headers=ADMIN).json() is None


@pytest.mark.parametrize(
    "path",
    [
        "/api/list_snapshot",
        "/api/document_deltas?cursor=1",
        "/api/json_schemas",
        "/api/get_table_column_names",
        "/api/test_streaming_export_connection",
    ],
)
def test_only_administrators_may(ask: Caller, path: str) -> None:
    assert_error(ask.get(path), 403, "BadDeployKey")
