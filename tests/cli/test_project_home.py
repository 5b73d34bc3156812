"""`.rewake`: data, key and word of a running server."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from rewake.cli.failure import CommandFailed
from rewake.cli.project_home import (
    DataPlace,
    ServerRecord,
    admin_key_for,
    data_place,
    find_root,
    make_home,
    read_admin_key,
    read_server_record,
    remove_server_record,
    set_aside,
    write_server_record,
)
from rewake.environment import seeded_environment
from rewake.storage import DataFileLocked
from rewake.storage.data_file import FileLock


def test_the_project_is_found_from_a_folder_inside(project: Path) -> None:
    assert find_root(project / "backend") == project


def test_a_home_makes_a_project_too(tmp_path: Path) -> None:
    (tmp_path / ".rewake").mkdir()
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert find_root(tmp_path / "a" / "b") == tmp_path


@pytest.mark.parametrize("text", [b"[project]\nname = 'x'\n", b"[broken", b"\xff"])
def test_settings_of_others_make_no_project(tmp_path: Path, text: bytes) -> None:
    (tmp_path / "pyproject.toml").write_bytes(text)
    inner = tmp_path / "inner"
    inner.mkdir()
    assert find_root(inner) == inner


def test_data_is_at_home_unless_it_is_elsewhere(tmp_path: Path) -> None:
    assert data_place(tmp_path, None) == DataPlace(
        tmp_path / ".rewake" / "data.sqlite3", tmp_path / ".rewake" / "admin_key"
    )
    file = tmp_path / "x.db"
    assert data_place(tmp_path, file) == DataPlace(file, tmp_path / "x.db.admin_key")
    (tmp_path / "folder").mkdir()
    assert data_place(tmp_path, tmp_path / "folder") == DataPlace(
        tmp_path / "folder" / "data.sqlite3", tmp_path / "folder" / "admin_key"
    )


def test_home_keeps_itself_out_of_git(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    assert "*" in (home / ".gitignore").read_text().split("\n")
    assert make_home(tmp_path) == home


def test_a_home_that_cannot_be_made_is_an_error_with_a_way_out(tmp_path: Path) -> None:
    (tmp_path / ".rewake").write_text("a file")
    with pytest.raises(CommandFailed, match="cannot be written") as caught:
        make_home(tmp_path)
    assert "--data" in caught.value.hint


def test_a_key_is_made_once_for_its_owner_only(tmp_path: Path) -> None:
    file = tmp_path / "admin_key"
    first = admin_key_for(file, deployment_name="chat", environment=seeded_environment(1))
    again = admin_key_for(file, deployment_name="chat", environment=seeded_environment(2))
    assert first == again
    assert first.text.startswith("chat|")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


@pytest.mark.parametrize("text", ["", "  \n", "two words\n"])
def test_a_file_without_a_key_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "admin_key"
    file.write_text(text)
    with pytest.raises(CommandFailed, match="holds no admin key"):
        read_admin_key(file)


def test_a_key_that_cannot_be_made_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CommandFailed, match="cannot be read or made"):
        admin_key_for(tmp_path / "no" / "key", deployment_name="x", environment=seeded_environment(1))


def test_word_of_a_server_is_left_read_and_taken_back(tmp_path: Path) -> None:
    record = ServerRecord(url="http://127.0.0.1:1", pid=os.getpid(), admin_key="k")
    write_server_record(tmp_path, record)
    assert read_server_record(tmp_path) == record
    assert [file.name for file in (tmp_path / ".rewake").iterdir() if "server" in file.name] == [
        "server.json"
    ]
    remove_server_record(tmp_path)
    assert read_server_record(tmp_path) is None
    remove_server_record(tmp_path)


def test_word_of_another_server_stays(tmp_path: Path) -> None:
    write_server_record(tmp_path, ServerRecord(url="http://127.0.0.1:1", pid=os.getpid() + 1, admin_key=""))
    remove_server_record(tmp_path)
    assert read_server_record(tmp_path) is not None


def test_a_project_that_cannot_be_written_goes_without_word(tmp_path: Path) -> None:
    (tmp_path / ".rewake").write_text("a file")
    write_server_record(tmp_path, ServerRecord(url="http://127.0.0.1:1", pid=1, admin_key=""))


@pytest.mark.parametrize("text", [b"", b"{}", b"[1]", b"\xff", b'{"url": 1}'])
def test_broken_word_is_none(tmp_path: Path, text: bytes) -> None:
    make_home(tmp_path)
    (tmp_path / ".rewake" / "server.json").write_bytes(text)
    assert read_server_record(tmp_path) is None


def test_data_is_set_aside_with_its_log(tmp_path: Path) -> None:
    place = DataPlace(tmp_path / "d", tmp_path / "k")
    for name in ("d", "d-wal", "d-shm"):
        (tmp_path / name).write_text(name)
    moved = set_aside(place, stamp="now")
    assert moved == tmp_path / "d.before-reset-now"
    assert moved.read_text() == "d"
    assert (tmp_path / "d.before-reset-now-wal").read_text() == "d-wal"
    assert not place.data.exists()
    assert not (tmp_path / "d-wal").exists()


def test_a_second_reset_overwrites_nothing(tmp_path: Path) -> None:
    place = DataPlace(tmp_path / "d", tmp_path / "k")
    for text in ("first", "second"):
        place.data.write_text(text)
        set_aside(place, stamp="now")
    assert (tmp_path / "d.before-reset-now").read_text() == "first"
    assert (tmp_path / "d.before-reset-now-2").read_text() == "second"


def test_data_in_use_is_not_set_aside(tmp_path: Path) -> None:
    place = DataPlace(tmp_path / "d", tmp_path / "k")
    place.data.write_text("x")
    lock = FileLock(place.data)
    with pytest.raises(DataFileLocked):
        set_aside(place, stamp="now")
    lock.release()
    assert place.data.read_text() == "x"


def test_without_data_nothing_is_set_aside(tmp_path: Path) -> None:
    assert set_aside(DataPlace(tmp_path / "d", tmp_path / "k"), stamp="now") is None
