"""What `rewake doctor` looks at, and what it sees.

Floor 8, `cli`. Not here: the checks (`doctor.py`, `doctor_of_project.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import msgspec

from rewake.environment import Environment

State = Literal["ok", "warning", "broken"]


class Finding(msgspec.Struct, frozen=True):
    """What one check saw."""

    check: str
    state: State
    text: str
    fix: str = ""


class Patient(msgspec.Struct, frozen=True):
    """What is looked at."""

    root: Path
    data: Path | None
    url: str | None
    admin_key: str | None
    environment: Environment
