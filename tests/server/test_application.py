"""Both doors answer under one application."""

import asyncio

import httpx

from rewake.server import build_application
from rewake.sync import SyncDoor


def test_requests_sync_upgrades_and_static_files_find_their_door(open_deployment, tmp_path):
    (tmp_path / "index.html").write_text("<p>page</p>")

    async def scenario() -> None:
        deployment = await open_deployment()
        try:
            app = build_application(deployment, SyncDoor(deployment), static=tmp_path)
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                assert (await client.get("/")).text == "<p>page</p>"
                assert (await client.get("/instance_name")).text == "empty"
                assert (await client.get("/readyz")).status_code == 200
                answer = await client.post("/api/query", json={"path": "m:f", "args": {}})
                assert "Could not find public function for 'm:f'." in answer.json()["errorMessage"]
                # A plain request where a websocket is meant is refused in the shape of every error.
                refused = await client.get("/api/sync")
                assert refused.status_code == 400
                assert set(refused.json()) == {"code", "message"}
        finally:
            await deployment.close()

    asyncio.run(scenario())
