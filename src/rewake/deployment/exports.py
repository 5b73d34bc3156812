"""Exports: archives of everything, made one at a time in a process of their own, kept for a while.

Floor 5, `deployment`.

    request -> requested -> process -> {"ts"} -> in_progress -> rows -> file durable -> completed -> expired
                                             (a restart, an error: failed)

The archive is a file beside the data, under a temporary name until it is whole. Bytes of files that are
deleted meanwhile stay until an export that wants them is over.

Not here: what is written (`database/archiving.py`), HTTP (`http_api/exports.py`).
Source: wire 7.6.
"""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from rewake.database import (
    EXPORTS_KEPT_MAX,
    Database,
    Export,
    ExportInProgress,
    ExportNotFound,
    completed_export,
    stored_exports,
)
from rewake.environment import Environment, sync_directory
from rewake.errors import INTERNAL_MESSAGE, Internal
from rewake.execution import ExportOrder, Failure, Success
from rewake.limits import Limits
from rewake.observability import logger
from rewake.storage import FilesHold, Reads
from rewake.values import Int64, decode, encode, normalize

T = TypeVar("T")

_log = logger(__name__)

_RESTARTED = "The server was stopped while the export was being made."
_ENDED = "The process that wrote the export ended without a word."


class Store(Protocol):
    """What exports need of their deployment."""

    @property
    def environment(self) -> Environment: ...
    @property
    def limits(self) -> Limits: ...

    async def read(self, work: Callable[[Reads], T]) -> T: ...

    async def run_system(self, path: str, args: str) -> Success | Failure: ...


class Exports:
    """The exports of one deployment, of one event loop."""

    def __init__(self, store: Store, database: Database) -> None:
        self._store = store
        self._data = database.engine.path
        self._files = database.files
        self.folder = self._data.with_name(f"{self._data.name}-exports")
        """Where archives are; made by the first."""
        self._task: asyncio.Task[None] | None = None  # Of the export under way.
        self._keeps_files = False

    async def start(self) -> None:
        """Give up what an earlier server left half done."""
        for export in await self._store.read(stored_exports):
            if export.is_under_way:
                await self._run("fail", id=export.id, error=_RESTARTED)
        if self.folder.is_dir():
            await asyncio.to_thread(self._clear, await self._names())

    async def request(self, *, has_files: bool) -> str:
        """Begin an export; returns its id.

        Raises:
            ExportInProgress: one is under way.
        """
        if self._task is not None and not self._task.done():
            raise ExportInProgress()
        # Before anything else is awaited: from now on files stay.
        self._keeps_files = has_files
        id = await self._run("request", has_files=has_files)
        if id is None:
            raise ExportInProgress()
        self._task = asyncio.create_task(self._make(str(id), has_files=has_files))
        return str(id)

    async def find(self, name: str) -> tuple[Export, Path]:
        """The archive of an export, by its id or start timestamp.

        Raises:
            ExportNotFound: there is none.
        """
        export = await self._store.read(lambda reads: completed_export(reads, name))
        path = self.folder / str(export.object_key)
        if not path.is_file():
            raise ExportNotFound(name=name[:80])
        return export, path

    async def cancel(self, id: str) -> None:
        """Take a request back.

        Raises:
            ExportNotFound: no such export is under way.
        """
        if not await self._run("cancel", id=id):
            raise ExportNotFound(name=id[:80])
        await self._stop()

    async def set_expiration(self, id: str, *, expiration_ts: int) -> None:
        """Say until when an archive is kept, in nanoseconds since the epoch.

        Raises:
            ExportNotFound: there is none.
        """
        if not await self._run("expire", id=id, expiration_ts=Int64(expiration_ts)):
            raise ExportNotFound(name=id[:80])

    async def tend(self) -> None:
        """Remove what has expired, and forget what was over long ago."""
        exports = await self._store.read(stored_exports)
        now_ns = self._store.environment.clock.now_ns()
        over = [export for export in exports if not export.is_under_way]
        surplus = {export.id for export in over[: max(0, len(over) - EXPORTS_KEPT_MAX)]}
        for export in over:
            if export.id in surplus or (export.expiration_ts is not None and export.expiration_ts <= now_ns):
                if export.object_key is not None:
                    path = self.folder / export.object_key
                    await asyncio.to_thread(path.unlink, missing_ok=True)
                await self._run("forget", id=export.id)

    async def unless_reading_files(self, sweep: Callable[[], Awaitable[object]]) -> None:
        """Remove bytes of deleted files, unless an export or a backup still wants them."""
        if self._keeps_files and self._task is not None and not self._task.done():
            return
        with FilesHold(self._data).alone() as is_alone:
            if is_alone:
                await sweep()

    async def close(self) -> None:
        """End what is under way; the next server says that it failed."""
        await self._stop()

    async def _stop(self) -> None:
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    async def _make(self, id: str, *, has_files: bool) -> None:
        draft = self.folder / f"{id}.draft"
        try:
            try:
                await asyncio.to_thread(self.folder.mkdir, exist_ok=True)
                await self._follow(id, draft, has_files=has_files)
            finally:
                await asyncio.to_thread(draft.unlink, missing_ok=True)
        except asyncio.CancelledError:
            raise
        except _ExportFailed as error:
            _log.error("an export failed: %s", error)
            await self._run("fail", id=id, error=str(error))
        except Exception as error:
            _log.exception("an export failed")
            with suppress(Exception):
                await self._run("fail", id=id, error=f"{type(error).__name__}: {error}")

    async def _follow(self, id: str, draft: Path, *, has_files: bool) -> None:
        """Have the archive written, and say how far it is."""
        order = ExportOrder(str(self._data), self._files, str(draft), has_files, os.getpid())
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *(("-P",) if sys.flags.safe_path else ()),
            "-m",
            "rewake.execution.export_worker",
            msgspec.json.encode(order).decode(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
        )
        assert process.stdout is not None
        ts, is_whole = 0, False
        try:
            async for line in process.stdout:
                said: dict[str, Any] = msgspec.json.decode(line)
                if "error" in said:
                    raise _ExportFailed(said["error"])
                is_whole = "bytes" in said
                is_wanted: Any = True
                if "ts" in said:
                    ts = said["ts"]
                    is_wanted = await self._run("begin", id=id, start_ts=Int64(ts))
                elif "done" in said:
                    is_wanted = await self._run(
                        "note", id=id, done=float(said["done"]), total=float(said["total"])
                    )
                if not is_wanted:
                    return
            code = await process.wait()
        finally:
            if process.returncode is None:
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
        if not is_whole or code != 0:
            raise _ExportFailed(_ENDED)
        await self._keep(id, draft, ts)

    async def _keep(self, id: str, draft: Path, ts: int) -> None:
        name = f"snapshot_{ts}.zip"
        await asyncio.to_thread(_move, draft, self.folder / name)
        now_ns = self._store.environment.clock.now_ns()
        kept_ns = round(self._store.limits.export_kept_seconds * 1e9)
        await self._run(
            "complete",
            id=id,
            complete_ts=Int64(now_ns),
            expiration_ts=Int64(now_ns + kept_ns),
            object_key=name,
        )

    async def _names(self) -> set[str]:
        exports = await self._store.read(stored_exports)
        return {export.object_key for export in exports if export.object_key is not None}

    def _clear(self, names: set[str]) -> None:
        """Remove files that no export names: what a server left that was killed."""
        for path in self.folder.iterdir():
            if path.name not in names and (path.suffix == ".draft" or path.name.startswith("snapshot_")):
                path.unlink(missing_ok=True)

    async def _run(self, function: str, **args: Any) -> Any:
        result = await self._store.run_system(f"_system/exports:{function}", encode(normalize(args)))
        if isinstance(result, Failure):
            _log.error("the system function exports:%s failed: %s", function, result.message)
            raise Internal(INTERNAL_MESSAGE)
        return decode(result.value)


class _ExportFailed(Exception):
    """The archive was not written; the text says why."""


def _move(draft: Path, target: Path) -> None:
    draft.replace(target)
    sync_directory(target.parent)
