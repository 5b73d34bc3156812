"""Official clients, told what to do from a test.

`programs/npm_host.mjs` and `programs/pypi_host.py` hold the clients; this is their other half, the same for
both. Values are in the encoded form of the protocol: `1.0` is a Float64 and `{"$integer": ...}` an Int64.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.clients.json_program import WAIT_SECONDS, Event, JsonProgram


class ClientError(Exception):
    """What the client raised, or rejected its promise with. `data` is there only for a ConvexError."""

    def __init__(self, error: Event) -> None:
        super().__init__(error["message"])
        self.is_convex_error: bool = error["isConvexError"]
        self.data: Any = error.get("data")


@dataclass
class ClientHost:
    """The process with the clients in it. They share nothing but that."""

    program: JsonProgram
    _ids: itertools.count[int] = field(default_factory=itertools.count)

    def open(
        self,
        url: str,
        *,
        session: str | None = None,
        user_agent: str | None = None,
        tells_console: bool = False,
    ) -> Client:
        """A `ConvexClient`. npm only: `session` overrides the session id that it made for itself, its
        socket says `user_agent`, as a browser's would, and what it prints becomes `console` events.
        """
        name = f"client-{next(self._ids)}"
        given = {"session": session, "userAgent": user_agent, "tellsConsole": tells_console or None}
        chosen = {name: value for name, value in given.items() if value is not None}
        self.program.send({"op": "open", "client": name, "url": url, **chosen})
        return Client(self, name)

    def open_http(self, url: str) -> Client:
        """A `ConvexHttpClient`."""
        name = f"http-{next(self._ids)}"
        self.program.send({"op": "open_http", "client": name, "url": url})
        return Client(self, name)

    def received(self) -> dict[str, int]:
        """How many messages of each type came in over all sockets of this host (npm only)."""
        counts: dict[str, int] = self.ask("received").wait()
        return counts

    def ask(self, op: str, **fields: Any) -> Pending:
        """Send a command that will be answered by one `settled` event."""
        number = next(self._ids)
        self.program.send({"op": op, "id": number, **fields})
        return Pending(self.program, number)


@dataclass
class Client:
    """One client object. `call` starts something; the other verbs also wait for its end."""

    host: ClientHost
    name: str

    def call(self, kind: str, path: str, args: dict[str, Any] | None = None) -> Pending:
        """Start the client's method `kind`."""
        return self.host.ask("call", client=self.name, kind=kind, path=path, args=args or {})

    def query(self, path: str, args: dict[str, Any] | None = None, *, seconds: float = WAIT_SECONDS) -> Any:
        return self.call("query", path, args).wait(seconds=seconds)

    def consistent_query(self, path: str, args: dict[str, Any] | None = None) -> Any:
        """All consistent queries of one HTTP client read at one timestamp."""
        return self.call("consistentQuery", path, args).wait()

    def mutation(
        self, path: str, args: dict[str, Any] | None = None, *, seconds: float = WAIT_SECONDS
    ) -> Any:
        return self.call("mutation", path, args).wait(seconds=seconds)

    def subscribe(self, path: str, args: dict[str, Any] | None = None) -> Subscription:
        number = next(self.host._ids)
        self.host.program.send(
            {"op": "subscribe", "client": self.name, "id": number, "path": path, "args": args or {}}
        )
        return Subscription(self.host.program, number)

    def set_auth(self, token: str) -> None:
        """Sign in with a token that stays (npm: over HTTP only)."""
        self.host.ask("set_auth", client=self.name, token=token).wait()

    def set_auth_from(self, url: str, *tokens: str) -> None:
        """Sign in with tokens of an issuer, after those that are given (npm over a websocket only)."""
        self.host.program.send({"op": "set_auth_from", "client": self.name, "url": url, "tokens": tokens})

    def clear_auth(self) -> None:
        """Sign out."""
        self.host.ask("clear_auth", client=self.name).wait()

    def state(self) -> dict[str, Any]:
        """`isWebSocketConnected`, `connectionCount` and `inflightMutations` (npm only)."""
        state: dict[str, Any] = self.host.ask("state", client=self.name).wait()
        return state

    def close(self) -> None:
        self.host.ask("close", client=self.name).wait()


@dataclass
class Pending:
    """Something that a client will settle."""

    program: JsonProgram
    number: int

    def wait(self, *, seconds: float = WAIT_SECONDS) -> Any:
        """Its value, once it has one.

        Raises:
            ClientError: it failed.
        """
        event = self.program.wait(
            lambda event: event["event"] == "settled" and event["id"] == self.number, seconds=seconds
        )
        if "error" in event:
            raise ClientError(event["error"])
        return event["value"]

    @property
    def is_settled(self) -> bool:
        return any(
            event["event"] == "settled" and event["id"] == self.number for event in list(self.program.events)
        )


@dataclass
class Subscription:
    """Every answer that the client handed out, in order."""

    program: JsonProgram
    number: int

    @property
    def updates(self) -> list[Event]:
        """The events so far: each has a `value` or an `error`."""
        return [
            event
            for event in list(self.program.events)
            if event["event"] == "update" and event["id"] == self.number
        ]

    @property
    def values(self) -> list[Any]:
        """The values so far, failures left out."""
        return [event["value"] for event in self.updates if "value" in event]

    def wait_value(self, is_wanted: Callable[[Any], bool], *, seconds: float = WAIT_SECONDS) -> Any:
        """The newest value, once it is a wanted one."""

        def look() -> Event | None:
            newest = self.updates[-1:]
            return newest[0] if newest and "value" in newest[0] and is_wanted(newest[0]["value"]) else None

        return self.program.wait_for(look, seconds=seconds)["value"]

    def wait_error(self, *, seconds: float = WAIT_SECONDS) -> ClientError:
        """The newest answer, once it is an error."""

        def look() -> Event | None:
            newest = self.updates[-1:]
            return newest[0] if newest and "error" in newest[0] else None

        return ClientError(self.program.wait_for(look, seconds=seconds)["error"])

    def stop(self) -> None:
        """Unsubscribe (npm only)."""
        self.program.send({"op": "unsubscribe", "id": self.number})
