"""A server's project begins to load at once, and with nothing that is not its own."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from rewake.cli.failure import WrongUsage
from rewake.cli.head_start import HeadStart
from rewake.execution import ProjectInvalid
from tests.cli.command import FRONT_MODULES, Running, run_apart
from tests.cli.test_serving import call, ready

TELLS = """
import os
import signal
from rewake import QueryCtx, query

@query
def variables(ctx: QueryCtx) -> dict[str, str]:
    return {name: os.environ.get(name, "") for name in ("NOTIFY_SOCKET", "AWS_ACCESS_KEY_ID")}
"""

LATE = (
    "fastapi",
    "httpx",
    "joserfc",
    "obstore",
    "opentelemetry",
    "pdb",
    "prometheus_client",
    "pydantic",
    "pygments",
    "rewake.archive",
    "rewake.codegen",
    "rewake.database.archiving",
    "rewake.http_api.description",
    "rich",
    "sqlite3",
    "unittest",
)
"""What takes long to import, and what no server needs before its first answer. One that turns up was imported
at the top of another module: import it where it is used (docs/architecture/README.md, rule 5)."""
LOADED = f"""
import sys
from rewake import QueryCtx, query

@query
def late(ctx: QueryCtx) -> list[str]:
    return [name for name in {LATE!r} if name in sys.modules]
"""


def test_nothing_is_imported_before_the_first_answer_that_can_wait(project: Path) -> None:
    (project / "backend" / "loaded.py").write_text(LOADED)
    with Running("serve", ".", "--port", "0", cwd=project, tells_modules=True) as server:
        assert call(ready(server), "query", "loaded:late").json()["value"] == []
        server.stop()
        told = next(line for line in server.lines if line.startswith(FRONT_MODULES))
    files = [Path(file) for file in json.loads(told[len(FRONT_MODULES) :])]
    places = [
        (file.parent if file.name == "__init__.py" else file.parent / file.stem).parts for file in files
    ]

    def is_loaded(name: str) -> bool:
        parts = tuple(name.split("."))
        return any(place[-len(parts) :] == parts for place in places)

    assert all(map(is_loaded, ("rewake", "typer", "uvicorn", "rewake.server.process")))
    assert not list(filter(is_loaded, LATE))


@pytest.mark.parametrize(
    ("process", "entries", "loaded"),
    [
        ("front", ("commands", "head_start", "exposing", "serving"), "uvicorn.server"),
        ("worker", ("head_start",), "rewake.execution.worker_messages"),
    ],
)
def test_who_imports_what_can_wait_is_named(process: str, entries: tuple[str, ...], loaded: str) -> None:
    program = "".join(f"import rewake.cli.{entry}\n" for entry in entries)
    if process == "worker":
        program += "import rewake.execution.worker as w\nw.install_standard_sources()"
    chains = import_chains(program)
    assert chains[loaded].endswith(f"{loaded}")
    assert chains[loaded].startswith("rewake.cli.")
    assert not [chains[name] for name in LATE if name in chains]


def import_chains(program: str) -> dict[str, str]:
    """For each module that `program` loads, who imported whom down to it."""
    told = subprocess.run(
        [sys.executable, "-X", "importtime", "-c", program],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    chains: dict[str, str] = {}
    above: list[str] = []
    # Who imports is told after what it imports, which stands further to the right.
    for line in reversed(told.stderr.splitlines()):
        if found := re.fullmatch(r"import time: [^|]*\|[^|]*\| ( *)(\S+)", line):
            del above[len(found[1]) // 2 :]
            above.append(found[2])
            chains[found[2]] = " > ".join(above)
    return chains


def test_a_process_that_nobody_took_is_gone_afterwards(project: Path) -> None:
    with HeadStart(project, in_workers=True) as start:
        assert start.settings is not None
        process = start.take_template()
        assert process is not None
        assert process.has_begun
        assert start.take_template() is None
        process.give_up()
    with HeadStart(None, in_workers=True) as start:
        assert start.settings is None
        unused = start._template
    assert unused is not None
    with pytest.raises(ProcessLookupError):
        os.kill(unused.pid, 0)


def test_without_workers_nothing_is_begun(project: Path) -> None:
    with HeadStart(project, in_workers=False) as start:
        assert start.take_template() is None


def test_what_is_wrong_is_said_before_anything_begins(
    tmp_path: Path, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ProjectInvalid):
        HeadStart(tmp_path / "nowhere", in_workers=True)
    monkeypatch.setenv("REWAKE_ADMIN_KEY", "given|1")
    monkeypatch.setenv("REWAKE_ADMIN_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(WrongUsage, match="both set"):
        HeadStart(project, in_workers=True)


def test_functions_have_the_secrets_of_files_and_not_the_service_manager(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID", raising=False)  # Of a bucket that other tests hold open.
    (project / "backend" / "tells.py").write_text(TELLS)
    (tmp_path / "id").write_text("of-the-file\n")
    variables = {"NOTIFY_SOCKET": str(tmp_path / "nobody"), "AWS_ACCESS_KEY_ID_FILE": str(tmp_path / "id")}
    with Running("serve", ".", "--port", "0", cwd=project, variables=variables) as server:
        answer = call(ready(server), "query", "tells:variables").json()
    assert answer["value"] == {"NOTIFY_SOCKET": "", "AWS_ACCESS_KEY_ID": "of-the-file"}


def test_a_wrong_option_that_is_found_late_ends_the_process_too(project: Path) -> None:
    done = run_apart("serve", ".", "--tls-cert", "no.pem", "--tls-key", "no.key", cwd=project)
    assert done.code in (1, 2)
    assert "Traceback" not in done.err


@pytest.mark.parametrize("in_workers", [True, False])
def test_signals_wait_until_somebody_heeds_them(project: Path, *, in_workers: bool) -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGHUP, lambda number, _: heard.append(number))
    try:
        with HeadStart(project, in_workers=in_workers) as start:
            # To this thread: others of the test process, which a server has not yet, block nothing.
            signal.pthread_kill(threading.get_ident(), signal.SIGHUP)
            assert len(heard) == (0 if in_workers else 1)
            start.heed_signals()
            assert heard == [signal.SIGHUP]
    finally:
        signal.signal(signal.SIGHUP, before)
    assert signal.SIGTERM not in signal.pthread_sigmask(signal.SIG_BLOCK, [])
