"""Websockets of mounted applications, from a client through the server to the application and back."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from rewake.execution import load_project, read_settings
from rewake.limits import Limits
from tests.http_api.site_stage import MESSAGES, Site, site_of

HTTP = """
    import asyncio, os, time
    from fastapi import FastAPI, WebSocket
    from rewake import HttpRouter, http_context
    from .notes import add, texts

    http = HttpRouter()
    api = FastAPI()
    closed = []

    @api.websocket("/notes")
    async def notes(socket: WebSocket):
        ctx = http_context(socket)
        await socket.accept(subprotocol="notes" if "notes" in socket.scope["subprotocols"] else None)
        async for text in socket.iter_text():
            await ctx.run_mutation(add, text=text)
            await socket.send_json(await ctx.run_query(texts))

    @api.websocket("/echo")
    async def echo(socket: WebSocket):
        await socket.accept(headers=[(b"x-mounted", b"yes")])
        while True:
            message = await socket.receive()
            if message["type"] == "websocket.disconnect":
                if message["code"] != 1000:
                    closed.append([message["code"], message["reason"]])
                return
            if message.get("text") is not None:
                await socket.send_text(message["text"])
            else:
                await socket.send_bytes(message["bytes"])

    @api.get("/closed")
    async def list_closed():
        while not closed:
            await asyncio.sleep(0.01)
        return closed.pop(0)

    @api.websocket("/url")
    async def url(socket: WebSocket):
        await socket.accept()
        await socket.send_json([str(socket.url), socket.scope["root_path"], socket.headers["x-mine"]])

    @api.websocket("/refuses")
    async def refuses(socket: WebSocket):
        await socket.close()

    @api.websocket("/fails/{when}")
    async def fails(socket: WebSocket, when: str):
        if when == "late":
            await socket.accept()
        raise ValueError("secret reason")

    @api.websocket("/leaves")
    async def leaves(socket: WebSocket):
        await socket.accept()
        await socket.close(4001, "é" * 100)

    @api.websocket("/dies")
    async def dies(socket: WebSocket):
        await socket.accept()
        os._exit(3)

    @api.websocket("/clings")
    async def clings(socket: WebSocket):
        await socket.accept()
        await socket.send_text("on")
        await asyncio.sleep(60)

    @api.websocket("/floods")
    async def floods(socket: WebSocket):
        await socket.accept()
        sent = 0
        try:
            while sent < 2_000:
                await asyncio.wait_for(socket.send_bytes(bytes(100_000)), 0.5)
                sent += 1
        except TimeoutError:
            pass
        closed.append(sent)

    http.mount("/api", api)

    async def bare(scope, receive, send):
        if scope["type"] == "websocket":
            await receive()
            if scope["path"] == "/bare/early":
                await send({"type": "websocket.send", "text": "too early"})
    http.mount("/bare", bare)

    @http.route("/own")
    async def own(ctx, request): ...
"""


def files(**more: str) -> dict[str, str]:
    return {"notes": MESSAGES, "http": HTTP, **more}


@pytest.fixture(scope="module", params=["threads", "workers"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    root = tmp_path_factory.mktemp("sockets")
    with site_of(root, workers=request.param == "workers", **files()) as served:
        yield served


@contextmanager
def socket_of(site: Site, path: str, *, main: bool = False, **options: object) -> Iterator[ClientConnection]:
    origin = f"{site.url}/http" if main else site.site_url
    address = origin.replace("http://", "ws://") + path
    with connect(address, open_timeout=60, close_timeout=60, max_size=None, **options) as client:  # type: ignore[arg-type]
        yield client


def status_of(site: Site, path: str, *, main: bool = False) -> int:
    with pytest.raises(InvalidStatus) as refused, socket_of(site, path, main=main):
        pass
    return refused.value.response.status_code


@pytest.mark.parametrize("main", [False, True])
def test_its_code_reaches_the_house(site: Site, main: bool) -> None:
    with socket_of(site, "/api/notes", main=main, subprotocols=["other", "notes"]) as client:
        assert client.subprotocol == "notes"
        client.send(f"through a socket {main}")
        assert f"through a socket {main}" in client.recv(20)
    assert f"through a socket {main}" in site.query("notes:texts")


def test_messages_are_text_or_bytes_empty_or_large(site: Site) -> None:
    large = "é€😀" * 500_000
    with socket_of(site, "/api/echo") as client:
        assert client.response is not None
        assert client.response.headers["x-mounted"] == "yes"
        for message in ("", b"", "short", b"\xff\x00", large, large.encode()):
            client.send(message)
            assert client.recv(20) == message


def test_both_ends_learn_how_the_other_closed(site: Site) -> None:
    with socket_of(site, "/api/echo") as client:
        client.close(4321, "had enough")
    assert site.get("/api/closed").json() == [4321, "had enough"]
    with socket_of(site, "/api/leaves") as client, pytest.raises(ConnectionClosedError) as closed:
        client.recv(20)
    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (4001, "é" * 61)


def test_a_connection_that_is_cut_is_told(site: Site) -> None:
    with socket_of(site, "/api/echo") as client:
        client.send("here")
        client.recv(20)
        client.socket.close()
    # No status, or closed abnormally: the server below says which.
    assert site.get("/api/closed").json()[0] in (1005, 1006)


def test_it_knows_where_it_is_mounted(site: Site) -> None:
    with socket_of(site, "/api/url?a=1", additional_headers={"x-mine": "1"}) as client:
        said = client.recv(20)
    origin = site.site_url.replace("http://", "ws://")
    assert said == f'["{origin}/api/url?a=1","/api","1"]'


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/nowhere", 404),
        ("/own", 404),
        ("/api/refuses", 403),
        ("/api/nowhere", 403),
        ("/api/fails/early", 500),
    ],
)
def test_what_is_refused(site: Site, path: str, status: int) -> None:
    assert status_of(site, path) == status_of(site, path, main=True) == status


@pytest.mark.parametrize("path", ["/bare", "/bare/early"])
def test_an_application_that_does_not_speak_the_protocol_is_an_error(site: Site, path: str) -> None:
    assert status_of(site, path) == 500


def test_one_that_fails_closes_with_the_id_of_the_request(site: Site) -> None:
    with socket_of(site, "/api/fails/late") as client, pytest.raises(ConnectionClosed) as closed:
        client.recv(20)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1011
    assert closed.value.rcvd.reason.startswith("[Request ID: ")
    assert "secret" not in closed.value.rcvd.reason


def test_an_application_that_returns_closes_normally(site: Site) -> None:
    with socket_of(site, "/api/url", additional_headers={"x-mine": "1"}) as client:
        client.recv(20)
        with pytest.raises(ConnectionClosed) as closed:
            client.recv(20)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1000


def test_a_slow_client_holds_back_the_application(site: Site) -> None:
    with site.connect() as connection:
        connection.sendall(
            b"GET /api/floods HTTP/1.1\r\nhost: x\r\nupgrade: websocket\r\nconnection: upgrade\r\n"
            b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
        )
        sent = site.get("/api/closed").json()
    # What the kernel, the server and the window hold of 200 MB.
    assert sent < 300


def test_a_process_that_dies_closes_its_sockets_and_is_replaced(tmp_path: Path) -> None:
    with site_of(tmp_path, workers=True, **files()) as site:
        with socket_of(site, "/api/dies") as client, pytest.raises(ConnectionClosed) as closed:
            client.recv(20)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1011
        with socket_of(site, "/api/echo") as client:
            client.send("again")
            assert client.recv(20) == "again"


@pytest.mark.parametrize("workers", [False, True])
def test_sockets_have_places_of_their_own(tmp_path: Path, workers: bool) -> None:
    limits = Limits(mounted_sockets_max=1, actions_running_max=1)
    with (
        site_of(tmp_path, workers=workers, limits=limits, **files()) as site,
        socket_of(site, "/api/clings") as client,
    ):
        assert client.recv(20) == "on"
        assert status_of(site, "/api/clings") == 429
        assert site.get("/api/nowhere").json() == {"detail": "Not Found"}


@pytest.mark.parametrize("workers", [False, True])
def test_a_socket_has_its_time_and_its_client_is_asked_to_come_again(tmp_path: Path, workers: bool) -> None:
    limits = Limits(mounted_socket_seconds_max=0.3, action_seconds_max=0.1)
    with site_of(tmp_path, workers=workers, limits=limits, **files()) as site:
        with socket_of(site, "/api/echo") as client, pytest.raises(ConnectionClosed) as closed:
            client.recv(20)
        assert site.get("/api/closed").json()[0] == 1012
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012


@pytest.mark.parametrize("workers", [False, True])
def test_a_server_that_stops_sends_clients_away(tmp_path: Path, workers: bool) -> None:
    with site_of(tmp_path, workers=workers, **files()) as site:
        client = connect(site.site_url.replace("http://", "ws://") + "/api/echo", open_timeout=60)
    with client, pytest.raises(ConnectionClosed) as closed:
        client.recv(20)
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012


@pytest.mark.parametrize("workers", [False, True])
def test_new_code_sends_clients_away_from_the_old(tmp_path: Path, workers: bool) -> None:
    with site_of(tmp_path, workers=workers, **files()) as site:
        with socket_of(site, "/api/echo") as client:
            client.send("old")
            assert client.recv(20) == "old"
            (tmp_path / "backend" / "http.py").write_text(
                (tmp_path / "backend" / "http.py").read_text() + "\n# new\n"
            )
            settings = read_settings(tmp_path)

            async def push() -> None:
                await site.deployment.push(settings if workers else load_project(settings))

            site.loop.run(push())
            with pytest.raises(ConnectionClosed) as closed:
                client.recv(20)
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1012
        with socket_of(site, "/api/echo") as client:
            client.send("new")
            assert client.recv(20) == "new"
