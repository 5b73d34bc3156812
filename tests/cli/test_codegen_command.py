"""`rewake codegen`: which files its options ask for, and what it says of those that are out of date."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from rewake.cli.commands import app


def codegen(project: Path, *options: str) -> Result:
    return CliRunner().invoke(app, ["codegen", str(project), *options])


def times_of(folder: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in folder.iterdir()}


@pytest.fixture
def generated(project: Path) -> Path:
    assert codegen(project).exit_code == 0
    return project / "backend" / "_generated"


def test_a_check_of_what_is_right_writes_nothing_and_succeeds(project: Path, generated: Path) -> None:
    before = times_of(generated)
    done = codegen(project, "--check")
    assert done.exit_code == 0, done.output
    assert "up to date" in done.output
    assert times_of(generated) == before


@pytest.mark.parametrize("damage", ["edited", "gone"])
def test_a_check_names_what_is_out_of_date_and_fails(project: Path, generated: Path, damage: str) -> None:
    file = generated / "api.d.ts"
    if damage == "edited":
        file.write_text(file.read_text() + "// by hand\n")
    else:
        file.unlink()
    before = times_of(generated)
    done = codegen(project, "--check")
    assert done.exit_code == 1
    assert "api.d.ts" in done.output
    assert "dataModel.d.ts" not in done.output
    assert times_of(generated) == before
    assert codegen(project).exit_code == 0
    assert "by hand" not in file.read_text()
    assert codegen(project, "--check").exit_code == 0


def test_a_dry_run_says_what_would_be_written(project: Path) -> None:
    done = codegen(project, "--dry-run")
    assert done.exit_code == 0
    assert "would write" in done.output
    assert not (project / "backend" / "_generated").exists()


def test_line_ends_of_windows_are_no_difference(project: Path, generated: Path) -> None:
    for file in generated.iterdir():
        file.write_bytes(file.read_bytes().replace(b"\n", b"\r\n"))
    before = times_of(generated)
    assert codegen(project, "--check").exit_code == 0
    assert codegen(project).exit_code == 0
    assert times_of(generated) == before


def test_an_openapi_document_is_written_and_kept(project: Path, tmp_path: Path) -> None:
    file = tmp_path / "openapi.json"
    assert codegen(project, "--openapi", str(file), "--check").exit_code == 1
    assert not file.exists()
    assert codegen(project, "--openapi", str(file)).exit_code == 0
    document = json.loads(file.read_text(encoding="utf-8"))
    assert "/api/run/messages/send" in document["paths"]
    assert not (project / "backend" / "_generated").exists()
    os.utime(file, ns=(1, 1))
    assert "up to date" in codegen(project, "--openapi", str(file)).output
    assert file.stat().st_mtime_ns == 1


def test_python_and_openapi_at_once(project: Path, tmp_path: Path) -> None:
    names = ("api.py", "openapi.json")
    options = ("--python", str(tmp_path / names[0]), "--openapi", str(tmp_path / names[1]))
    assert codegen(project, *options).exit_code == 0
    assert all((tmp_path / name).exists() for name in names)
    assert codegen(project, *options, "--check").exit_code == 0
