"""Admission: who may open a sync socket.

Floor 6, `sync`. A socket costs memory for as long as it lives, so there are so many, and so many for one
address. A proxy that is trusted stands for many people and has no bound of its own: those behind it have. A
page of an origin that the operator did not name is kept out, as it is from the HTTP API.

    admit(peer, headers) -> Place ... leave()

What is refused is refused before the upgrade, with a status that clients take for "try again later".

Not here: what a socket may do then (`session.py`, `backlog.py`), plain connections (`server/gate.py`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from rewake.errors import Forbidden, RateLimited
from rewake.limits import Limits
from rewake.observability import logger
from rewake.protocol import LOOPBACK, TrustedProxies

_log = logger(__name__)


class OriginNotAllowed(Forbidden):
    """Pages of this origin may not connect. Add it to `--cors-origins`."""

    code = "OriginNotAllowed"
    template = "Pages of the origin {origin!r} may not connect to this deployment."


class TooManySockets(RateLimited):
    """As many websockets are open as may be. Close some, or raise the setting that the log names."""

    code = "TooManyConcurrentRequests"
    template = "Too many websockets are open. Try again in a moment."


class Place:
    """The place of one socket. Give it back once."""

    __slots__ = ("_address", "_admission", "caller")

    def __init__(self, admission: Admission, address: str, *, caller: str) -> None:
        self._admission: Admission | None = admission
        self._address = address
        self.caller = caller
        """The address of whoever connects, as far as it is known."""

    def leave(self) -> None:
        """The socket is gone; harmless when it was said before."""
        admission, self._admission = self._admission, None
        if admission is not None:
            admission.left(self._address)


class Admission:
    """The places of one door."""

    def __init__(
        self,
        limits: Limits,
        *,
        proxies: TrustedProxies = LOOPBACK,
        origins: frozenset[str] | None = None,
    ) -> None:
        """`origins` are those whose pages may connect; None: all."""
        self._limits = limits
        self._proxies = proxies
        self._origins = origins
        self._count = 0
        self._by_address: Counter[str] = Counter()
        self._refused = 0
        self.refused: Counter[str] = Counter()
        """How often there was no place, by setting; and `origin`."""

    def admit(self, peer: str, headers: Mapping[str, str]) -> Place:
        """A place for a socket that `peer` asks for. `headers` have lowercase names.

        Raises:
            OriginNotAllowed, TooManySockets: there is none.
        """
        origin = headers.get("origin")
        if self._origins is not None and origin is not None and origin not in self._origins:
            self.refused["origin"] += 1
            raise OriginNotAllowed(origin=origin[:200])
        caller = address = self._proxies.caller(peer, "http", headers.items()).address
        if self._count >= self._limits.sockets_max:
            self._refuse("sockets_max", address)
        if not address or (address == peer and self._proxies.trusts(peer)):
            address = ""
        elif self._by_address[address] >= self._limits.sockets_per_address_max:
            self._refuse("sockets_per_address_max", address)
        self._count += 1
        if address:
            self._by_address[address] += 1
        return Place(self, address, caller=caller)

    def left(self, address: str) -> None:
        """A place is free again."""
        self._count -= 1
        if address:
            self._by_address[address] -= 1
            if not self._by_address[address]:
                del self._by_address[address]

    def _refuse(self, setting: str, address: str) -> None:
        self._refused += 1
        self.refused[setting] += 1
        # Said for the 1st, 2nd, 4th, 8th...: whoever knocks may not fill the log.
        if self._refused & (self._refused - 1) == 0:
            _log.warning(
                "a websocket of %s was refused (%d so far): setting %s. If that is a proxy, name it in "
                "--trusted-proxies",
                address,
                self._refused,
                setting,
            )
        raise TooManySockets()
