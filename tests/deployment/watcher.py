"""A client of a real deployment: collects what its live queries show."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from rewake.deployment import Deployment
from rewake.execution import FunctionCall, Success
from rewake.reactivity import LiveResult, Showing
from rewake.values import decode


class Watcher:
    """Implements `LiveListener`."""

    def __init__(self, deployment: Deployment) -> None:
        self.session = deployment.open_session(self)
        self.calls: dict[int, tuple[str, dict[str, Any]]] = {}
        self.shown: dict[int, Any] = {}
        self.failures: list[str] = []
        self.updates = 0
        self.ts = 0
        self.is_broken = False
        self._moved = asyncio.Event()

    def add(self, path: str, **args: Any) -> int:
        number = len(self.calls)
        self.calls[number] = (path, args)
        self.session.add(number, FunctionCall(path, json.dumps(args)), None)
        return number

    async def reached(self, ts: int) -> None:
        """Wait for a transition at or after `ts` that covers everything asked until now."""
        self.session.request_wave()
        while self.ts < ts or len(self.shown) < len(self.calls) or self.session.has_news:
            self._moved.clear()
            await self._moved.wait()

    def begin_wave(self) -> bool:
        return True

    def finish_wave(self, ts: int, updates: Sequence[tuple[int, LiveResult]]) -> None:
        assert ts >= self.ts
        self.ts = ts
        for query_id, update in updates:
            self.updates += 1
            if isinstance(update.result, Success):
                self.shown[query_id] = decode(update.result.value)
            else:
                self.shown[query_id] = None
                self.failures.append(update.result.message)
        self._moved.set()

    def show(self, wave: Showing, updates: Sequence[tuple[int, LiveResult]]) -> bool:
        return False

    def fail_wave(self) -> None:
        self.is_broken = True
        self.session.close()
        self._moved.set()
