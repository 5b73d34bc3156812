"""Secrets from the environment or from files."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest

from rewake.cli.failure import CommandFailed, WrongUsage
from rewake.cli.secret_files import secret_of, take_secrets
from tests.cli.command import Running, run_apart
from tests.cli.test_serving import ready


def test_a_secret_is_in_the_environment_or_in_the_file_that_it_names(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("chat|00ff\n")
    assert secret_of("REWAKE_ADMIN_KEY", {}) is None
    assert secret_of("REWAKE_ADMIN_KEY", {"REWAKE_ADMIN_KEY": " x|1 "}) == "x|1"
    variables = {"REWAKE_ADMIN_KEY_FILE": str(file)}
    assert secret_of("REWAKE_ADMIN_KEY", variables) == "chat|00ff"
    assert take_secrets(variables) == ("chat|00ff",)
    assert variables == {"REWAKE_ADMIN_KEY": "chat|00ff"}


def test_what_is_no_secret_is_refused_without_telling_it(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("  \n")
    with pytest.raises(CommandFailed, match="is empty"):
        take_secrets({"AWS_SESSION_TOKEN_FILE": str(file)})
    with pytest.raises(CommandFailed, match="cannot be read"):
        take_secrets({"AWS_SESSION_TOKEN_FILE": str(tmp_path / "none")})
    with pytest.raises(WrongUsage) as refused:
        take_secrets({"REWAKE_ADMIN_KEY": "secret-1", "REWAKE_ADMIN_KEY_FILE": str(file)})
    assert "secret-1" not in refused.value.message


def test_a_server_and_its_commands_take_the_key_from_a_file(project: Path, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("a_key_of_no_known_form\n")
    variables = {"REWAKE_ADMIN_KEY_FILE": str(file)}
    with Running("serve", ".", "--port", "0", cwd=project, variables=variables) as server:
        url = ready(server)
        assert run_apart("run", "messages:send", "body=x", cwd=project, variables=variables).code == 0
        assert run_apart("run", "messages:send", "body=x", cwd=project).code == 1
        assert not (project / ".rewake" / "admin_key").exists()
        text = {"path": "messages:a_key_of_no_known_form", "args": {}}
        httpx.post(f"{url}/api/query", json=text, timeout=30)
        server.wait_for(r"messages:\[redacted\]")
        server.stop()
        assert "a_key_of_no_known_form" not in server.text
