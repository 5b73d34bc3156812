"""What a stranger may write to a websocket: messages bent out of shape, and bytes that are no frames at all.

Everything follows from one seed, so a socket that did harm can be sent again.
"""

from __future__ import annotations

import base64
import json
import os
import random
import struct
import zlib
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from typing import Any
from uuid import UUID

_TS = base64.b64encode(struct.pack("<Q", 1)).decode()
_PATHS = (
    "notes:mine",
    "notes:add",
    "notes:hidden",
    "_system/cli/queryEnvironmentVariables",
    "_system/files:begin",
    "notes:__class__",
    "../notes:mine",
    "notes.js:mine",
    "notes",
    ":",
    "\u0000:x",
    "a" * 10_000,
    "notes:mine\r\nx: y",
    "'; drop table documents; --:x",
)
_ODD: tuple[Any, ...] = (
    None,
    True,
    -1,
    0,
    2**31,
    2**63,
    10**400,
    1.5,
    1e308,
    "",
    "x",
    "\ud800",
    "é" * 1000,
    [],
    {},
    [[]],
    [{}],
    {"$integer": "AAAA"},
    {"$float": "AAAAAAAA8H8="},
    {"$bytes": "not base64"},
    {"$set": []},
    {"__proto__": 1},
    {"": 1},
    {"$x": 1},
)


def handshake(rng: random.Random) -> bytes:
    """The request for a socket, nearly always a good one."""
    path = rng.choice(["/api/sync", "/api/1.48.0/sync", "/api/1.48.0/sync", "/api/sync?x=1"])
    key = base64.b64encode(rng.randbytes(16)).decode()
    lines = [f"GET {path} HTTP/1.1", "Host: fuzz", "Upgrade: websocket", "Connection: Upgrade"]
    lines += [f"Sec-WebSocket-Key: {key}", "Sec-WebSocket-Version: 13"]
    if rng.random() < 0.3:
        lines.append("Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits")
    if rng.random() < 0.2:
        lines.append(
            f"Convex-Client: {rng.choice(['npm-1.48.0', 'python-0.8.1', 'npm-', 'x' * 5000, 'npm-9'])}"
        )
    if rng.random() < 0.05:
        lines[rng.randrange(1, len(lines))] = rng.choice(["Upgrade: h2c", "Sec-WebSocket-Key: short", "x"])
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def frames(rng: random.Random) -> Iterator[bytes]:
    """What follows the handshake: a conversation that goes well for a while, or never did."""
    talk = _Talk(rng)
    if rng.random() < 0.9:
        yield text_frame(rng, json.dumps(talk.connect()))
    for _ in range(rng.randrange(1, 25)):
        kind = rng.random()
        if kind < 0.08:
            yield _bytes_of(rng)
        elif kind < 0.25:
            yield text_frame(rng, _bent(rng, talk))
        else:
            yield text_frame(rng, json.dumps(talk.message()))
    if rng.random() < 0.5:
        yield frame(rng, struct.pack("!H", rng.choice([1000, 1001, 4000, 999, 1005, 65535])), opcode=8)


def text_frame(rng: random.Random, text: str) -> bytes:
    """One message, now and then in several frames with a ping between them."""
    data = text.encode("utf-8", "surrogatepass")
    if len(data) > 1 and rng.random() < 0.1:
        cut = rng.randrange(1, len(data))
        first, last = frame(rng, data[:cut], opcode=1, is_last=False), frame(rng, data[cut:], opcode=0)
        return first + frame(rng, b"ping", opcode=9) + last
    return frame(rng, data, opcode=1)


def frame(
    rng: random.Random, data: bytes, *, opcode: int, is_last: bool = True, bits: int = 0, masked: bool = True
) -> bytes:
    """One frame of RFC 6455, as a client sends it."""
    size = len(data)
    length = size if size < 126 else 126 if size < 1 << 16 else 127
    head = bytes([is_last << 7 | bits << 4 | opcode, masked << 7 | length])
    head += b"" if size < 126 else struct.pack("!H", size) if size < 1 << 16 else struct.pack("!Q", size)
    if not masked:
        return head + data
    mask = rng.randbytes(4)
    return head + mask + bytes(byte ^ mask[place % 4] for place, byte in enumerate(data))


def _bytes_of(rng: random.Random) -> bytes:
    """Frames that nobody may send."""
    kind = rng.randrange(14)
    if kind == 0:
        return rng.randbytes(rng.randrange(1, 200))
    if kind == 1:
        return frame(rng, b"\xff\xfe{}", opcode=1)
    if kind == 2:
        return frame(rng, rng.randbytes(50), opcode=2)
    if kind == 3:
        return frame(rng, b"{}", opcode=rng.choice([3, 7, 11, 15]))
    if kind == 4:
        return frame(rng, b"{}", opcode=1, bits=rng.randrange(1, 8))
    if kind == 5:
        return frame(rng, b"{}", opcode=1, masked=False)
    if kind == 6:
        return frame(rng, b"x" * 126, opcode=9)
    if kind == 7:
        return frame(rng, b"{}", opcode=0)
    if kind == 8:
        return frame(rng, b"{", opcode=1, is_last=False)
    if kind == 9:
        # A length that nobody sends, and nothing behind it.
        return bytes([0x81, 0xFF]) + struct.pack("!Q", rng.choice([2**62, 2**63 - 1, 1 << 32]))
    if kind == 10:
        # Compressed, as those may send who agreed on it: read, or inflated to no end, or cut short.
        return frame(rng, _deflated(b'{"type":"Event"}'), opcode=1, bits=4)
    if kind == 11:
        return frame(rng, _bomb(), opcode=1, bits=4)
    if kind == 12:
        return frame(rng, _deflated(rng.randbytes(100))[: rng.randrange(100)], opcode=1, bits=4)
    return frame(rng, b"\x03", opcode=8)


@cache
def _bomb() -> bytes:
    """A few bytes that become more than a message may have."""
    return _deflated(bytes(80_000_000))


def _deflated(data: bytes) -> bytes:
    compressor = zlib.compressobj(1, wbits=-15)
    return (compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def _bent(rng: random.Random, talk: _Talk) -> str:
    kind = rng.randrange(4)
    if kind == 0:
        deep = ["[" * 100_000, '{"a":' * 20_000]
        return rng.choice(["", "{", "null", "[]", "NaN", '{"type":', "\u0000", *deep])
    message = talk.message()
    if kind == 1:
        text = json.dumps(message)
        place = rng.randrange(len(text))
        return text[:place] + rng.choice(["\\", '"', "}", ",", "\x00", "9" * 5000]) + text[place:]
    _bend(rng, message)
    return json.dumps(message)


def _bend(rng: random.Random, message: Any) -> None:
    """Change something, somewhere."""
    for _ in range(rng.randrange(1, 4)):
        place = message
        while isinstance(place, dict | list) and place:
            key = rng.choice(list(place)) if isinstance(place, dict) else rng.randrange(len(place))
            if rng.random() < 0.5 or not isinstance(place[key], dict | list):
                if rng.random() < 0.2:
                    del place[key]
                else:
                    place[key] = deepcopy(rng.choice(_ODD))
                break
            place = place[key]


class _Talk:
    """What an official client would say next, with the numbers that fit."""

    def __init__(self, rng: random.Random) -> None:
        self._rng = rng
        self._query_set = self._identity = self._request = self._query = 0

    def connect(self) -> dict[str, Any]:
        rng = self._rng
        session = str(UUID(bytes=rng.randbytes(16), version=4))
        if rng.random() < 0.1:
            session = rng.choice(["", "x" * 500])
        message = {"type": "Connect", "sessionId": session, "connectionCount": rng.choice([0, 1, 7])}
        message |= {"lastCloseReason": "x" * rng.choice([1, 1, 9999]), "clientTs": 0}
        return message | {"maxObservedTimestamp": rng.choice([None, None, None, None, _TS, "////"])}

    def message(self) -> dict[str, Any]:
        rng = self._rng
        kind = rng.choice(["ModifyQuerySet", "ModifyQuerySet", "Mutation", "Action", "Authenticate", "Event"])
        if kind == "ModifyQuerySet":
            return self._modify()
        if kind in ("Mutation", "Action"):
            self._request += 1
            return {"type": kind, "requestId": self._request - 1, **self._call()}
        if kind == "Event":
            return {"type": kind, "eventType": "x", "event": deepcopy(rng.choice(_ODD))}
        self._identity += 1
        message = {"type": kind, "baseVersion": self._identity - 1}
        if rng.random() < 0.6:
            return message | {"tokenType": "None"}
        # The server says AuthError and closes.
        token = rng.choice(["", "x", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "k|" + "0" * 64, "x" * 50_000])
        acting = {"subject": "ann", "issuer": "https://convex.test"}
        return message | {"tokenType": rng.choice(["Admin", "User"]), "value": token, "impersonating": acting}

    def _modify(self) -> dict[str, Any]:
        rng = self._rng
        changes: list[dict[str, Any]] = []
        for _ in range(rng.choice([0, 1, 1, 2, 50])):
            if self._query and rng.random() < 0.2:
                self._query -= 1
                changes.append({"type": "Remove", "queryId": self._query})
            else:
                changes.append({"type": "Add", "queryId": self._query, **self._call(), "journal": None})
                self._query += 1
        self._query_set += 1
        versions = {"baseVersion": self._query_set - 1, "newVersion": self._query_set}
        return {"type": "ModifyQuerySet", **versions, "modifications": changes}

    def _call(self) -> dict[str, Any]:
        rng = self._rng
        odd = {"text": deepcopy(rng.choice(_ODD))}
        args = rng.choice([[{}], [{}], [{"text": "x"}], [odd], {}, [[]], [], [{}, {}]])
        # Most of the others end the socket.
        path = rng.choice(_PATHS[:3]) if rng.random() < 0.8 else rng.choice(_PATHS)
        return {"udfPath": path, "args": args}


def seed_of_run() -> int:
    """The first seed; `REWAKE_FUZZ_SEED` gives another."""
    return int(os.environ.get("REWAKE_FUZZ_SEED", "1"))
