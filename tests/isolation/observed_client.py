"""A raw client that is observed: every transition and every answer goes into the history.

It cuts its socket in the middle of things, comes back under the same session, sends again what was not
answered under the same request ids, and goes on observing as the same session.
"""

from __future__ import annotations

from random import Random

from tests.clients.raw_client import Message, RawClient, decode_ts
from tests.isolation.history import Append, Clock, History, Transition

KEYS = ("x", "y", "z")
WAIT_SECONDS = 5.0


class ObservedClient:
    """One session, whatever becomes of its sockets."""

    def __init__(self, url: str, name: str, clock: Clock, history: History) -> None:
        self._url = url
        self._name = name
        self._clock = clock
        self._history = history
        self._connections = 0
        self._requests = 0
        self._open: dict[int, Append] = {}
        self._connect(None)

    def _connect(self, before: RawClient | None) -> None:
        self._client = RawClient(
            self._url,
            session_id=None if before is None else before.session_id,
            connection_count=self._connections,
            max_observed=None if before is None else before.version.ts,
        )
        self._connections += 1
        self._begun: int | None = self._clock.tick()
        added = self._client.modify(add=[("lists:read", {"key": key}) for key in KEYS])
        self._keys = dict(zip(added, KEYS, strict=True))
        for number, append in self._open.items():
            self._send(number, append)

    def _send(self, number: int, append: Append) -> None:
        self._client.mutate("lists:append", {"key": append.key, "value": append.value}, request_id=number)

    def append(self, key: str) -> None:
        """Begin an append."""
        number, self._requests = self._requests, self._requests + 1
        append = Append(self._name, key, f"{self._name}.{number}", begun=self._clock.tick())
        self._open[number] = append
        self._send(number, append)

    def observe(self) -> None:
        """Take one message."""
        self._note(self._client.receive(seconds=WAIT_SECONDS))

    def observe_some(self, count: int) -> None:
        """Take up to so many messages; at least one is due while an answer is."""
        for _ in range(count):
            if self._open:
                self.observe()

    def finish(self) -> None:
        """Take messages until everything is answered and has been shown."""
        while self._open:
            self.observe()
        newest = max(
            (each.ts or 0 for each in self._history.appends if each.session == self._name), default=0
        )
        while self._client.version.ts < newest:
            self.observe()

    def cut(self) -> None:
        """Lose the socket and come back."""
        before = self._client
        before.close()
        self._connect(before)

    def close(self) -> None:
        for append in self._open.values():
            self._history.appends.append(append)
        self._client.close()

    def _note(self, message: Message) -> None:
        if message["type"] == "MutationResponse":
            append = self._open.pop(message["requestId"])
            assert message["success"], message
            result, ts = tuple(message["result"]), decode_ts(message["ts"])
            self._history.appends.append(
                Append(append.session, append.key, append.value, append.begun, self._clock.tick(), ts, result)
            )
        elif message["type"] == "Transition":
            lists = {
                self._keys[number]: tuple(query.answer["value"])
                for number, query in self._client.queries.items()
                if query.answer is not None
            }
            ts, ended = self._client.version.ts, self._clock.tick()
            self._history.transitions.append(
                Transition(self._name, ts, ended, lists, self._begun if lists else None)
            )
            if lists:
                self._begun = None


def live_through(client: ObservedClient, random: Random, rounds: int) -> None:
    """Append, listen and lose the connection, as chance has it."""
    for _ in range(rounds):
        for _ in range(random.randint(1, 3)):
            client.append(random.choice(KEYS))
        client.observe_some(random.randint(0, 3))
        if random.random() < 0.3:
            client.cut()
    client.finish()
