"""What the tests of all examples do with a project of `examples`."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

COMMAND_SECONDS = 120


def run(*command: str, folder: Path) -> str:
    """What a command prints; it must end with 0."""
    done = subprocess.run(
        command,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=COMMAND_SECONDS,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def assert_types_are_fresh(project: Path, folder: Path) -> None:
    """The TypeScript that is committed is what `rewake codegen` writes, in a copy of the project."""
    fresh = folder / project.name
    left_out = shutil.ignore_patterns("node_modules", "dist", ".rewake", "_generated")
    shutil.copytree(project, fresh, ignore=left_out)
    run(sys.executable, "-m", "rewake", "codegen", str(fresh), folder=fresh)
    committed = project / "backend" / "_generated"
    written = fresh / "backend" / "_generated"
    assert {path.name for path in written.iterdir()} == {path.name for path in committed.iterdir()}
    for path in written.iterdir():
        assert path.read_text(encoding="utf-8") == (committed / path.name).read_text(encoding="utf-8"), (
            f"run `rewake codegen` in examples/{project.name}: {path.name} has changed"
        )
