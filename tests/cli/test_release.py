"""The version that is printed is the one that is installed."""

from __future__ import annotations

import importlib.metadata

import pytest

from rewake.cli import release


def test_it_is_the_installed_version() -> None:
    assert release.rewake_version() == importlib.metadata.version("rewake")


def test_a_source_tree_on_the_path_has_a_version_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(release, "version", absent)
    assert release.rewake_version() == "0.0.0"
