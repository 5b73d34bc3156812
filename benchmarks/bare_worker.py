"""The floor under a front and worker processes: what is left when nothing but their hops and statements is.

    python -m benchmarks.bare_worker --port 8000 --database app.db

A front that cuts websocket frames, one process that writes and one that reads, a socket pair to each, and the
statements of the hand-written application. All messages that wait at the writer are one transaction with an
fsync. It speaks what the generator says to the hand-written application over websockets: inserts, and reads
by id. No ids of its own, validators, log, replay records, live queries, limits or errors: what it takes is
what the machine, the interpreter and SQLite take from any server in Python that has its writer and its
readers in processes of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import socket
import time
from collections import deque
from collections.abc import Callable
from typing import Any, cast

import orjson
import uvloop

from benchmarks.bare_broadcast import Socket, frame
from benchmarks.handwritten_app import INSERT, NOTE, NOTE_FIELDS, SCHEMA, connect

RECEIVED_AT_ONCE = 1 << 18
LENGTH_BYTES = 4
Request = dict[str, Any]
Work = Callable[[list[Request]], list[Any]]


class Worker(asyncio.Protocol):
    """The front's end of the socket pair to one worker."""

    def __init__(self) -> None:
        self.transport: asyncio.WriteTransport
        self.asked: list[tuple[Client, bytes]] = []
        """What arrived in this turn of the loop."""
        self.waiting: deque[Client] = deque()
        """Who waits for an answer, in the order in which the worker answers."""
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.WriteTransport, transport)

    def ask(self, client: Client, message: bytes) -> None:
        if not self.asked:
            asyncio.get_running_loop().call_soon(self._send)
        self.asked.append((client, message))

    def _send(self) -> None:
        batch = b"[%b]" % b",".join([message for _, message in self.asked])
        self.waiting += [client for client, _ in self.asked]
        self.asked = []
        self.transport.write(len(batch).to_bytes(LENGTH_BYTES, "big") + batch)

    def data_received(self, data: bytes) -> None:
        batches, self.buffer = cut(self.buffer + data)
        for batch in batches:
            for answer in batch.split(b"\n"):
                self.waiting.popleft().transport.write(frame(answer))


class Client(Socket):
    """One websocket client, whose messages go to the worker that they are for."""

    def __init__(self, writer: Worker, reader: Worker) -> None:
        self.writer = writer
        self.reader = reader
        self.buffer = b""
        self.is_upgraded = False

    def connection_lost(self, error: Exception | None) -> None:
        pass

    def _message(self, message: bytes) -> None:
        (self.reader if b'"op":"read"' in message else self.writer).ask(self, message)


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
    """Reads by id, each batch of them in one snapshot."""
    db = connect(path, "full")

    def perform(requests: list[Request]) -> list[Any]:
        db.execute("BEGIN")
        rows = [db.execute(NOTE, (request["args"]["id"],)).fetchone() for request in requests]
        db.execute("COMMIT")
        return [row and dict(zip(NOTE_FIELDS, row, strict=True)) for row in rows]

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
    writer, reader = [(await loop.create_connection(Worker, sock=pipe))[1] for pipe in pipes]
    server = await loop.create_server(lambda: Client(writer, reader), "127.0.0.1", port, backlog=8192)
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
