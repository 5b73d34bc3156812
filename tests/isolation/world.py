"""A world: concurrent clients around one server, each doing what its seed says, and all that they saw.

The seed decides what every client does; in which order the server meets it is up to the machine, so a seed
that found something is to be run a few times.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from tests.isolation.history import Clock, History, Operation
from tests.isolation.observed_http import NoAnswer, ObservedHttp
from tests.isolation.observed_socket import ObservedSocket

SOCKETS = 3
HTTP_CLIENTS = 2
JOIN_SECONDS = 300.0


class CountedHistory(History):
    """A history that somebody else can wait for to grow."""

    def __init__(self) -> None:
        super().__init__()
        self._grown = threading.Condition()
        self._is_over = False

    def add(self, operation: Operation) -> None:
        with self._grown:
            super().add(operation)
            self._grown.notify_all()

    def wait_for(self, count: int) -> bool:
        """Return once there are `count` operations; False where there will not be."""
        with self._grown:
            self._grown.wait_for(lambda: self._is_over or len(self.operations) >= count)
            return not self._is_over

    def finish(self) -> None:
        """No more operations will come."""
        with self._grown:
            self._is_over = True
            self._grown.notify_all()


@dataclass
class World:
    """Clients of the server at `port`."""

    port: int
    seed: int
    clock: Clock = field(default_factory=Clock)
    history: CountedHistory = field(default_factory=CountedHistory)
    failures: list[BaseException] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where HTTP clients connect."""
        return f"http://127.0.0.1:{self.port}"

    def live(
        self, rounds: int, *, disturb: Callable[[Random], None] | None = None, every: int = 40
    ) -> History:
        """Let all clients live for so many rounds, disturbed after every so many operations; then look at
        everything once more, as somebody who was there and as somebody who has just come.
        """
        threads = [self._thread(self._socket, number, rounds) for number in range(SOCKETS)]
        threads += [self._thread(self._http, number, rounds) for number in range(HTTP_CLIENTS)]
        disturber = self._thread(self._disturb, disturb, every) if disturb is not None else None
        for thread in threads:
            thread.join(JOIN_SECONDS)
            assert not thread.is_alive(), f"{thread.name} does not come to an end"
        self.history.finish()
        if disturber is not None:
            disturber.join(JOIN_SECONDS)
        if not self.failures:
            self.look()
        return self.history

    def look(self) -> None:
        """See every list, over HTTP and on a fresh socket."""
        http = ObservedHttp(self.url, "last-http", self.clock, self.history)
        http.read_all()
        http.close()
        socket = ObservedSocket(self.port, "last-socket", self.clock, self.history)
        self._begin_watching(socket)
        socket.finish()
        socket.close()

    def _begin_watching(self, socket: ObservedSocket) -> None:
        socket.watch("lists:read", keys=["a", "b"])
        socket.watch("lists:read", keys=["c"])
        socket.watch("lists:read_items", key="d")
        socket.watch("lists:read_own")

    def _socket(self, number: int, rounds: int) -> None:
        random = Random(f"{self.seed}:socket:{number}")
        socket = ObservedSocket(self.port, f"w{number}", self.clock, self.history)
        try:
            self._begin_watching(socket)
            for each in range(rounds):
                if each == 5:
                    socket.watch_pages("d")
                socket.step(random)
            socket.finish()
        finally:
            socket.close()

    def _http(self, number: int, rounds: int) -> None:
        random = Random(f"{self.seed}:http:{number}")
        client = ObservedHttp(self.url, f"h{number}", self.clock, self.history)
        # A socket client hears as long as it speaks; about as much is asked over HTTP meanwhile.
        for _ in range(4 * rounds):
            try:
                client.step(random)
            except NoAnswer:
                continue  # The server was killed; it comes back.
        client.close()

    def _disturb(self, disturb: Callable[[Random], None], every: int) -> None:
        random = Random(f"{self.seed}:disturb")
        count = every
        while self.history.wait_for(count):
            disturb(random)
            count = len(self.history.operations) + every

    def _thread(self, work: Callable[..., None], *arguments: Any) -> threading.Thread:
        def run() -> None:
            try:
                work(*arguments)
            except BaseException as error:
                self.failures.append(error)

        thread = threading.Thread(target=run, name=f"{work.__name__} {arguments[0]}", daemon=True)
        thread.start()
        return thread
