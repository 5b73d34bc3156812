"""The version that is printed is the one that is built and installed."""

from __future__ import annotations

import importlib.metadata
import tomllib
from pathlib import Path

from rewake.version import VERSION

PYPROJECT = Path(__file__).parents[1] / "pyproject.toml"


def test_it_is_the_version_that_is_built_and_installed() -> None:
    assert tomllib.loads(PYPROJECT.read_text(encoding="utf-8"))["project"]["version"] == VERSION
    assert importlib.metadata.version("rewake") == VERSION
