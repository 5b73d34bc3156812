"""`rewake doctor`: what stands in the way of working here, and what to do about each thing.

Floor 8, `cli`. Looks and changes nothing. Each check gives findings; what is broken makes the exit code 1,
a warning does not. A check that itself fails is a finding, too: a doctor does not fall over.

    python, packages | project, code, generated files, schema | data, key, disk, lock | port
    file descriptors | server, clock | front end

Not here: whether the data file is sound (`verifying.py`), code, lock and port (`doctor_of_project.py`).
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import sqlite3
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as package_version

import apsw
from msgspec.structs import asdict

from rewake.cli.connection import find_server
from rewake.cli.doctor_of_project import check_code, check_holder, check_port
from rewake.cli.failure import CommandFailed, ExitCode
from rewake.cli.findings import Finding, Patient, State
from rewake.cli.greeting import bytes_words, shown_path
from rewake.cli.named_deployments import read_deployments
from rewake.cli.project_home import data_place, read_server_record
from rewake.cli.screen import Screen
from rewake.errors import RewakeError
from rewake.execution import ProjectSettings, read_settings
from rewake.storage import Inspection
from rewake.version import VERSION

_PYTHON_MIN = (3, 11)
_PACKAGES = ("apsw", "msgspec", "httpx", "uvicorn", "starlette", "websockets", "typer", "rich")
_DISK_BYTES_MIN = 1 << 30
_WAL_BYTES_MAX = 1 << 30
_DESCRIPTORS_MIN = 4_096
_SKEW_SECONDS_MAX = 5.0
_ASK_SECONDS = 5.0
_IMPORT_SECONDS = 60.0
_CONVEX_MAJOR = "1."
"""The official client package that is known to work: any of its first major version."""
_STYLES = {"ok": ("ok", "green"), "warning": ("warning", "yellow"), "broken": ("broken", "bold red")}


def examine(patient: Patient, screen: Screen, *, as_json: bool) -> ExitCode:
    """Make every check and print what was found."""
    with screen.waiting("Looking"):
        findings = [finding for name, check in CHECKS.items() for finding in _made(name, check, patient)]
    if as_json:
        screen.value([asdict(finding) for finding in findings])
    else:
        for finding in findings:
            word, style = _STYLES[finding.state]
            screen.say((word.ljust(8), style), (finding.check.ljust(10), "bold"), finding.text)
            if finding.fix:
                screen.say(" " * 18, ("fix: ", "cyan"), finding.fix)
    is_broken = any(finding.state == "broken" for finding in findings)
    return ExitCode.FAILED if is_broken else ExitCode.OK


def _made(name: str, check: Callable[[Patient], Iterator[Finding]], patient: Patient) -> list[Finding]:
    found: list[Finding] = []
    try:
        found.extend(check(patient))
    except RewakeError as error:
        hint = error.hint if isinstance(error, CommandFailed) else ""
        found.append(Finding(name, "broken", error.message, hint))
    except Exception as error:
        found.append(Finding(name, "broken", f"{type(error).__name__}: {error}"))
    return found


def _python(patient: Patient) -> Iterator[Finding]:
    found = ".".join(map(str, sys.version_info[:3]))
    good = sys.version_info[:2] >= _PYTHON_MIN
    wanted = ".".join(map(str, _PYTHON_MIN))
    yield Finding(
        "python",
        "ok" if good else "broken",
        f"Python {found}",
        "" if good else f"Use Python {wanted} or newer.",
    )
    yield Finding("rewake", "ok", f"rewake {VERSION}, SQLite {apsw.sqlite_lib_version()}")
    for name in _PACKAGES:
        try:
            package_version(name)
        except PackageNotFoundError:
            yield Finding("packages", "broken", f"{name} is not installed.", "pip install --upgrade rewake")


def _project(patient: Patient) -> Iterator[Finding]:
    settings = read_settings(patient.root)
    yield Finding("project", "ok", f"{shown_path(settings.root)}, functions in {settings.functions}/")
    for name, deployment in read_deployments(patient.root).items():
        if deployment.url.startswith("http://") and deployment.kind == "prod":
            fix = "Serve it with TLS, or behind a proxy that does: keys travel over this line."
            yield Finding("project", "warning", f"{name} is reached without TLS: {deployment.url}", fix)
    yield _code(settings)


def _code(settings: ProjectSettings) -> Finding:
    # In a process of its own: modules of authors do as they like when they are imported.
    program = (
        "import sys; from pathlib import Path\n"
        "from rewake.execution import load_project, read_settings\n"
        "from rewake.errors import RewakeError\n"
        "from rewake.cli.greeting import size_words\n"
        "try:\n"
        "    found = load_project(read_settings(Path(sys.argv[1])))\n"
        "except RewakeError as error:\n"
        "    sys.exit(error.message)\n"
        "sys.stderr.write(size_words(found.analysis()))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(settings.root)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=_IMPORT_SECONDS,
        check=False,
    )
    said = done.stderr.strip().splitlines()[-1:] or ["The process that imports it ended without a word."]
    if done.returncode == 0:
        return Finding("code", "ok", said[0])
    return Finding("code", "broken", said[0], "`rewake dev --once` shows the whole traceback.")


def _data(patient: Patient) -> Iterator[Finding]:
    place = data_place(patient.root, patient.data)
    if not place.data.exists():
        yield Finding("data", "ok", f"no data yet at {shown_path(place.data)}")
    else:
        inspection = Inspection(place.data, environment=patient.environment)
        inspection.close()
        size = place.data.stat().st_size
        yield Finding("data", "ok", f"{shown_path(place.data)}, {bytes_words(size)}")
        log = place.data.with_name(place.data.name + "-wal")
        if log.exists() and log.stat().st_size > _WAL_BYTES_MAX:
            fix = "Something holds an old snapshot: a reader that hangs, or another program."
            text = f"the write-ahead log has {log.stat().st_size / 2**20:,.0f} MiB"
            yield Finding("data", "warning", text, fix)
    if place.admin_key.exists() and stat.S_IMODE(place.admin_key.stat().st_mode) & 0o077:
        text = f"others on this machine can read {shown_path(place.admin_key)}"
        yield Finding("key", "broken", text, f"chmod 600 {shown_path(place.admin_key)}")
    folder = next(each for each in (place.data, *place.data.parents) if each.is_dir())
    free = shutil.disk_usage(folder).free
    state: State = "ok" if free >= _DISK_BYTES_MIN else "warning"
    fix = "" if state == "ok" else "Make room: a full disk refuses every write."
    yield Finding("disk", state, f"{free / 2**30:,.1f} GiB free", fix)


def _descriptors(patient: Patient) -> Iterator[Finding]:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    is_low = soft != resource.RLIM_INFINITY and soft < _DESCRIPTORS_MIN
    fix = (
        f"ulimit -n {_DESCRIPTORS_MIN * 16}, or LimitNOFILE= of systemd; each socket takes one."
        if is_low
        else ""
    )
    yield Finding("files", "warning" if is_low else "ok", f"{soft:,} open files allowed", fix)


def _server(patient: Patient) -> Iterator[Finding]:
    import httpx

    has_record = read_server_record(patient.root) is not None
    try:
        server = find_server(patient.root, url=patient.url, admin_key=patient.admin_key, data=patient.data)
    except CommandFailed as error:
        if has_record or patient.url is not None or error.exit_code is not ExitCode.UNREACHABLE:
            raise
        yield Finding("server", "ok", "none is running")
        return
    try:
        told = httpx.get(f"{server.url}/version", timeout=_ASK_SECONDS, trust_env=False)
        headers = {"Authorization": f"Convex {server.admin_key}"}
        checked = httpx.get(
            f"{server.url}/api/check_admin_key", headers=headers, timeout=_ASK_SECONDS, trust_env=False
        )
    except httpx.HTTPError as error:
        if server.is_guess:
            yield Finding("server", "ok", "none is running")
            return
        fix = "Start it, or name another with --url. A server that was killed leaves .rewake/server.json."
        yield Finding("server", "broken", f"{server.title} does not answer: {type(error).__name__}", fix)
        return
    if server.is_guess and checked.status_code != httpx.codes.OK:
        # It was only looked for at the usual port: somebody else's server there is no fault of this project.
        yield Finding("server", "ok", f"none of this project is running; another answers at {server.url}")
        return
    yield Finding("server", "ok", f"{server.title}, version {told.text.strip()[:40]}")
    if checked.status_code != httpx.codes.OK:
        fix = "Is this the server of another project? Give its key with --admin-key or REWAKE_ADMIN_KEY."
        yield Finding("key", "broken", f"{server.title} refuses the admin key", fix)
    if "date" in told.headers:
        there = parsedate_to_datetime(told.headers["date"]).timestamp()
        skew = patient.environment.clock.now_ns() / 1e9 - there
        if abs(skew) > _SKEW_SECONDS_MAX:
            fix = "Set both clocks by NTP: tokens and timestamps rest on them."
            yield Finding("clock", "warning", f"this clock and the server's differ by {skew:.0f} s", fix)


def _front_end(patient: Patient) -> Iterator[Finding]:
    manifest = patient.root / "package.json"
    if not manifest.exists():
        return
    declared = json.loads(manifest.read_text(encoding="utf-8"))
    wanted = {**declared.get("devDependencies", {}), **declared.get("dependencies", {})}
    if "convex" not in wanted:
        yield Finding("front end", "warning", "package.json does not ask for `convex`", "npm install convex")
        return
    installed = patient.root / "node_modules" / "convex" / "package.json"
    if not installed.exists():
        yield Finding("front end", "warning", "`convex` is not installed", "npm install")
        return
    found = str(json.loads(installed.read_text(encoding="utf-8")).get("version", "?"))
    is_known = found.startswith(_CONVEX_MAJOR)
    fix = "" if is_known else f"Versions {_CONVEX_MAJOR}x are known to work."
    yield Finding("front end", "ok" if is_known else "warning", f"convex {found}", fix)


CHECKS: dict[str, Callable[[Patient], Iterator[Finding]]] = {
    "python": _python,
    "project": _project,
    "generated": check_code,
    "data": _data,
    "lock": check_holder,
    "port": check_port,
    "files": _descriptors,
    "server": _server,
    "front end": _front_end,
}


def version_facts() -> dict[str, str]:
    """What a report of a mistake should say about the installation."""
    uname = os.uname()
    return {
        "rewake": VERSION,
        "python": sys.version.split()[0],
        "sqlite": apsw.sqlite_lib_version(),
        "sqlite of python": sqlite3.sqlite_version,
        "platform": f"{uname.sysname} {uname.release} {uname.machine}",
    }
