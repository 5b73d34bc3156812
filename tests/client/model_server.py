"""A server that fits on two pages: counters, their history, and the rules of wire 1.4 to 1.13.

It is strict: what a client may not send is an assertion. Nothing happens by itself; a test says when a socket
takes the next message and when it shows what has changed, so that everything can come in any order.

    counters:get {name}       the value               counters:add {name, by}   add, return the new value
    counters:fail {}          always fails            acts:note {number}        an action that is noted
    who:am_i {}               the identity
"""

from __future__ import annotations

import json
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from rewake.protocol import ZERO_VERSION, StateVersion, decode_ts, encode_ts, parse_client_message

Message = dict[str, Any]


def _spelled(version: StateVersion) -> Message:
    return {"querySet": version.query_set, "identity": version.identity, "ts": encode_ts(version.ts)}


@dataclass
class ModelServer:
    """The data, and what was done for whom."""

    history: list[dict[str, float]] = field(default_factory=lambda: [{}, {}])
    """The counters at each timestamp."""
    records: dict[tuple[str, int], tuple[float, int]] = field(default_factory=dict)
    runs: list[tuple[str, int]] = field(default_factory=list)
    """Session and number of each mutation that committed, in order."""
    actions: list[float] = field(default_factory=list)
    accepts: set[str] = field(default_factory=lambda: {"good"})
    """Tokens and keys that are let in."""
    log_lines: list[str] = field(default_factory=list)
    """What every function prints."""

    @property
    def ts(self) -> int:
        return len(self.history) - 1

    def commit(self, name: str, by: float) -> float:
        """Add to a counter."""
        after = dict(self.history[-1])
        after[name] = after.get(name, 0.0) + by
        self.history.append(after)
        return after[name]

    def mutate(self, session: str, number: int, path: str, args: Message) -> Message:
        """Carry out a mutation, unless it was."""
        answer: Message = {"type": "MutationResponse", "requestId": number, "logLines": self.log_lines}
        if path != "counters:add":
            return answer | {"success": False, "result": _failure_text(number), "ts": None}
        key = (session, number)
        if key not in self.records:
            value = self.commit(args["name"], args["by"])
            self.records[key] = (value, self.ts)
            self.runs.append(key)
        value, ts = self.records[key]
        return answer | {"success": True, "result": value, "ts": encode_ts(ts)}


@dataclass
class _Query:
    path: str
    args: Message
    sent: Any = None


class ModelSocket:
    """The server's end of one socket."""

    def __init__(self, server: ModelServer) -> None:
        self.server = server
        self.inbox: deque[str] = deque()
        self.heard: list[Message] = []
        """Every message that was taken."""
        self.is_closed = False
        self._session: str | None = None
        self._version: StateVersion = ZERO_VERSION
        self._query_set = 0
        self._identity = 0
        self._who: str | None = None
        self._queries: dict[int, _Query] = {}
        self._removed: list[int] = []
        self._is_dirty = False

    @property
    def has_news(self) -> bool:
        """Whether `wave` would say something."""
        return not self.is_closed and (
            self._is_dirty or (bool(self._queries) and self._version.ts < self.server.ts)
        )

    def step(self) -> list[str]:
        """Take one message; gives the answers."""
        if self.is_closed or not self.inbox:
            return []
        text = self.inbox.popleft()
        parse_client_message(text)  # Raises where the real server would end the conversation.
        message = json.loads(text)
        self.heard.append(message)
        kind = message["type"]
        assert (self._session is None) == (kind == "Connect"), "Connect comes first and once"
        answers: list[Message] = getattr(self, f"_on_{kind.lower()}")(message)
        return [json.dumps(answer) for answer in answers]

    def wave(self) -> list[str]:
        """Show what has changed."""
        if not self.has_news:
            return []
        self._is_dirty = False
        end = StateVersion(self._query_set, self._identity, self.server.ts)
        modifications: list[Message] = [
            {"type": "QueryRemoved", "queryId": query_id} for query_id in self._removed
        ]
        self._removed.clear()
        for query_id, query in self._queries.items():
            result = self._run(query)
            if result != query.sent:
                query.sent = result
                modifications.append({"queryId": query_id, "journal": f"j{query_id}"} | result)
        transition = {
            "type": "Transition",
            "startVersion": _spelled(self._version),
            "endVersion": _spelled(end),
            "modifications": modifications,
            "clientClockSkew": 0,
            "serverTs": 1,
        }
        self._version = end
        return [json.dumps(transition)]

    def refuse(self, error: str, *, attempted: bool = True) -> str:
        """Say that the identity is not accepted, and close."""
        self.is_closed = True
        base = self._version.identity
        return json.dumps(
            {"type": "AuthError", "error": error, "baseVersion": base, "authUpdateAttempted": attempted}
        )

    def _run(self, query: _Query) -> Message:
        if query.path == "counters:get":
            value: Any = self.server.history[-1].get(query.args["name"], 0.0)
        elif query.path == "who:am_i":
            value = self._who
        else:
            return {
                "type": "QueryFailed",
                "errorMessage": _failure_text(0),
                "errorData": {"code": "no"},
                "logLines": self.server.log_lines,
            }
        return {"type": "QueryUpdated", "value": value, "logLines": self.server.log_lines}

    def _on_connect(self, message: Message) -> list[Message]:
        self._session = message["sessionId"]
        observed = message.get("maxObservedTimestamp")
        assert observed is None or decode_ts(observed) <= self.server.ts, "the client saw the future"
        return []

    def _on_modifyqueryset(self, message: Message) -> list[Message]:
        assert message["baseVersion"] == self._query_set, "base version"
        assert message["newVersion"] == self._query_set + 1
        self._query_set += 1
        for modification in message["modifications"]:
            query_id = modification["queryId"]
            if modification["type"] == "Add":
                assert query_id not in self._queries, "added twice"
                [args] = modification["args"]
                self._queries[query_id] = _Query(modification["udfPath"], args)
            else:
                assert query_id in self._queries, "removed twice"
                del self._queries[query_id]
                self._removed.append(query_id)
        self._is_dirty = True
        return []

    def _on_authenticate(self, message: Message) -> list[Message]:
        assert message["baseVersion"] == self._identity, "base version"
        self._identity += 1
        self._who = message.get("value")
        if self._who is not None and self._who not in self.server.accepts:
            return [json.loads(self.refuse("no such token"))]
        for query in self._queries.values():
            if query.path == "who:am_i":
                query.sent = None
        self._is_dirty = True
        return []

    def _on_mutation(self, message: Message) -> list[Message]:
        assert self._session is not None
        self._is_dirty = True
        [args] = message["args"]
        return [self.server.mutate(self._session, message["requestId"], message["udfPath"], args)]

    def _on_action(self, message: Message) -> list[Message]:
        self._is_dirty = True
        [args] = message["args"]
        self.server.actions.append(args["number"])
        answer = {"type": "ActionResponse", "requestId": message["requestId"], "logLines": []}
        return [answer | {"success": True, "result": args["number"]}]


def _failure_text(number: int) -> str:
    return f"[Request ID: {number:016x}] Server Error\nUncaught ValueError: no\n    at f (x.py:1:1)\n"
