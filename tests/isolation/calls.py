"""Calls: what clients ask of the lists, as it goes over the wire and as it stands in a history.

Not here: sockets (`observed_socket.py`), HTTP (`observed_http.py`), the functions themselves
(`project/backend/lists.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.isolation.history import Append, Kind, Operation, Outcome, Read

LISTS = ("a", "b", "c", "d")
USERS = ("alice", "bob")
OWN_LISTS = tuple(f"own-{user}" for user in (*USERS, "nobody"))
KEYS = (*LISTS, *OWN_LISTS)

ISSUER = "https://isolation.test"
ADMIN_KEY = "lists|of-the-isolation-tests"


@dataclass(frozen=True, slots=True)
class Transaction:
    """A mutation that was asked for and not answered yet."""

    name: str
    session: str
    steps: tuple[tuple[str, ...], ...]
    begun: int
    fails: bool = False

    @property
    def args(self) -> dict[str, Any]:
        """The arguments of `lists:transact`."""
        return {"steps": [list(step) for step in self.steps], "fails": self.fails}

    def done(self, results: Sequence[Sequence[str]], *, ended: int, ts: int | None = None) -> Operation:
        """The operation once it was acknowledged."""
        assert not self.fails, f"{self.name} was to fail, and succeeded"
        steps: list[Append | Read] = []
        for step, result in zip(self.steps, results, strict=True):
            if step[0] == "read":
                steps.append(Read(step[1], tuple(result)))
            elif step[0] != "lost":
                steps.append(Append(step[1], step[2]))
        return self._operation(tuple(steps), Outcome.DONE, ended, ts)

    def failed(self, message: str, *, ended: int) -> Operation:
        """The operation once it was refused."""
        assert self.fails, f"{self.name} was not to fail: {message}"
        return self._operation(self._appends, Outcome.FAILED, ended, None)

    def unknown(self) -> Operation:
        """The operation if nobody ever hears what became of it."""
        return self._operation(self._appends, Outcome.FAILED if self.fails else Outcome.UNKNOWN, None, None)

    @property
    def _appends(self) -> tuple[Append, ...]:
        return tuple(Append(step[1], step[2]) for step in self.steps if step[0] in ("append", "part"))

    def _operation(
        self, steps: tuple[Append | Read, ...], outcome: Outcome, ended: int | None, ts: int | None
    ) -> Operation:
        lost = tuple(Append(step[1], step[2]) for step in self.steps if step[0] == "lost")
        return Operation(
            self.name, self.session, Kind.MUTATION, steps, self.begun, ended, outcome, ts, taken_back=lost
        )


def random_transaction(random: Random, name: str, session: str, begun: int) -> Transaction:
    """Some appends and reads; now and then a part that is lost, or all of it."""
    steps: list[tuple[str, ...]] = []
    for place in range(random.choice((1, 1, 2, 2, 3, 4))):
        key = random.choice(KEYS)
        verb = random.choice(("read", "append", "append", "append", "part", "lost"))
        steps.append((verb, key) if verb == "read" else (verb, key, f"{name}.{place}"))
    return Transaction(name, session, tuple(steps), begun, fails=random.random() < 0.1)


def read_of(path: str, args: dict[str, Any], value: Any, *, user: str = "nobody") -> list[Read]:
    """What the answer of a query shows."""
    match path:
        case "lists:read":
            return [Read(key, tuple(values)) for key, values in zip(args["keys"], value, strict=True)]
        case "lists:read_items":
            return [Read(args["key"], tuple(value))]
        case "lists:read_own":
            return [Read(f"own-{user}", tuple(value))]
    raise AssertionError(path)


def random_query(random: Random) -> tuple[str, dict[str, Any]]:
    """A query that does not depend on who asks."""
    if random.random() < 0.3:
        return "lists:read_items", {"key": random.choice(KEYS)}
    # Few different questions, so that many are answered by the cache.
    keys = random.choice((("a", "b"), ("c",), ("b", "d"), ("own-alice", "a")))
    return "lists:read", {"keys": list(keys)}
