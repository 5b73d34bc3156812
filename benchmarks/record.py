"""What the hand-written application reaches on this machine: a run in which it stays far below is void.

A slow neighbour, a full disk or a hot processor makes everything slow, and the ratios of such a run say
nothing. So the last figures of each case are kept in a file that git does not carry; their median is what is
recorded, and a run with a figure below 90 % of it is called void. Such a figure is not kept. (The best ever
would be the luckiest of many runs, and most others void.) A machine is known by processor, cores, memory,
file system and the versions that matter; another machine begins a record of its own. Throw the file away to
begin anew.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from statistics import median

SHARE_MIN = 0.9
KEPT = 9


class Record:
    """The figures of one machine in one file."""

    def __init__(self, path: Path, machine: str) -> None:
        self.path = path
        self.machine = machine
        self.machines: dict[str, dict[str, list[float]]] = {}
        if path.exists():
            self.machines = json.loads(path.read_text(encoding="utf-8"))

    def judge(self, question: str, figures: Mapping[str, float]) -> list[str]:
        """Say which figures make the run void, and keep the others."""
        known = self.machines.setdefault(self.machine, {})
        void = []
        for case, reached in figures.items():
            name = f"{question}: {case}"
            kept = known.get(name, [])
            recorded = median(kept or [reached])
            if reached < SHARE_MIN * recorded:
                void.append(
                    f"VOID: the hand-written application reached {reached:,.0f} of {case}, "
                    f"{reached / recorded:.0%} of its recorded {recorded:,.0f}"
                )
            else:
                known[name] = [*kept, reached][-KEPT:]
        self._keep()
        return void

    def _keep(self) -> None:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        beside = self.path.with_suffix(".new")
        beside.write_text(json.dumps(self.machines, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        os.replace(beside, self.path)
