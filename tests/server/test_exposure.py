"""How a server shows itself: encrypted, behind proxies, with the headers that browsers heed."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from rewake.protocol import TrustedProxies
from rewake.server import Exposure, Tls, TlsFilesInvalid
from tests.server.certificate import make_certificate

ENCRYPTED = Exposure(tls=Tls(Path("certificate.pem"), Path("key.pem")))


async def echo(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer with who calls, and a header of the application's own."""
    client = scope.get("client")
    text = f"{scope['scheme']} {client[0] if client else ''}"
    response = PlainTextResponse(text, headers={"x-frame-options": "DENY"})
    await response(scope, receive, send)


def ask(app: ASGIApp, path: str = "/", peer: str = "127.0.0.1", **headers: str) -> httpx.Response:
    async def run() -> httpx.Response:
        transport = httpx.ASGITransport(app, client=(peer, 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            return await client.get(path, headers=sent)

    return asyncio.run(run())


def test_every_answer_has_the_headers_and_keeps_its_own() -> None:
    headers = ask(Exposure().around(echo)).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
    assert headers["cross-origin-opener-policy"] == "same-origin-allow-popups"
    assert headers.get_list("x-frame-options") == ["DENY"]
    assert "strict-transport-security" not in headers


@pytest.mark.parametrize(("path", "is_site"), [("/http", False), ("/http/a", False), ("/", True)])
def test_http_actions_answer_with_their_own_headers(path: str, is_site: bool) -> None:
    headers = ask(Exposure().around(echo, is_site=is_site), path).headers
    assert "x-content-type-options" not in headers
    encrypted = ask(ENCRYPTED.around(echo, is_site=is_site), path).headers
    assert encrypted["strict-transport-security"] == "max-age=31536000"
    assert "x-content-type-options" not in encrypted


def test_proxies_are_believed_where_they_are_trusted() -> None:
    told = {"x_forwarded_for": "203.0.113.9", "x_forwarded_proto": "https"}
    assert ask(Exposure().around(echo), **told).text == "https 203.0.113.9"
    assert ask(Exposure().around(echo), peer="198.51.100.1", **told).text == "http 198.51.100.1"
    nobody = Exposure(proxies=TrustedProxies.parse(""))
    assert ask(nobody.around(echo), **told).text == "http 127.0.0.1"


def test_a_socket_is_encrypted_where_its_proxy_says_so() -> None:
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append((scope["scheme"], scope["client"][0]))

    headers = [(b"x-forwarded-for", b"203.0.113.9"), (b"x-forwarded-proto", b"https")]
    scope = {"type": "websocket", "scheme": "ws", "client": ("127.0.0.1", 1), "headers": headers, "path": "/"}
    asyncio.run(Exposure().around(app)(scope, None, None))  # type: ignore[arg-type]
    assert seen == [("wss", "203.0.113.9")]


def test_files_that_are_no_certificate_are_refused(tmp_path: Path) -> None:
    good = make_certificate(tmp_path)
    good.check()
    broken = tmp_path / "broken.pem"
    broken.write_text("no certificate")
    with pytest.raises(TlsFilesInvalid, match="No such file"):
        Tls(tmp_path / "none", good.key).check()
    with pytest.raises(TlsFilesInvalid, match="belong together"):
        Tls(broken, good.key).check()
    with pytest.raises(TlsFilesInvalid, match="belong together"):
        Tls(good.certificate, broken).check()
