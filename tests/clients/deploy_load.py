"""The load under deploys (`programs/deploy_load.py`), in a process of its own, begun and ended.

For the test (`test_deploys_under_load.py`) and the benchmark (`benchmarks/deploys.py`) alike.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

GENERATOR = Path(__file__).parent / "programs" / "deploy_load.py"
END_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class DeployLoad:
    """Sessions that hold their queries and calls that go on."""

    process: subprocess.Popen[str]

    @property
    def pid(self) -> int:
        """The process that makes the load."""
        return self.process.pid

    def end(self) -> dict[str, Any]:
        """Have it stop, and tell what it saw."""
        told, _ = self.process.communicate(timeout=END_SECONDS)
        report: dict[str, Any] = json.loads(told)
        return report


@contextmanager
def deploy_load(url: str, sessions: int) -> Iterator[DeployLoad]:
    """The load on the server at `url`, from when all of it is there; gone afterwards, whatever happened."""
    process = subprocess.Popen(
        [sys.executable, str(GENERATOR), url, str(sessions)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        if process.stdout.readline() != "begun\n":
            raise RuntimeError("the load under deploys did not begin")
        yield DeployLoad(process)
    finally:
        process.kill()
        process.communicate()
