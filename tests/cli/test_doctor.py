"""`rewake doctor`: each thing that can stand in the way is found, with a way out."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from rewake.cli.project_home import make_home
from tests.cli.command import Running, free_port, run_here


@pytest.fixture
def here(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(project)
    return project


def found(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, list[str]]]:
    done = run_here(capsys, "doctor", "--json", *words)
    findings: dict[str, list[str]] = {}
    for each in json.loads(done.out):
        findings.setdefault(f"{each['check']} {each['state']}", []).append(f"{each['text']} -> {each['fix']}")
    return done.code, findings


def test_a_fresh_project_is_well(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, findings = found(capsys)
    assert code == 0, findings
    assert not any(key.endswith("broken") for key in findings)
    assert findings["code ok"] == ["2 functions, 1 table -> "]
    assert findings["server ok"] == ["none is running -> "]
    shown = run_here(capsys, "doctor").out
    assert "ok      python" in shown


def test_what_is_broken_is_named_with_a_way_out(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (here / "backend" / "bad.py").write_text("import nowhere_at_all\n")
    (make_home(here) / "admin_key").write_text("chat|1\n")
    (here / ".rewake" / "data.sqlite3").write_text("no database, surely no database at all\n" * 40)
    (here / "package.json").write_text('{"dependencies": {"convex": "1"}}')
    code, findings = found(capsys, "--url", f"http://127.0.0.1:{free_port()}")
    assert code == 1
    assert "nowhere_at_all" in findings["code broken"][0]
    assert "SQLite" in findings["data broken"][0]
    assert "does not answer" in findings["server broken"][0]
    assert "npm install" in findings["front end warning"][0]


def test_a_key_that_others_can_read_is_broken(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    key = make_home(here) / "admin_key"
    key.write_text("chat|1\n")
    key.chmod(0o644)
    code, findings = found(capsys)
    assert (code, "chmod 600" in findings["key broken"][0]) == (1, True)


def test_a_server_is_asked_for_its_version_and_about_the_key(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Running("serve", ".", "--port", "0", "--workers", "0", cwd=here) as server:
        url = server.wait_for(r"ready at (\S+)")[1]
        code, findings = found(capsys)
        assert (code, findings["server ok"][0].startswith(f"{url}, version ")) == (0, True)
        code, findings = found(capsys, "--admin-key", "other|1")
        assert (code, "refuses the admin key" in findings["key broken"][0]) == (1, True)


def test_a_server_of_another_project_at_the_usual_port_is_no_fault(
    here: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with Running("serve", ".", "--port", "0", "--workers", "0", cwd=here) as server:
        url = server.wait_for(r"ready at (\S+)")[1]
        monkeypatch.setattr("rewake.cli.named_deployments.PORT_USUAL", int(url.rpartition(":")[2]))
        other = here / "other"
        (other / "backend").mkdir(parents=True)
        (other / "pyproject.toml").write_text("[tool.rewake]\n")
        (make_home(other) / "admin_key").write_text("other|1\n")
        (other / ".rewake" / "admin_key").chmod(0o600)
        monkeypatch.chdir(other)
        code, findings = found(capsys)
        assert (code, findings["server ok"]) == (
            0,
            [f"none of this project is running; another answers at {url} -> "],
        )
