"""The live generator: a process of its own that holds thousands of subscribed websockets.

    python -m benchmarks.live --port 8000 --subject rewake --server-pid 4711

reads one command a line from standard input and answers each with one line, both JSON: `{"do": "open",
"count": 1000}` runs the method `open` below. Every answer has `generator_cpu`, its own share of a core
meanwhile, and `front_us`, the processor time of the server's front process. Whatever goes wrong is counted
in `failures`, with the first of them in words: a figure with failures is worth nothing.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

import uvloop

from benchmarks.clients import NOTE
from benchmarks.live_sockets import (
    HandwrittenSpeech,
    LiveSocket,
    RewakeSpeech,
    Speech,
    mark_in,
    marked,
)
from benchmarks.processes import cpu_seconds, cpu_seconds_alone, raise_open_files

ANSWER_SECONDS_MAX = 60.0
OPENING_AT_ONCE = 128
CHURN_WAITING_MAX = 50
"""Messages of one session without an answer; more are not sent, and lower the rate that is reached."""
ROWS_MAX = 50


class Session(LiveSocket):
    """One live session: what it subscribed to, and the newest write that it has seen."""

    def __init__(self, live: Live, number: int) -> None:
        super().__init__(live.speech, live.host, live.fail)
        self.live = live
        self.number = number
        self.version = 0
        self.queries = 0
        self.newest = 0
        self.waiting: deque[float] = deque()
        """When the messages of a churn without an answer were sent."""

    def message(self, buffer: bytearray, start: int, end: int) -> None:
        live = self.live
        if live.is_counting and (number := mark_in(buffer, start, end)) > self.newest:
            self.newest = number
            live.pushes += 1
            live.bytes_pushed += end - start
            if number == live.written:
                live.heard_last(buffer, start, end)
            return
        # To count results is five times as dear as all else here: only while they are what is waited for.
        look = self.speech.results if live.results_awaited > 0 else self.speech.verdict
        results = look(buffer, start, end)
        if results < 0:
            live.fail(bytes(buffer[start : start + 300]).decode(errors="replace"))
        elif results or self.waiting:
            live.heard(self, results, buffer, start, end)

    def subscribe(self, calls: list[bytes], dropped: Sequence[int] = ()) -> None:
        first, self.queries = self.queries, self.queries + len(calls)
        self.send(*self.speech.watch(version=self.version, first=first, calls=calls, dropped=list(dropped)))
        self.version += 1


class Writer(LiveSocket):
    """One socket that writes. Its writes happen in the order in which it sent them."""

    def __init__(self, live: Live) -> None:
        super().__init__(live.speech, live.host, live.fail)
        self.live = live
        self.unanswered = 0
        self.answered: Callable[[], None] = lambda: None

    def message(self, buffer: bytearray, start: int, end: int) -> None:
        success = self.speech.answer(bytes(buffer[start:end]))
        if success is None:
            return
        if not success:
            self.live.fail(bytes(buffer[start : start + 300]).decode(errors="replace"))
        self.unanswered -= 1
        self.answered()


class Live:
    """All sessions, one writer, and what is being measured."""

    def __init__(self, port: int, speech: Speech, server_pid: int) -> None:
        self.port = port
        self.host = f"127.0.0.1:{port}"
        self.speech = speech
        self.server_pid = server_pid
        self.sessions: list[Session] = []
        self.calls: list[list[bytes]] = []
        self.writer: Writer | None = None
        self.failures = 0
        self.first_failure = ""
        self.written = 0
        self.results_awaited = 0
        self.pushes = 0
        self.is_counting = False
        """At saturation pushes are counted, and when they came is nobody's question: the generator must not
        be what is short."""
        self.bytes_pushed = 0
        self.sample = b""
        self.sent_at: dict[int, float] = {}
        self.seen: dict[int, int] = {}
        self.finished: dict[int, float] = {}
        self.took: list[float] = []
        self.target: dict[int, int] = {}
        """The number of a write to the number of the only session that it concerns."""
        self.strangers = 0
        self.churned = 0
        self.written_before = 0
        """Writes of the phases before this one."""
        self.quiet_seconds = 0
        """How long nothing was heard of what is awaited."""
        self.progress = asyncio.Event()

    # What the sockets tell

    def fail(self, reason: str) -> None:
        self.failures += 1
        self.first_failure = self.first_failure or reason
        self.progress.set()

    def heard(self, session: Session, results: int, buffer: bytearray, start: int, end: int) -> None:
        now = time.perf_counter()
        if self.results_awaited:
            self.results_awaited -= results
            if self.results_awaited <= 0:
                self.progress.set()
        if session.waiting:
            for _ in range(min(self.speech.removals(buffer, start, end), len(session.waiting))):
                self.took.append(now - session.waiting.popleft())
                self.churned += 1
        number = mark_in(buffer, start, end)
        if number <= session.newest:
            return
        self.pushes += 1
        self.bytes_pushed += end - start
        if self.target:
            if self.target.get(number) == session.number:
                self.took.append(now - self.sent_at[number])
            else:
                self.strangers += 1
            session.newest = number
        else:
            for each in range(session.newest + 1, number + 1):
                self.seen[each] = seen = self.seen.get(each, 0) + 1
                if seen == len(self.sessions):
                    self.finished[each] = now
            session.newest = number
        if number == self.written:
            self.heard_last(buffer, start, end)

    def heard_last(self, buffer: bytearray, start: int, end: int) -> None:
        """A push that tells of the last write so far: one that has all rows as they are to be."""
        self.sample = bytes(buffer[start:end])
        self.progress.set()

    # The commands

    async def open(self, *, count: int) -> dict[str, Any]:
        """Open sessions, some at a time."""
        begun = time.perf_counter()
        places = asyncio.Semaphore(OPENING_AT_ONCE)

        async def one(number: int) -> None:
            async with places:
                await self._connect(number)

        first = len(self.sessions)
        self.sessions += [Session(self, number) for number in range(first, first + count)]
        self.calls += [[] for _ in range(count)]
        await asyncio.gather(*(one(number) for number in range(first, first + count)))
        return {"seconds": time.perf_counter() - begun}

    async def subscribe(self, *, args: list[dict[str, Any]], each: int = 1, first: int = 0) -> dict[str, Any]:
        """Have every session from the one numbered `first` watch `each` calls, from `args` in turn."""
        begun = time.perf_counter()
        prepared = [json.dumps(one).encode() for one in args]
        chosen = self.sessions[first:]
        self.results_awaited = each * len(chosen)
        for place, session in enumerate(chosen):
            calls = [prepared[(place * each + offset) % len(prepared)] for offset in range(each)]
            self.calls[session.number] += calls
            session.subscribe(calls)
            if place % 50 == 49:
                await asyncio.sleep(0)
        await self._until(lambda: self.results_awaited <= 0, "results of all subscriptions")
        return {"seconds": time.perf_counter() - begun}

    async def spread(
        self, *, channel: str, rate: float, seconds: float, size: int = 0, filler: str = ""
    ) -> dict[str, Any]:
        """Write at a steady rate to what every session watches; how long until the last of them has it."""
        self._begin()
        writer = await self._writer()
        begun = time.perf_counter()
        while (now := time.perf_counter()) < begun + seconds:
            self._write(writer, channel, size, filler)
            await asyncio.sleep(max(0.0, begun + self.written_now / rate - now))
        await self._everybody_has_it()
        took = [1e3 * (at - self.sent_at[number]) for number, at in self.finished.items()]
        return {**_percentiles(took), **self._pushed(time.perf_counter() - begun)}

    async def saturate(
        self, *, channel: str, seconds: float, window: int = 2, size: int = 0, filler: str = ""
    ) -> dict[str, Any]:
        """Write without a pause, `window` writes under way; how many pushes arrive a second."""
        self._begin()
        self.is_counting = True
        writer = await self._writer()
        begun = time.perf_counter()
        ends = begun + seconds

        def again() -> None:
            if time.perf_counter() < ends:
                self._write(writer, channel, size, filler)

        writer.answered = again
        for _ in range(window):
            again()
        await asyncio.sleep(seconds)
        pushed = self._pushed(time.perf_counter() - begun)
        writer.answered = lambda: None
        await self._everybody_has_it()
        self.is_counting = False
        return {**pushed, "settled_seconds": time.perf_counter() - ends}

    async def touch(self, *, prefix: str, rate: float, seconds: float, filler: str = "") -> dict[str, Any]:
        """Write at a steady rate, each time to the channel of one session, and look at who hears of it."""
        self._begin()
        writer = await self._writer()
        begun = time.perf_counter()
        while (now := time.perf_counter()) < begun + seconds:
            number = (self.written * 7919) % len(self.sessions)
            self.target[self.written + 1] = number
            self._write(writer, f"{prefix}{number}", 0, filler)
            await asyncio.sleep(max(0.0, begun + self.written_now / rate - now))
        await self._until(lambda: len(self.took) + self.strangers >= self.written_now, "the touched sessions")
        took = [1e3 * each for each in self.took]
        pushed = self._pushed(time.perf_counter() - begun)
        self.target = {}
        return {**_percentiles(took), **pushed, "strangers": self.strangers}

    async def churn(self, *, rate: float, seconds: float, args: list[dict[str, Any]]) -> dict[str, Any]:
        """Subscribe and unsubscribe `rate` times a second, both counted, each session keeping one query."""
        self._begin()
        prepared = [json.dumps(one).encode() for one in args]
        begun, sent, skipped = time.perf_counter(), 0, 0
        while (now := time.perf_counter()) < begun + seconds:
            due = int((now - begun) * rate / 2)
            for number in range(sent + skipped, due):
                session = self.sessions[number % len(self.sessions)]
                if len(session.waiting) >= CHURN_WAITING_MAX:
                    skipped += 1
                    continue
                session.waiting.append(time.perf_counter())
                session.subscribe([prepared[number % len(prepared)]], [session.queries - 1])
                sent += 1
            await asyncio.sleep(0.002)
        wall, churned = time.perf_counter() - begun, self.churned
        await self._until(lambda: self.churned >= sent, "the answers to all subscriptions")
        took = [1e3 * each for each in self.took]
        return {**_percentiles(took), "sent": 2 * sent, "reached": 2 * churned / wall, "skipped": 2 * skipped}

    async def rest(self, *, seconds: float) -> dict[str, Any]:
        """Do nothing: what the server spends meanwhile is what the mere presence of the sessions costs."""
        await asyncio.sleep(seconds)
        return {}

    async def storm(self) -> dict[str, Any]:
        """Cut every connection, and come back with everybody at once, subscriptions and all."""
        for session in self.sessions:
            session.leave()
        await asyncio.sleep(0)
        begun = time.perf_counter()
        took: list[float] = []
        awaited = sum(map(len, self.calls))

        async def one(number: int) -> None:
            session = self.sessions[number] = Session(self, number)
            await self._connect(number)
            session.subscribe(self.calls[number])
            took.append(1e3 * (time.perf_counter() - begun))

        self.results_awaited = awaited
        results = await asyncio.gather(*map(one, range(len(self.sessions))), return_exceptions=True)
        for error in results:
            if error is not None:
                self.fail(repr(error))
        await self._until(lambda: self.results_awaited <= 0, "results after the storm")
        return {"seconds": time.perf_counter() - begun, "results": awaited, **_percentiles(took)}

    async def close(self) -> dict[str, Any]:
        """Give everything up."""
        for session in self.sessions:
            session.leave()
        if self.writer is not None:
            self.writer.leave()
        self.sessions, self.calls, self.writer = [], [], None
        return {}

    # What they have in common

    def _begin(self) -> None:
        self.pushes = self.bytes_pushed = self.strangers = self.churned = 0
        self.sent_at, self.seen, self.finished, self.took, self.target = {}, {}, {}, [], {}
        self.written_before = self.written
        for session in self.sessions:
            # Whatever a session saw of another phase, this one begins at the same write for all.
            session.newest = self.written

    @property
    def written_now(self) -> int:
        """Writes of this phase."""
        return self.written - self.written_before

    def _write(self, writer: Writer, channel: str, size: int, filler: str) -> None:
        self.written += 1
        arguments = json.dumps({"channel": channel, "body": marked(self.written) + filler}).encode()
        self.sent_at[self.written] = time.perf_counter()
        writer.unanswered += 1
        writer.send(self.speech.write(number=self.written, arguments=arguments, bytes_pushed=size))

    async def _everybody_has_it(self) -> None:
        await self._until(
            lambda: all(session.newest == self.written for session in self.sessions), "the last write"
        )
        rows = [int(text[:8]) for text in self.sample.decode().split(NOTE.decode() + "push-")[1:]]
        # The hand-written application and Rewake send the whole list; the bare broadcast sends one mark.
        if rows != [max(0, self.written - place) for place in range(len(rows))] or len(rows) > ROWS_MAX:
            self.fail(f"the list is not in order: {rows}")

    async def _until(self, is_done: Callable[[], bool], what: str) -> None:
        """Wait for something; nothing heard at all for a while is a failure."""
        self.quiet_seconds = 0
        while not is_done():
            self.progress.clear()
            before = self.pushes, self.results_awaited, self.churned
            try:
                await asyncio.wait_for(self.progress.wait(), 1.0)
            except TimeoutError:
                quiet = before == (self.pushes, self.results_awaited, self.churned)
                self.quiet_seconds = self.quiet_seconds + 1 if quiet else 0
            if self.failures or self.quiet_seconds > ANSWER_SECONDS_MAX:
                self.fail(f"gave up waiting for {what}")
                return

    def _pushed(self, wall: float) -> dict[str, Any]:
        return {
            "writes": self.written_now,
            "pushes": self.pushes,
            "pushes_per_second": self.pushes / wall,
            "bytes_each": self.bytes_pushed // max(1, self.pushes),
        }

    async def _connect(self, number: int) -> None:
        session = self.sessions[number]
        loop = asyncio.get_running_loop()
        await loop.create_connection(lambda: session, "127.0.0.1", self.port)
        await asyncio.wait_for(session.is_open, ANSWER_SECONDS_MAX)

    async def _writer(self) -> Writer:
        if self.writer is None:
            self.writer = writer = Writer(self)
            await asyncio.get_running_loop().create_connection(lambda: writer, "127.0.0.1", self.port)
            await asyncio.wait_for(writer.is_open, ANSWER_SECONDS_MAX)
        return self.writer


def _percentiles(took: list[float]) -> dict[str, float]:
    ordered = sorted(took) or [float("nan")]
    last = len(ordered) - 1
    return {
        "p50_ms": ordered[last * 50 // 100],
        "p99_ms": ordered[last * 99 // 100],
        "max_ms": ordered[last],
    }


async def serve(live: Live) -> None:
    """Carry out commands until there are no more."""
    loop = asyncio.get_running_loop()
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        command = json.loads(line)
        ours, wall = time.process_time(), time.perf_counter()
        front, everybody = cpu_seconds_alone(live.server_pid), cpu_seconds(live.server_pid)
        try:
            answer = await getattr(live, command.pop("do"))(**command)
        except (OSError, TimeoutError) as error:
            live.fail(repr(error))
            answer = {}
        wall = time.perf_counter() - wall
        answer |= {
            "failures": live.failures,
            "first_failure": live.first_failure,
            "generator_cpu": (time.process_time() - ours) / wall,
            "front_us": 1e6 * (cpu_seconds_alone(live.server_pid) - front),
            "server_us": 1e6 * (cpu_seconds(live.server_pid) - everybody),
            "wall": wall,
        }
        print(json.dumps(answer), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--subject", choices=["rewake", "handwritten", "broadcast"], required=True)
    parser.add_argument("--server-pid", type=int, required=True)
    chosen = parser.parse_args()
    raise_open_files()
    speech: Speech = HandwrittenSpeech()
    if chosen.subject == "rewake":
        speech = RewakeSpeech("notes:latest", "notes:add")

    async def run() -> None:
        await serve(Live(chosen.port, speech, chosen.server_pid))

    uvloop.run(run())


if __name__ == "__main__":
    main()
