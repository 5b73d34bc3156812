"""The worker plan: which project is served, with how many processes.

Floor 3, `execution`. Not here: what is made of it (`worker_runner.py`).
"""

from __future__ import annotations

import msgspec

from rewake.execution.worker_process import Template


class WorkerPlan(msgspec.Struct, frozen=True):
    """Which project to serve with how many processes."""

    template: Template
    """The project, loaded: the runner takes it over and ends it."""
    readers: int = 2
