"""A websocket client that is observed, and behaves as npm's does when its wire is cut.

It keeps its session over all its sockets. On each new one it says how far it has seen, asks for its queries
again with their journals, and sends again, under the same request ids, what was not answered and what was
answered but not shown yet (wire 1.5, 1.10, 1.11). Every transition is one operation: all its live queries.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from random import Random
from typing import Any

from websockets.exceptions import WebSocketException

from tests.clients.cuttable_proxy import CuttableProxy
from tests.clients.deadline import Deadline
from tests.clients.raw_client import Message, RawClient, SocketClosed, decode_ts
from tests.isolation.calls import ADMIN_KEY, ISSUER, USERS, Transaction, random_transaction, read_of
from tests.isolation.history import Clock, History, Kind, Operation, Outcome, Read

WAIT_SECONDS = 60.0
RECONNECT_SECONDS = 90.0
UNTIL_SECONDS = 240.0
RETRY_SECONDS = 0.05
PAGE_ITEMS = 2
CUTS_MAX = 50
"""A server that takes a connection and says nothing, again and again, does not want this client."""

CUT = (SocketClosed, WebSocketException, OSError)
"""What one sees of a wire that was cut."""


@dataclass(eq=False, slots=True)
class Watch:
    """A query that this client wants to see, on whichever socket."""

    path: str
    args: dict[str, Any]
    journal: str | None = None
    value: Any = None
    """Its newest answer; None before the first."""
    number: int = -1
    """Its id on the socket of now."""

    @property
    def addition(self) -> tuple[str, Message, str | None]:
        """What is said to the server."""
        return self.path, self.args, self.journal


class ObservedSocket:
    """One session, whatever becomes of its sockets."""

    def __init__(self, port: int, name: str, clock: Clock, history: History) -> None:
        self._session = name
        self._clock = clock
        self._history = history
        self._proxy = CuttableProxy(port)
        self._proxy.__enter__()
        self._watches: list[Watch] = []
        self._pages: list[Watch] = []
        """Of one list, newest first: what they show one after another, turned around, is the whole list."""
        self._open: dict[int, Transaction] = {}
        self._done: dict[int, tuple[Transaction, Operation]] = {}
        """Answered: should an answer come again, it must be the same."""
        self._unshown: set[int] = set()
        """Answered, and no transition has reached their timestamp."""
        self._user: str | None = None
        """As whom it asks; None for nobody."""
        self._users: list[str] = []
        """Whose answers a transition holds, by its identity version on the socket of now."""
        self._next_request = 0
        self._connections = 0
        self._seen_ts: int | None = None
        self._session_id: str | None = None
        self._begun: int | None = None
        """When the oldest question without an answer was asked."""
        self._cuts_in_a_row = 0
        self._client: RawClient
        self.connect()

    # The wire.

    def connect(self) -> None:
        """Come (again), as npm does."""
        deadline = Deadline(RECONNECT_SECONDS)
        self._proxy.mend()
        while True:
            try:
                self._connect_once()
                return
            except CUT:
                if deadline.is_over:
                    raise
                # The server may be starting: leave it the processor.
                threading.Event().wait(RETRY_SECONDS)

    def _connect_once(self) -> None:
        client = RawClient(
            self._proxy.url,
            session_id=self._session_id,
            connection_count=self._connections,
            max_observed=self._seen_ts,
        )
        self._client, self._session_id = client, client.session_id
        self._connections += 1
        self._begun = self._clock.tick()
        self._users = ["nobody"]
        if self._user is not None:
            self._sign_in()
        self._add(self._watches + self._pages)
        for number in sorted(self._open.keys() | self._unshown):
            self._say(number, self._open[number] if number in self._open else self._done[number][0])

    def leave(self) -> None:
        """Lose the socket, until `connect`."""
        self._proxy.cut()
        self._client.close()

    def cut(self) -> None:
        """Lose the socket, and come back."""
        self.leave()
        self.connect()

    def go_deaf(self) -> None:
        """From now on nothing is heard, until the next `cut`."""
        self._proxy.deafen()

    def wait_answered_in_vain(self) -> None:
        """Return once the server has said something that was not heard, or is gone."""
        self._proxy.wait_dropped(WAIT_SECONDS)

    def close(self) -> None:
        """Leave. What was not answered never will be."""
        self._history.extend(transaction.unknown() for transaction in self._open.values())
        self._open.clear()
        self._client.close()
        self._proxy.__exit__(None, None, None)

    # Asking.

    def watch(self, path: str, **args: Any) -> Watch:
        """Show a query from now on."""
        watch = Watch(path, args)
        self._watches.append(watch)
        self._ask([watch])
        return watch

    def unwatch(self, watch: Watch) -> None:
        """Show it no more."""
        self._watches.remove(watch)
        self._or_reconnect(lambda: self._client.remove(watch.number))

    def watch_pages(self, key: str) -> None:
        """Show a list in two pages. The first grows with the list; the second ends where the list begins."""
        assert not self._pages, "one list in pages"
        first = Watch("lists:read_page", _page_args(key, None, PAGE_ITEMS))
        self._pages.append(first)
        self._ask([first])
        self.until(lambda: first.value is not None)
        self._pages.append(Watch("lists:read_page", _page_args(key, first.value["continueCursor"], 1_000)))
        self._ask(self._pages[1:])

    def become(self, user: str | None) -> None:
        """Ask as somebody else from now on."""
        self._user = user
        self._begun = self._begun if self._begun is not None else self._clock.tick()
        self._or_reconnect(self._sign_in)

    def transact(self, *steps: tuple[str, ...], fails: bool = False) -> None:
        """Begin a mutation."""
        self.perform(Transaction(self.name(), self._session, steps, self._clock.tick(), fails))

    def name(self) -> str:
        """The name of the next mutation."""
        return f"{self._session}.{self._next_request}"

    def perform(self, transaction: Transaction) -> None:
        """Begin a mutation that has its name already."""
        number, self._next_request = self._next_request, self._next_request + 1
        self._open[number] = transaction
        self._or_reconnect(lambda: self._say(number, transaction))

    def _ask(self, watches: list[Watch]) -> None:
        self._begun = self._begun if self._begun is not None else self._clock.tick()
        self._or_reconnect(lambda: self._add(watches))

    def _sign_in(self) -> None:
        self._users.append(self._user or "nobody")
        if self._user is None:
            self._client.authenticate("None")
        else:
            claims = {"issuer": ISSUER, "subject": self._user}
            self._client.authenticate("Admin", value=ADMIN_KEY, impersonating=claims)

    def _add(self, watches: list[Watch]) -> None:
        for watch in watches:
            watch.value = None
        numbers = self._client.modify(add=[watch.addition for watch in watches])
        for watch, number in zip(watches, numbers, strict=True):
            watch.number = number

    def _say(self, number: int, transaction: Transaction) -> None:
        self._client.mutate("lists:transact", transaction.args, request_id=number)

    def _or_reconnect(self, step: Any) -> None:
        try:
            step()
        except CUT:
            self._client.close()
            self.connect()

    # Hearing.

    def hear(self) -> None:
        """Take one message; comes back where the wire is cut."""
        try:
            message = self._client.receive(seconds=WAIT_SECONDS)
        except CUT:
            self._cuts_in_a_row += 1
            if self._cuts_in_a_row > CUTS_MAX:
                raise
            self._client.close()
            self.connect()
            return
        self._cuts_in_a_row = 0
        if message["type"] == "MutationResponse":
            self._answered(message)
        elif message["type"] == "Transition":
            self._shown()
        else:
            raise AssertionError(f"unexpected {message}")

    def until(self, is_done: Any) -> None:
        """Hear until `is_done`; a server that ends every socket is not heard for ever."""
        deadline = Deadline(UNTIL_SECONDS)
        while not is_done():
            assert not deadline.is_over, f"it did not come to an end in {UNTIL_SECONDS:g} s"
            self.hear()

    def hear_some(self, count: int) -> None:
        """Take up to so many messages; at least one is due while something is open."""
        for _ in range(count):
            if self._open:
                self.hear()

    def finish(self) -> None:
        """Hear until everything is answered and shown."""
        self.until(lambda: not self._open and not self._unshown and self._begun is None)

    def _answered(self, message: Message) -> None:
        number = message["requestId"]
        if number in self._done:
            # It was sent again on a new socket, before a transition had shown it.
            _, before = self._done[number]
            assert message["success"], message
            assert decode_ts(message["ts"]) == before.ts, f"{before} was answered again as {message}"
            return
        transaction, ended = self._open.pop(number), self._clock.tick()
        if not message["success"]:
            self._history.add(transaction.failed(message["result"], ended=ended))
            return
        ts = decode_ts(message["ts"])
        operation = transaction.done(message["result"], ended=ended, ts=ts)
        self._history.add(operation)
        self._done[number] = (transaction, operation)
        self._seen_ts = max(self._seen_ts or 0, ts)
        if self._client.version.ts < ts:
            self._unshown.add(number)

    def _shown(self) -> None:
        for watch in self._watches + self._pages:
            query = self._client.queries.get(watch.number)
            if query is not None and query.answer is not None:
                assert query.answer["type"] == "QueryUpdated", query.answer
                watch.value, watch.journal = query.answer["value"], query.answer["journal"]
        ts, ended = self._client.version.ts, self._clock.tick()
        self._seen_ts = max(self._seen_ts or 0, ts)
        self._unshown -= {number for number in self._unshown if (self._done[number][1].ts or 0) <= ts}
        is_complete = all(watch.value is not None for watch in self._watches + self._pages)
        is_complete = is_complete and self._client.version.identity == len(self._users) - 1
        begun, self._begun = (self._begun, None) if is_complete else (None, self._begun)
        self._history.add(
            Operation(
                f"{self._session} shown {ended}",
                self._session,
                Kind.TRANSITION,
                tuple(self._reads()),
                begun,
                ended,
                Outcome.DONE,
                ts,
            )
        )

    def _reads(self) -> list[Read]:
        reads: list[Read] = []
        for watch in self._watches:
            if watch.value is not None:
                # All queries of a transition are answered to whom its identity version names (wire 1.7).
                user = self._users[self._client.version.identity]
                reads += read_of(watch.path, watch.args, watch.value, user=user)
        if len(self._pages) > 1 and all(page.value is not None for page in self._pages):
            newest_first = [value for page in self._pages for value in page.value["page"]]
            reads.append(Read(self._pages[0].args["key"], tuple(newest_first[::-1])))
        return reads

    # Living.

    def step(self, random: Random) -> None:
        """Ask for something, hear something, and lose the wire now and then."""
        if random.random() < 0.1:
            self.go_deaf()
        for _ in range(random.randint(1, 3)):
            self.perform(random_transaction(random, self.name(), self._session, self._clock.tick()))
        if random.random() < 0.15:
            self.cut()
        elif random.random() < 0.15:
            self._change_watches(random)
        elif random.random() < 0.2:
            self.become(random.choice((*USERS, None)))
        if not self._proxy.is_deaf:
            self.hear_some(random.randint(0, 4))
        else:
            self.wait_answered_in_vain()
            self.cut()

    def _change_watches(self, random: Random) -> None:
        if len(self._watches) > 3:
            self.unwatch(random.choice(self._watches[1:]))
        else:
            keys = random.sample(("a", "b", "c", "own-bob"), 2)
            self.watch("lists:read", keys=keys)


def _page_args(key: str, cursor: str | None, items: int) -> dict[str, Any]:
    return {"key": key, "paginationOpts": {"numItems": items, "cursor": cursor}}
