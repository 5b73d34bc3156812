"""Nobody can tell by an answer which way a request went: byte for byte, whatever is asked."""

from __future__ import annotations

import asyncio
import json
import random
import re
import ssl
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from rewake.auth import AdminKey
from rewake.deployment import Deployment
from rewake.errors import Unauthenticated
from rewake.execution import load_project, read_settings
from rewake.limits import KIB, Limits
from rewake.protocol import TrustedProxies
from rewake.server import Exposure, Server
from rewake.server.quick_http import QuickDoor
from tests.execution.worker_stage import write_project
from tests.server.certificate import make_certificate

KEY = "quick|00ff"
MAIN = """
    from typing import Any
    from rewake import ApplicationError, MutationCtx, QueryCtx, mutation, query

    @query
    def same(ctx: QueryCtx, value: Any = None) -> Any:
        print("said", value)
        return value

    @mutation
    def change(ctx: MutationCtx, value: Any = None) -> Any:
        return value

    @query
    def fail(ctx: QueryCtx) -> None:
        raise ValueError("no")

    @mutation
    def refuse(ctx: MutationCtx) -> None:
        raise ApplicationError({"code": 7})
"""
ORIGIN = "https://a.example"
Ask = Callable[[bytes, int], Awaitable[bytes]]


class Both:
    """One deployment with two servers: requests to the second all go the long way."""

    def __init__(self, deployment: Deployment, quick: Server, slow: Server) -> None:
        self.deployment = deployment
        self.quick = quick
        self.slow = slow
        self.encryption: ssl.SSLContext | None = None

    async def ask(self, server: Server, pieces: list[bytes], count: int) -> bytes:
        """Send `pieces`, each when what was asked before is answered; gives `count` answers in all, or what
        came until the server hung up.
        """
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=self.encryption)
        try:
            got = b""
            for number, piece in enumerate(pieces):
                writer.write(piece)
                wanted = count if number == len(pieces) - 1 else number + 1
                while complete(got) < wanted and (data := await reader.read(1 << 16)):
                    got += data
            if b"connection: close" in got:
                assert await reader.read() == b"", "nothing comes after the last answer"
            return re.sub(rb"\r\ndate: [^\r]*|\[Request ID: [0-9a-f]{16}\]", b"", got)
        except ConnectionResetError:
            return got
        finally:
            writer.close()

    async def told(self, server: Server, pieces: list[bytes], count: int) -> tuple[bytes, Any]:
        """The answers, and what was counted meanwhile."""
        tallies = self.deployment.tallies
        tallies.responses.clear()
        tallies.refusals.clear()
        answer = await self.ask(server, pieces, count)
        return answer, (dict(tallies.responses), dict(tallies.refusals))

    async def compare(self, pieces: list[bytes], count: int | None = None) -> bytes:
        """The answers, which are the same either way."""
        count = len(pieces) if count is None else count
        quick = await self.told(self.quick, pieces, count)
        slow = await self.told(self.slow, pieces, count)
        assert quick == slow, pieces
        return quick[0]


def complete(got: bytes) -> int:
    """How many whole answers these are."""
    found, at = 0, 0
    while (end := got.find(b"\r\n\r\n", at)) >= 0:
        length = re.search(rb"content-length: (\d+)", got[at:end].lower())
        at = end + 4 + (int(length[1]) if length else 0)
        if at > len(got):
            break
        found += 1
    return found


def play(
    root: Path,
    story: Callable[[Both], Awaitable[None]],
    *,
    exposure: Exposure | None = None,
    redacted: bool = False,
    limits: Limits | None = None,
) -> None:
    write_project(root, main=MAIN)

    async def run() -> None:
        deployment = await Deployment.open(
            data=":memory:",
            registry=load_project(read_settings(root)),
            name="quick",
            version="1",
            admin_key=AdminKey(KEY),
            is_redacted=redacted,
            limits=limits or Limits(),
        )
        quick = Server(deployment, port=0, exposure=exposure or Exposure())
        slow = Server(deployment, port=0, exposure=exposure or Exposure())
        slow._quick = lambda: None  # type: ignore[method-assign,assignment,return-value]
        try:
            await quick.start()
            await slow.start()
            await asyncio.wait_for(story(Both(deployment, quick, slow)), 60)
        finally:
            await quick.stop()
            await slow.stop()
            await deployment.close()

    asyncio.run(run())


def request(
    body: bytes | str,
    *lines: str,
    path: str = "/api/query",
    method: str = "POST",
    version: str = "1.1",
    kind: str = "application/json",
    id: str = "mine",
) -> bytes:
    """A request; with an `id`, that of its answer can be compared, too."""
    data = body.encode() if isinstance(body, str) else body
    head = [
        f"{method} {path} HTTP/{version}",
        "Host: here",
        *([f"Convex-Request-Id: {id}"] if id else []),
        *([f"Content-Type: {kind}"] if kind else []),
        *lines,
    ]
    if not any(line.lower().startswith(("transfer-encoding", "content-length")) for line in lines):
        head.append(f"Content-Length: {len(data)}")
    return "\r\n".join([*head, "", ""]).encode("latin-1") + data


def call(path: str, args: Any = None, **others: Any) -> str:
    return json.dumps({"path": path, "args": {} if args is None else args, **others})


BODIES = [
    call("main:same", {"value": 1}),
    call("main:same", [{"value": "é"}], format="convex_encoded_json"),
    call("main:same", {"value": {"$integer": "AQAAAAAAAAA="}}, format="export_json"),
    call("main:same", {"value": 1}, format="nonsense"),
    call("main:same", [{}, {}]),
    call("main:same", {"unknown": 1}),
    call("main.js:change", {"value": [None, True]}),
    call("main:change"),
    call("main:fail"),
    call("main:refuse"),
    call("main:nothing"),
    call("_system/x:y"),
    call("::"),
    '{"path": "main:same"}',
    '{"path": 1, "args": {}}',
    '{"path": "main:same", "args": {"value": 1e999}}',
    "[" * 3000,
    "{",
    "",
    b'{"path": "main:same", "args": {"value": "\xff"}}',
    call("main:same", {"value": "long " * 3000}),
    call("main:same", {"value": "very long " * 30_000}),
]
HEADERS = [
    f"Origin: {ORIGIN}",
    "Origin: https://other.example",
    "Origin: a\tb",
    "Authorization: Convex wrong",
    f"Authorization: Convex {KEY}",
    "Authorization: nonsense",
    "Authorization: Bearer a.b.c",
    "Convex-Client: npm-1.2.3",
    "Convex-Client: npm-1.40.0",
    "Convex-Client: rubbish",
    "Convex-Client: " + "x" * 300,
    "Content-Encoding: gzip",
    "Content-Encoding: identity",
    "Connection: keep-alive",
    "Connection: close",
    "X-Forwarded-For: 203.0.113.9",
    "Forwarded: for=203.0.113.9;proto=https",
    "Accept: */*",
    "User-Agent: a browser",
    "Upgrade: h2c",
]


def by_chance(chance: random.Random, id: str = "mine") -> bytes:
    """Some request or other."""
    lines = [each for each in HEADERS if chance.random() < 0.12]
    chance.shuffle(lines)
    kinds = ["application/json"] * 8 + [
        "application/json; charset=utf-8",
        "application/x+json",
        "text/plain",
        "",
    ]
    paths = ["/api/query"] * 4 + ["/api/mutation"] * 4 + ["/api/query?a=1", "/api/%71uery", "/api/action"]
    return request(
        chance.choice(BODIES),
        *lines,
        path=chance.choice([*paths, "/api/querys"]),
        method=chance.choice(["POST"] * 9 + ["GET", "PUT", "OPTIONS"]),
        version=chance.choice(["1.1"] * 9 + ["1.0"]),
        kind=chance.choice(kinds),
        id=id,
    )


@pytest.mark.parametrize("seed", range(4))
def test_whatever_is_asked_is_answered_alike_either_way(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    exposure = Exposure(
        origins=frozenset([ORIGIN]) if seed % 2 else None,
        proxies=TrustedProxies.parse("" if seed == 3 else "127.0.0.1"),
    )

    async def story(both: Both) -> None:
        for _ in range(60):
            await both.compare([by_chance(chance)])
        for _ in range(10):
            await both.compare([by_chance(chance) for _ in range(3)])

    play(tmp_path, story, exposure=exposure, redacted=seed == 2, limits=Limits(http_body_bytes_max=200 * KIB))


@pytest.mark.parametrize("seed", range(2))
def test_what_was_said_before_is_answered_as_the_first_time(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    said = [by_chance(chance, id="") for _ in range(30)]
    said += [request(body, id="") for body in (*BODIES, *BODIES)]
    said += [request(body, f"Origin: {ORIGIN}", path="/api/mutation", id="") for body in BODIES]

    async def story(both: Both) -> None:
        for _ in range(15):
            await both.compare([chance.choice(said) for _ in range(8)])
            await both.compare([b"".join(chance.choice(said) for _ in range(3))], count=3)
        assert len(quick_door(both.quick).known) >= 2
        assert not quick_door(both.slow)

    play(tmp_path, story)


def quick_door(server: Server) -> Any:
    return server._listeners[0]._http.quick  # type: ignore[attr-defined]


def test_of_a_known_head_every_part_of_a_piece_is_heard(tmp_path: Path) -> None:
    whole = request(call("main:same", {"value": 1}), id="")

    async def story(both: Both) -> None:
        plain = await both.compare([whole])
        assert await both.ask(both.quick, [whole, whole + whole, whole], 4) == 4 * plain
        for cut in (1, 20, whole.index(b"\r\n\r\n") + 4, len(whole) - 1):
            reader, writer = await asyncio.open_connection("127.0.0.1", both.quick.port)
            got = b""
            for number, piece in enumerate((whole + whole[:cut], whole[cut:] + whole, whole), 1):
                writer.write(piece)
                while complete(got) < (1, 3, 4)[number - 1]:
                    got += await reader.read(1 << 16)
            assert re.sub(rb"\r\ndate: [^\r]*", b"", got) == 4 * plain
            writer.close()

    play(tmp_path, story)


def test_after_a_known_head_the_next_has_only_so_long(tmp_path: Path) -> None:
    whole = request(call("main:same", {"value": 1}), id="")

    async def story(both: Both) -> None:
        await both.ask(both.quick, [whole], 1)
        got = await both.ask(both.quick, [whole, whole[:20]], 2)
        assert got.count(b"HTTP/1.1 200 OK") == 1
        assert b"HTTP/1.1 408 Request Timeout" in got

    play(tmp_path, story, limits=Limits(http_head_seconds_max=1.0))


def test_a_known_head_is_heard_over_tls(tmp_path: Path) -> None:
    tls = make_certificate(tmp_path)

    async def story(both: Both) -> None:
        both.encryption = ssl.create_default_context(cafile=tls.certificate)
        asked = [request(call("main:same", {"value": value}), id="") for value in (1, 22, 333)]
        got = await both.compare([*asked, b"".join(asked), *asked], count=9)
        assert re.findall(rb'"value":(\d+)', got) == [b"1", b"22", b"333"] * 3
        assert len(quick_door(both.quick).known) == 1

    play(tmp_path, story, exposure=Exposure(tls=tls))


def test_of_a_known_head_the_body_is_bounded_too(tmp_path: Path) -> None:
    async def story(both: Both) -> None:
        small, large = (request(call("main:same", {"value": "x" * size}), id="") for size in (10, 3_000))
        got = await both.compare([small, small, large, small])
        assert re.findall(rb"HTTP/1.1 (\d+)", got) == [b"200", b"200", b"400", b"200"]

    play(tmp_path, story, limits=Limits(http_body_bytes_max=2_000))


def test_who_asks_is_found_out_each_time(tmp_path: Path) -> None:
    asking = request(call("main:same", {"value": 1}), f"Authorization: Convex {KEY}", id="")

    async def story(both: Both) -> None:
        checked: list[str | None] = []
        whole = both.deployment.authenticate_header

        async def authenticate(authorization: str | None) -> Any:
            checked.append(authorization)
            if len(checked) == 3:
                raise Unauthenticated("The key was revoked.")
            return await whole(authorization)

        both.deployment.authenticate_header = authenticate  # type: ignore[method-assign]
        got = await both.ask(both.quick, [asking] * 3, 3)
        assert re.findall(rb"HTTP/1.1 (\d+)", got) == [b"200", b"200", b"401"]
        assert checked == [f"Convex {KEY}"] * 3

    play(tmp_path, story)


def test_requests_in_one_piece_are_answered_in_their_order(tmp_path: Path) -> None:
    async def story(both: Both) -> None:
        several = [
            request(call("main:same", {"value": 1})),
            request(call("main:change", {"value": 2}), path="/api/mutation"),
            request("", path="/version", method="GET", kind=""),
            request(call("main:same", {"value": 3})),
            request(call("main:same", {"value": 1})),
        ]
        got = await both.compare([b"".join(several)], count=5)
        assert re.findall(rb'"value":(\d)', got) == [b"1", b"2", b"3", b"1"]
        many = [request(call("main:same", {"value": number})) for number in (1, 2, 3)] * 30
        got = await both.compare([b"".join(many)], count=90)
        assert re.findall(rb'"value":(\d)', got) == [b"1", b"2", b"3"] * 30

    play(tmp_path, story)


@pytest.mark.parametrize("cut", [1, 40, -1, -20])
def test_a_request_in_two_pieces_is_answered_too(tmp_path: Path, cut: int) -> None:
    async def story(both: Both) -> None:
        whole = request(call("main:same", {"value": 1}))
        plain = await both.compare([whole])
        for server in (both.quick, both.slow):
            reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
            writer.write(whole[:cut])
            # Its other requests show that the first piece was read.
            await both.ask(server, [whole, whole], 2)
            writer.write(whole[cut:] + whole)
            got = b""
            while complete(got) < 2:
                got += await reader.read(1 << 16)
            assert re.sub(rb"\r\ndate: [^\r]*", b"", got) == 2 * plain
            writer.close()

    play(tmp_path, story)


def test_chunked_and_expecting_requests_go_the_long_way(tmp_path: Path) -> None:
    async def story(both: Both) -> None:
        body = call("main:same", {"value": 1}).encode()
        chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body)
        await both.compare([request(chunked, "Transfer-Encoding: chunked")])
        got = await both.compare([request(body, "Expect: 100-continue")], count=2)
        assert got.startswith(b"HTTP/1.1 100 Continue")

    play(tmp_path, story)


def test_a_mistake_of_ours_is_answered_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def story(both: Both) -> None:
        async def broken(*_: Any, **__: Any) -> None:
            raise RuntimeError("a mistake")

        monkeypatch.setattr(both.deployment, "query", broken)
        got = await both.compare([request(call("main:same"))])
        assert got.startswith(b"HTTP/1.1 500 ")
        assert b"a mistake" not in got
        logged = [record.getMessage() for record in caplog.records]
        assert logged.count("[Request ID: mine] POST /api/query failed") == 2

    play(tmp_path, story)


def held(both: Both) -> tuple[asyncio.Event, asyncio.Event]:
    """Have queries wait from now on: an event for when one has begun, and one that lets all go on."""
    begun, go_on = asyncio.Event(), asyncio.Event()
    whole = both.deployment.query

    async def slow(*args: Any, **options: Any) -> Any:
        begun.set()
        await go_on.wait()
        return await whole(*args, **options)

    both.deployment.query = slow  # type: ignore[method-assign]
    return begun, go_on


def test_who_hangs_up_meanwhile_is_not_written_to(tmp_path: Path) -> None:
    async def story(both: Both) -> None:
        begun, go_on = held(both)
        _, writer = await asyncio.open_connection("127.0.0.1", both.quick.port)
        writer.write(request(call("main:same", {"value": 1})))
        await begun.wait()
        (connection,) = both.quick._listeners[0]._uvicorn.server_state.connections
        lost = asyncio.Event()
        ended = connection.connection_lost

        def note(error: Exception | None) -> None:
            ended(error)
            lost.set()

        connection.connection_lost = note  # type: ignore[method-assign,union-attr]
        writer.transport.abort()
        await lost.wait()
        assert both.quick._gate.count == 0
        go_on.set()
        assert b'"value":2' in await both.ask(both.quick, [request(call("main:same", {"value": 2}))], 1)

    play(tmp_path, story)


def test_a_server_that_stops_lets_a_quick_call_finish_and_says_that_it_was_the_last(tmp_path: Path) -> None:
    async def story(both: Both) -> None:
        begun, go_on = held(both)
        asking = asyncio.ensure_future(
            both.ask(both.quick, [request(call("main:same", {"value": 1}), "Accept: */*")], 1)
        )
        await begun.wait()
        (connection,) = both.quick._listeners[0]._uvicorn.server_state.connections
        connection.shutdown()
        go_on.set()
        got = await asking
        assert b"connection: close\r\n" in got
        assert b'"value":1' in got

    play(tmp_path, story)


def test_only_plain_requests_go_the_short_way() -> None:
    class Calls:
        is_on = True
        paths = frozenset({"/api/query"})
        answer = None

        def head(self, path: str, headers: Any, address: str) -> Any:
            return path, address

    calls: Any = Calls()
    door = QuickDoor(calls, (), body_bytes_max=1000)
    length = (b"content-length", b"10")

    def head(url: bytes, *headers: tuple[bytes, bytes]) -> Any:
        return door.head(url, list(headers), "192.0.2.7")

    plain = "/api/query", "192.0.2.7"
    assert head(b"/api/query", length) == plain
    assert head(b"/api/query", length, (b"connection", b"keep-alive")) == plain
    assert head(b"/api/query?x", length) is None
    assert head(b"/api/query") is None
    assert head(b"/api/query", (b"content-length", b"1001")) is None
    assert head(b"/api/query", (b"content-length", b"-1")) is None
    for name in (b"x-forwarded-for", b"transfer-encoding", b"expect", b"upgrade", b"connection"):
        assert head(b"/api/query", length, (name, b"x")) is None
    calls.is_on = False
    assert head(b"/api/query", length) is None
