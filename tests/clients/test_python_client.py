"""Our own Python client against a real server: what it sees, and what a broken line and a kill cost."""

from __future__ import annotations

import asyncio
import functools
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from rewake.client import (
    ApplicationError,
    AuthenticationRefused,
    CallFailed,
    Client,
    ConnectionLost,
    Int64,
    SyncClient,
)
from tests.clients.cuttable_proxy import CuttableProxy
from tests.clients.server_process import PROJECT, ServerProcess

pytestmark = pytest.mark.clients

SIZE = 15_500_000
SECONDS = 60.0
VALUES: list[Any] = [
    None,
    True,
    0.0,
    -0.0,
    1.5,
    float("inf"),
    Int64(2**63 - 1),
    Int64(-1),
    b"",
    b"\0\xff",
    "é€🌊",
    [],
    {},
    {"_c": "x", "a": [1.0, {"b": None}]},
]


def on_a_loop(test: Callable[..., Awaitable[None]]) -> Callable[..., None]:
    """Run a coroutine as a test, for a bounded time."""

    @functools.wraps(test)
    def run(*arguments: Any, **named: Any) -> None:
        asyncio.run(asyncio.wait_for(test(*arguments, **named), SECONDS))

    return run


def admin_key(server: ServerProcess) -> str:
    return server.data.with_name(server.data.name + ".admin_key").read_text().strip()


@on_a_loop
async def test_values_go_in_and_come_out_the_same(shared_server: ServerProcess) -> None:
    async with Client(shared_server.url) as client:
        for value in VALUES:
            for call, path in ((client.query, "values:echo"), (client.action, "deeds:echo")):
                got = await call(path, value=value)
                assert (repr(got), type(got)) == (repr(value), type(value))
        key = await client.mutation("values:keep", value=VALUES)
        assert repr(await client.query("values:kept", key=key)) == repr(VALUES)
        kinds = await client.query("values:kinds", number=1, exact=Int64(1), data=b"x", ratio=0.5)
        assert kinds == ["int", "Int64", "bytes", "float"]


@on_a_loop
async def test_failures_say_what_happened(shared_server: ServerProcess) -> None:
    async with Client(shared_server.url) as client:
        with pytest.raises(CallFailed, match="Uncaught ValueError: boom") as raised:
            await client.mutation("failures:plain_mutation")
        assert len(raised.value.request_id) == 16
        for data in (None, "words", {"code": "full", "left": Int64(0)}):
            with pytest.raises(ApplicationError) as refused:
                await client.query("failures:application_query", data=data)
            assert refused.value.data == data
        for call, path, arguments, expected in (
            (client.query, "nowhere:nothing", {}, "Could not find public function for 'nowhere:nothing'"),
            (client.mutation, "counters:get", {"name": "a"}, "Trying to execute counters.js:get as Mutation"),
            (client.query, "counters:get", {"name": 1}, "ArgumentValidationError"),
            (client.query, "failures:hidden", {}, "Could not find public function"),
        ):
            with pytest.raises(CallFailed, match=expected):
                await call(path, arguments)


@on_a_loop
async def test_a_live_query_fails_and_recovers(server: ServerProcess) -> None:
    async with Client(server.url) as client:
        watch = client.watch("failures:while_positive", name="fever")
        assert await anext(watch) == "calm"
        await client.mutation("counters:increment", name="fever")
        with pytest.raises(ApplicationError):
            await anext(watch)
        await client.mutation("counters:increment", name="fever", by=-1)
        assert await anext(watch) == "calm"


@on_a_loop
async def test_two_clients_see_each_other_and_each_one_snapshot_at_a_time(server: ServerProcess) -> None:
    async with Client(server.url) as writer, Client(server.url) as reader:
        numbers = reader.watch("ledger:numbers", source="a")
        total = reader.watch("ledger:total")
        assert await anext(numbers) == []
        assert await anext(total) == 0.0
        writing = [
            asyncio.ensure_future(writer.mutation("ledger:record", source="a", number=number))
            for number in range(100)
        ]
        # One transaction writes both, so they agree whenever somebody looks.
        async for value in numbers:
            assert total.value == len(value)
            assert total.ts == numbers.ts
            if len(value) == 100:
                break
        assert await asyncio.gather(*writing) == list(range(100))
        assert await reader.query("ledger:numbers", source="a") == list(range(100))


@on_a_loop
async def test_many_watchers_and_many_clients(server: ServerProcess) -> None:
    clients = [Client(server.url) for _ in range(20)]
    try:
        watches = [
            client.watch("counters:get", name=f"c{number % 25}") for client in clients for number in range(50)
        ]
        assert await asyncio.gather(*map(anext, watches)) == [0.0] * 1000
        for number in range(25):
            await clients[number % 20].mutation("counters:increment", name=f"c{number}")
        assert await asyncio.gather(*map(anext, watches)) == [1.0] * 1000
    finally:
        await asyncio.gather(*(client.close() for client in clients))


@on_a_loop
async def test_a_result_of_20_megabytes(server: ServerProcess) -> None:
    async with Client(server.url) as client:
        watch = client.watch("big:data", size=SIZE, name="a")
        assert await anext(watch) == bytes(SIZE)
        await client.mutation("counters:increment", name="a")
        assert await anext(watch) == b"\1" * SIZE


@on_a_loop
async def test_mutations_through_a_line_that_loses_their_answers_run_once(server: ServerProcess) -> None:
    with CuttableProxy(server.port) as proxy:
        async with Client(proxy.url) as client, Client(server.url) as witness:
            total, seen = witness.watch("ledger:total"), client.watch("ledger:numbers", source="x")
            assert await anext(seen) == []
            for round_ in range(3):
                proxy.deafen()
                sent = [
                    asyncio.ensure_future(client.mutation("ledger:record", source="x", number=number))
                    for number in range(5 * round_, 5 * round_ + 5)
                ]
                async for value in total:
                    if value == 5 * round_ + 5:
                        break
                await asyncio.to_thread(proxy.wait_dropped, 10)
                assert not any(call.done() for call in sent)
                proxy.cut()
                proxy.mend()
                assert await asyncio.gather(*sent) == list(range(5 * round_, 5 * round_ + 5))
            assert seen.value == await witness.query("ledger:numbers", source="x") == list(range(15))


@on_a_loop
async def test_what_is_asked_for_without_a_line_happens_once_there_is_one(server: ServerProcess) -> None:
    with CuttableProxy(server.port) as proxy:
        async with Client(proxy.url) as client:
            counter = client.watch("counters:get", name="entries")
            assert await anext(counter) == 0.0
            proxy.cut()
            calls = [
                asyncio.ensure_future(client.mutation("ledger:record", source="q", number=number))
                for number in range(400)
            ]
            query = asyncio.ensure_future(client.query("ledger:total"))
            proxy.mend()
            assert await asyncio.gather(*calls) == list(range(400))
            assert await query <= 400.0
            assert counter.value == 400.0


@on_a_loop
async def test_an_action_under_way_is_lost_with_the_line(server: ServerProcess) -> None:
    with CuttableProxy(server.port) as proxy:
        async with Client(proxy.url) as client, Client(server.url) as other:
            action = asyncio.ensure_future(client.action("deeds:wait_for", source="d", gate="gate"))
            async for numbers in other.watch("ledger:numbers", source="d"):
                if numbers == [0]:
                    break
            proxy.cut()
            with pytest.raises(ConnectionLost, match="Connection lost while action was in flight"):
                await action
            proxy.mend()
            await other.mutation("counters:increment", name="gate")
            # The server finishes it all the same, and nobody starts it again.
            async for numbers in client.watch("ledger:numbers", source="d"):
                if len(numbers) > 1:
                    assert numbers == [0, 1]
                    break


@on_a_loop
async def test_a_restart_is_lived_through(server: ServerProcess) -> None:
    async with Client(server.url) as client:
        watch = client.watch("counters:get", name="a")
        assert await anext(watch) == 0.0
        await asyncio.to_thread(server.stop)
        waiting = asyncio.ensure_future(client.mutation("counters:increment", name="a"))
        await asyncio.to_thread(server.start)
        assert await waiting == 1.0
        assert watch.value == 1.0


@pytest.mark.slow
@pytest.mark.parametrize(
    ("point", "arguments"),
    [
        ("group.after_commit_before_outcome:10", ("--workers", "0")),
        ("sync.after_log_row_before_response:30", ("--workers", "2")),
    ],
)
@on_a_loop
async def test_kill_9_in_the_middle_of_mutations_costs_none_and_doubles_none(
    make_server: Callable[..., ServerProcess], point: str, arguments: tuple[str, ...]
) -> None:
    server = make_server(PROJECT, *arguments)
    server.start(kill_point=point)
    async with Client(server.url) as client:
        calls = [
            asyncio.ensure_future(client.mutation("ledger:record", source="k", number=number))
            for number in range(300)
        ]
        await asyncio.to_thread(server.wait_killed, 30)
        await asyncio.to_thread(server.start)
        assert await asyncio.gather(*calls) == list(range(300))
        assert Counter(await client.query("ledger:numbers", source="k")) == Counter(range(300))
        assert await client.query("ledger:total") == 300.0


@on_a_loop
async def test_an_administrator_may_call_all_and_act_as_a_user(server: ServerProcess) -> None:
    async with Client(server.url) as client:
        watch = client.watch("people:who_am_i")
        assert await anext(watch) is None
        client.set_admin_auth(admin_key(server), acting_as={"issuer": "https://x.example", "subject": "ada"})
        assert await anext(watch) == "ada"
        client.set_admin_auth(admin_key(server))
        assert await client.query("people:secret") == "for the administrator"
        assert await anext(watch) is None
        client.clear_auth()
        with pytest.raises(CallFailed, match="Could not find public function"):
            await client.query("people:secret")


@on_a_loop
async def test_a_wrong_key_and_a_token_that_is_none_are_refused(shared_server: ServerProcess) -> None:
    async with Client(shared_server.url) as client:
        client.set_admin_auth("wrong|00")
        with pytest.raises(AuthenticationRefused):
            await client.query("counters:get", name="a")
        client.set_auth("no token")
        with pytest.raises(AuthenticationRefused):
            await client.mutation("counters:increment", name="refused")
        client.clear_auth()
        assert await client.query("counters:get", name="refused") == 0.0


def test_a_script_without_a_loop(server: ServerProcess) -> None:
    with SyncClient(server.url) as client, client.watch("messages:list_all") as messages:
        assert messages.value == []
        client.mutation("messages:send", author="ada", body="hello")
        assert [message["body"] for message in messages.value] == ["hello"]


def test_generated_functions_are_called_like_any_other(shared_server: ServerProcess, tmp_path: Path) -> None:
    file = tmp_path / "generated_api.py"
    command = [sys.executable, "-m", "rewake", "codegen", str(PROJECT), "--python", str(file)]
    assert "wrote" in subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "is up to date" in subprocess.run(command, check=True, capture_output=True, text=True).stdout
    names: dict[str, Any] = {}
    exec(file.read_text(), names)
    api = names["api"]
    with SyncClient(shared_server.url) as client:
        before = client.query(api.counters.get, name="generated")
        assert client.mutation(api.counters.increment, name="generated", by=2) == before + 2
        assert next(client.watch(api.counters.get, name="generated")) == before + 2
        assert client.action(api.deeds.echo, value=b"x") == b"x"
        client.set_admin_auth(admin_key(shared_server))
        assert client.query(names["internal"].people.secret) == "for the administrator"
