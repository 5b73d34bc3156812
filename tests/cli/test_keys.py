"""`rewake keys`: on the data file, on a running server, and what is printed."""

from __future__ import annotations

import json
from pathlib import Path

import httpx
import pytest

from rewake.cli.failure import CommandFailed, WrongUsage
from rewake.cli.keys import FileKeys, desk_for, span_ms, wanted_scopes
from rewake.environment import Environment, seeded_environment
from tests.cli.command import Outcome, Running, run_apart
from tests.cli.test_serving import ready


def keys(project: Path, *words: str) -> Outcome:
    return run_apart("keys", *words, cwd=project)


def made(project: Path, *words: str) -> tuple[str, str]:
    """Make a key; its text and its id."""
    outcome = keys(project, "create", *words)
    assert outcome.code == 0, outcome.err
    text = outcome.out.strip()
    return text, text.partition("|rk")[2][:12]


def listed(project: Path) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(keys(project, "list", "--json").out)
    return found


def query(url: str, key: str, path: str = "messages:list_recent") -> httpx.Response:
    body = {"path": path, "args": {}}
    return httpx.post(f"{url}/api/query", json=body, headers={"Authorization": f"Convex {key}"}, timeout=30)


def test_keys_are_made_on_the_file_and_on_the_server_and_revoked_on_both(project: Path) -> None:
    assert keys(project, "list").code == 1, "there is no data yet"
    with Running("serve", ".", "--port", "0", cwd=project) as server:
        url = ready(server)
        on_server, server_id = made(project, "--label", "a", "--scope", "read", "--expires", "30d")
        assert query(url, on_server).json()["status"] == "success"
        assert server.stop() == 0
    on_file, file_id = made(project, "--label", "b", "--scope", "read", "--scope", "deploy")
    assert [(row["id"], row["label"], row["state"]) for row in listed(project)] == [
        (server_id, "a", "good"),
        (file_id, "b", "good"),
    ]
    with Running("serve", ".", "--port", "0", cwd=project) as server:
        url = ready(server)
        assert query(url, on_file).status_code == query(url, on_server).status_code == 200
        assert keys(project, "revoke", file_id).code == 0
        refused = query(url, on_file)
        assert (refused.status_code, refused.json()["code"]) == (401, "AdminKeyRevoked")
        assert query(url, on_server).status_code == 200
        assert server.stop() == 0
    assert keys(project, "revoke", server_id).code == 0
    shown = keys(project, "list").out
    assert shown.count("revoked") == 2
    assert on_file not in shown + json.dumps(listed(project))
    assert on_file[-64:] not in shown + json.dumps(listed(project))
    gone = keys(project, "revoke", "0" * 12)
    assert (gone.code, "no key with the id" in gone.err) == (1, True)


def test_a_key_of_small_scope_is_told_so_by_the_command_line(project: Path) -> None:
    with Running("serve", ".", "--port", "0", cwd=project) as server:
        url = ready(server)
        key, _ = made(project, "--label", "a", "--scope", "read")
        words = ("--url", url, "--admin-key", key)
        refused = run_apart("env", "list", *words, cwd=project)
        assert refused.code == 1
        assert "You do not have permission to perform this operation (deploy)" in refused.err
        assert "(admin)" in run_apart("keys", "list", *words, cwd=project).err
        assert run_apart("logs", *words, cwd=project).code == 0


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (["--label", "x", "--scope", "fly"], "is no scope"),
        (["--label", "x", "--scope", "run", "--expires", "soon"], "is no time span"),
        (["--label", "a\nb", "--scope", "run"], "needs a label"),
    ],
)
def test_what_cannot_be_is_refused(project: Path, words: list[str], text: str) -> None:
    data = ["--data", str(project / "x.db")]
    FileKeys(project / "x.db", deployment_name="x", environment=Environment())._change(lambda _: None)
    outcome = keys(project, "create", *words, *data)
    assert outcome.code in (1, 2)
    assert text in outcome.err


def test_spans_and_scopes_are_read() -> None:
    assert [span_ms(text) for text in ("90m", "12H", " 30d ")] == [5_400_000, 43_200_000, 2_592_000_000]
    for wrong in ("", "0d", "1w", "-1d", "1.5h", "9999999d"):
        with pytest.raises(WrongUsage):
            span_ms(wrong)
    assert wanted_scopes(["run", "read", "run"]) == ["run", "read"]
    with pytest.raises(WrongUsage):
        wanted_scopes([])


def test_without_data_there_are_no_keys(tmp_path: Path) -> None:
    file = FileKeys(tmp_path / "none", deployment_name="x", environment=seeded_environment(1))

    def nowhere() -> object:
        raise AssertionError("no server is to be looked for")

    with pytest.raises(CommandFailed, match="no data"):
        desk_for(file, nowhere)  # type: ignore[arg-type]
    assert not (tmp_path / "none").exists()
