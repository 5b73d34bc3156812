"""One suite for both runners: each test runs with functions in threads and in worker processes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.deployment.stage import RUNS_IN


@pytest.fixture(autouse=True, params=["threads", "processes"])
def place(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where functions run."""
    RUNS_IN["place"] = request.param
    yield request.param
    RUNS_IN["place"] = "threads"
