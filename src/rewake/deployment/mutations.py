"""Mutations on their way to the runner: those that store files are given keys for them.

Floor 5, `deployment`. A document of `_blobs` is committed for each key before the mutation begins, so that a
crash leaves bytes only where sweeping finds them (decision 0015). Which mutations store files shows when they
run: one that wants a key and has none is taken back, and run again with keys. The next call of the same
function is given as many from the start.

    run(job) -> runner.mutate -> outcome
                     `-> BlobKeysWanted -> reserve -> runner.mutate ... -> what was not used is given up

Not here: writing the bytes (`execution/mutation_files.py`). Source: semantics 6.8.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Protocol

from msgspec.structs import replace

from rewake.errors import RewakeError, Unavailable
from rewake.execution import BlobKeysWanted, Failure, MutationJob, MutationOutcome, Success
from rewake.limits import Limits
from rewake.values import decode, encode

_KNOWN_MAX = 10_000
"""Functions that are known to store files; more are found out anew."""


class KeysUnavailable(Unavailable):
    """Room for a file could not be reserved. Nothing was written; try again."""

    code = "FileKeysUnavailable"
    template = "A file could not be stored: {detail}"


class Runs(Protocol):
    """The runner, as mutations reach it."""

    def mutate(self, job: MutationJob) -> Awaitable[MutationOutcome]: ...


RunSystem = Callable[[str, str], Awaitable[Success | Failure]]


class Mutations:
    """Runs the mutations of one deployment."""

    def __init__(self, runner: Runs, run_system: RunSystem, *, limits: Limits) -> None:
        self._runner = runner
        self._run_system = run_system
        self._limits = limits
        # How many files a function stored last time, by the path that it was called by.
        self._usual: dict[str, int] = {}

    async def run(self, job: MutationJob) -> MutationOutcome:
        """Run one mutation; returns after its group was committed. Raises as `Runner.mutate`."""
        path = job.call.path
        usual = self._usual.get(path, 0)
        if not usual:
            try:
                return await self._runner.mutate(job)
            except BlobKeysWanted as wanted:
                usual = int(wanted.fields["count"])
        keys: list[str] = []
        try:
            while True:
                keys += await self._reserve(usual - len(keys))
                try:
                    outcome = await self._runner.mutate(replace(job, keys=tuple(keys)))
                    break
                except BlobKeysWanted as wanted:
                    # Twice as many each time: a function is not run once for every file.
                    usual = min(2 * int(wanted.fields["count"]), self._limits.files_written_max)
        finally:
            unused = await self._give_up(keys)
        if isinstance(outcome.result, Success) and unused is not None:
            if len(self._usual) >= _KNOWN_MAX:
                self._usual.clear()
            self._usual[path] = len(keys) - unused
        return outcome

    async def _reserve(self, count: int) -> list[str]:
        result = await self._run_system("_system/files:reserve", encode({"count": float(count)}))
        if isinstance(result, Failure):
            raise KeysUnavailable(detail=result.message)
        keys = decode(result.value)
        assert isinstance(keys, list)
        return [str(key) for key in keys]

    async def _give_up(self, keys: list[str]) -> int | None:
        """Give up what did not become a file; returns how many, None where that is left to sweeping."""
        with suppress(RewakeError):
            result = await self._run_system("_system/files:give_up", encode({"keys": list(keys)}))
            if isinstance(result, Success):
                return int(decode(result.value))  # type: ignore[arg-type]
        return None
