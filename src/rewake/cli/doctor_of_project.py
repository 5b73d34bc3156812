"""`rewake doctor` on a project: its code against generated files and data, who holds the data, the port.

Floor 8, `cli`. The code is loaded once, in a process of its own; code that cannot be loaded is `doctor.py`'s
to tell, and nothing is said here. Of the data only the catalog is read, which is small.

Not here: the other checks, and how findings look (`doctor.py`).
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from rewake.cli.event_loop import run_loop
from rewake.cli.findings import Finding, Patient
from rewake.cli.generating import typescript_of
from rewake.cli.greeting import shown_path
from rewake.cli.hosting import analysis_of
from rewake.cli.project_home import PORT_USUAL, data_place, read_server_record
from rewake.database.catalog import load_catalog
from rewake.environment import Environment
from rewake.execution import Analysis, ProjectInvalid, read_settings
from rewake.storage import Inspection

_NAMES_SHOWN_MAX = 5


def check_code(patient: Patient) -> Iterator[Finding]:
    """Whether generated files and the data file's schema are those of the code."""
    settings = read_settings(patient.root)
    try:
        analysis = run_loop(analysis_of(settings))
    except ProjectInvalid:
        return
    folder = settings.generated_path
    if folder.is_dir():
        stale = typescript_of(settings, analysis).out_of_date()
        names = ", ".join(file.name for file in stale)
        text = (
            f"out of date in {shown_path(folder)}: {names}" if stale else f"{shown_path(folder)} is current"
        )
        fix = "rewake codegen, or have `rewake dev` running" if stale else ""
        yield Finding("generated", "warning" if stale else "ok", text, fix)
    place = data_place(patient.root, patient.data).data
    if place.exists():
        yield Finding("schema", "ok", _schema_words(place, analysis, patient.environment))


def _schema_words(data: Path, analysis: Analysis, environment: Environment) -> str:
    inspection = Inspection(data, environment=environment)
    try:
        inspection.begin()
        stored = load_catalog(inspection).schema
        inspection.end()
    finally:
        inspection.close()
    text = json.dumps(analysis.schema, sort_keys=True, separators=(",", ":"))
    if stored is None:
        return "the data file has none yet; the next start or deploy sets the code's"
    if stored.text == text:
        return "the data file has the code's"
    older, newer = _tables(stored.text), _tables(text)
    changes = [
        *(f"+ table {name}" for name in sorted(newer.keys() - older.keys())),
        *(f"- table {name}" for name in sorted(older.keys() - newer.keys())),
        *(f"~ table {name}" for name in sorted(newer.keys() & older.keys()) if newer[name] != older[name]),
    ]
    rest = len(changes) - _NAMES_SHOWN_MAX
    shown = [*changes[:_NAMES_SHOWN_MAX], *([f"and {rest} more"] if rest > 0 else [])]
    return f"the next start or deploy changes the data file's: {', '.join(shown) or 'its settings'}"


def _tables(text: str) -> dict[str, object]:
    return {each["tableName"]: each for each in json.loads(text).get("tables", [])}


def check_holder(patient: Patient) -> Iterator[Finding]:
    """Who has the data file open, and whether it is the server that left word here."""
    place = data_place(patient.root, patient.data).data
    holder = _holder_of(place.with_name(f"{place.name}.lock"))
    if holder is None:
        return
    record = read_server_record(patient.root)
    text = f"process {holder or 'unknown'} has {shown_path(place)} open"
    if record is not None and str(record.pid) == holder:
        yield Finding("lock", "ok", f"{text}: the server at {record.url}")
        return
    fix = "It left no word here. Name that server with --url, or end it before you start one."
    yield Finding("lock", "warning", text, fix)


def _holder_of(lock: Path) -> str | None:
    """The process that holds a lock; None where nobody does. Nothing is made or kept."""
    try:
        descriptor = os.open(lock, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
    else:
        return None
    finally:
        os.close(descriptor)


def check_port(patient: Patient) -> Iterator[Finding]:
    """Whether a server could listen where servers usually do."""
    record = read_server_record(patient.root)
    if record is not None and record.url.rstrip("/").endswith(f":{PORT_USUAL}"):
        return
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):
            probe.bind(("127.0.0.1", PORT_USUAL))
            yield Finding("port", "ok", f"{PORT_USUAL} is free")
            return
    fix = "`rewake dev` takes the next free one; tell `rewake serve` another with --port."
    yield Finding("port", "warning", f"{PORT_USUAL} is taken by another program", fix)
