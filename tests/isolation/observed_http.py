"""An HTTP client that is observed: mutations, cached queries, batches, and reads at a timestamp.

One thing at a time, so time alone orders what it does.
"""

from __future__ import annotations

import base64
import json
from random import Random
from typing import Any

import httpx

from tests.isolation.calls import (
    ADMIN_KEY,
    ISSUER,
    KEYS,
    USERS,
    Transaction,
    random_query,
    random_transaction,
    read_of,
)
from tests.isolation.history import Clock, History, Kind, Operation, Outcome, Read

WAIT_SECONDS = 60.0
CONNECTS_MAX = 4

Question = tuple[str, dict[str, Any]]


class NoAnswer(Exception):
    """The server went away in the middle of a call."""


class ObservedHttp:
    """One HTTP client."""

    def __init__(self, url: str, name: str, clock: Clock, history: History) -> None:
        # A server that is being started is asked again, in growing pauses.
        transport = httpx.HTTPTransport(retries=CONNECTS_MAX)
        self._client = httpx.Client(base_url=url, timeout=WAIT_SECONDS, transport=transport)
        self._session = name
        self._clock = clock
        self._history = history
        self._count = 0
        self._timestamps: list[str] = []
        """Old ones, to read at again."""

    def close(self) -> None:
        """Say goodbye."""
        self._client.close()

    def name(self) -> str:
        """A new name for an operation; values are named after their operations."""
        self._count += 1
        return f"{self._session}.{self._count}"

    # One operation each.

    def transact(self, *steps: tuple[str, ...], fails: bool = False) -> None:
        """A mutation."""
        self.perform(Transaction(self.name(), self._session, steps, self._clock.tick(), fails))

    def perform(self, transaction: Transaction) -> None:
        """A mutation that has its name already."""
        try:
            answer = self._post("/api/mutation", {"path": "lists:transact", "args": transaction.args})
        except NoAnswer:
            self._history.add(transaction.unknown())
            raise
        ended = self._clock.tick()
        if answer["status"] == "success":
            self._history.add(transaction.done(answer["value"], ended=ended))
        else:
            self._history.add(transaction.failed(answer["errorMessage"], ended=ended))

    def query(self, path: str, args: dict[str, Any], *, user: str | None = None) -> None:
        """A query of what is there now, from the cache or not."""
        name, begun = self.name(), self._clock.tick()
        answer = self._post("/api/query", {"path": path, "args": args}, user=user)
        assert answer["status"] == "success", answer
        reads = read_of(path, args, answer["value"], user=user or "nobody")
        self._note(name, Kind.QUERY, reads, begun)

    def read(self, *keys: str) -> None:
        """The cached query of some lists."""
        self.query("lists:read", {"keys": list(keys)})

    def batch(self, questions: list[Question]) -> None:
        """Several queries on one snapshot."""
        name, begun = self.name(), self._clock.tick()
        body = {"queries": [{"path": path, "args": args, "format": "json"} for path, args in questions]}
        answers = self._post("/api/query_batch", body)["results"]
        reads: list[Read] = []
        for (path, args), answer in zip(questions, answers, strict=True):
            assert answer["status"] == "success", answer
            reads += read_of(path, args, answer["value"])
        self._note(name, Kind.QUERY, reads, begun)

    def past(self, questions: list[Question], *, ts: str | None = None) -> None:
        """Several queries at one timestamp: the one that is current now, or an older one."""
        name, begun = self.name(), self._clock.tick() if ts is None else None
        if ts is None:
            ts = self._post("/api/query_ts", {})["ts"]
            self._timestamps = [*self._timestamps[-5:], ts]
        reads: list[Read] = []
        for path, args in questions:
            answer = self._post("/api/query_at_ts", {"path": path, "args": args, "ts": ts})
            assert answer["status"] == "success", answer
            reads += read_of(path, args, answer["value"])
        at = int.from_bytes(base64.b64decode(ts), "little")
        self._note(name, Kind.PAST, reads, begun, at)

    def read_all(self) -> None:
        """Every list there is, on one snapshot."""
        self.batch([("lists:read", {"keys": list(KEYS)})])

    # Many, as chance has it.

    def step(self, random: Random) -> None:
        """Do something."""
        match random.choice(("transact", "transact", "query", "query", "own", "batch", "past", "older")):
            case "transact":
                self.perform(random_transaction(random, self.name(), self._session, self._clock.tick()))
            case "query":
                self.query(*random_query(random))
            case "own":
                self.query("lists:read_own", {}, user=random.choice((*USERS, None)))
            case "batch":
                self.batch([random_query(random) for _ in range(3)])
            case "past":
                self.past([random_query(random) for _ in range(2)])
            case "older" if self._timestamps:
                self.past([random_query(random) for _ in range(2)], ts=random.choice(self._timestamps))

    def _note(
        self, name: str, kind: Kind, reads: list[Read], begun: int | None, ts: int | None = None
    ) -> None:
        ended = self._clock.tick()
        self._history.add(Operation(name, self._session, kind, tuple(reads), begun, ended, Outcome.DONE, ts))

    def _post(self, path: str, body: dict[str, Any], *, user: str | None = None) -> Any:
        headers = {}
        if user is not None:
            claims = json.dumps({"issuer": ISSUER, "subject": user}).encode()
            headers["Authorization"] = f"Convex {ADMIN_KEY}:{base64.b64encode(claims).decode()}"
        try:
            answer = self._client.post(path, json={"format": "json", **body}, headers=headers)
        except httpx.TransportError as error:
            raise NoAnswer(str(error)) from error
        assert answer.status_code == httpx.codes.OK, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()
