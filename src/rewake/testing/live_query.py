"""A live query under test: its newest value, and how often it woke.

Floor 8, `testing`. It is a session of the real hub with one query in it. Asking for `value` first waits
until everything committed before has reached it, so a test never waits by itself.

    with backend.watch(messages.list_recent, channel=channel) as live:
        backend.mutation(messages.send, channel=channel, body="x")
        assert [message.body for message in live.value] == ["x"] and live.wakes == 1

Not here: the hub (`reactivity`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from types import TracebackType
from typing import Any, Generic, TypeVar

from rewake.auth import Identity
from rewake.deployment import Deployment
from rewake.errors import Unavailable
from rewake.execution import FunctionCall, FunctionRecord
from rewake.loop_thread import LoopThread
from rewake.reactivity import LiveResult, Showing
from rewake.testing.outcomes import value_of

R = TypeVar("R")


class LiveQuery(Generic[R]):
    """One live query. Use as a context manager, or `close` it."""

    def __init__(
        self,
        loop: LoopThread,
        deployment: Deployment,
        call: FunctionCall,
        identity: Identity,
        record: FunctionRecord | None,
    ) -> None:
        self._loop = loop
        self._deployment = deployment
        self._record = record
        self._listener = _Listener()
        self._is_open = True
        self._loop.run(self._open(call, identity))

    @property
    def value(self) -> R:
        """The newest value, with everything in it that was committed before.

        Raises:
            ApplicationError, FunctionFailed: the newest answer is a failure.
        """
        self.settle()
        value: R = value_of(self._listener.results[-1].result, self._record)
        return value

    @property
    def history(self) -> list[Any]:
        """Every answer that differed from the one before, oldest first; failures as exceptions."""
        self.settle()
        answers: list[Any] = []
        for result in self._listener.results:
            try:
                answers.append(value_of(result.result, self._record))
            except Exception as error:
                answers.append(error)
        return answers

    @property
    def wakes(self) -> int:
        """How often a commit woke the query, whether or not its answer changed."""
        self.settle()
        return self._listener.updates - 1

    @property
    def ts(self) -> int:
        """The commit timestamp at which `value` holds."""
        self.settle()
        return self._listener.ts

    def settle(self) -> None:
        """Wait until every commit so far has reached the query. Harmless on a closed one."""
        if self._is_open:
            self._loop.run(self.settled())

    async def settled(self) -> None:
        """`settle`, on the loop."""
        await self._listener.reached(self._session.request_wave, self._deployment.last_ts)

    def close(self) -> None:
        """Stop watching; what was seen stays. Harmless when done before."""
        if self._is_open:
            self.settle()
            self._is_open = False
            self._loop.run(self._close())

    @property
    def is_open(self) -> bool:
        """Whether the query is still watched."""
        return self._is_open

    def __enter__(self) -> LiveQuery[R]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # On the loop.

    async def _open(self, call: FunctionCall, identity: Identity) -> None:
        self._session = self._deployment.open_session(self._listener)
        self._session.set_identity(identity)
        self._session.add(0, call, None)
        await self.settled()

    async def _close(self) -> None:
        self._session.close()


class _Listener:
    """Takes the session's waves. Lives on the loop; implements `reactivity.LiveListener`."""

    def __init__(self) -> None:
        self.results: list[LiveResult] = []
        self.updates = 0
        self.ts = -1
        self._has_failed = False
        self._waves = asyncio.Event()

    def begin_wave(self) -> bool:
        return True

    def finish_wave(self, ts: int, updates: Sequence[tuple[int, LiveResult]]) -> None:
        self.ts = ts
        for _, result in updates:
            self.updates += 1
            if not self.results or not self.results[-1].is_same_as(result):
                self.results.append(result)
        self._waves.set()

    def show(self, wave: Showing, updates: Sequence[tuple[int, LiveResult]]) -> bool:
        return False

    def fail_wave(self) -> None:
        self._has_failed = True
        self._waves.set()

    async def reached(self, request_wave: Any, ts: int) -> None:
        """Wait for a wave at `ts` or later, asking for one where none is due."""
        while self.ts < ts:
            self._waves.clear()
            request_wave()
            await self._waves.wait()
            if self._has_failed:
                raise Unavailable("The live query could not be run; the log says why.")
