"""Testing: an application's functions called from plain pytest functions, on the real engine. Floor 8.

backend.py      Backend: one deployment in memory, and the callers' views of it
live_query.py   what `watch` gives          controls.py   the clock and the faults that a test holds
scheduled.py    functions that run later, when the test says so     crons.py   the same for crons
collected.py    a registry from modules and functions of a test
outcomes.py     results as Python values, failures as exceptions
users.py        who is signed in
loop_thread.py  the event loop behind it    plugin.py     the fixtures, found by pytest itself

Names are loaded when they are first asked for: pytest imports this package at every start, for the plugin.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rewake.errors import FunctionFailed
    from rewake.testing.backend import Backend, Caller
    from rewake.testing.controls import Faults, HandClock
    from rewake.testing.crons import CronRun, TestCron
    from rewake.testing.live_query import LiveQuery
    from rewake.testing.run_block import RunUnderWay
    from rewake.testing.scheduled import ScheduledFunction, ScheduledWithoutEnd

__all__ = [
    "Backend",
    "Caller",
    "CronRun",
    "Faults",
    "FunctionFailed",
    "HandClock",
    "LiveQuery",
    "RunUnderWay",
    "ScheduledFunction",
    "ScheduledWithoutEnd",
    "TestCron",
]

_HOMES = {
    "Backend": "rewake.testing.backend",
    "Caller": "rewake.testing.backend",
    "CronRun": "rewake.testing.crons",
    "Faults": "rewake.testing.controls",
    "FunctionFailed": "rewake.errors",
    "HandClock": "rewake.testing.controls",
    "LiveQuery": "rewake.testing.live_query",
    "RunUnderWay": "rewake.testing.run_block",
    "ScheduledFunction": "rewake.testing.scheduled",
    "ScheduledWithoutEnd": "rewake.testing.scheduled",
    "TestCron": "rewake.testing.crons",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
