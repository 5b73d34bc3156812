"""A client that checks everything it is told, written from the client's side of wire 1.7, 1.8 and 1.11.

It behaves like npm: one session over many sockets, all live queries added again after a reconnect, mutations
sent again until a Transition covers them, actions given up. Whatever the server may not do, it asserts.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from rewake.protocol import decode_ts, encode_ts
from tests.sync.fake_backend import FakeBackend

_ZERO = (0, 0, 0)


@dataclass
class Pending:
    """A call that has not settled. `answered_ts` is set by a successful response."""

    number: int
    message: dict[str, Any]
    answered_ts: int | None = None


@dataclass
class ModelClient:
    """One client object."""

    session_id: str
    backend: FakeBackend
    queries: dict[int, str] = field(default_factory=dict)
    """Live queries and their keys, as the application wants them."""
    next_query: int = 0
    next_request: int = 0
    mutations: list[Pending] = field(default_factory=list)
    actions: dict[int, dict[str, Any]] = field(default_factory=dict)
    settled: list[int] = field(default_factory=list)
    added: dict[str, int] = field(default_factory=dict)
    """How many `kv:add` were called, by key."""
    observed: int = 0
    """The highest timestamp in any message; goes into Connect."""
    shown: int = 0
    """The timestamp of the last Transition, also over reconnects."""
    connections: int = 0

    # Of the present socket.
    version: tuple[int, int, int] = _ZERO
    sent_query_set: int = 0
    sent_identity: int = 0
    sets_by_version: dict[int, dict[int, str]] = field(default_factory=dict)
    remote: dict[int, Any] = field(default_factory=dict)
    """Results as the server told them, by query id."""
    unconfirmed_removals: dict[int, int] = field(default_factory=dict)
    """Query ids taken out, and the query set version that did."""
    sent_here: list[int] = field(default_factory=list)
    answered_here: set[int] = field(default_factory=set)
    responses_since_transition: int = 0
    is_closed: bool = True
    lost_outcomes: set[tuple[str, int]] = field(default_factory=set)
    """Mutations by (session, number) whose outcome died with its writer, while their rows were told."""

    # What it sends.

    def connect(self) -> list[dict[str, Any]]:
        """Open a socket: forget the old one's state, send everything again."""
        self.version, self.sent_query_set, self.sent_identity = _ZERO, 0, 0
        self.sets_by_version, self.remote = {0: {}}, {}
        self.unconfirmed_removals = {}
        self.sent_here, self.answered_here = [], set()
        self.responses_since_transition = 0
        self.is_closed = False
        connect: dict[str, Any] = {
            "type": "Connect",
            "sessionId": self.session_id,
            "connectionCount": self.connections,
        }
        if self.observed:
            connect["maxObservedTimestamp"] = encode_ts(self.observed)
        self.connections += 1
        self.actions.clear()
        messages = [connect, self._modification([_add(*each) for each in self.queries.items()])]
        for pending in self.mutations:
            messages.append(pending.message)
            self.sent_here.append(pending.number)
        return messages

    def add(self, key: str) -> dict[str, Any]:
        query_id, self.next_query = self.next_query, self.next_query + 1
        self.queries[query_id] = key
        return self._modification([_add(query_id, key)])

    def remove(self, query_id: int) -> dict[str, Any]:
        del self.queries[query_id]
        self.unconfirmed_removals[query_id] = self.sent_query_set + 1
        return self._modification([{"type": "Remove", "queryId": query_id}])

    def _modification(self, modifications: list[dict[str, Any]]) -> dict[str, Any]:
        base = self.sent_query_set
        self.sent_query_set += 1
        self.sets_by_version[self.sent_query_set] = dict(self.queries)
        return {
            "type": "ModifyQuerySet",
            "baseVersion": base,
            "newVersion": base + 1,
            "modifications": modifications,
        }

    def log_out(self) -> dict[str, Any]:
        base = self.sent_identity
        self.sent_identity += 1
        return {"type": "Authenticate", "baseVersion": base, "tokenType": "None"}

    def mutate(self, key: str | None) -> dict[str, Any]:
        """Add one to `key`, or call what fails."""
        path, args = ("kv:fail", {}) if key is None else ("kv:add", {"key": key})
        if key is not None:
            self.added[key] = self.added.get(key, 0) + 1
        message = self._call("Mutation", path, args)
        self.mutations.append(Pending(message["requestId"], message))
        self.sent_here.append(message["requestId"])
        return message

    def act(self, text: str) -> dict[str, Any]:
        message = self._call("Action", "kv:echo", {"text": text})
        self.actions[message["requestId"]] = message["args"][0]
        return message

    def _call(self, kind: str, path: str, args: dict[str, Any]) -> dict[str, Any]:
        number, self.next_request = self.next_request, self.next_request + 1
        return {"type": kind, "requestId": number, "udfPath": path, "args": [args]}

    # What it hears.

    def hear(self, text: bytes) -> None:
        """Check one message and take it in."""
        assert not self.is_closed, "nothing is said after the end"
        message = json.loads(text)
        match message["type"]:
            case "Transition":
                self._transition(message)
            case "MutationResponse":
                self._mutation_response(message)
            case "ActionResponse":
                self._answer_once(message["requestId"])
                assert message["result"] == self.actions.pop(message["requestId"])
                self.responses_since_transition += 1
            case kind:
                assert kind == "Ping", message

    def _answer_once(self, number: int) -> None:
        assert number not in self.answered_here, "nothing is answered twice on one socket"
        self.answered_here.add(number)

    def _mutation_response(self, message: dict[str, Any]) -> None:
        number = message["requestId"]
        self._answer_once(number)
        unanswered = [each for each in self.sent_here if each not in self.answered_here]
        assert all(number < each for each in unanswered), "mutations are answered in the order sent"
        (pending,) = (each for each in self.mutations if each.number == number)
        self.responses_since_transition += 1
        if not message["success"]:
            assert pending.message["udfPath"] == "kv:fail"
            assert message["ts"] is None
            self._settle(pending)
            return
        ts = decode_ts(message["ts"])
        assert ts <= self.backend.last_ts
        assert pending.answered_ts in (None, ts), "a replay has the original timestamp"
        pending.answered_ts = ts
        self.observed = max(self.observed, ts)

    def _transition(self, message: dict[str, Any]) -> None:
        start, end = _version(message["startVersion"]), _version(message["endVersion"])
        assert start == self.version, "transitions join end to start"
        assert all(old <= new for old, new in zip(start, end, strict=True)), "no part goes back"
        assert end[0] <= self.sent_query_set
        assert end[1] <= self.sent_identity
        assert end[2] <= self.backend.last_ts, "only committed timestamps"
        assert end[2] >= self.shown, "never back in time, also over reconnects"
        self.version = end
        self.shown = end[2]
        self.observed = max(self.observed, end[2])

        told: set[int] = set()
        for modification in message["modifications"]:
            query_id = modification["queryId"]
            assert query_id not in told, "one modification for a query"
            told.add(query_id)
            if modification["type"] == "QueryRemoved":
                assert query_id in self.unconfirmed_removals
                del self.unconfirmed_removals[query_id]
                self.remote.pop(query_id, None)
                continue
            assert modification["type"] == "QueryUpdated"
            assert modification["logLines"] == ["[LOG] 'get'"]
            assert self.remote.get(query_id) != modification["value"], "unchanged results are not sent"
            self.remote[query_id] = modification["value"]

        covered = self.sets_by_version[end[0]]
        still_wanted = {query_id: key for query_id, key in covered.items() if query_id in self.queries}
        for query_id, key in still_wanted.items():
            assert query_id in self.remote, "every Add that is covered is answered"
            assert self.remote[query_id] == self.backend.value_at(key, end[2]), "valid at the end timestamp"
        waiting = self.unconfirmed_removals.values()
        assert all(version > end[0] for version in waiting), "every Remove that is covered is confirmed"

        for pending in self.mutations:
            committed = self.backend_ts(pending)
            if committed is not None and committed <= end[2] and pending.number in self.sent_here:
                assert pending.number in self.answered_here or self._is_replay(pending), (
                    "the response comes before the Transition that covers it"
                )
        for pending in [each for each in self.mutations if each.answered_ts is not None]:
            assert pending.answered_ts is not None
            if pending.answered_ts <= end[2] and pending.number in self.answered_here:
                self._settle(pending)
        self.responses_since_transition = 0

    def backend_ts(self, pending: Pending) -> int | None:
        """When the backend committed this mutation, None when it did not yet."""
        for key, outcome in self.backend.outcomes.items():
            if (key.session, key.request) == (self.session_id, pending.number):
                return outcome.ts
        return None

    def _is_replay(self, pending: Pending) -> bool:
        """Was it committed through an earlier socket? Then the new set may arrive before the answer."""
        is_lost = (self.session_id, pending.number) in self.lost_outcomes
        return is_lost or (self.connections > 1 and pending.number in self.sent_here)

    def _settle(self, pending: Pending) -> None:
        self.mutations.remove(pending)
        assert pending.number not in self.settled
        self.settled.append(pending.number)


def _add(query_id: int, key: str) -> dict[str, Any]:
    return {"type": "Add", "queryId": query_id, "udfPath": "kv:get", "args": [{"key": key}]}


def _version(version: dict[str, Any]) -> tuple[int, int, int]:
    return (version["querySet"], version["identity"], decode_ts(version["ts"]))
