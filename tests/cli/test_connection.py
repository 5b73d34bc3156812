"""Finding the server: flags, variables, the project's own, the usual port."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rewake.cli.connection import find_server
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
