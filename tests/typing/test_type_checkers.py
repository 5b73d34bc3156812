"""Type checkers see what the docs promise: the right code passes, each marked mistake is found.

A checker that cannot run is a failure, never a skip.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent
CHECKERS = ["pyright", "mypy"]


def errors_of(checker: str, file: Path, folder: Path) -> dict[int, str]:
    """Line -> message of every error that the checker finds in one file; works in `folder`."""
    return (_pyright if checker == "pyright" else _mypy)(file, folder)


def errors_below(checker: str, root: Path) -> list[str]:
    """Every error that the checker finds in the Python files below `root`, a folder of imports; as lines."""
    if checker == "pyright":
        report = _pyright_report(root, ["."])
        assert report["summary"]["filesAnalyzed"] == len(list(root.rglob("*.py")))
        found = [item for item in report["generalDiagnostics"] if item["severity"] == "error"]
        return [f"{item['file']}:{item['range']['start']['line'] + 1}: {item['message']}" for item in found]
    found = _mypy_report(["--explicit-package-bases", "."], root)
    return [f"{item['file']}:{item['line']}: {item['message']}" for item in found]


def _pyright(file: Path, folder: Path) -> dict[int, str]:
    # pyright takes files below its project only.
    shutil.copy(file, folder / file.name)
    report = _pyright_report(folder, [file.name])
    assert report["summary"]["filesAnalyzed"] == 1, report
    return {
        item["range"]["start"]["line"] + 1: item["message"]
        for item in report["generalDiagnostics"]
        if item["severity"] == "error"
    }


def _pyright_report(folder: Path, include: list[str]) -> dict[str, Any]:
    node = shutil.which("node")
    program = HERE / "node_modules" / "pyright" / "index.js"
    if node is None or not program.exists():
        pytest.fail("the typing tests need Node and `npm ci` in tests/typing (`make test` does both)")
    settings = folder / "pyrightconfig.json"
    settings.write_text(json.dumps({"typeCheckingMode": "strict", "include": include}))
    command = [node, str(program), "--outputjson", "--pythonpath", sys.executable, "--project", str(settings)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def _mypy(file: Path, folder: Path) -> dict[int, str]:
    return {item["line"]: item["message"] for item in _mypy_report([str(file)], folder)}


def _mypy_report(files: list[str], folder: Path) -> list[dict[str, Any]]:
    options = ["--strict", "--output", "json", "--cache-dir", str(folder / ".mypy_cache")]
    command = [sys.executable, "-m", "mypy", *options, *files]
    # Away from the project's folder, so that its settings do not soften what authors would see.
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300, cwd=folder)
    assert done.returncode in (0, 1), done.stderr + done.stdout
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    return [item for item in found if item["severity"] == "error"]


@pytest.mark.clients
@pytest.mark.parametrize("checker", CHECKERS)
def test_what_authors_write_is_accepted(checker: str, tmp_path: Path) -> None:
    assert errors_of(checker, HERE / "accepted.py", tmp_path) == {}


@pytest.mark.clients
@pytest.mark.parametrize("checker", CHECKERS)
def test_each_marked_mistake_is_found_and_nothing_else(checker: str, tmp_path: Path) -> None:
    lines = (HERE / "refused.py").read_text().splitlines()
    marked = {
        number
        for number, line in enumerate(lines, start=1)
        if line.endswith(("# error", f"# error ({checker})"))
    }
    found = errors_of(checker, HERE / "refused.py", tmp_path)
    assert {number: lines[number - 1] for number in marked - set(found)} == {}, "not found"
    assert {number: found[number] for number in set(found) - marked} == {}, "not marked"
