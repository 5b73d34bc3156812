"""The pytest plugin: fixtures that give each test a backend of its own.

Floor 8, `testing`. pytest finds it by the `pytest11` entry point of the installed package, so a project
writes nothing but its tests. Nothing of the engine is imported before a test asks for a backend.

    def test_send(rewake_backend):
        channel = rewake_backend.mutation(channels.open, name="general")

The project is the nearest folder above the test that has `[tool.rewake]` in its `pyproject.toml`, or the
setting `rewake_project`. It is put in front of `sys.path`, so that tests can import `backend`.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from rewake.testing.backend import Backend


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the setting."""
    parser.addini("rewake_project", "Folder of the Rewake project, relative to the root of the tests.")


def pytest_configure(config: pytest.Config) -> None:
    """Declare the marker."""
    config.addinivalue_line(
        "markers", "rewake(seed=0, limits=Limits()): the seed of `rewake_backend`'s chance, and its limits."
    )


def pytest_pycollect_makemodule(module_path: Path, parent: pytest.Collector) -> None:
    """Let the test module import its project."""
    root = find_project(module_path.parent, parent.config)
    if root is not None and str(root) not in sys.path:
        sys.path.insert(0, str(root))


@pytest.fixture
def rewake_project(request: pytest.FixtureRequest) -> Path:
    """The folder of the project that the test belongs to."""
    root = find_project(request.path.parent, request.config)
    if root is None:
        raise pytest.UsageError(
            f"No folder above {request.path} has [tool.rewake] in its pyproject.toml. Add the section, or "
            "set `rewake_project` in pytest's settings."
        )
    return root


@pytest.fixture
def rewake_backend(request: pytest.FixtureRequest, rewake_project: Path) -> Iterator[Backend]:
    """A new backend with the project's functions and schema, and no data."""
    from rewake.testing.backend import Backend

    marker = request.node.get_closest_marker("rewake")
    wanted = {} if marker is None else marker.kwargs
    with Backend.from_project(rewake_project, **wanted) as backend:
        yield backend


def find_project(folder: Path, config: pytest.Config) -> Path | None:
    """The project that tests in `folder` belong to."""
    setting: str = config.getini("rewake_project")
    if setting:
        return (config.rootpath / setting).resolve()
    for place in (folder, *folder.parents):
        if _is_project(place / "pyproject.toml"):
            return place
    return None


def _is_project(file: Path) -> bool:
    try:
        return "rewake" in tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {})
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        return False
