"""`rewake serve` as it shows itself to the world."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import connect as connect_asyncio
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from rewake.cli.exposing import exposure_of
from rewake.cli.failure import WrongUsage
from rewake.deployment import PublicUrlInvalid
from rewake.protocol import ProxyAddressInvalid
from tests.cli.command import Running, run_apart
from tests.cli.test_serving import BROKEN, call, ready
from tests.server.certificate import make_certificate

PRODUCTION = {"REWAKE_ERROR_DETAILS": "0"}


def test_options_are_read() -> None:
    usual = exposure_of(None, None, proxies="127.0.0.1", origins="*")
    assert (usual.tls, usual.origins) == (None, None)
    some = exposure_of(Path("c"), Path("k"), proxies="", origins="https://a.b/, http://c:1")
    assert some.origins == {"https://a.b", "http://c:1"}
    assert some.tls is not None
    with pytest.raises(WrongUsage):
        exposure_of(Path("c"), None, proxies="", origins="*")
    with pytest.raises(ProxyAddressInvalid):
        exposure_of(None, None, proxies="proxy", origins="*")
    with pytest.raises(PublicUrlInvalid):
        exposure_of(None, None, proxies="", origins="chat.example")


async def first_message(url: str, context: ssl.SSLContext) -> Any:
    """What a session that asks for nothing is told first.

    Not by the threads of `websockets.sync`: one reads the server's session tickets while another writes, and
    Python 3.11's `ssl` does not guard an object against that. About one handshake in 600 waited for ever.
    """
    async with connect_asyncio(url, ssl=context, compression=None) as socket:
        session = "3f2b1c4e-8d5a-4f6b-9c7d-0a1b2c3d4e5f"
        await socket.send(json.dumps({"type": "Connect", "sessionId": session, "connectionCount": 0}))
        change = {"type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 1, "modifications": []}
        await socket.send(json.dumps(change))
        return json.loads(await asyncio.wait_for(socket.recv(), 60))


def test_tls_carries_requests_sockets_and_http_actions(project: Path, tmp_path: Path) -> None:
    made = make_certificate(tmp_path)
    words = ("--tls-cert", str(made.certificate), "--tls-key", str(made.key))
    (project / "backend" / "http.py").write_text(
        "from rewake import HttpRouter, ActionCtx\n"
        "from starlette.requests import Request\n"
        "from starlette.responses import Response, PlainTextResponse\n"
        "http = HttpRouter()\n"
        '@http.route("/hello", methods=["GET"])\n'
        "async def hello(ctx: ActionCtx, request: Request) -> Response:\n"
        "    return PlainTextResponse(str(request.url))\n"
    )
    context = ssl.create_default_context(cafile=made.certificate)
    with Running("serve", ".", "--port", "0", *words, cwd=project) as server:
        site = server.wait_for(r"HTTP actions are served at (https://\S+)")[1]
        url = ready(server)
        assert url.startswith("https://127.0.0.1:")
        with httpx.Client(verify=context) as client:
            answer = client.get(url + "/version")
            assert answer.headers["strict-transport-security"] == "max-age=31536000"
            assert client.get(site + "/hello").text == site + "/hello"
        socket_url = url.replace("https", "wss") + "/api/sync"
        assert asyncio.run(first_message(socket_url, context))["type"] == "Transition"
        with pytest.raises(httpx.ConnectError):
            httpx.get(url + "/version")
        assert server.stop() == 0


def test_a_certificate_that_cannot_be_used_is_said_at_the_start(project: Path, tmp_path: Path) -> None:
    made = make_certificate(tmp_path)
    words = ("--tls-cert", str(project / "none.pem"), "--tls-key", str(made.key))
    done = run_apart("serve", ".", "--port", "0", *words, cwd=project)
    assert done.code == 1
    assert "cannot be used: No such file" in done.err


def test_pages_of_other_origins_are_kept_out_where_origins_are_named(project: Path) -> None:
    words = ("--cors-origins", "https://chat.example")
    with Running("serve", ".", "--port", "0", *words, cwd=project) as server:
        url = ready(server)
        for origin, is_allowed in (("https://chat.example", True), ("https://evil.example", False)):
            for method in ("GET", "OPTIONS"):
                headers = {"Origin": origin, "Access-Control-Request-Method": "POST"}
                answer = httpx.request(method, f"{url}/version", headers=headers, timeout=30)
                assert ("access-control-allow-origin" in answer.headers) is is_allowed
        socket_url = url.replace("http", "ws", 1) + "/api/1.48.0/sync"
        with connect(socket_url, origin="https://chat.example"):  # type: ignore[arg-type]
            pass
        with connect(socket_url):
            pass
        with pytest.raises(InvalidStatus) as refused:
            connect(socket_url, origin="https://evil.example")  # type: ignore[arg-type]
        assert refused.value.response.status_code == 403


def test_in_production_clients_get_a_request_id_and_the_log_has_the_error(project: Path) -> None:
    (project / "backend" / "broken.py").write_text(BROKEN)
    with Running("serve", ".", "--port", "0", cwd=project, variables=PRODUCTION) as server:
        answer = call(ready(server), "query", "broken:boom").json()
        match = re.fullmatch(r"\[Request ID: ([0-9a-f]{16})\] Server Error", answer["errorMessage"])
        assert match is not None, answer
        assert answer["logLines"] == []
        server.wait_for(rf"broken:boom .* failed  {match[1]}$")
        server.wait_for(r"ValueError: no such luck")
    with Running("serve", ".", "--port", "0", "--error-details", cwd=project, variables=PRODUCTION) as server:
        assert "no such luck" in call(ready(server), "query", "broken:boom").json()["errorMessage"]


def test_a_development_server_tells_errors(project: Path) -> None:
    (project / "backend" / "broken.py").write_text(BROKEN)
    with Running("dev", "--port", "0", cwd=project, variables=PRODUCTION) as server:
        url = server.wait_for(r"(http://127\.0\.0\.1:\d+)")[1]
        assert "no such luck" in call(url, "query", "broken:boom").json()["errorMessage"]
