"""The application beside us: what a Python developer would write by hand, tuned in good faith.

FastAPI and uvicorn on uvloop, orjson, the standard library's SQLite with statements that it prepares once, no
validation layer between (the few checks are by hand; routes are added past FastAPI's own machinery for
arguments, which costs more than a read). Two ways to commit:

    each    one transaction a request, in the event loop: no hop, and nothing else happens meanwhile
    group   a writer thread takes all that waits into one transaction; the loop goes on. Nothing is refused
            after something was written, so no request needs a savepoint; should SQLite itself refuse one, the
            group is rolled back and each goes alone

and `--sync full` or `off`: an acknowledgement survives a power cut, or does not. Reads run in the event
loop, on a connection of their own. Who watches a channel gets its latest notes, whole, after each insert:
they are read and encoded once for everybody, and inserts that happen while they are being sent share the
next round. With `--cache` encoded lists are kept until something is inserted into their channel. Change this
file only to make it faster.

    python -m benchmarks.handwritten_app --port 8000 --database app.db --commit group --sync full
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sqlite3
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import uvicorn
from fastapi import FastAPI, Request, Response, WebSocket, WebSocketDisconnect

SCHEMA = """
CREATE TABLE IF NOT EXISTS notes (
    id INTEGER PRIMARY KEY, channel TEXT NOT NULL, body TEXT NOT NULL, created REAL NOT NULL
);
CREATE INDEX IF NOT EXISTS notes_by_channel ON notes (channel, created);
CREATE TABLE IF NOT EXISTS accounts (id INTEGER PRIMARY KEY, balance INTEGER NOT NULL);
"""

INSERT = "INSERT INTO notes (channel, body, created) VALUES (?, ?, ?)"
READ = "SELECT balance FROM accounts WHERE id = ?"
WRITE = "UPDATE accounts SET balance = ? WHERE id = ?"
NOTE = "SELECT id, channel, body, created FROM notes WHERE id = ?"
LATEST = "SELECT id, channel, body, created FROM notes WHERE channel = ? ORDER BY created DESC LIMIT 50"

Arguments = dict[str, Any]
Operation = Callable[[sqlite3.Connection, Arguments], Any]
Job = tuple[Operation, Arguments, "asyncio.Future[Any]"]
Done = tuple["asyncio.Future[Any]", Any, Exception | None]


class Refused(Exception):
    """The request cannot be carried out as it stands."""


def insert(db: sqlite3.Connection, args: Arguments) -> int | None:
    channel, body = args["channel"], args["body"]
    if not isinstance(channel, str) or not isinstance(body, str):
        raise Refused("channel and body are text")
    return db.execute(INSERT, (channel, body, time.time())).lastrowid


def transfer(db: sqlite3.Connection, args: Arguments) -> None:
    source, target, amount = args["source"], args["target"], args["amount"]
    if not isinstance(source, int) or not isinstance(target, int) or not isinstance(amount, int):
        raise Refused("source, target and amount are integers")
    giver = db.execute(READ, (source,)).fetchone()
    taker = db.execute(READ, (target,)).fetchone()
    if giver is None or taker is None:
        raise Refused("no such account")
    db.execute(WRITE, (giver[0] - amount, source))
    db.execute(WRITE, (taker[0] + amount, target))


def read(db: sqlite3.Connection, args: Arguments) -> Arguments | None:
    row = db.execute(NOTE, (args["id"],)).fetchone()
    return None if row is None else dict(zip(NOTE_FIELDS, row, strict=True))


def latest(db: sqlite3.Connection, args: Arguments) -> list[Arguments]:
    return [
        {"id": id, "channel": channel, "body": body, "created": created}
        for id, channel, body, created in db.execute(LATEST, (args["channel"],))
    ]


LISTS_MAX = 10_000
NOTE_FIELDS = ("id", "channel", "body", "created")
WRITES: dict[str, Operation] = {"insert": insert, "transfer": transfer}
READS: dict[str, Operation] = {"read": read, "list": latest, "watch": latest}


def connect(path: str, sync: str) -> sqlite3.Connection:
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, cached_statements=256)
    db.execute("PRAGMA journal_mode = WAL")
    db.execute(f"PRAGMA synchronous = {sync.upper()}")
    db.execute("PRAGMA cache_size = -65536")
    return db


class EachWriter:
    """One transaction a request."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db

    async def perform(self, operation: Operation, args: Arguments) -> Any:
        db = self.db
        if operation is insert:
            return insert(db, args)  # One statement is a transaction of its own.
        db.execute("BEGIN IMMEDIATE")
        try:
            result = operation(db, args)
        except BaseException:
            db.execute("ROLLBACK")
            raise
        db.execute("COMMIT")
        return result

    def close(self) -> None:
        self.db.close()


class GroupWriter:
    """All that waits goes into one transaction, in a thread of its own."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        self.loop = asyncio.get_running_loop()
        self.condition = threading.Condition()
        self.waiting: list[Job] = []
        self.is_closing = False
        self.thread = threading.Thread(target=self._write, daemon=True)
        self.thread.start()

    async def perform(self, operation: Operation, args: Arguments) -> Any:
        future: asyncio.Future[Any] = self.loop.create_future()
        with self.condition:
            self.waiting.append((operation, args, future))
            self.condition.notify()
        return await future

    def close(self) -> None:
        with self.condition:
            self.is_closing = True
            self.condition.notify()
        self.thread.join()
        self.db.close()

    def _write(self) -> None:
        while True:
            with self.condition:
                while not self.waiting and not self.is_closing:
                    self.condition.wait()
                if not self.waiting:
                    return
                group, self.waiting = self.waiting, []
            try:
                outcomes = self._commit(group)
            except Exception:
                outcomes = [each for job in group for each in self._alone(job)]
            self.loop.call_soon_threadsafe(self._tell, outcomes)

    def _commit(self, group: list[Job]) -> list[Done]:
        db = self.db
        outcomes: list[Done] = []
        db.execute("BEGIN IMMEDIATE")
        try:
            for operation, args, future in group:
                try:
                    outcomes.append((future, operation(db, args), None))
                except (Refused, KeyError) as error:
                    outcomes.append((future, None, error))
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        return outcomes

    def _alone(self, job: Job) -> list[Done]:
        try:
            return self._commit([job])
        except Exception as error:
            return [(job[2], None, error)]

    @staticmethod
    def _tell(outcomes: list[Done]) -> None:
        for future, result, error in outcomes:
            if future.cancelled():
                continue
            if error is None:
                future.set_result(result)
            else:
                future.set_exception(error)


class Watchers:
    """Who watches which channel. Each channel that changes has one task, which sends until nothing is new."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.db = db
        self.sockets: dict[str, set[WebSocket]] = {}
        self.changed: set[str] = set()
        self.tasks: dict[str, asyncio.Task[None]] = {}

    def add(self, socket: WebSocket, channel: str) -> None:
        self.sockets.setdefault(channel, set()).add(socket)

    def remove(self, socket: WebSocket, channels: set[str]) -> None:
        for channel in channels:
            watching = self.sockets[channel]
            watching.discard(socket)
            if not watching:
                del self.sockets[channel]

    def touch(self, channel: str) -> None:
        if channel in self.sockets:
            self.changed.add(channel)
            if channel not in self.tasks:
                self.tasks[channel] = asyncio.create_task(self._send(channel))

    async def _send(self, channel: str) -> None:
        while channel in self.changed:
            self.changed.discard(channel)
            result = latest(self.db, {"channel": channel})
            message = {
                "type": "websocket.send",
                "text": orjson.dumps({"channel": channel, "result": result}).decode(),
            }
            for socket in list(self.sockets.get(channel, ())):
                try:
                    await socket.send(message)
                except (WebSocketDisconnect, RuntimeError):
                    continue  # Its own handler takes it off.
        del self.tasks[channel]


def make_app(path: str, *, sync: str, commit: str, keeps_lists: bool) -> FastAPI:
    writer: EachWriter | GroupWriter
    reader: sqlite3.Connection
    watchers: Watchers

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        nonlocal writer, reader, watchers
        db = connect(path, sync)
        db.executescript(SCHEMA)
        writer = GroupWriter(db) if commit == "group" else EachWriter(db)
        reader = connect(path, sync)
        watchers = Watchers(reader)
        gc.freeze()  # What was imported stays: the collector need not look at it again.
        yield
        writer.close()
        reader.close()

    app = FastAPI(lifespan=lifespan, openapi_url=None)
    lists: dict[str, bytes] = {}

    def read_list(args: Arguments) -> orjson.Fragment:
        channel = args["channel"]
        encoded = lists.get(channel)
        if encoded is None:
            if len(lists) >= LISTS_MAX:
                lists.clear()
            encoded = lists[channel] = orjson.dumps(latest(reader, args))
        return orjson.Fragment(encoded)

    async def answer(operation: str, request: Arguments) -> bytes:
        args = request["args"]
        try:
            if operation == "insert":
                result = await writer.perform(insert, args)
                lists.pop(args["channel"], None)
                watchers.touch(args["channel"])
            elif operation == "list" and keeps_lists:
                result = read_list(args)
            elif operation in READS:
                result = READS[operation](reader, args)
            else:
                result = await writer.perform(WRITES[operation], args)
        except (Refused, KeyError) as error:
            return orjson.dumps({"id": request.get("id"), "ok": False, "error": str(error)})
        return orjson.dumps({"id": request["id"], "ok": True, "result": result})

    async def health(_: Request) -> Response:
        return Response(b"ok")

    def door(operation: str) -> Callable[[Request], Awaitable[Response]]:
        async def post(request: Request) -> Response:
            body = await answer(operation, orjson.loads(await request.body()))
            return Response(body, media_type="application/json")

        return post

    app.router.add_route("/healthz", health)
    for operation in ("insert", "transfer", "read", "list"):
        app.router.add_route(f"/{operation}", door(operation), methods=["POST"])

    @app.websocket("/ws")
    async def socket(socket: WebSocket) -> None:
        await socket.accept()
        watched: set[str] = set()
        try:
            while True:
                request = orjson.loads(await socket.receive_text())
                if request["op"] == "watch":
                    # Before it is read, so that no insert falls between.
                    watched.add(request["args"]["channel"])
                    watchers.add(socket, request["args"]["channel"])
                await socket.send_text((await answer(request["op"], request)).decode())
        except WebSocketDisconnect:
            return
        finally:
            watchers.remove(socket, watched)

    return app


def main() -> None:
    parser = argparse.ArgumentParser(description="The hand-written application of the benchmarks.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--sync", choices=["full", "off"], default="full")
    parser.add_argument("--commit", choices=["each", "group"], default="each")
    parser.add_argument("--cache", action="store_true")
    options = parser.parse_args()
    uvicorn.run(
        make_app(options.database, sync=options.sync, commit=options.commit, keeps_lists=options.cache),
        host="127.0.0.1",
        port=options.port,
        loop="uvloop",
        http="httptools",
        ws="websockets-sansio",
        ws_per_message_deflate=False,
        access_log=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
