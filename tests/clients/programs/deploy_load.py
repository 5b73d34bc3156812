"""Sessions and callers that go on while somebody deploys: a program of its own.

Arguments: the server's URL, the number of sessions. It runs until its stdin ends, waits for what it has
asked, and prints one JSON object: what it did, and everything that was not as it should be.
"""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from typing import Any

import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

SYNC_PATH = "/api/1.48.0/sync"
PAUSE_SECONDS = 4.0
"""Of one session, between two of its calls."""
HTTP_CALLERS = 4
HTTP_PAUSE_SECONDS = 0.05
ANSWER_SECONDS = 60.0
PROBLEMS_TOLD_MAX = 20


class Tally:
    def __init__(self) -> None:
        self.counts = dict.fromkeys(["transitions", "mutations", "actions", "http_calls", "problems"], 0)
        self.problems: list[str] = []
        self.slowest = 0.0

    def add(self, name: str) -> None:
        self.counts[name] += 1

    def problem(self, text: str) -> None:
        self.add("problems")
        if len(self.problems) < PROBLEMS_TOLD_MAX:
            self.problems.append(text)


class Session:
    """One socket with a live query on a counter of its own, which only it counts up."""

    def __init__(self, number: int, tally: Tally) -> None:
        self._slot = f"session-{number}"
        self._tally = tally
        self._asked: dict[int, asyncio.Future[Any]] = {}
        self._seen = 0.0
        self._done = 0
        self._news = asyncio.Event()

    async def run(self, url: str, *, delay: float, stop: asyncio.Event) -> None:
        async with connect(
            url.replace("http", "ws", 1) + SYNC_PATH, compression=None, max_size=None, ping_interval=None
        ) as socket:
            listening = asyncio.create_task(self._listen(socket))
            hello: dict[str, Any] = {"type": "Connect", "sessionId": str(uuid.uuid4()), "connectionCount": 0}
            await socket.send(json.dumps(hello | {"lastCloseReason": "InitialConnect", "clientTs": 0}))
            add = {"type": "Add", "queryId": 0, "udfPath": "load:get", "args": [{"slot": self._slot}]}
            modify = {"type": "ModifyQuerySet", "baseVersion": 0, "newVersion": 1, "modifications": [add]}
            await socket.send(json.dumps(modify))
            await rest(delay, stop)
            number = 0
            while not stop.is_set() and not listening.done():
                await self._call(socket, number)
                number += 1
                await rest(PAUSE_SECONDS, stop)
            await self._seen_all(listening)
            listening.cancel()

    async def _call(self, socket: Any, number: int) -> None:
        kind = "Action" if number % 5 == 4 else "Mutation"
        path = "load:act" if kind == "Action" else "load:bump"
        answer = self._asked[number] = asyncio.get_running_loop().create_future()
        message = {"type": kind, "requestId": number, "udfPath": path, "args": [{"slot": self._slot}]}
        begin = asyncio.get_running_loop().time()
        try:
            await socket.send(json.dumps(message))
            heard = await asyncio.wait_for(answer, ANSWER_SECONDS)
        except (ConnectionClosed, TimeoutError) as error:
            self._tally.problem(f"{self._slot}: {kind} {number} has no answer: {error!r}")
            return
        self._tally.slowest = max(self._tally.slowest, asyncio.get_running_loop().time() - begin)
        self._done += 1
        if not heard["success"] or heard["result"] != self._done:
            self._tally.problem(f"{self._slot}: {kind} {number}, want {self._done}: {heard}")
        self._tally.add("actions" if kind == "Action" else "mutations")

    async def _listen(self, socket: Any) -> None:
        try:
            async for text in socket:
                self._hear(json.loads(text))
        except ConnectionClosed as error:
            self._tally.problem(f"{self._slot}: the socket ended: {error!r}")
        else:
            self._tally.problem(f"{self._slot}: the socket was closed")
        self._news.set()

    def _hear(self, message: dict[str, Any]) -> None:
        if message["type"] == "Transition":
            self._tally.add("transitions")
            for each in message["modifications"]:
                if each["type"] != "QueryUpdated":
                    self._tally.problem(f"{self._slot}: {each}")
                elif each["value"] < self._seen:
                    self._tally.problem(f"{self._slot}: went back from {self._seen} to {each['value']}")
                else:
                    self._seen = each["value"]
                    self._news.set()
        elif message["type"] in ("MutationResponse", "ActionResponse"):
            self._asked.pop(message["requestId"]).set_result(message)
        elif message["type"] != "Ping":
            self._tally.problem(f"{self._slot}: {message}")

    async def _seen_all(self, listening: asyncio.Task[None]) -> None:
        """The live query comes to show what was done, once."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                while self._seen != self._done and not listening.done():
                    self._news.clear()
                    await self._news.wait()
        except TimeoutError:
            self._tally.problem(f"{self._slot}: shows {self._seen} after {self._done} calls")


async def rest(seconds: float, stop: asyncio.Event) -> None:
    try:
        await asyncio.wait_for(stop.wait(), seconds)
    except TimeoutError:
        return


async def call_over_http(url: str, number: int, tally: Tally, stop: asyncio.Event) -> None:
    slot, done = f"http-{number}", 0
    async with httpx.AsyncClient(base_url=url, timeout=ANSWER_SECONDS, trust_env=False) as http:
        while not stop.is_set():
            for kind, path in (("mutation", "load:bump"), ("query", "load:get"), ("action", "load:act")):
                begin = asyncio.get_running_loop().time()
                try:
                    answer = await http.post(f"/api/{kind}", json={"path": path, "args": {"slot": slot}})
                except httpx.HTTPError as error:
                    tally.problem(f"{slot}: {kind}: {error!r}")
                    continue
                tally.slowest = max(tally.slowest, asyncio.get_running_loop().time() - begin)
                done += kind != "query"
                if answer.status_code != httpx.codes.OK or answer.json().get("value") != done:
                    tally.problem(f"{slot}: {kind}, want {done}: {answer.status_code} {answer.text}")
                    done = int(answer.json().get("value", done - 1))
                tally.add("http_calls")
            await rest(HTTP_PAUSE_SECONDS, stop)


async def main(url: str, sessions: int) -> None:
    tally, stop = Tally(), asyncio.Event()
    work = [
        Session(number, tally).run(url, delay=PAUSE_SECONDS * number / sessions, stop=stop)
        for number in range(sessions)
    ]
    work += [call_over_http(url, number, tally, stop) for number in range(HTTP_CALLERS)]
    tasks = [asyncio.create_task(each) for each in work]
    print("begun", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    stop.set()
    for error in await asyncio.gather(*tasks, return_exceptions=True):
        if error is not None:
            tally.problem(repr(error))
    print(json.dumps({**tally.counts, "slowest": tally.slowest, "told": tally.problems}), flush=True)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2])))
