"""Finding the server: flags, variables, the project's own, the usual port."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rewake.cli.connection import Wishes, find_server, is_server_named
from rewake.cli.failure import CommandFailed, ServerUnreachable, WrongUsage
from rewake.cli.project_home import ServerRecord, make_home, write_server_record

VARIABLES = {"REWAKE_URL": "http://variable:1", "REWAKE_ADMIN_KEY": "variable|1"}


@pytest.fixture
def served(tmp_path: Path) -> Path:
    key = tmp_path / "elsewhere.admin_key"
    key.write_text("recorded|1\n")
    write_server_record(tmp_path, ServerRecord(url="http://recorded:1", pid=os.getpid(), admin_key=str(key)))
    return tmp_path


def test_flags_come_first(served: Path) -> None:
    found = find_server(served, url="http://flag:1/", admin_key="flag|1", variables=VARIABLES)
    assert (found.url, found.admin_key, found.is_guess) == ("http://flag:1", "flag|1", False)


def test_then_variables(served: Path) -> None:
    found = find_server(served, url=None, admin_key=None, variables=VARIABLES)
    assert (found.url, found.admin_key) == ("http://variable:1", "variable|1")


def test_then_what_the_server_left(served: Path) -> None:
    found = find_server(served, url=None, admin_key=None, variables={})
    assert (found.url, found.admin_key, found.is_guess) == ("http://recorded:1", "recorded|1", False)


def test_then_the_usual_port_with_the_key_at_home(tmp_path: Path) -> None:
    (make_home(tmp_path) / "admin_key").write_text("home|1\n")
    found = find_server(tmp_path, url=None, admin_key=None, variables={})
    assert (found.url, found.admin_key, found.is_guess) == ("http://127.0.0.1:3210", "home|1", True)
    assert "No server of this project is running" in found.unreachable("refused").message


def test_a_key_beside_the_data_is_found(tmp_path: Path) -> None:
    (tmp_path / "x.db.admin_key").write_text("data|1\n")
    found = find_server(tmp_path, url="http://a:1", admin_key=None, data=tmp_path / "x.db", variables={})
    assert found.admin_key == "data|1"


def test_an_address_without_a_key_asks_for_one(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="no admin key") as caught:
        find_server(tmp_path, url="http://a:1", admin_key=None, variables={})
    assert "--admin-key" in caught.value.hint


def test_without_anything_the_way_to_start_is_named(tmp_path: Path) -> None:
    with pytest.raises(ServerUnreachable) as caught:
        find_server(tmp_path, url=None, admin_key=None, variables={})
    assert "rewake dev" in caught.value.hint


@pytest.mark.parametrize(
    "url", ["localhost:3210", "ftp://a", "http://", "", "http://a:port", "http://[", "//a"]
)
def test_what_is_no_address_is_refused(tmp_path: Path, url: str) -> None:
    if url:
        with pytest.raises(WrongUsage, match="is not an address"):
            find_server(tmp_path, url=url, admin_key="k", variables={})


PROD = """
[tool.rewake.deployments.prod]
url = "https://chat.example.com"
[tool.rewake.deployments."preview/new"]
url = "https://new.example.com"
"""


@pytest.fixture
def project(served: Path) -> Path:
    (served / "pyproject.toml").write_text(PROD)
    return served


def test_a_name_finds_its_address_and_its_own_key(project: Path) -> None:
    variables = VARIABLES | {"REWAKE_PROD_ADMIN_KEY": "prod|1"}
    for wishes in (Wishes(production=True), Wishes(deployment="prod")):
        found = find_server(project, url=None, admin_key=None, variables=variables, wishes=wishes)
        assert (found.url, found.admin_key) == ("https://chat.example.com", "prod|1")
        assert found.is_production
        assert found.title == "prod (https://chat.example.com)"
    preview = Wishes(deployment="preview/new")
    variables = {"REWAKE_PREVIEW_NEW_ADMIN_KEY": "new|1"}
    found = find_server(project, url=None, admin_key=None, variables=variables, wishes=preview)
    assert (found.url, found.admin_key, found.is_production) == ("https://new.example.com", "new|1", False)


def test_the_key_of_the_server_here_is_never_sent_to_a_named_one(project: Path) -> None:
    with pytest.raises(CommandFailed, match="no admin key for prod") as caught:
        find_server(project, url=None, admin_key=None, variables={}, wishes=Wishes(production=True))
    assert "REWAKE_PROD_ADMIN_KEY" in caught.value.hint


def test_a_key_file_of_a_name_is_read_where_only_its_owner_can(project: Path) -> None:
    key = project / ".rewake" / "prod.admin_key"
    key.write_text("file|1\n")
    key.chmod(0o600)
    wishes = Wishes(production=True)
    assert find_server(project, url=None, admin_key=None, variables={}, wishes=wishes).admin_key == "file|1"
    key.chmod(0o644)
    with pytest.raises(CommandFailed, match="others on this machine can read it"):
        find_server(project, url=None, admin_key=None, variables={}, wishes=wishes)


def test_a_variable_names_a_deployment_and_dev_is_the_server_here(project: Path) -> None:
    variables = {"REWAKE_DEPLOYMENT": "prod", "REWAKE_ADMIN_KEY": "plain|1"}
    found = find_server(project, url=None, admin_key=None, variables=variables)
    assert (found.url, found.admin_key) == ("https://chat.example.com", "plain|1")
    assert is_server_named(project, None, variables=variables)
    wishes = Wishes(deployment="dev")
    found = find_server(project, url=None, admin_key=None, variables=variables, wishes=wishes)
    assert found.url == "http://recorded:1"
    assert not is_server_named(project, None, variables=variables, wishes=wishes)


def test_the_official_variables_are_taken_too(tmp_path: Path) -> None:
    variables = {"CONVEX_SELF_HOSTED_URL": "http://official:1", "CONVEX_SELF_HOSTED_ADMIN_KEY": "official|1"}
    found = find_server(tmp_path, url=None, admin_key=None, variables=variables)
    assert (found.url, found.admin_key) == ("http://official:1", "official|1")


def test_env_files_of_the_project_come_behind_the_environment(served: Path) -> None:
    (served / ".env").write_text("REWAKE_URL=http://plain:1\nREWAKE_ADMIN_KEY=plain|1\n")
    found = find_server(served, url=None, admin_key=None, variables={})
    assert (found.url, found.admin_key) == ("http://plain:1", "plain|1")
    (served / ".env.local").write_text(
        "CONVEX_SELF_HOSTED_URL=http://local:1\nCONVEX_SELF_HOSTED_ADMIN_KEY='local|1'\nOTHER LINE\n"
    )
    with pytest.raises(CommandFailed, match=r"Line 3 of .*env\.local is not NAME=VALUE"):
        find_server(served, url=None, admin_key=None, variables={})
    (served / ".env.local").write_text(
        "CONVEX_SELF_HOSTED_URL=http://local:1\nCONVEX_SELF_HOSTED_ADMIN_KEY='local|1'\n"
    )
    found = find_server(served, url=None, admin_key=None, variables={})
    assert (found.url, found.admin_key) == ("http://local:1", "local|1")
    assert find_server(served, url=None, admin_key=None, variables=VARIABLES).url == "http://variable:1"


def test_a_file_of_another_dialect_that_names_no_server_is_no_obstacle(served: Path) -> None:
    (served / ".env").write_text("this is: yaml?\n")
    assert find_server(served, url=None, admin_key=None, variables={}).url == "http://recorded:1"


def test_an_env_file_can_be_named(served: Path, tmp_path: Path) -> None:
    file = tmp_path / "staging.env"
    file.write_text("REWAKE_URL=http://staging:1\nREWAKE_ADMIN_KEY=staging|1\n")
    wishes = Wishes(env_file=file)
    found = find_server(served, url=None, admin_key=None, variables=VARIABLES, wishes=wishes)
    assert (found.url, found.admin_key) == ("http://staging:1", "staging|1")
    file.write_text("A=1\n")
    with pytest.raises(CommandFailed, match="names no server"):
        find_server(served, url=None, admin_key=None, variables={}, wishes=wishes)
    with pytest.raises(CommandFailed, match="cannot be read"):
        find_server(served, url=None, admin_key=None, variables={}, wishes=Wishes(env_file=tmp_path / "no"))


@pytest.mark.parametrize(
    ("url", "wishes", "both"),
    [
        ("http://a:1", Wishes(production=True), "--url and --prod"),
        (None, Wishes(production=True, deployment="dev"), "--prod and --deployment"),
        ("http://a:1", Wishes(env_file=Path("e")), "--url and --env-file e"),
    ],
)
def test_flags_that_disagree_are_named(
    project: Path, monkeypatch: pytest.MonkeyPatch, url: str | None, wishes: Wishes, both: str
) -> None:
    monkeypatch.chdir(project)
    Path("e").write_text("REWAKE_URL=http://e:1\n")
    with pytest.raises(WrongUsage, match=f"{both} both say which server"):
        find_server(project, url=url, admin_key="k|1", variables={}, wishes=wishes)


def test_variables_that_disagree_are_named_with_their_place(tmp_path: Path) -> None:
    variables = VARIABLES | {"CONVEX_SELF_HOSTED_URL": "http://official:1"}
    with pytest.raises(WrongUsage) as caught:
        find_server(tmp_path, url=None, admin_key=None, variables=variables)
    text = caught.value.message
    assert "REWAKE_URL in the environment says http://variable:1" in text
    assert "CONVEX_SELF_HOSTED_URL in the environment says http://official:1" in text
    variables["CONVEX_SELF_HOSTED_URL"] = "http://variable:1/"
    assert find_server(tmp_path, url=None, admin_key=None, variables=variables).url == "http://variable:1"


def test_an_unknown_name_says_which_there_are(project: Path) -> None:
    with pytest.raises(WrongUsage, match=r"--deployment names the deployment `stage`.*Known: dev, prev") as e:
        find_server(project, url=None, admin_key=None, variables={}, wishes=Wishes(deployment="stage"))
    assert "[tool.rewake.deployments.stage]" in e.value.hint
