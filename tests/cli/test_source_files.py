"""The files of a project's code, and when they change."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from watchfiles import Change

from rewake.cli import source_files
from rewake.cli.source_files import changed_files, events, take_picture, watched_folders
from rewake.execution import read_settings

WAIT_SECONDS = 30.0


def names(project: Path) -> list[str]:
    return sorted(file.relative_to(project).as_posix() for file in take_picture(project))


def write(file: Path, text: str = "") -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_code_is_python_files_and_settings(project: Path) -> None:
    write(project / "lib" / "tool.py")
    write(project / "lib" / "notes.txt")
    assert names(project) == [
        "backend/__init__.py",
        "backend/messages.py",
        "backend/schema.py",
        "lib/tool.py",
        "pyproject.toml",
    ]


@pytest.mark.parametrize(
    "folder",
    [
        "node_modules/x",
        ".venv/lib",
        "backend/_generated",
        "backend/__pycache__",
        ".rewake",
        "web/node_modules",
    ],
)
def test_what_others_made_is_no_code(project: Path, folder: str) -> None:
    before = names(project)
    write(project / folder / "x.py")
    assert names(project) == before


def test_a_virtual_environment_of_any_name_is_no_code(project: Path) -> None:
    before = names(project)
    write(project / "snakes" / "pyvenv.cfg")
    write(project / "snakes" / "lib" / "x.py")
    assert names(project) == before


def test_changes_are_found_by_comparison(project: Path) -> None:
    before = take_picture(project)
    write(project / "backend" / "new.py")
    write(project / "backend" / "schema.py", "# longer than before" * 99)
    (project / "backend" / "messages.py").unlink()
    changed = changed_files(before, take_picture(project))
    assert [file.name for file in changed] == ["messages.py", "new.py", "schema.py"]
    assert not changed_files(before, before)


def test_only_folders_with_code_are_watched(project: Path) -> None:
    write(project / "lib" / "deep" / "x.py")
    write(project / "web" / "page.ts")
    write(project / "node_modules" / "x" / "y.py")
    assert watched_folders(read_settings(project)) == [project / "backend", project / "lib"]


def test_a_functions_folder_deep_inside_is_watched_once(project: Path) -> None:
    write(project / "src" / "app" / "functions" / "x.py")
    write(project / "pyproject.toml", '[tool.rewake]\nfunctions = "src/app/functions"\n')
    assert watched_folders(read_settings(project)) == [project / "backend", project / "src"]


async def next_event(stream: AsyncIterator[None]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        await anext(stream)


@pytest.mark.parametrize("name", ["backend/messages.py", "backend/new/deep.py", "pyproject.toml"])
def test_a_save_is_noticed(project: Path, name: str) -> None:
    async def story() -> None:
        stream = events(read_settings(project))
        await next_event(stream)
        before = take_picture(project)
        write(project / name, "# new")
        while not changed_files(before, take_picture(project)):
            await next_event(stream)
        await stream.aclose()  # type: ignore[attr-defined]

    asyncio.run(story())


def test_a_new_folder_with_code_ends_the_watch_so_that_it_begins_again(project: Path) -> None:
    async def story() -> None:
        stream = events(read_settings(project))
        await next_event(stream)
        write(project / "lib" / "x.py")
        async with asyncio.timeout(WAIT_SECONDS):
            async for _ in stream:
                pass

    asyncio.run(story())


def test_files_are_polled_where_the_kernel_has_no_watches_left(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    async def scarce(*paths: Path, force_polling: bool = False, **options: Any) -> AsyncIterator[set[Any]]:
        asked.append(force_polling)
        if not force_polling:
            raise OSError(28, "OS file watch limit reached")
        yield {(Change.modified, str(paths[0]))}

    monkeypatch.setattr(source_files, "awatch", scarce)

    async def story() -> None:
        stream = events(read_settings(project))
        await next_event(stream)
        await stream.aclose()  # type: ignore[attr-defined]

    asyncio.run(story())
    assert True in asked


def test_a_file_that_vanishes_while_it_is_looked_at_is_left_out(project: Path) -> None:
    os.symlink(project / "nowhere.py", project / "backend" / "link.py")
    assert "backend/link.py" not in names(project)
