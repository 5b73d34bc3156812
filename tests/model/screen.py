"""A client under test: one session of the real hub, with several live queries and their journals.

Each transition is checked as it arrives: time does not go back, and nobody is told the same result twice in
vain (`updates` counts every run that reached the session, changed or not).
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Sequence
from typing import Any

from rewake.execution import Failure, FunctionCall, Success
from rewake.reactivity import LiveResult, Showing
from rewake.testing import Backend
from rewake.values import decode_stored, encode, normalize
from tests.model import application


def call_of(backend: Backend, function: Any, **arguments: Any) -> FunctionCall:
    """A call as a client sends it."""
    record = backend.deployment.registry.record_of(function)
    return FunctionCall(record.path.public, encode(normalize(arguments)))


def answer_of(result: Success | Failure) -> Any:
    """What a function of `application.py` came to. All its failures carry their answer."""
    if isinstance(result, Success):
        return decode_stored(result.value)
    assert result.data is not None, result.message
    return decode_stored(result.data)


class Screen:
    """One client."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend
        self._news = asyncio.Event()
        self._ts = -1
        self.results: dict[int, LiveResult] = {}
        self.updates: Counter[int] = Counter()
        self.flaws: list[str] = []
        backend.loop.run(self._open())

    def add(self, number: int, asked: Any, journal: str | None = None) -> None:
        """Watch a query, as one that was watched before if there is a journal."""
        call = call_of(self._backend, application.look, asked=asked)
        self._backend.loop.run(self._add(number, call, journal))

    def remove(self, number: int) -> None:
        """Stop watching a query."""
        self._backend.loop.run(self._remove(number))

    def settle(self) -> None:
        """Wait until every commit so far has reached the client."""
        self._backend.loop.run(self._settled())
        assert not self.flaws, self.flaws

    def close(self) -> None:
        self._backend.loop.run(self._close())

    def answer(self, number: int) -> Any:
        """What the client shows."""
        return answer_of(self.results[number].result)

    # On the loop.

    async def _open(self) -> None:
        self._session = self._backend.deployment.open_session(self)

    async def _add(self, number: int, call: FunctionCall, journal: str | None) -> None:
        self._session.add(number, call, journal)
        await self._settled()

    async def _remove(self, number: int) -> None:
        self._session.remove(number)
        await self._settled()

    async def _settled(self) -> None:
        ts = self._backend.deployment.last_ts
        while self._ts < ts or self._session.has_news:
            self._news.clear()
            self._session.request_wave()
            await self._news.wait()

    async def _close(self) -> None:
        self._session.close()

    # `LiveListener`.

    def begin_wave(self) -> bool:
        return True

    def finish_wave(self, ts: int, updates: Sequence[tuple[int, LiveResult]]) -> None:
        if ts < self._ts:
            self.flaws.append(f"time went back from {self._ts} to {ts}")
        self._ts = ts
        for number, result in updates:
            self.updates[number] += 1
            self.results[number] = result
        self._news.set()

    def show(self, wave: Showing, updates: Sequence[tuple[int, LiveResult]]) -> bool:
        return False

    def fail_wave(self) -> None:
        self.flaws.append("a wave could not be run")
        self._ts = 2**63
        self._news.set()
