"""The keys of a deployment: judged, issued, taken back.

Floor 5, `deployment`. Keys that were issued lie in the data file; here they are held in memory, for every
request shows one. What is held follows the commit log, so a key that is revoked is good for nobody once its
revocation is durable, and whoever listens is told: open sockets end.

    check(text) -> Grant            create, revoke -> _system/keys:... -> commit log -> reload -> listeners
    tend()                          once a second: what has expired, and when keys were last used

Not here: comparing (`auth/keyring.py`), storing (`database/admin_keys.py`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any, Protocol, TypeVar

from rewake.auth import Admin, AdminKey, FreshKey, Grant, Identity, IssuedKey, Keyring, make_key
from rewake.database import ADMIN_KEYS_TABLET, KEY_REFUSALS, stored_keys
from rewake.environment import Environment
from rewake.errors import INTERNAL_MESSAGE, Internal, Unauthenticated
from rewake.execution import Failure, Success
from rewake.limits import KEY_USE_SECONDS
from rewake.storage import Reads
from rewake.values import decode, encode, normalize

T = TypeVar("T")


class Store(Protocol):
    """What keys need of their deployment."""

    deployment_name: str

    @property
    def environment(self) -> Environment: ...

    async def read(self, work: Callable[[Reads], T]) -> T: ...

    async def run_system(self, path: str, args: str) -> Success | Failure: ...

    def follow(self, listener: Callable[[], None], *, tablet: int) -> None: ...


class Keys:
    """The keys of one deployment, of one event loop."""

    def __init__(self, store: Store, own: AdminKey) -> None:
        self._store = store
        self._ring = Keyring(own)
        self._own = own
        self._listeners: list[Callable[[], None]] = []
        self._used: dict[str, float] = {}
        """Uses that are not taken down yet: by id, in milliseconds."""
        self._good: frozenset[str] = frozenset()
        """Ids of the keys that were good when listeners last heard of it."""
        self._loading: asyncio.Task[None] | None = None  # Of the latest change in the commit log.
        store.follow(self._written, tablet=ADMIN_KEYS_TABLET)

    async def load(self) -> None:
        """Read what is stored: at the start, and after each change. Tell listeners where a key is good no
        more.
        """
        self._ring = Keyring(self._own, await self._store.read(stored_keys))
        self._compare()

    def listen(self, listener: Callable[[], None]) -> None:
        """Have `listener` called whenever a key stops being good."""
        self._listeners.append(listener)

    # Judging.

    def check(self, presented: str) -> Grant:
        """What a key grants.

        Raises:
            BadAdminKey, AdminKeyRevoked, AdminKeyExpired: nothing.
        """
        now_ms = self._now_ms()
        grant = self._ring.check(presented, now_ms=now_ms)
        key = self._ring.issued.get(grant.key_id)
        if key is not None and now_ms - (key.last_used_ms or 0) >= KEY_USE_SECONDS * 1e3:
            self._used[key.id] = now_ms // (KEY_USE_SECONDS * 1e3) * (KEY_USE_SECONDS * 1e3)
        return grant

    def check_current(self, identity: Identity) -> None:
        """Return while the key behind an identity, if it has one, is good.

        Raises:
            AdminKeyRevoked, AdminKeyExpired: it is not any more.
        """
        if isinstance(identity, Admin):
            self._ring.check_grant(identity.grant, now_ms=self._now_ms())

    # Changing.

    def all(self) -> list[IssuedKey]:
        """Every key that was issued, oldest first."""
        return sorted(self._ring.issued.values(), key=lambda key: (key.created_ms, key.id))

    async def create(self, *, label: str, scopes: Iterable[str], expires_ms: float | None) -> FreshKey:
        """Issue a key. Its text is known here and now only.

        Raises:
            InvalidInput, Conflict: it may not be like this; there is none.
        """
        fresh = make_key(self._store.deployment_name, self._store.environment)
        key = {"id": fresh.id, "label": label, "scopes": list(scopes), "digest": fresh.digest}
        await self._run("create", key=key | {"expires_ms": expires_ms})
        await self.load()
        return fresh

    async def revoke(self, id: str) -> None:
        """Take a key back. When this returns nobody is let in by it, and who was has been told.

        Raises:
            KeyNotFound: there is none of this id.
        """
        await self._run("revoke", id=id)
        await self.load()

    async def tend(self) -> None:
        """Tell of keys that have expired, and take down when keys were last used."""
        self._compare()
        used, self._used = self._used, {}
        for id, at_ms in used.items():
            await self._run("note_use", id=id, at_ms=at_ms)
        if used:
            await self.load()

    def _written(self) -> None:
        """Hear of commits: keys are changed by the functions of this object, and by whoever calls these."""
        self._loading = asyncio.ensure_future(self.load())

    def _compare(self) -> None:
        good = frozenset(id for id, key in self._ring.issued.items() if _is_good(key, self._now_ms()))
        before, self._good = self._good, good
        if before - good:
            for listener in self._listeners:
                listener()

    async def _run(self, function: str, **args: Any) -> None:
        result = await self._store.run_system(f"_system/keys:{function}", encode(normalize(args)))
        if isinstance(result, Failure):
            raise Internal(INTERNAL_MESSAGE)
        refusal = decode(result.value)
        if refusal is not None:
            assert isinstance(refusal, dict)
            raise KEY_REFUSALS[str(refusal["code"])](str(refusal["message"]))

    def _now_ms(self) -> float:
        return float(self._store.environment.clock.now_ns() // 1_000_000)


def _is_good(key: IssuedKey, now_ms: float) -> bool:
    try:
        key.check_current(now_ms)
    except Unauthenticated:
        return False
    return True
