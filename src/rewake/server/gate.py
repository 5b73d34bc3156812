"""The gate: how many connections there may be, in all and from one address.

Floor 7, `server`. Counted is whoever opened the connection, since nobody has said anything yet; a trusted
proxy opens many, and is not bounded by its address.

Not here: sync sockets, which are counted by who is behind a proxy (`sync/admission.py`); how long a
connection may take (`http_head.py`).
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache

from rewake.limits import Limits
from rewake.observability import logger
from rewake.protocol import TrustedProxies

_log = logger(__name__)


class Gate:
    """The plain connections of one server."""

    def __init__(self, limits: Limits, proxies: TrustedProxies) -> None:
        self.limits = limits
        # A connection asks twice, and those of one address are many.
        self._trusts = lru_cache(maxsize=1024)(proxies.trusts)
        self._count = 0
        self._by_address: Counter[str] = Counter()
        self._refused = 0
        self.refused: Counter[str] = Counter()
        """How often there was no place, by setting."""

    def enter(self, address: str) -> bool:
        """Take a place for a connection from `address`; False where there is none."""
        limits = self.limits
        is_proxy = not address or self._trusts(address)
        if self._count >= limits.http_connections_max:
            return self._refuse("http_connections_max", address)
        if not is_proxy and self._by_address[address] >= limits.http_connections_per_address_max:
            return self._refuse("http_connections_per_address_max", address)
        self._count += 1
        self._by_address[address] += 1
        return True

    @property
    def count(self) -> int:
        """Connections that are open."""
        return self._count

    def leave(self, address: str) -> None:
        """Give the place back."""
        self._count -= 1
        self._by_address[address] -= 1
        if not self._by_address[address]:
            del self._by_address[address]

    def _refuse(self, setting: str, address: str) -> bool:
        self._refused += 1
        self.refused[setting] += 1
        # Said for the 1st, 2nd, 4th, 8th...: whoever knocks may not fill the log.
        if self._refused & (self._refused - 1) == 0:
            _log.warning(
                "a connection of %s was refused (%d so far): setting %s", address, self._refused, setting
            )
        return False
