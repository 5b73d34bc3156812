"""A project that is loaded in a thread: whatever its modules do, there is an answer in time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from rewake.cli.starter_project import write_starter
from rewake.execution import (
    LoadingTooSlow,
    ProjectInvalid,
    ProjectSettings,
    Registry,
    load_in_thread,
    read_settings,
)


def loaded(settings: ProjectSettings, seconds: float) -> Registry:
    return asyncio.run(load_in_thread(settings, seconds))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write_starter(tmp_path / "chat", keep=False)
    return tmp_path / "chat"


def test_a_project_is_loaded(root: Path) -> None:
    registry = loaded(read_settings(root), 60)
    assert [facts.path.public for facts in registry.analysis().functions] == [
        "messages:list_recent",
        "messages:send",
    ]


def test_an_endless_import_is_named_and_the_next_load_works(root: Path) -> None:
    endless = root / "backend" / "zeal.py"
    endless.write_text("while True:\n    pass\n")
    with pytest.raises(LoadingTooSlow, match=r"more than 3 seconds .* while backend/zeal\.py was") as caught:
        loaded(read_settings(root), 3)
    assert caught.value.fields["file"] == "backend/zeal.py"
    endless.unlink()
    assert (loaded(read_settings(root), 60)).analysis().functions


def test_an_error_of_the_project_is_told(root: Path) -> None:
    (root / "backend" / "zeal.py").write_text("1 / 0\n")
    with pytest.raises(ProjectInvalid, match="ZeroDivisionError"):
        loaded(read_settings(root), 60)
