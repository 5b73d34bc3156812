"""Environment: where time, chance and named fault points come from.

Floor 0. Nothing else in the house calls `time`, `random`, `os.urandom` or `uuid`; a test hands in an
`Environment` of its own and holds all of them (trio's mock clock, DESIGN D8).

    clock.now_ns()        wall clock, nanoseconds since the epoch
    clock.monotonic()     seconds, for intervals only
    random_bytes(n)       unguessable bytes
    reach(name)           a point where a crash test may kill the process or raise; does nothing otherwise
    disk                  the SQLite VFS on which data files lie, for tests of failing disks

Not here: what a *function* sees as time and chance (`functions/context.py`), which is frozen per run.
"""

from __future__ import annotations

import importlib
import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

import msgspec

KILL_POINT_VARIABLE = "REWAKE_KILL_POINT"
"""`name:count`: kill this process with SIGKILL when the named point is reached for the count-th time."""


FAULT_DISK_VARIABLE = "REWAKE_FAULT_DISK"
"""`module:function`: call it for the name of the SQLite VFS to use, in every process of a server."""

_DRAWN_AT_ONCE = 64


class Clock(Protocol):
    """Where time comes from."""

    def now_ns(self) -> int:
        """Nanoseconds since the Unix epoch; may jump when the machine's clock is set."""
        ...

    def monotonic(self) -> float:
        """Seconds since some fixed moment; never goes back."""
        ...


_monotonic = time.monotonic
"""As it is: in worker processes authors find another one in its place."""


class SystemClock:
    """The clocks of the machine."""

    def now_ns(self) -> int:
        return time.time_ns()

    # Asked a dozen times for each call: there is nothing around it.
    monotonic = staticmethod(_monotonic)


def processor_seconds() -> float:
    """Processor time that this process has used: to bound what a function does, never for its result."""
    return time.process_time()


class ManualClock(msgspec.Struct):
    """A clock that a test moves by hand. Both faces advance together."""

    time_ns: int = 1_700_000_000_000_000_000
    seconds: float = 0.0

    def now_ns(self) -> int:
        return self.time_ns

    def monotonic(self) -> float:
        return self.seconds

    def advance(self, seconds: float) -> None:
        """Move forward. Negative amounts move the wall clock back and leave the monotonic one."""
        self.time_ns += round(seconds * 1e9)
        self.seconds += max(0.0, seconds)


def _nothing(name: str) -> None:
    """The fault point of every run that is not a crash test."""


class Environment(msgspec.Struct):
    """Everything the house takes from outside itself that is not data."""

    clock: Clock = msgspec.field(default_factory=SystemClock)
    random_bytes: Callable[[int], bytes] = os.urandom
    reach: Callable[[str], None] = _nothing
    disk: str | None = None
    """The name of a registered SQLite VFS; None for the machine's own."""


class RandomTexts(Iterator[str]):
    """Unguessable texts without end: of `size` bytes each, in hexadecimal digits. From any thread.

    Drawn many at once, for to ask the kernel takes longer than all that is done with one.
    """

    def __init__(self, environment: Environment, size: int) -> None:
        self._random_bytes = environment.random_bytes
        self._size = size
        self._ready: list[str] = []

    def __next__(self) -> str:
        try:
            return self._ready.pop()
        except IndexError:
            drawn, digits = self._random_bytes(_DRAWN_AT_ONCE * self._size).hex(), 2 * self._size
            first, *others = [drawn[begin : begin + digits] for begin in range(0, len(drawn), digits)]
            self._ready += others
            return first


def seeded_environment(seed: int, *, clock: Clock | None = None) -> Environment:
    """An environment whose chance follows from `seed` and whose clock stands still until moved."""
    return Environment(clock=clock or ManualClock(), random_bytes=random.Random(seed).randbytes)


def process_environment(*, spared: bool = False) -> Environment:
    """The environment of a real process; honours `REWAKE_KILL_POINT` and `REWAKE_FAULT_DISK` for tests of
    crashes and failing disks. A process that is `spared` has no kill point.
    """
    disk = _fault_disk()
    armed = os.environ.get(KILL_POINT_VARIABLE)
    if spared or not armed:
        return Environment(disk=disk)
    name, _, count = armed.partition(":")
    left = [int(count or "1")]

    def reach(point: str) -> None:
        if point == name:
            left[0] -= 1
            if left[0] == 0:
                os.kill(os.getpid(), signal.SIGKILL)

    return Environment(reach=reach, disk=disk)


def _fault_disk() -> str | None:
    named = os.environ.get(FAULT_DISK_VARIABLE)
    if not named:
        return None
    module, _, function = named.partition(":")
    disk = getattr(importlib.import_module(module), function)()
    assert isinstance(disk, str), "a fault disk is the name of a VFS"
    return disk


async def pause(seconds: float) -> None:
    """Let time pass, on the clock of the running loop, before something is tried again."""
    # Not loaded with the module: who only declares functions needs no event loop.
    import asyncio

    loop = asyncio.get_running_loop()
    over = loop.create_future()
    timer = loop.call_later(seconds, over.set_result, None)
    try:
        await over
    finally:
        timer.cancel()


def sync_directory(directory: Path) -> None:
    """Make durable which files a directory holds."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
