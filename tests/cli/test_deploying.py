"""`rewake deploy` and `rewake rollback`, as they are typed, against a server that takes deploys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from rewake.cli.deploying import plan_lines
from tests.cli.command import Outcome, Running, free_port, run_apart


@pytest.fixture
def served(tmp_path: Path) -> Iterator[dict[str, str]]:
    """The variables that lead commands to a server of its own."""
    data, port = tmp_path / "data" / "data.sqlite3", free_port()
    data.parent.mkdir()
    with Running("serve", "--data", str(data), "--port", str(port), "--workers", "1", cwd=tmp_path) as server:
        server.wait_for("Rewake is ready at")
        key = data.with_name("data.sqlite3.admin_key").read_text().strip()
        yield {"REWAKE_URL": f"http://127.0.0.1:{port}", "REWAKE_ADMIN_KEY": key}


def rename(project: Path) -> None:
    file = project / "backend" / "messages.py"
    file.write_text(file.read_text().replace("def list_recent", "def list_latest"))


def test_a_project_is_deployed_listed_and_rolled_back(project: Path, served: dict[str, str]) -> None:
    def run(*words: str) -> Outcome:
        return run_apart(*words, cwd=project, variables=served)

    dry = run("deploy", "--dry-run")
    assert dry.code == 0
    assert "+ messages:send" in dry.err
    assert "Nothing was changed." in dry.err
    assert not (project / "backend" / "_generated").exists()
    done = run("deploy", "-m", "first", "--cmd", "echo $VITE_CONVEX_URL > built.txt")
    assert done.code == 0, done.err
    assert "serves deploy 1" in done.err
    assert (project / "built.txt").read_text().strip() == served["REWAKE_URL"]
    assert "api.d.ts" in done.err
    again = run("deploy", "--json")
    assert json.loads(again.out)["isUnchanged"] is True
    rename(project)
    asked = run("deploy")
    assert asked.code == 1
    assert "The function messages:list_recent is removed" in asked.err
    assert "Add --yes" in asked.err
    assert run("deploy", "--yes").code == 0
    back = run("rollback", "--yes")
    assert "serves deploy 3" in back.err
    assert json.loads(run("run", "messages:list_recent").out) == []
    listed = json.loads(run("deploy", "--list", "--json").out)
    assert [deploy["message"] for deploy in listed] == ["Back to deploy 1: first", "", "first"]
    assert "active" in run("deploy", "--list").out.splitlines()[0]


def test_what_is_refused_says_why_and_ends_with_1(project: Path, served: dict[str, str]) -> None:
    failed = run_apart("deploy", "--cmd", "exit 3", cwd=project, variables=served)
    assert failed.code == 1
    assert "ended with 3. Nothing was deployed." in failed.err
    with (project / "backend" / "messages.py").open("a") as file:
        file.write("import surely_not_installed\n")
    failed = run_apart("deploy", cwd=project, variables=served)
    assert failed.code == 1
    assert "pip install surely_not_installed" in failed.err
    assert 'File "backend/messages.py"' in failed.err
    assert run_apart("rollback", "7", cwd=project, variables=served).code == 1


def test_serve_wants_a_folder_or_a_data_file(tmp_path: Path) -> None:
    done = run_apart("serve", cwd=tmp_path)
    assert done.code == 2
    assert "rewake serve --data PATH" in done.err


def test_a_plan_in_words() -> None:
    nothing: dict[str, list[str]] = {"added": [], "changed": [], "removed": []}
    changes = {
        "functions": nothing | {"added": [f"m:f{number}" for number in range(14)], "removed": ["m:gone"]},
        "routes": nothing | {"changed": ["GET /x"]},
        "crons": nothing,
        "auth": nothing,
        "tablesAdded": ["notes"],
        "tablesRemoved": [{"name": "old", "documents": 1_200}],
        "tablesChecked": [{"name": "kept", "documents": 3}],
        "indexesAdded": [{"name": "notes.by_x", "documents": 0, "isStaged": True}],
        "indexesRemoved": [],
        "destructive": ["The function m:gone is removed."],
    }
    lines = [
        "".join(text for text, _ in line) for line in plan_lines({"isUnchanged": False, "changes": changes})
    ]
    assert lines[11:] == [
        "+ m:f11",
        "+ and 2 more",
        "- m:gone",
        "~ route GET /x",
        "+ table notes",
        "- table old (1,200 documents): out of the schema, documents stay",
        "+ index notes.by_x (0 documents), staged",
        "? table kept (3 documents): its documents are checked",
        "! The function m:gone is removed.",
    ]
    assert plan_lines({"isUnchanged": True}) == [[("No file differs from what is served.", "")]]
