"""What the tests of the command line stand on: projects to work in."""

from __future__ import annotations

from pathlib import Path

import pytest

from rewake.cli.starter_project import write_starter


@pytest.fixture(autouse=True)
def no_server_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Variables of the machine lead no command elsewhere."""
    for name in ("REWAKE_URL", "REWAKE_ADMIN_KEY", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A fresh starter project."""
    folder = tmp_path / "chat"
    write_starter(folder, keep=False)
    return folder
