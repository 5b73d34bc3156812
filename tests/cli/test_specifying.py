"""`rewake function-spec` against a server."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.command import Running, run_here


def test_the_function_spec_is_printed_or_written(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with Running("serve", ".", "--port", "0", "--workers", "0", cwd=project) as server:
        url = server.wait_for(r"ready at (\S+)")[1]
        spec = json.loads(run_here(capsys, "function-spec", "--project", str(project)).out)
        assert spec["url"] == url
        assert "messages.js:send" in [each["identifier"] for each in spec["functions"]]
        done = run_here(capsys, "function-spec", "--file", "--project", str(project))
        (file,) = tmp_path.glob("function_spec_*.json")
        assert done.out == f"wrote {file.name}\n"
        assert json.loads(file.read_text()) == spec
