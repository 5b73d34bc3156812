"""What `rewake doctor` looks at, and what it sees.

Floor 8, `cli`. Not here: the checks (`doctor.py`, `doctor_of_project.py`).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rewake.environment import Environment

State = Literal["ok", "warning", "broken"]


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check saw."""

    check: str
    state: State
    text: str
    fix: str = ""


@dataclass(frozen=True, slots=True)
class Patient:
    """What is looked at."""

    root: Path
    data: Path | None
    url: str | None
    admin_key: str | None
    environment: Environment
