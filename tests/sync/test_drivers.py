"""Both drivers, and the fast one on both event loops: the same conversations over real sockets."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import Close, Frame, Opcode

from rewake.execution import CalledFrom, RequestSource
from rewake.protocol import decode_ts
from tests.sync.fake_backend import ADMIN_KEY
from tests.sync.serving import DRIVERS, Client, Serving, run, serving

EVERY = pytest.mark.parametrize("driver", DRIVERS)
FAST = pytest.mark.parametrize("driver", DRIVERS[:2])


async def _ending(client: Client) -> tuple[int, str]:
    """Code and reason with which the server closes."""
    received = None
    while received is None:
        try:
            await client.hear()
        except ConnectionClosed as closed:
            received = closed.rcvd or Close(1006, "no close frame")
    return received.code, received.reason


def _plain(driver: str) -> int:
    """The code of a close without status: ASGI cannot leave it out."""
    return 1000 if driver == "asgi" else 1005


@EVERY
def test_a_mutation_is_answered_and_then_seen_by_every_subscriber(driver: str) -> None:
    async def test() -> None:
        async with serving(driver) as served, served.client() as writer, served.client() as reader:
            for client in (writer, reader):
                await client.add(0, 0, "kv:get", key="a")
                first = await client.hear()
                assert first["modifications"][0]["value"] == 0.0
            await writer.mutate(0, key="a")
            response = await writer.hear()
            transition = await writer.hear()
            assert (response["type"], response["requestId"], response["result"]) == (
                "MutationResponse",
                0,
                1.0,
            )
            assert transition["modifications"][0]["value"] == 1.0
            assert decode_ts(transition["endVersion"]["ts"]) >= decode_ts(response["ts"])
            seen = await reader.hear()
            assert seen["modifications"][0]["value"] == 1.0

    run(driver, test)


@pytest.mark.parametrize(
    "path",
    [
        "/api/sync",
        "/api/1.48.0/sync",
        "//api/1.48.0/sync",
        "/behind/proxy/api/1.48.0/sync",
        "/behind/proxy//api/sync",
    ],
)
@EVERY
def test_every_form_of_the_address_is_served(driver: str, path: str) -> None:
    async def test() -> None:
        async with serving(driver) as served, served.client(path) as client:
            await client.modify(0)
            assert (await client.hear())["endVersion"]["querySet"] == 1

    run(driver, test)


@EVERY
def test_an_action_and_an_error_with_data(driver: str) -> None:
    async def test() -> None:
        async with serving(driver) as served, served.client() as client:
            await client.say("Action", requestId=0, udfPath="kv:echo", args=[{"text": "hällo"}])
            assert (await client.hear())["result"] == {"text": "hällo"}
            assert (await client.hear())["type"] == "Transition"
            await client.add(0, 0, "kv:fail")
            (failed,) = (await client.hear())["modifications"]
            assert failed["errorData"] == {"code": "full"}
            assert re.fullmatch(
                r"\[Request ID: [0-9a-f]{16}\] Server Error\nUncaught .*\n", failed["errorMessage"]
            )

    run(driver, test)


@EVERY
def test_a_redacted_server_says_little(driver: str) -> None:
    async def test() -> None:
        async with serving(driver, redacted=True) as served, served.client() as client:
            await client.add(0, 0, "kv:get", key="a")
            assert (await client.hear())["modifications"][0]["logLines"] == []

    run(driver, test)


@EVERY
def test_the_admin_key_authenticates_and_another_ends_the_socket(driver: str) -> None:
    async def test() -> None:
        async with serving(driver) as served, served.client() as client:
            await client.say("Authenticate", baseVersion=0, tokenType="Admin", value=ADMIN_KEY)
            await client.modify(0)
            version = {}
            while version.get("querySet") != 1:
                version = (await client.hear())["endVersion"]
            assert version["identity"] == 1
            await client.say("Authenticate", baseVersion=1, tokenType="User", value="jwt")
            refusal = await client.hear()
            assert (refusal["type"], refusal["baseVersion"], refusal["authUpdateAttempted"]) == (
                "AuthError",
                1,
                True,
            )
            assert await _ending(client) == (_plain(driver), "")

    run(driver, test)


@EVERY
def test_broken_json_is_fatal(driver: str) -> None:
    async def test() -> None:
        async with serving(driver) as served, served.client() as client:
            await client.socket.send("{")
            assert "Received Invalid JSON on websocket" in (await client.hear())["error"]
            assert await _ending(client) == (_plain(driver), "")

    run(driver, test)


@EVERY
def test_a_binary_message_is_an_internal_error(driver: str) -> None:
    async def test() -> None:
        async with serving(driver) as served, served.client() as client:
            await client.socket.send(b"{}")
            assert await _ending(client) == (1011, "InternalServerError")

    run(driver, test)


@EVERY
def test_an_action_that_raises_a_class_of_error_ends_the_socket(driver: str) -> None:
    async def test() -> None:
        async with serving(driver) as served, served.client() as client:
            await client.say("Action", requestId=0, udfPath="kv:forbidden", args=[{}])
            assert (await client.hear())["type"] == "FatalError"
            assert await _ending(client) == (1000, "Forbidden")

    run(driver, test)


@EVERY
def test_a_message_in_fragments_is_one_message(driver: str) -> None:
    async def test() -> None:
        async with serving(driver) as served, served.client() as client:
            await client.socket.send(
                ['{"type":"ModifyQuery', 'Set","baseVersion":0,', '"newVersion":1,"modifications":[]}']
            )
            assert (await client.hear())["type"] == "Transition"

    run(driver, test)


@EVERY
def test_a_message_too_large_ends_the_socket(driver: str) -> None:
    async def test() -> None:
        async with serving(driver, socket_message_bytes_max=1000) as served, served.client() as client:
            await client.say("Event", event="x" * 2000)
            assert (await _ending(client))[0] == 1009

    run(driver, test)


@EVERY
def test_close_is_answered_at_once_and_forgets_the_queries(driver: str) -> None:
    async def test() -> None:
        async with serving(driver) as served:
            async with served.client() as client:
                await client.add(0, 0, "kv:get", key="a")
                await client.hear()
                assert served.door.socket_count == 1
                await client.socket.close()
                assert client.socket.close_code == 1000
            while served.door.socket_count or served.backend.sessions:
                await asyncio.sleep(0)

    run(driver, test)


@EVERY
def test_a_mutation_that_runs_when_the_client_leaves_is_carried_out(driver: str) -> None:
    async def test() -> None:
        async with serving(driver) as served:
            gate = asyncio.Event()
            reached = asyncio.Event()

            async def wait() -> None:
                reached.set()
                await gate.wait()

            served.backend.gate = wait
            async with served.client() as client:
                await client.mutate(0, key="a")
                await reached.wait()
            while served.door.socket_count:
                await asyncio.sleep(0)
            gate.set()
            await served.door.drained()
            assert served.backend.value_at("a", served.backend.last_ts) == 1

    run(driver, test)


@EVERY
def test_npm_gets_a_large_transition_in_chunks(driver: str) -> None:
    async def test() -> None:
        async with serving(driver) as served, served.client("/api/1.48.0/sync") as client:
            await client.add(0, 0, "kv:text", size=6_000_000)
            parts = [await client.hear()]
            while len(parts) < parts[0]["totalParts"]:
                parts.append(await client.hear())
            assert len(parts) == 3
            transition = json.loads("".join(part["chunk"] for part in parts))
            assert transition["modifications"][0]["value"] == "é" * 6_000_000

    run(driver, test)


@EVERY
def test_other_clients_get_one_message(driver: str) -> None:
    async def test() -> None:
        async with serving(driver) as served, served.client(says="python-0.8.1") as client:
            await client.add(0, 0, "kv:text", size=6_000_000)
            transition = await client.hear()
            assert transition["modifications"][0]["value"] == "é" * 6_000_000

    run(driver, test)


@EVERY
def test_a_quiet_socket_gets_pings(driver: str) -> None:
    async def test() -> None:
        async with serving(driver, socket_silence_seconds=0.1) as served, served.client() as client:
            assert await client.hear() == {"type": "Ping"}
            assert await client.hear() == {"type": "Ping"}

    run(driver, test)


@EVERY
def test_a_version_that_cannot_be_read_is_refused_with_a_code(driver: str) -> None:
    async def test() -> None:
        async with serving(driver) as served:
            for attempt in ({"says": "nonsense"}, {"path": "/api/latest/sync"}):
                with pytest.raises(InvalidStatus) as caught:
                    async with served.client(**attempt):  # type: ignore[arg-type]
                        pass
                response = caught.value.response
                assert response.status_code == 400
                assert response.headers["content-type"] == "application/json"
                assert json.loads(bytes(response.body or b""))["code"] == "InvalidClientVersion"

    run(driver, test)


async def _request(served: Serving, text: str) -> tuple[int, Any]:
    """Send a raw HTTP request; status and JSON body of the answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(text.encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = re.search(rb"content-length: (\d+)", head.lower())
    body = await reader.readexactly(int(length[1])) if length else await reader.read()
    writer.close()
    return int(head.split()[1]), json.loads(body)


@EVERY
def test_a_plain_request_for_the_endpoint_is_refused_with_a_code(driver: str) -> None:
    async def test() -> None:
        async with serving(driver) as served:
            status, body = await _request(served, "GET /api/sync HTTP/1.1\r\nhost: x\r\n\r\n")
            assert (status, body["code"]) == (400, "InvalidConnectionHeader")
            status, body = await _request(
                served, "POST /api/sync HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\n\r\n"
            )
            assert (status, body["code"]) == (400, "MethodNotGet")
            upgrade = "GET /api/sync HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n"
            status, body = await _request(served, upgrade)
            assert (status, body["code"]) == (400, "InvalidUpgradeHeader")

    run(driver, test)


@FAST
def test_a_broken_upgrade_is_refused_with_a_code(driver: str) -> None:
    async def test() -> None:
        async with serving(driver) as served:
            upgrade = "HTTP/1.1\r\nhost: x\r\nconnection: keep-alive, Upgrade\r\nupgrade: websocket\r\n"
            key = "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
            for head, code in [
                (f"POST /api/sync {upgrade}{key}\r\n", "MethodNotGet"),
                (f"GET /api/sync {upgrade}\r\n", "WebSocketKeyHeaderMissing"),
                (f"GET /api/sync {upgrade}sec-websocket-key: short\r\n\r\n", "WebSocketKeyHeaderMissing"),
                (f"GET /api/sync {upgrade}{key}\r\n", "InvalidWebSocketVersionHeader"),
                (
                    f"GET /api/sync {upgrade}{key}sec-websocket-version: 8\r\n\r\n",
                    "InvalidWebSocketVersionHeader",
                ),
            ]:
                status, body = await _request(served, head)
                assert (status, body["code"]) == (400, code)

    run(driver, test)


@EVERY
def test_other_paths_go_to_the_application(driver: str) -> None:
    async def test() -> None:
        async with serving(driver) as served, connect(served.url("/echo")) as other:
            await other.send("hello")
            assert await other.recv() == "hello!"

    run(driver, test)


@FAST
def test_large_messages_go_out_in_bounded_frames(driver: str) -> None:
    async def test() -> None:
        async with (
            serving(driver, frame_bytes_max=100_000) as served,
            served.client(compression=None) as client,
        ):
            frames: list[Frame] = []
            receive = client.socket.protocol.recv_frame

            def watch(frame: Frame) -> None:
                frames.append(frame)
                receive(frame)

            client.socket.protocol.recv_frame = watch  # type: ignore[method-assign]
            await client.add(0, 0, "kv:text", size=500_000)
            await client.hear()
            assert [frame.opcode for frame in frames[:3]] == [Opcode.TEXT, Opcode.CONT, Opcode.CONT]
            assert max(len(frame.data) for frame in frames) <= 100_000
            assert [frame.fin for frame in frames] == [False] * (len(frames) - 1) + [True]

    run(driver, test)


@FAST
@pytest.mark.parametrize(
    ("offer", "limit", "agreed"),
    [
        ("deflate", 1024, "permessage-deflate; server_no_context_takeover; client_no_context_takeover"),
        ("deflate", 0, None),
        (None, 1024, None),
    ],
)
def test_compression_is_agreed_on_where_it_is_offered_and_wanted(
    driver: str, offer: str | None, limit: int, agreed: str | None
) -> None:
    async def test() -> None:
        settings = {"socket_deflate_bytes_min": limit}
        async with serving(driver, **settings) as served, served.client(compression=offer) as client:
            assert client.socket.response is not None
            assert client.socket.response.headers.get("Sec-WebSocket-Extensions") == agreed
            await client.add(0, 0, "kv:text", size=100_000)
            assert (await client.hear())["modifications"][0]["value"] == "é" * 100_000
            # What the client sends is compressed, too, and in several frames.
            await client.socket.send(
                [json.dumps({"type": "Action", "requestId": 0, "udfPath": "kv:echo", "args": [{}]}), " " * 9]
            )
            assert (await client.hear())["success"]

    run(driver, test)


@FAST
def test_compressed_messages_are_few_bytes_and_small_ones_go_as_they_are(driver: str) -> None:
    async def test() -> None:
        async with serving(driver) as served, served.client() as client:
            frames: list[tuple[int, bool]] = []
            agreed = client.socket.protocol.extensions[0]
            decode = agreed.decode

            def watch(frame: Frame, *, max_size: int | None = None) -> Frame:
                frames.append((len(frame.data), frame.rsv1))
                return decode(frame, max_size=max_size)

            agreed.decode = watch  # type: ignore[method-assign]
            await client.modify(0)
            await client.hear()
            await client.add(1, 0, "kv:text", size=100_000)
            await client.hear()
            (small, is_small_deflated), (large, is_large_deflated) = frames
            assert (is_small_deflated, is_large_deflated) == (False, True)
            assert small < 1024
            assert large < 2_000

    run(driver, test)


@FAST
def test_a_few_bytes_do_not_become_a_large_message(driver: str) -> None:
    async def test() -> None:
        async with serving(driver, socket_message_bytes_max=100_000) as served, served.client() as client:
            await client.socket.send(" " * 10_000_000)
            assert (await _ending(client))[0] == 1009

    run(driver, test)


@FAST
def test_text_that_is_no_unicode_ends_the_socket(driver: str) -> None:
    async def test() -> None:
        async with serving(driver) as served, served.client() as client:
            await client.socket.send(b"\xff\xfe", text=True)
            assert (await _ending(client))[0] == 1007

    run(driver, test)


@FAST
def test_a_breach_of_the_websocket_protocol_ends_the_socket(driver: str) -> None:
    async def test() -> None:
        async with serving(driver) as served, served.client() as client:
            await client.modify(0)
            await client.hear()
            client.socket.transport.write(b"\x83\x80\x00\x00\x00\x00")
            assert (await _ending(client))[0] == 1002

    run(driver, test)


@FAST
def test_ping_frames_go_out_and_come_back(driver: str) -> None:
    async def test() -> None:
        limits = {"socket_ping_seconds": 0.1, "socket_inactivity_seconds": 2.0, "socket_silence_seconds": 2.5}
        async with serving(driver, **limits) as served, served.client() as client:
            # Its pongs keep the socket beyond the inactivity bound, until the first Ping.
            assert await client.hear() == {"type": "Ping"}
            pong = await client.socket.ping()
            await pong

    run(driver, test)


@FAST
def test_a_reader_that_does_not_read_is_dropped(driver: str) -> None:
    async def test() -> None:
        limits = {"socket_backlog_bytes_max": 100_000, "transitions_waiting_max": 1000}
        async with serving(driver, **limits) as served, served.client(compression=None) as client:
            client.socket.transport.pause_reading()
            for number in range(100):
                await client.add(number, number, "kv:text", size=500_000)
                if served.door.drops:
                    break
                await asyncio.sleep(0)
            while not served.door.drops:
                await asyncio.sleep(0)
            assert served.door.drops == {"SlowReaderBytes": 1}
            while served.door.socket_count:
                await asyncio.sleep(0)

    run(driver, test)


@EVERY
def test_transitions_wait_for_a_slow_reader_and_then_catch_up(driver: str) -> None:
    async def test() -> None:
        async with serving(driver) as served, served.client() as client:
            client.socket.transport.pause_reading()
            for number in range(30):
                await client.add(number, number, "kv:text", size=1_000_000)
            for _ in range(1000):
                await asyncio.sleep(0)
            client.socket.transport.resume_reading()
            transitions = []
            while not transitions or transitions[-1]["endVersion"]["querySet"] < 30:
                transitions.append(await client.hear())
            # Those that could not be sent were folded into fewer.
            assert sum(len(each["modifications"]) for each in transitions) == 30

    run(driver, test)


@EVERY
def test_closing_all_tells_every_client_to_come_again(driver: str) -> None:
    async def test() -> None:
        async with serving(driver) as served, served.client() as first, served.client() as second:
            for client in (first, second):
                await client.modify(0)
                await client.hear()
            served.door.close_all()
            assert await _ending(first) == (1001, "ServerRestarting")
            assert await _ending(second) == (1001, "ServerRestarting")
            await served.door.drained()

    run(driver, test)


@FAST
def test_uvicorn_stopping_closes_sockets_with_the_same_reason(driver: str) -> None:
    async def test() -> None:
        async with serving(driver) as served, served.client() as client:
            await client.modify(0)
            await client.hear()
            served.server.should_exit = True
            assert await _ending(client) == (1001, "ServerRestarting")

    run(driver, test)


@EVERY
def test_a_call_that_does_not_end_does_not_keep_the_server_from_stopping(driver: str) -> None:
    async def test() -> None:
        async with serving(driver) as served, served.client() as client:
            reached, gate = asyncio.Event(), asyncio.Event()

            async def wait() -> None:
                reached.set()
                await gate.wait()

            served.backend.gate = wait
            await client.say("Action", requestId=0, udfPath="kv:echo", args=[{}])
            await reached.wait()
            served.door.close_all()
            assert await served.door.drained(seconds=0.01) is False
            gate.set()
            assert await served.door.drained() is True

    run(driver, test)


@EVERY
def test_messages_wait_while_a_key_is_checked(driver: str) -> None:
    async def test() -> None:
        async with serving(driver) as served, served.client() as client:
            reached, gate = asyncio.Event(), asyncio.Event()

            async def wait() -> None:
                reached.set()
                await gate.wait()

            served.backend.gate = wait
            await client.say("Authenticate", baseVersion=0, tokenType="Admin", value=ADMIN_KEY)
            await reached.wait()
            await client.modify(0)
            gate.set()
            version: dict[str, Any] = {}
            while version.get("querySet") != 1:
                version = (await client.hear())["endVersion"]
            assert version["identity"] == 1

    run(driver, test)


@EVERY
def test_calls_come_from_the_address_and_the_program_of_their_socket(driver: str) -> None:
    async def test() -> None:
        async with serving(driver, user_agent_bytes_max=8) as served:
            for user_agent in ("Pigeon/1.0", None):
                async with served.client(user_agent=user_agent) as client:
                    await client.mutate(0, key="a")
                    assert (await client.hear())["success"]
                    await client.hear()
                    await client.say("Action", requestId=1, udfPath="kv:echo", args=[{}])
                    assert (await client.hear())["success"]
            door = CalledFrom.SYNC_WORKER
            known = RequestSource("127.0.0.1", "Pigeon/1", called_from=door)
            unknown = RequestSource("127.0.0.1", called_from=door)
            assert served.backend.sources == [known] * 2 + [unknown] * 2

    run(driver, test)
