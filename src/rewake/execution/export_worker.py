"""The process that writes one archive, apart from the server: reading many rows would hold up its answers.

Floor 3, `execution`. Started by `deployment/exports.py` with one JSON argument; it reads the data file on a
connection of its own, writes the archive under a temporary name, and says lines of JSON on stdout:

    {"ts": T}  {"done": n, "total": m}*  {"bytes": n}        or {"error": "..."} anywhere

It ends with the server that started it. No author's code is loaded.

Not here: the archive (`database/archiving.py`).
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import msgspec

from rewake.database import Database, PastTables
from rewake.database.archiving import write_archive
from rewake.environment import Environment, process_environment
from rewake.errors import RewakeError
from rewake.execution.export_functions import ExportOrder
from rewake.execution.worker_bounds import die_with
from rewake.storage import Role

_SAY_SECONDS = 0.5


def write_export(order: ExportOrder, environment: Environment) -> None:
    """Write the archive and say how far it is."""
    said_at = environment.clock.monotonic()

    def on_rows(done: int, total: int) -> None:
        nonlocal said_at
        environment.reach("export.after_page")
        now = environment.clock.monotonic()
        if now - said_at >= _SAY_SECONDS:
            said_at = now
            _say({"done": done, "total": total})

    database = Database.open(order.data, environment=environment, files=order.files, role=Role.WORKER)
    past = PastTables(database.reader())
    try:
        _say({"ts": past.ts})
        target = Path(order.target)
        with target.open("wb") as file:
            write_archive(past, database.blobs if order.has_files else None, file, on_rows=on_rows)
            file.flush()
            os.fsync(file.fileno())
            _say({"bytes": file.tell()})
    finally:
        past.close()
        database.close()


def _say(line: dict[str, object]) -> None:
    sys.stdout.write(msgspec.json.encode(line).decode() + "\n")
    sys.stdout.flush()


def main() -> None:
    """Carry out the order in the first argument."""
    order = msgspec.json.decode(sys.argv[1], type=ExportOrder)
    # Whoever stops the server means the server, which then ends us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with(order.parent)
    try:
        write_export(order, process_environment())
    except RewakeError as error:
        _say({"error": error.message})
    except OSError as error:
        _say({"error": f"The archive cannot be written: {error.strerror or error}."})


if __name__ == "__main__":
    main()
