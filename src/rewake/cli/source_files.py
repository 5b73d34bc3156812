"""The files that make up a project's code, and waiting until they change.

Floor 8, `cli`. What changed is decided by comparing two pictures of the project (time and size of every
Python file and of `pyproject.toml`); the file system's events only say when to look. So no change is lost
between two watches, and a saved file that is as before reloads nothing.

    picture --load--> wait for an event --> new picture, differs? --> its changes

Watched are the root itself and those folders in it that hold Python files: `node_modules` may have more
folders than the kernel has watches. Where it refuses them all the same, files are polled.

Not here: loading (`execution.loader`), what happens then (`development.py`).
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import suppress
from pathlib import Path

from watchfiles import Change, awatch

from rewake.execution import ProjectSettings

SETTINGS_FILE = "pyproject.toml"
_SKIPPED = frozenset(
    {"__pycache__", "_generated", "build", "dist", "node_modules", "site-packages", "venv", "env"}
)
_DEBOUNCE_MS = 400
_STEP_MS = 30
"""Editors save in several steps and tools many files at once: quiet for so long means done."""

_LOOK_ANYWAY_MS = 2_000
"""The kernel may drop events, and some network mounts have none."""

Picture = Mapping[Path, tuple[int, int]]
"""Each file with its time of change (ns) and size."""


def take_picture(root: Path) -> Picture:
    """The project's code as it lies on disk."""
    picture = {}
    for file in _code_files(root):
        with suppress(OSError):
            stat = file.stat()
            picture[file] = (stat.st_mtime_ns, stat.st_size)
    return picture


def changed_files(before: Picture, after: Picture) -> list[Path]:
    """The files that differ, vanished ones too, in order."""
    return sorted(file for file in before.keys() | after.keys() if before.get(file) != after.get(file))


def watched_folders(settings: ProjectSettings) -> list[Path]:
    """The folders to watch with all that is in them; the root is watched beside them, without its folders."""
    found = {settings.functions_path} if settings.functions_path.is_dir() else set()
    for file in _code_files(settings.root):
        inner = file.relative_to(settings.root).parts
        if len(inner) > 1:
            found.add(settings.root / inner[0])
    # A folder in another watched one is watched already.
    return sorted(one for one in found if not any(other in one.parents for other in found))


async def events(settings: ProjectSettings) -> AsyncIterator[None]:
    """Yield whenever code of the project may have changed, and once as soon as changes can be noticed.

    Ends when folders to watch came or went: begin again.
    """
    folders = watched_folders(settings)
    happened = asyncio.Event()
    stop = asyncio.Event()

    async def watch(*paths: Path, recursive: bool) -> None:
        options = {
            "recursive": recursive,
            "debounce": _DEBOUNCE_MS,
            "step": _STEP_MS,
            "rust_timeout": _LOOK_ANYWAY_MS,
            "yield_on_timeout": True,
            "stop_event": stop,
        }
        try:
            async for _ in awatch(*paths, watch_filter=_is_code, **options):  # type: ignore[arg-type]
                happened.set()
        except (OSError, RuntimeError):
            # The kernel's watches are used up, or the file system has none (some network mounts).
            async for _ in awatch(*paths, watch_filter=_is_code, force_polling=True, **options):  # type: ignore[arg-type]
                happened.set()

    watches = [asyncio.create_task(watch(settings.root, recursive=False))]
    if folders:
        watches.append(asyncio.create_task(watch(*folders, recursive=True)))
    try:
        # The tasks' first turn sets up the kernel's watches; what was saved before it, nobody would hear of.
        await asyncio.wait(watches, timeout=0)
        happened.set()
        while watched_folders(settings) == folders:
            await happened.wait()
            happened.clear()
            yield
    finally:
        stop.set()
        await asyncio.gather(*watches, return_exceptions=True)


def _is_code(change: Change, path: str) -> bool:
    """Whether an event can mean that code changed. New folders of the root count: code may be in them."""
    file = Path(path)
    if any(part in _SKIPPED for part in file.parts[-8:]) or file.name.startswith("."):
        return False
    return file.suffix == ".py" or file.name == SETTINGS_FILE or (change is Change.added and file.is_dir())


def _code_files(root: Path) -> Iterator[Path]:
    """Every Python file below `root`, and the settings."""
    settings = root / SETTINGS_FILE
    if settings.is_file():
        yield settings
    for folder, folders, files in os.walk(root):
        folders[:] = [
            name
            for name in folders
            # A folder with a pyvenv.cfg is a virtual environment under any name.
            if name not in _SKIPPED
            and not name.startswith(".")
            and not os.path.exists(os.path.join(folder, name, "pyvenv.cfg"))
        ]
        for name in files:
            if name.endswith(".py") and not name.startswith("."):
                yield Path(folder, name)
