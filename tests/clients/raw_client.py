"""A strict client of the sync protocol, for tests: it says only what it is told to, and checks all it hears.

The official clients forgive much and tell little. This one follows `wire 1` to the letter: every Transition
is held against the version rules (1.7), every chunk and frame against the sizes (1.9), every response
against the order of the mutations (1.11). Whatever is wrong raises `AssertionError` where it is received.

    client = RawClient(server.url)
    query = client.add("counters:get", {"name": "a"})
    client.result(query)                              0.0
    request = client.mutate("counters:increment", {"name": "a"})
    client.settle(request)["result"]                  1.0
    client.result(query)                              1.0

Not here: what npm and the Rust family do with all this; they are in `client_host.py` and `pypi_client.py`.
"""

from __future__ import annotations

import base64
import json
import queue
import re
import socket
import struct
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from tests.clients.deadline import Deadline

NPM_PATH = "/api/1.48.0/sync"
RUST_PATH = "/api/sync"
RUST_HEADERS = {"Convex-Client": "python-0.8.1"}
RUST_FRAME_BYTES_MAX = 16 * 1024 * 1024
WAIT_SECONDS = 60.0

Message = dict[str, Any]


class QueryFailure(Exception):
    """The newest answer of a query is a QueryFailed; `modification` is the whole of it."""

    def __init__(self, modification: Message) -> None:
        super().__init__(modification["errorMessage"])
        self.modification = modification


class SocketClosed(Exception):
    """The server closed the socket; with the close code and reason, 1006 if it just went away."""

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"{code} {reason}")
        self.code = code
        self.reason = reason


def encode_ts(ts: int) -> str:
    """A timestamp as it stands on the wire (1.4)."""
    return base64.b64encode(struct.pack("<Q", ts)).decode()


def decode_ts(text: str) -> int:
    """The timestamp behind a wire form; it must be the one form that `encode_ts` writes."""
    ts: int = struct.unpack("<Q", base64.b64decode(text, validate=True))[0]
    assert encode_ts(ts) == text, text
    return ts


@dataclass(frozen=True)
class Version:
    """The state version of 1.4."""

    query_set: int
    identity: int
    ts: int

    @staticmethod
    def parse(version: Message) -> Version:
        assert set(version) == {"querySet", "identity", "ts"}, version
        assert type(version["querySet"]) is int
        assert type(version["identity"]) is int
        return Version(version["querySet"], version["identity"], decode_ts(version["ts"]))

    def is_after(self, other: Version) -> bool:
        """Whether no part is lower than in `other`."""
        return self.query_set >= other.query_set and self.identity >= other.identity and self.ts >= other.ts


ZERO = Version(0, 0, 0)


@dataclass
class Query:
    """One query of the set, from its Add to the Transition that answers its Remove."""

    path: str
    added: int
    """The query-set version that added it."""
    removed: int | None = None
    """The query-set version that removed it; None while it is wanted."""
    answer: Message | None = None
    """The newest modification for it; None until the first."""
    updates: int = 0
    """How many modifications came for it."""


class RawClient:
    """One socket. With `connection_count` and `max_observed` it plays a reconnect."""

    def __init__(
        self,
        url: str,
        *,
        path: str = NPM_PATH,
        headers: Mapping[str, str] | None = None,
        session_id: str | None = None,
        connection_count: int = 0,
        max_observed: int | None = None,
        says_connect: bool = True,
    ) -> None:
        self.session_id = session_id or str(uuid.uuid4())
        self._open = ExitStack()
        self.version = ZERO
        self.queries: dict[int, Query] = {}
        self.transitions: list[Message] = []
        self.responses: dict[int, Message] = {}
        self.heard: list[str] = []
        """The types of all messages in the order received, chunks under their own name."""
        self.chunks = 0
        self.fragments_max = 0
        """The most frames that one message came in."""
        self._takes_chunks = path == NPM_PATH and not headers
        self._query_set = 0
        self._identity = 0
        self._next_query = 0
        self._next_request = 0
        self._mutations_open: list[int] = []
        self._parts: list[Message] = []
        self._inbox: queue.SimpleQueue[tuple[str, list[int]] | SocketClosed] = queue.SimpleQueue()
        dialing = connect(
            url.replace("http", "ws", 1) + path,
            additional_headers=headers,
            max_size=None,
            compression=None,
            ping_interval=None,
            open_timeout=WAIT_SECONDS,
        )
        self.socket = self._open.enter_context(dialing)
        threading.Thread(target=self._listen, name="raw client", daemon=True).start()
        if says_connect:
            greeting: Message = {"type": "Connect", "sessionId": self.session_id}
            greeting |= {"connectionCount": connection_count, "clientTs": 0}
            greeting["lastCloseReason"] = "InitialConnect" if connection_count == 0 else "test"
            if max_observed is not None:
                greeting["maxObservedTimestamp"] = encode_ts(max_observed)
            self.send(greeting)

    # Saying

    def send(self, message: Message) -> None:
        """Send anything at all."""
        self.socket.send(json.dumps(message))

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is sent in the block arrives in one piece, as that of a client that sends it all at once."""
        connection = self.socket.socket
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 1)
        yield
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_CORK, 0)

    def modify(
        self,
        *,
        add: Sequence[tuple[str, Message] | tuple[str, Message, str | None]] = (),
        remove: Sequence[int] = (),
    ) -> list[int]:
        """One ModifyQuerySet with these changes; the ids of what was added. What is added may have a third
        part: its journal (1.10).
        """
        base, self._query_set = self._query_set, self._query_set + 1
        modifications: list[Message] = []
        added = []
        for path, args, *journal in add:
            query_id = self._next_query
            self._next_query += 1
            self.queries[query_id] = Query(path, added=self._query_set)
            added.append(query_id)
            addition: Message = {"type": "Add", "queryId": query_id, "udfPath": path, "args": [args]}
            modifications.append(addition | ({"journal": journal[0]} if journal else {}))
        for query_id in remove:
            self.queries[query_id].removed = self._query_set
            modifications.append({"type": "Remove", "queryId": query_id})
        message: Message = {"type": "ModifyQuerySet", "baseVersion": base, "newVersion": self._query_set}
        self.send(message | {"modifications": modifications})
        return added

    def add(self, path: str, args: Message | None = None) -> int:
        """Subscribe to one query; its id."""
        return self.modify(add=[(path, args or {})])[0]

    def remove(self, query_id: int) -> None:
        """Unsubscribe."""
        self.modify(remove=[query_id])

    def mutate(self, path: str, args: Message | None = None, *, request_id: int | None = None) -> int:
        """Send a mutation; its request id. A given `request_id` plays a replay."""
        if request_id is None:
            request_id = self._next_request
        self._next_request = max(self._next_request, request_id + 1)
        self._mutations_open.append(request_id)
        message: Message = {"type": "Mutation", "requestId": request_id, "udfPath": path}
        self.send(message | {"args": [args or {}]})
        return request_id

    def authenticate(self, token_type: str, **fields: Any) -> None:
        """Send Authenticate with the identity version that is due."""
        base, self._identity = self._identity, self._identity + 1
        self.send({"type": "Authenticate", "baseVersion": base, "tokenType": token_type, **fields})

    # Hearing

    def receive(self, *, seconds: float = WAIT_SECONDS) -> Message:
        """The next whole message, checked and taken into account; Pings are passed over.

        Raises:
            SocketClosed: there will be no more.
        """
        deadline = Deadline(seconds)
        while True:
            try:
                item = self._inbox.get(timeout=deadline.left)
            except queue.Empty:
                raise AssertionError(
                    f"nothing came in {seconds} s; heard so far {self.heard[-20:]}"
                ) from None
            if isinstance(item, SocketClosed):
                self._inbox.put(item)
                raise item
            message = self._take(*item)
            if message is not None:
                return message

    def until(self, is_done: Callable[[], bool], *, seconds: float = WAIT_SECONDS) -> None:
        """Receive until `is_done`."""
        deadline = Deadline(seconds)
        while not is_done():
            self.receive(seconds=deadline.left)

    def result(self, query_id: int, *, seconds: float = WAIT_SECONDS) -> Any:
        """The newest value of a query; waits for its first.

        Raises:
            QueryFailure: the newest answer is an error.
        """
        query = self.queries[query_id]
        self.until(lambda: query.answer is not None, seconds=seconds)
        assert query.answer is not None
        if query.answer["type"] == "QueryFailed":
            raise QueryFailure(query.answer)
        return query.answer["value"]

    def wait_result(
        self, query_id: int, is_wanted: Callable[[Any], bool], *, seconds: float = WAIT_SECONDS
    ) -> Any:
        """The value of a query once it is a wanted one."""
        query = self.queries[query_id]

        def is_done() -> bool:
            answer = query.answer
            return answer is not None and answer["type"] == "QueryUpdated" and is_wanted(answer["value"])

        self.until(is_done, seconds=seconds)
        return self.result(query_id)

    def response(self, request_id: int, *, seconds: float = WAIT_SECONDS) -> Message:
        """The response to a mutation or action."""
        self.until(lambda: request_id in self.responses, seconds=seconds)
        return self.responses[request_id]

    def settle(self, request_id: int, *, seconds: float = WAIT_SECONDS) -> Message:
        """The response, once a Transition after it has reached its timestamp (1.8)."""
        deadline = Deadline(seconds)
        response = self.response(request_id, seconds=seconds)
        ts = decode_ts(response["ts"]) if response["success"] else 0
        place = self._place_of(request_id)
        self.until(
            lambda: self.version.ts >= ts and "Transition" in self.heard[place + 1 :], seconds=deadline.left
        )
        return response

    def wait_close(self, *, seconds: float = WAIT_SECONDS) -> SocketClosed:
        """Receive whatever still comes, then tell how the server closed."""
        deadline = Deadline(seconds)
        try:
            while True:
                self.receive(seconds=deadline.left)
        except SocketClosed as closed:
            return closed

    def close(self) -> None:
        """Close in an orderly way."""
        self._open.close()

    def __enter__(self) -> RawClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # Checking

    def _listen(self) -> None:
        try:
            while True:
                fragments = [
                    part.encode() if isinstance(part, str) else part
                    for part in self.socket.recv_streaming(decode=True)
                ]
                self._inbox.put((b"".join(fragments).decode(), [len(part) for part in fragments]))
        except ConnectionClosed as closed:
            frame = closed.rcvd
            self._inbox.put(SocketClosed(frame.code, frame.reason) if frame else SocketClosed(1006, ""))

    def _take(self, text: str, fragments: list[int]) -> Message | None:
        self.fragments_max = max(self.fragments_max, len(fragments))
        if not self._takes_chunks:
            assert max(fragments) <= RUST_FRAME_BYTES_MAX, "the Rust family takes frames up to 16 MiB"
        message: Message = json.loads(text, parse_constant=_refuse)
        kind = message["type"]
        self.heard.append(kind)
        if kind == "TransitionChunk":
            whole = self._take_chunk(message)
            if whole is None:
                return None
            message, kind = whole, whole["type"]
            assert kind == "Transition"
            self.heard.append(kind)
        else:
            assert not self._parts, f"{kind} came between the chunks of a Transition"
        if kind == "Ping":
            return None
        if kind == "Transition":
            self._take_transition(message)
        elif kind == "MutationResponse":
            self._take_mutation_response(message)
        elif kind == "ActionResponse":
            self._take_response(message)
        else:
            assert kind in ("AuthError", "FatalError"), f"no client knows a message {kind}"
        return message

    def _take_chunk(self, message: Message) -> Message | None:
        assert self._takes_chunks, "only npm clients take chunks"
        assert set(message) == {"type", "chunk", "partNumber", "totalParts", "transitionId"}, set(message)
        assert type(message["partNumber"]) is int
        assert message["partNumber"] == len(self._parts), "chunks come in order"
        if self._parts:
            assert message["transitionId"] == self._parts[0]["transitionId"]
            assert message["totalParts"] == self._parts[0]["totalParts"]
        self._parts.append(message)
        self.chunks += 1
        if len(self._parts) < message["totalParts"]:
            return None
        parts, self._parts = self._parts, []
        whole: Message = json.loads("".join(part["chunk"] for part in parts), parse_constant=_refuse)
        return whole

    def _take_transition(self, message: Message) -> None:
        start, end = Version.parse(message["startVersion"]), Version.parse(message["endVersion"])
        assert start == self.version, f"starts at {start}, but we are at {self.version}"
        assert end.is_after(start), f"goes back from {start} to {end}"
        assert end.query_set <= self._query_set, f"{end} has a query set that we never sent"
        assert end.identity <= self._identity, f"{end} has an identity that we never sent"
        for name in ("clientClockSkew", "serverTs"):
            assert message.get(name) is None or type(message[name]) is int, (name, message[name])
        by_id = {modification["queryId"]: modification for modification in message["modifications"]}
        assert len(by_id) == len(message["modifications"]), "two modifications of one query"
        for query_id, query in list(self.queries.items()):
            self._check_query(query_id, query, end, by_id.pop(query_id, None))
        assert not by_id, f"modifications of queries that nobody asked for: {by_id}"
        self.version = end
        self.transitions.append(message)

    def _check_query(self, query_id: int, query: Query, end: Version, modification: Message | None) -> None:
        kind = modification["type"] if modification else None
        if query.removed is not None and query.removed <= end.query_set:
            assert kind == "QueryRemoved", f"the removal of query {query_id} was answered by {kind}"
            del self.queries[query_id]
            return
        if modification is None:
            is_due = query.answer is None and query.added <= end.query_set
            assert not is_due, f"query {query_id} is in {end} but without an answer"
            return
        assert query.added <= end.query_set, f"query {query_id} is answered before {end} holds it"
        assert kind in ("QueryUpdated", "QueryFailed"), f"query {query_id} got {kind}"
        assert type(modification["queryId"]) is int
        assert isinstance(modification["logLines"], list)
        if kind == "QueryFailed":
            assert isinstance(modification["errorMessage"], str)
        else:
            assert "value" in modification
            assert "errorData" not in modification
        if query.answer is not None:
            assert _essence(modification) != _essence(query.answer), f"query {query_id}: sent twice the same"
        query.answer = modification
        query.updates += 1

    def _take_mutation_response(self, message: Message) -> None:
        assert self._mutations_open, f"nobody waits for {message}"
        due = self._mutations_open.pop(0)
        assert message["requestId"] == due, f"mutation {message['requestId']} answered before {due}"
        if message["success"]:
            decode_ts(message["ts"])
            assert "errorData" not in message
        else:
            assert message.get("ts") is None
        self._take_response(message)

    def _take_response(self, message: Message) -> None:
        assert type(message["requestId"]) is int
        assert isinstance(message["logLines"], list)
        assert "result" in message
        if not message["success"]:
            assert isinstance(message["result"], str)
        self.responses[message["requestId"]] = message
        self.heard[-1] = f"{message['type']} {message['requestId']}"

    def _place_of(self, request_id: int) -> int:
        names = [f"{kind} {request_id}" for kind in ("MutationResponse", "ActionResponse")]
        return max(place for place, name in enumerate(self.heard) if name in names)


def _essence(modification: Message) -> str:
    """What two answers are compared by (1.7): all but the request id and the journal."""
    kept = {key: value for key, value in modification.items() if key != "journal"}
    if "errorMessage" in kept:
        kept["errorMessage"] = re.sub(r"^\[Request ID: \w+\]", "", kept["errorMessage"])
    return json.dumps(kept, sort_keys=True)


def _refuse(literal: str) -> float:
    raise AssertionError(f"{literal} is not JSON")
