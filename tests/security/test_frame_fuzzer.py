"""Strangers write what they like to the sync socket of a running server; nobody else notices.

While they do, a user looks at what only she may see: no byte of it reaches a stranger, and her own view goes
on. Nothing is logged as a mistake of ours, and the server's memory stays what it was. `REWAKE_FUZZ_SOCKETS`
asks for more sockets, `REWAKE_FUZZ_SEED` for others.
"""

from __future__ import annotations

import os
import random
import socket
from contextlib import suppress
from pathlib import Path
from textwrap import dedent

import httpx

from tests.clients.raw_client import RawClient
from tests.clients.server_process import ServerProcess
from tests.security.fuzzed_frames import frames, handshake, seed_of_run

SOCKETS = int(os.environ.get("REWAKE_FUZZ_SOCKETS", "1000"))
ADMIN_KEY = "fuzz|5ec4e7c0ffee"
SECRET = "only-ann-may-read-this"
NOTES = f"""
    from rewake import Document, MutationCtx, QueryCtx, internal_query, mutation, query

    class Note(Document, table="notes"):
        text: str

    @query
    def mine(ctx: QueryCtx) -> list[str] | None:
        identity = ctx.auth.get_user_identity()
        if identity is None:
            return None
        return ["{SECRET}", *(note.text for note in ctx.db.query(Note).take(100))]

    @mutation
    def add(ctx: MutationCtx, text: str) -> None:
        ctx.auth.require_identity()
        ctx.db.insert(Note(text=text))

    @internal_query
    def hidden(ctx: QueryCtx) -> str:
        return "{SECRET}"
"""
ANN = {"subject": "ann", "issuer": "https://convex.test"}


def write_and_read(port: int, rng: random.Random) -> bytes:
    """One stranger's socket, from the handshake to its end; what came back."""
    heard = b""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as stranger, suppress(OSError):
        stranger.sendall(handshake(rng))
        heard += stranger.recv(65_536)
        for data in frames(rng):
            stranger.sendall(data)
        if rng.random() < 0.2:
            # Gone without a word, with bytes unread.
            stranger.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\0\0\0\0\0\0\0")
            return heard
        stranger.shutdown(socket.SHUT_WR)
        while data := stranger.recv(65_536):
            heard += data
    return heard


def memory_of(server: ServerProcess) -> int:
    """Bytes that the server's processes hold in memory, all of them together."""
    assert server.process is not None
    waiting, total = [server.process.pid], 0
    while waiting:
        process = Path("/proc") / str(waiting.pop())
        with suppress(FileNotFoundError):
            total += int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
            waiting += map(int, (process / "task" / process.name / "children").read_text().split())
    return total


def test_strangers_learn_nothing_and_disturb_nobody(tmp_path: Path) -> None:
    first = seed_of_run()
    print(f"seeds {first} to {first + SOCKETS - 1}")
    (tmp_path / "backend").mkdir()
    (tmp_path / "backend" / "notes.py").write_text(dedent(NOTES))
    server = ServerProcess(
        data=tmp_path / "data",
        log=tmp_path / "log",
        project=tmp_path,
        environment={"REWAKE_ADMIN_KEY": ADMIN_KEY},
    )
    warm = 0
    with server, RawClient(server.url) as ann:
        ann.authenticate("Admin", value=ADMIN_KEY, impersonating=ANN)
        mine = ann.add("notes:mine")
        assert ann.result(mine) == [SECRET]
        for count, seed in enumerate(range(first, first + SOCKETS)):
            heard = write_and_read(server.port, random.Random(seed))
            assert SECRET.encode() not in heard, f"seed {seed}"
            assert server.process is not None
            assert server.process.poll() is None, f"seed {seed}\n{server.output()}"
            if count % 50 == 49:
                ann.settle(ann.mutate("notes:add", {"text": f"after {seed}"}))
                ann.wait_result(mine, lambda notes, seed=seed: notes[-1] == f"after {seed}")
            if count == SOCKETS // 3:
                warm = memory_of(server)
        grown = memory_of(server) - warm
        assert httpx.get(f"{server.url}/readyz").status_code == 200
        assert len(ann.result(mine)) == 1 + SOCKETS // 50
    assert grown < 24 * 2**20, f"{grown / 2**20:.1f} MiB more than after a third of the sockets"
    # The protocol closes with InternalServerError for some mistakes of clients; the log knows better.
    assert "Traceback" not in server.output(), server.output()[-4000:]
    assert " error " not in server.output(), server.output()[-4000:]
    # One of the paths has a line break in it, which would begin a line of the stranger's own.
    assert "\nx: y" not in server.output()
