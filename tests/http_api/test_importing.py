"""The endpoints of imports against a real deployment: parts, decisions, one shot, and who may."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from rewake.auth import AdminKey
from rewake.deployment import Deployment
from rewake.environment import pause
from rewake.execution import FunctionCall, Success, load_project, read_settings
from rewake.http_api import build_app
from rewake.values import decode

ADMIN = {"Authorization": "Convex test|aa"}


class _Door:
    """Requests to one deployment."""

    def __init__(self, deployment: Deployment, client: httpx.AsyncClient) -> None:
        self.deployment = deployment
        self.client = client

    async def post(self, path: str, **request: Any) -> httpx.Response:
        return await self.client.post(path, **{"headers": ADMIN, **request})

    async def upload(self, content: bytes, **order: str) -> str:
        token = (await self.post("/api/import/start_upload")).json()["uploadToken"]
        parts = []
        for number, start in enumerate(range(0, len(content), 7), 1):
            query = f"uploadToken={token}&partNumber={number}"
            answer = await self.post(f"/api/import/upload_part?{query}", content=content[start : start + 7])
            parts.append(answer.json())
        body = {"import": order, "uploadToken": token, "partTokens": parts}
        answer = await self.post("/api/import/finish_upload", json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["importId"])

    async def state(self, id: str, *wanted: str) -> dict[str, Any]:
        """The state of an import once it is one of `wanted`."""
        identity = await self.deployment.authenticate_header(ADMIN["Authorization"])
        call = FunctionCall("_system/cli/queryImport", json.dumps({"importId": id}))
        while True:
            # A cached answer comes without a turn of the loop, and the import needs one.
            await pause(0)
            result, _ = await self.deployment.query(call, identity, request_id="r")
            assert isinstance(result, Success)
            record: Any = decode(result.value)
            if record["state"]["state"] in wanted:
                state: dict[str, Any] = record["state"]
                return state


def _play(root: Path, story: Any) -> None:
    (root / "backend").mkdir()
    (root / "backend" / "empty.py").write_text("")

    async def run() -> None:
        deployment = await Deployment.open(
            data=":memory:",
            registry=load_project(read_settings(root)),
            name="test",
            version="0",
            admin_key=AdminKey("test|aa"),
        )
        try:
            transport = httpx.ASGITransport(app=build_app(deployment))
            async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
                await asyncio.wait_for(story(_Door(deployment, client)), 60)
        finally:
            await deployment.close()

    asyncio.run(run())


def test_an_upload_is_confirmed_or_cancelled(tmp_path: Path) -> None:
    async def story(door: _Door) -> None:
        order = {"tableName": "t", "format": "jsonLines", "mode": "replace"}
        id = await door.upload(b'{"a":1}\n{"a":2}\n', **order)
        state = await door.state(id, "waiting_for_confirmation", "failed")
        assert state["require_manual_confirmation"] is False
        assert "t     |   2 |      0" in state["message_to_confirm"]
        assert (await door.post("/api/perform_import", json={"importId": id})).status_code == 200
        assert await door.state(id, "completed", "failed") == {"state": "completed", "num_rows_written": 2}
        again = await door.post("/api/perform_import", json={"importId": id})
        assert (again.status_code, again.json()["code"]) == (404, "ImportNotFound")
        id = await door.upload(b"", **order)
        state = await door.state(id, "waiting_for_confirmation", "failed")
        assert state["require_manual_confirmation"] is True
        assert "2 of 2" in state["message_to_confirm"]
        assert (await door.post("/api/cancel_import", json={"importId": id})).status_code == 200
        state = await door.state(id, "completed", "failed")
        assert state == {"state": "failed", "error_message": "The import was cancelled."}

    _play(tmp_path, story)


def test_one_request_imports_a_whole_file(tmp_path: Path) -> None:
    async def story(door: _Door) -> None:
        path = "/api/import?tableName=t&format=csv&mode=requireEmpty"
        assert (await door.post(path, content=b"a,b\n1,x\n")).json() == {"numWritten": 1}
        refused = await door.post(path, content=b"a,b\n1,x\n")
        assert (refused.status_code, refused.json()["code"]) == (400, "ImportFailed")
        assert 'There are documents already in "t"' in refused.json()["message"]

    _play(tmp_path, story)


@pytest.mark.parametrize(
    ("path", "request_", "status", "code"),
    [
        ("/api/import/upload_part?uploadToken=x", {}, 400, "BadJsonBody"),
        ("/api/import/upload_part?uploadToken=x&partNumber=1", {}, 404, "ImportUploadNotFound"),
        ("/api/import/finish_upload", {"json": {}}, 400, "BadJsonBody"),
        ("/api/perform_import", {"json": {"importId": "x"}}, 404, "ImportNotFound"),
        ("/api/cancel_import", {"json": {"importId": "x"}}, 404, "ImportNotFound"),
        ("/api/import?format=zip&mode=x", {}, 400, "ImportInvalid"),
        ("/api/import?format=zip&componentPath=c", {}, 400, "BadJsonBody"),
        ("/api/import/start_upload", {"headers": {}}, 403, None),
        ("/api/import?format=zip", {"headers": {}}, 403, None),
    ],
)
def test_what_is_wrong_is_refused(
    tmp_path: Path, path: str, request_: dict[str, Any], status: int, code: str | None
) -> None:
    async def story(door: _Door) -> None:
        answer = await door.post(path, **request_)
        assert answer.status_code == status, answer.text
        assert code in (None, answer.json()["code"])

    _play(tmp_path, story)
