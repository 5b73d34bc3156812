"""More requests than the front begins in time, over real sockets: refused with a time, no loss of others.

The front is made slow by a few milliseconds of work for each call, so that on any machine it is what there is
too little of. What is bounded is told in calls that were begun meanwhile, and not in seconds.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import threading
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic
from typing import Any

import pytest
import uvloop
from msgspec.structs import replace
from websockets.asyncio.client import connect

from rewake.auth import AdminKey
from rewake.deployment import Deployment
from rewake.execution import FunctionCall, turnstile
from rewake.limits import DEFAULT_LIMITS
from rewake.server import Server
from tests.deployment.stage import load

ROWS = """
    from rewake import MutationCtx, QueryCtx, mutation, query

    @mutation
    def add(ctx: MutationCtx, who: str, n: int) -> None:
        ctx.db.insert("rows", {"who": who, "n": n})

    @query
    def count(ctx: QueryCtx, who: str) -> int:
        return sum(row["who"] == who for row in ctx.db.query("rows").collect())
"""
WORK_SECONDS = 0.005
"""What a call takes of the front, at least."""
LIMITS = replace(DEFAULT_LIMITS, queue_wait_seconds_max=60.0)
"""Long, so that no line turns anybody away but the turnstile."""
WAIT_SHARE = 0.3 / LIMITS.queue_wait_seconds_max
ENTRANTS = 8
FLOODING = 450
MEANWHILE_MAX = FLOODING * 2 // 3
"""So many calls may begin between a call's being sent and its own beginning. Who waits at the turnstile is
told that it is too late after 120 of them, and three turns of 28; the rest is for a machine that is busy.
Where nobody is turned away all who flood have their turn before one has it again."""
SESSION_ID = "3f2b1c4e-8d5a-4f6b-9c7d-0a1b2c3d4e5f"


@dataclass
class Slow:
    """A deployment whose calls cost the front some time, and when each was begun."""

    deployment: Deployment
    server: Server
    begun: dict[tuple[str, int], int] = field(default_factory=dict)
    """By who called and the number of his call: how many were begun before."""

    def slow_down(self) -> None:
        mutate = self.deployment.mutate

        async def slow(call: FunctionCall, *given: Any, **named: Any) -> Any:
            arguments = json.loads(call.args)
            self.begun[arguments["who"], int(arguments["n"])] = len(self.begun)
            until = monotonic() + WORK_SECONDS
            while monotonic() < until:
                pass
            return await mutate(call, *given, **named)

        self.deployment.mutate = slow  # type: ignore[method-assign]

    def meanwhile(self, before: int, who: str, n: int) -> int:
        """How many calls were begun since there were `before`, until this one was."""
        return self.begun[who, n] - before


@dataclass
class Flood:
    """Callers from one address that ask again as soon as they are answered."""

    slow: Slow
    accepted: int = 0
    longest: int = 0
    """Calls that were begun while an accepted one waited, at most."""
    refused: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    is_over: bool = False
    is_refused: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when many were refused."""

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for number in range(FLOODING):
                group.create_task(self.caller(number))

    async def caller(self, number: int) -> None:
        http = await Http.open(self.slow.server.port)
        who = f"flood {number}"
        for n in itertools.count():
            if self.is_over:
                break
            before = len(self.slow.begun)
            line, headers, body = await http.add(who, n)
            if line.startswith("HTTP/1.1 200 "):
                self.accepted += 1
                self.longest = max(self.longest, self.slow.meanwhile(before, who, n))
            else:
                self.refused.append((line, headers, body))
                if len(self.refused) == FLOODING // 2:
                    self.is_refused.set()
        http.writer.close()


@dataclass
class Http:
    """One connection."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def open(cls, port: int, *, address: str = "127.0.0.1") -> Http:
        return cls(*await asyncio.open_connection("127.0.0.1", port, local_addr=(address, 0)))

    async def add(self, who: str, n: int) -> tuple[str, dict[str, str], bytes]:
        body = json.dumps({"path": "rows:add", "args": {"who": who, "n": n}}).encode()
        return await self.ask(
            b"POST /api/mutation HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
            b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
        )

    async def ask(self, request: bytes) -> tuple[str, dict[str, str], bytes]:
        self.writer.write(request)
        line, *fields = (await self.reader.readuntil(b"\r\n\r\n")).decode().strip().split("\r\n")
        headers = dict(each.split(": ", 1) for each in fields)
        return line, headers, await self.reader.readexactly(int(headers["content-length"]))


def play(run: Any, root: Path, story: Callable[[Slow], Coroutine[Any, Any, None]]) -> None:
    """Tell a story in a thread of its own, beside a server that is slow."""

    async def serve() -> None:
        deployment = await Deployment.open(
            data=":memory:",
            registry=load(root, rows=ROWS),
            name="slow",
            version="1",
            admin_key=AdminKey("slow|00"),
            limits=LIMITS,
        )
        server = Server(deployment, port=0)
        await server.start()
        slow = Slow(deployment, server)
        slow.slow_down()
        try:
            await asyncio.to_thread(lambda: asyncio.run(asyncio.wait_for(story(slow), 300)))
        finally:
            await server.stop()
            await deployment.close()

    run(serve())


def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have few begin in a turn, and have nobody wait for long."""
    monkeypatch.setattr(turnstile, "TURN_ENTRANTS", ENTRANTS)
    monkeypatch.setattr(turnstile, "_WAIT_SHARE", WAIT_SHARE)


async def told(socket: Any, kind: str) -> dict[str, Any]:
    """The next message of one kind."""
    while True:
        message: dict[str, Any] = json.loads(await socket.recv())
        if message["type"] == kind:
            return message


async def session(slow: Slow) -> tuple[int, int]:
    """A live query and five mutations: how many calls were begun meanwhile at most, and the last count."""
    longest, count = 0, 0
    async with connect(f"ws://127.0.0.1:{slow.server.port}/api/1.48.0/sync") as socket:

        async def say(kind: str, **fields: Any) -> None:
            await socket.send(json.dumps({"type": kind, **fields}))

        watched = {"type": "Add", "queryId": 0, "udfPath": "rows:count", "args": [{"who": "session"}]}
        await say("Connect", sessionId=SESSION_ID, connectionCount=0, lastCloseReason="InitialConnect")
        await say("ModifyQuerySet", baseVersion=0, newVersion=1, modifications=[watched])
        await told(socket, "Transition")
        for n in range(5):
            before = len(slow.begun)
            await say("Mutation", requestId=n, udfPath="rows:add", args=[{"who": "session", "n": n}])
            answer = await told(socket, "MutationResponse")
            assert answer["success"], answer
            longest = max(longest, slow.meanwhile(before, "session", n))
            while count <= n:
                for change in (await told(socket, "Transition"))["modifications"]:
                    count = int(change["value"])
    return longest, count


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_a_flood_is_refused_with_a_time_and_its_neighbours_are_served(
    run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow(monkeypatch)

    async def story(slow: Slow) -> None:
        flood = Flood(slow)
        flooding = asyncio.create_task(flood.run())
        await flood.is_refused.wait()

        # A session beside it: its mutations, and what is pushed to it.
        longest, count = await session(slow)
        assert count == 5
        assert longest <= MEANWHILE_MAX

        # Another address, and questions after health of the same.
        neighbour = await Http.open(slow.server.port, address="127.0.0.2")
        for n in range(5):
            before = len(slow.begun)
            line, _, _ = await neighbour.add("neighbour", n)
            assert line.startswith("HTTP/1.1 200 ")
            assert slow.meanwhile(before, "neighbour", n) <= MEANWHILE_MAX
        health = await Http.open(slow.server.port)
        line, _, _ = await health.ask(b"GET /healthz HTTP/1.1\r\nHost: here\r\n\r\n")
        assert line.startswith("HTTP/1.1 200 ")

        flood.is_over = True
        await flooding
        assert flood.accepted > 0
        assert flood.longest <= MEANWHILE_MAX
        for line, headers, body in flood.refused:
            assert line == "HTTP/1.1 503 Service Unavailable"
            error = json.loads(body)
            assert error["code"] == "ServerFullError"
            assert f"try again in {headers['retry-after']} seconds" in error["message"]
        tallies = slow.deployment.tallies
        assert tallies.responses[503] == len(flood.refused)
        assert tallies.refusals["http", "ServerFullError"] == len(flood.refused)

        # As if nothing had been.
        for n in range(20):
            assert (await health.add("after", n))[0].startswith("HTTP/1.1 200 ")
        assert not slow.server.door.turnstile.is_crowded
        for each in (neighbour, health):
            each.writer.close()

    play(run, tmp_path, story)


def test_what_was_refused_did_not_run_and_what_was_accepted_ran_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    narrow(monkeypatch)
    done = threading.Event()

    async def story(slow: Slow) -> None:
        flood = Flood(slow)
        flooding = asyncio.create_task(flood.run())
        await flood.is_refused.wait()
        flood.is_over = True
        await flooding
        http = await Http.open(slow.server.port)
        total = 0
        for number in range(FLOODING):
            body = json.dumps({"path": "rows:count", "args": {"who": f"flood {number}"}}).encode()
            _, _, answer = await http.ask(
                b"POST /api/query HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(body), body)
            )
            total += int(json.loads(answer)["value"])
        assert total == flood.accepted
        http.writer.close()
        done.set()

    play(uvloop.run, tmp_path, story)
    assert done.is_set()
