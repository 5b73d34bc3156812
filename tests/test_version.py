"""The version that is printed is the one that is built and installed."""

from __future__ import annotations

import importlib.metadata

from rewake.version import VERSION


def test_it_is_the_version_that_is_installed() -> None:
    assert importlib.metadata.version("rewake") == VERSION
