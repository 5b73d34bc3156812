"""The audit of dependencies fails for what is known, and says what it could not find out."""

from __future__ import annotations

import subprocess
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from types import ModuleType
from typing import Any

import pytest

from tests.house.source_tree import ROOT

_GOOD = {"name": "good", "version": "1.0", "vulns": []}
_BAD = {"name": "bad", "version": "1.0", "vulns": [{"id": "CVE-1", "fix_versions": ["1.1", "2.0"]}]}
_UNKNOWN = {"name": "unknown", "skip_reason": "not found"}


@pytest.fixture
def audit() -> ModuleType:
    loader = SourceFileLoader("audit", str(ROOT / ".ci" / "audit"))
    spec = spec_from_loader("audit", loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_what_is_known_fails_and_is_named(audit: ModuleType) -> None:
    lines, code = audit.verdict({"dependencies": [_GOOD, _BAD]})
    assert (lines, code) == (["audit: bad 1.0: CVE-1, mended in 1.1, 2.0"], 1)


def test_what_nobody_knows_is_said(audit: ModuleType) -> None:
    lines, code = audit.verdict({"dependencies": [_GOOD, _UNKNOWN]})
    assert code == 0
    assert lines == [
        "audit: no known vulnerability in 1 packages",
        "audit: the registry knew nothing of 1 packages; they were NOT looked up",
    ]


@pytest.mark.parametrize("silence", ["timeout", "no report"])
def test_a_registry_that_cannot_be_asked_is_said_and_fails_nothing(
    silence: str, audit: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        if silence == "timeout":
            raise subprocess.TimeoutExpired(command, 60)
        return subprocess.CompletedProcess(command, 1, "", "Traceback\nConnectionError: no network")

    monkeypatch.setattr(audit.subprocess, "run", run)
    assert audit.main() == 0
    assert "NO package was looked up" in capsys.readouterr().out
