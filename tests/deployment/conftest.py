"""One suite for both runners: each test runs with functions in threads and in worker processes.

`@pytest.mark.threads_only(reason)` is for a test that is meaningless across processes.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deployment.stage import RUNS_IN


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give each test the places where it is to run."""
    only = metafunc.definition.get_closest_marker("threads_only")
    metafunc.parametrize("place", ["threads"] if only else ["threads", "processes"], indirect=True)


@pytest.fixture(autouse=True)
def place(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where functions run."""
    RUNS_IN["place"] = request.param
    yield request.param
    RUNS_IN["place"] = "threads"
