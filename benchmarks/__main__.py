"""`make bench`: ask every question, or those that are named, and print one table for each.

    python -m benchmarks [acknowledgement] [backlog] [files] [fixtures] [inserts] [scheduled] [transfers]

The report also goes to `.make/bench/report.md`.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import acknowledgement, backlog, files, fixtures, inserts, scheduled, transfers
from benchmarks.report import Table, circumstances

QUESTIONS: dict[str, Callable[[Path], Table]] = {
    "acknowledgement": acknowledgement.measure,
    "backlog": backlog.measure,
    "files": files.measure,
    "fixtures": fixtures.measure,
    "inserts": inserts.measure,
    "scheduled": scheduled.measure,
    "transfers": transfers.measure,
}
# Not in the machine's /tmp, which may be memory: there an fsync costs nothing.
FOLDER = Path(__file__).resolve().parents[1] / ".make" / "bench"


def main(names: list[str]) -> int:
    if unknown := [name for name in names if name not in QUESTIONS]:
        known = ", ".join(QUESTIONS)
        print(f"benchmarks: no question {', '.join(unknown)}; there are {known}", file=sys.stderr)
        return 2
    scratch = FOLDER / "scratch"
    scratch.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    parts = [f"# Benchmarks\n\n{circumstances(scratch)}\n"]
    print(parts[0], flush=True)
    try:
        for name in names or QUESTIONS:
            print(f"{name} ...", flush=True)
            parts.append(QUESTIONS[name](scratch).markdown())
            print(f"\n{parts[-1]}", flush=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    report = FOLDER / "report.md"
    report.write_text("\n".join(parts), encoding="utf-8")
    place = report.relative_to(FOLDER.parents[1])
    print(f"{time.monotonic() - started:.0f} s; the tables are in {place}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
