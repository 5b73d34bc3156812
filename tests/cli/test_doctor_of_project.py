"""`rewake doctor`: generated files, schema, lock and port."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from rewake.cli import doctor_of_project
from rewake.cli.doctor_of_project import check_code, check_holder, check_port
from rewake.cli.findings import Patient
from rewake.cli.project_home import ServerRecord, make_home, write_server_record
from rewake.environment import Environment
from rewake.storage.data_file import FileLock
from tests.cli.command import run_here


def patient(project: Path) -> Patient:
    return Patient(project, None, None, None, Environment())


def test_code_is_compared_with_generated_files_and_with_the_schema_of_the_data(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(project)
    assert list(check_code(patient(project))) == []
    assert run_here(capsys, "dev", "--once").code == 0
    found = [(each.check, each.state, each.text) for each in check_code(patient(project))]
    assert found == [
        ("generated", "ok", "backend/_generated is current"),
        ("schema", "ok", "the data file has the code's"),
    ]
    schema = project / "backend" / "schema.py"
    schema.write_text(schema.read_text().replace("body: str", "body: str\n    mood: str | None = None"))
    generated, stored = check_code(patient(project))
    assert (generated.state, "dataModel.d.ts" in generated.text) == ("warning", True)
    assert "rewake codegen" in generated.fix
    assert stored.text == "the next start or deploy changes the data file's: ~ table messages"
    # Code that cannot be loaded is told elsewhere.
    schema.write_text("import nowhere_at_all\n")
    assert list(check_code(patient(project))) == []


def test_who_has_the_data_open_is_named(project: Path) -> None:
    data = make_home(project) / "data.sqlite3"
    assert list(check_holder(patient(project))) == []
    lock = FileLock(data)
    try:
        [stranger] = check_holder(patient(project))
        assert (stranger.state, f"process {os.getpid()} " in stranger.text) == ("warning", True)
        write_server_record(project, ServerRecord("http://127.0.0.1:1", os.getpid(), ""))
        [known] = check_holder(patient(project))
        assert (known.state, known.text.endswith("the server at http://127.0.0.1:1")) == ("ok", True)
    finally:
        lock.release()
    assert list(check_holder(patient(project))) == []


def test_a_port_that_is_taken_is_a_warning_unless_by_our_own_server(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        monkeypatch.setattr(doctor_of_project, "PORT_USUAL", port)
        [found] = check_port(patient(project))
        assert (found.state, found.text) == ("warning", f"{port} is taken by another program")
        write_server_record(project, ServerRecord(f"http://127.0.0.1:{port}", os.getpid(), ""))
        assert list(check_port(patient(project))) == []
    (project / ".rewake" / "server.json").unlink()
    [found] = check_port(patient(project))
    assert (found.state, found.text) == ("ok", f"{port} is free")
