"""The floor under a front and worker processes: what is left when nothing but their hops and statements is.

    python -m benchmarks.bare_worker --port 8000 --database app.db

A front that cuts websocket frames, one process that writes and one that reads, a socket pair to each, and the
statements of the hand-written application. All messages that wait at the writer are one transaction with an
fsync. It speaks what the generator says to the hand-written application over websockets: inserts, reads by
id, and the latest notes of a channel, asked of the reader once more after each insert and sent to those who
watch. No ids of its own, validators, log, replay records, snapshots, limits or errors: what it takes is what
the machine, the interpreter and SQLite take from any server in Python that has its writer and its readers in
processes of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import orjson
import uvloop

from benchmarks.bare_broadcast import Socket, frame
from benchmarks.handwritten_app import INSERT, NOTE, NOTE_FIELDS, SCHEMA, connect, latest

RECEIVED_AT_ONCE = 1 << 18
LENGTH_BYTES = 4
Request = dict[str, Any]
Work = Callable[[list[Request]], list[Any]]
Told = Callable[[bytes], None]


class Worker(asyncio.Protocol):
    """The front's end of the socket pair to one worker."""

    def __init__(self) -> None:
        self.transport: asyncio.WriteTransport
        self.asked: list[tuple[Told, bytes]] = []
        """What arrived in this turn of the loop."""
        self.waiting: deque[Told] = deque()
        """Who is to be told an answer, in the order in which the worker answers."""
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)

    def ask(self, told: Told, message: bytes) -> None:
        if not self.asked:
            asyncio.get_running_loop().call_soon(self._send)
        self.asked.append((told, message))

    def _send(self) -> None:
        batch = b"[%b]" % b",".join([message for _, message in self.asked])
        self.waiting += [told for told, _ in self.asked]
        self.asked = []
        self.transport.write(len(batch).to_bytes(LENGTH_BYTES, "big") + batch)

    def data_received(self, data: bytes) -> None:
        batches, self.buffer = cut(self.buffer + data)
        for batch in batches:
            for answer in batch.split(b"\n"):
                self.waiting.popleft()(answer)


@dataclass(frozen=True, slots=True)
class Front:
    """The two workers, and who watches which channel."""

    writer: Worker
    reader: Worker
    watchers: dict[str, set[Client]] = field(default_factory=dict)

    def touch(self, channel: str) -> None:
        """Have those who watch a channel told its latest notes."""
        if watching := self.watchers.get(channel):
            question = b'{"id":0,"op":"list","args":%b}' % orjson.dumps({"channel": channel})
            self.reader.ask(lambda answer: self._push(channel, watching, answer), question)

    def _push(self, channel: str, watching: set[Client], answer: bytes) -> None:
        result = answer[answer.index(b'"result":') :]
        push = frame(b'{"channel":%b,%b' % (orjson.dumps(channel), result))
        for client in watching:
            client.transport.write(push)


class Client(Socket):
    """One websocket client, whose messages go to the worker that they are for."""

    def __init__(self, front: Front) -> None:
        self.front = front
        self.watched = ""
        self.buffer = b""
        self.is_upgraded = False

    def connection_lost(self, error: Exception | None) -> None:
        self.front.watchers.get(self.watched, set()).discard(self)

    def tell(self, answer: bytes) -> None:
        self.transport.write(frame(answer))

    def _message(self, message: bytes) -> None:
        if b'"op":"read"' in message:
            self.front.reader.ask(self.tell, message)
        elif b'"op":"watch"' in message:
            self.watched = orjson.loads(message)["args"]["channel"]
            self.front.watchers.setdefault(self.watched, set()).add(self)
            self.front.reader.ask(self.tell, message)
        elif self.front.watchers:
            self.front.writer.ask(self._written(orjson.loads(message)["args"]["channel"]), message)
        else:
            self.front.writer.ask(self.tell, message)

    def _written(self, channel: str) -> Told:
        def told(answer: bytes) -> None:
            self.tell(answer)
            self.front.touch(channel)

        return told


def cut(data: bytes) -> tuple[list[bytes], bytes]:
    """The whole messages in `data`, each behind its length, and the rest."""
    found, at = [], 0
    while len(data) - at >= LENGTH_BYTES:
        end = at + LENGTH_BYTES + int.from_bytes(data[at : at + LENGTH_BYTES], "big")
        if end > len(data):
            break
        found.append(data[at + LENGTH_BYTES : end])
        at = end
    return found, data[at:]


def work(pipe: socket.socket, perform: Work) -> None:
    """A worker process: everything that is there is performed together, and answered together."""
    rest = b""
    while data := pipe.recv(RECEIVED_AT_ONCE):
        batches, rest = cut(rest + data)
        requests = [request for batch in batches for request in orjson.loads(batch)]
        if requests:
            results = zip(requests, perform(requests), strict=True)
            answers = [{"id": asked["id"], "ok": True, "result": result} for asked, result in results]
            told = b"\n".join(map(orjson.dumps, answers))
            pipe.sendall(len(told).to_bytes(LENGTH_BYTES, "big") + told)


def writer_of(path: str) -> Work:
    """Inserts, each group of them in a transaction with an fsync."""
    db = connect(path, "full")
    db.executescript(SCHEMA)

    def perform(requests: list[Request]) -> list[Any]:
        db.execute("BEGIN IMMEDIATE")
        results = [
            db.execute(INSERT, (args["channel"], args["body"], time.time())).lastrowid
            for args in (request["args"] for request in requests)
        ]
        db.execute("COMMIT")
        return results

    return perform


def reader_of(path: str) -> Work:
    """Reads by id and lists, each batch of them in one snapshot."""
    db = connect(path, "full")

    def read(request: Request) -> Any:
        if request["op"] != "read":
            return latest(db, request["args"])
        row = db.execute(NOTE, (request["args"]["id"],)).fetchone()
        return row and dict(zip(NOTE_FIELDS, row, strict=True))

    def perform(requests: list[Request]) -> list[Any]:
        db.execute("BEGIN")
        results = [read(request) for request in requests]
        db.execute("COMMIT")
        return results

    return perform


def started(path: str, make: Callable[[str], Work], others: list[socket.socket]) -> socket.socket:
    """Start a worker process; the front's end of the pair to it. `others` are its ends of other pairs."""
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        for end in [ours, *others]:  # Or no worker would see that the front has gone.
            end.close()
        try:
            work(theirs, make(path))
        finally:
            os._exit(0)
    theirs.close()
    return ours


async def serve(port: int, pipes: list[socket.socket]) -> None:
    loop = asyncio.get_running_loop()
    front = Front(*[(await loop.create_connection(Worker, sock=pipe))[1] for pipe in pipes])
    server = await loop.create_server(lambda: Client(front), "127.0.0.1", port, backlog=8192)
    await server.serve_forever()


def main() -> None:
    parser = argparse.ArgumentParser(description="The bare front and workers of the benchmarks.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--database", required=True)
    options = parser.parse_args()
    connect(options.database, "full").executescript(SCHEMA)
    pipes: list[socket.socket] = []
    for make in (writer_of, reader_of):
        pipes.append(started(options.database, make, pipes))
    uvloop.run(serve(options.port, pipes))


if __name__ == "__main__":
    main()
