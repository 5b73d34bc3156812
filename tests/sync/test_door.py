"""What all sockets of a deployment share."""

from __future__ import annotations

import asyncio
from collections import Counter

from rewake.environment import seeded_environment
from rewake.limits import DEFAULT_LIMITS
from rewake.protocol import UNKNOWN_CLIENT
from rewake.sync import SyncDoor
from rewake.sync.ticker import SLOT_SECONDS
from tests.sync.fake_backend import FakeBackend
from tests.sync.test_connection import Wire


def test_sockets_that_open_at_the_same_moment_are_not_pinged_at_the_same_moment() -> None:
    count = 640
    backend = FakeBackend(seeded_environment(1))

    async def next_ticks() -> list[float | None]:
        door = SyncDoor(backend)
        connections = [door.connect(Wire(), UNKNOWN_CLIENT) for _ in range(count)]
        return [connection.tick() for connection in connections]

    now, due = backend.monotonic(), asyncio.run(next_ticks())
    waits = [each - now for each in due if each is not None]
    slots = Counter(int(each / SLOT_SECONDS) for each in waits)
    assert len(waits) == count
    assert 0.0 < min(waits) <= max(waits) <= DEFAULT_LIMITS.socket_ping_seconds
    even = count * SLOT_SECONDS / DEFAULT_LIMITS.socket_ping_seconds
    assert max(slots.values()) <= 2 * even
