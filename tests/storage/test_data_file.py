from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import apsw
import pytest

from rewake.environment import Environment
from rewake.storage import (
    DataDirectoryMissing,
    DataDirectoryUnwritable,
    DataFileForeign,
    DataFileFromFuture,
    DataFileLocked,
    DataFileRefused,
    Engine,
    Role,
    open_database,
)
from rewake.storage.data_file import APPLICATION_ID, FORMAT, upgrade

AS_ROOT = os.geteuid() == 0


def opened(path: Path, role: Role = Role.OWNER) -> Engine:
    return open_database(path, environment=Environment(), role=role)


def test_a_new_file_says_whose_it_is_and_its_format(tmp_path: Path) -> None:
    engine = opened(tmp_path / "data")
    connection = engine.connect()
    assert connection.execute("PRAGMA application_id").fetchall() == [(APPLICATION_ID,)]
    assert connection.execute("PRAGMA user_version").fetchall() == [(FORMAT,)]
    connection.close()
    engine.close()


def test_an_empty_file_becomes_a_data_file(tmp_path: Path) -> None:
    (tmp_path / "data").touch()
    opened(tmp_path / "data").close()


def test_a_file_from_the_future_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "data"
    opened(path).close()
    connection = apsw.Connection(str(path))
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(DataFileFromFuture, match=f"has format 99, .* up to {FORMAT}") as caught:
        opened(path)
    assert path.read_bytes() == before
    assert caught.value.status == 503
    with pytest.raises(DataFileFromFuture):
        opened(path)


def test_files_of_others_are_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("dear diary\n" * 100)
    with pytest.raises(DataFileForeign, match="not an SQLite file"):
        opened(text)
    assert text.read_text().startswith("dear diary")

    other = tmp_path / "other"
    connection = apsw.Connection(str(other))
    connection.execute("CREATE TABLE theirs(a)")
    connection.close()
    before = other.read_bytes()
    with pytest.raises(DataFileForeign, match="another application"):
        opened(other)
    assert other.read_bytes() == before

    with pytest.raises(DataFileForeign, match="a directory"):
        opened(tmp_path)


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataDirectoryMissing, match="nowhere"):
        opened(tmp_path / "nowhere" / "data")
    assert list(tmp_path.iterdir()) == []


def test_a_directory_without_the_right_to_write_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The tests may run as root, to whom every directory is writable.
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    with pytest.raises(DataDirectoryUnwritable, match="permission denied"):
        opened(tmp_path / "data")
    (tmp_path / "data").touch()
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) == tmp_path)
    with pytest.raises(DataDirectoryUnwritable):
        opened(tmp_path / "data")


def test_a_lock_file_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "data.lock").mkdir()
    with pytest.raises(DataDirectoryUnwritable):
        opened(tmp_path / "data")


def test_a_second_owner_is_told_who_has_it(tmp_path: Path) -> None:
    engine = opened(tmp_path / "data")
    with pytest.raises(DataFileLocked, match=f"process {os.getpid()}"):
        opened(tmp_path / "data")
    opened(tmp_path / "data", Role.WORKER).close()
    with pytest.raises(DataFileLocked):
        opened(tmp_path / "data")
    engine.close()
    engine.close()
    opened(tmp_path / "data").close()


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from rewake.environment import Environment\n"
        "from rewake.storage import open_database\n"
        f"engine = open_database({str(tmp_path / 'data')!r}, environment=Environment())\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "open\n"
    with pytest.raises(DataFileLocked, match=f"process {process.pid}"):
        opened(tmp_path / "data")
    process.kill()
    process.communicate()
    opened(tmp_path / "data").close()


def test_every_refusal_is_a_data_file_refusal() -> None:
    for kind in (
        DataDirectoryMissing,
        DataDirectoryUnwritable,
        DataFileForeign,
        DataFileFromFuture,
        DataFileLocked,
    ):
        assert issubclass(kind, DataFileRefused)
        assert kind.code == kind.__name__


def test_upgrades_go_step_by_step_and_stop_where_one_fails(tmp_path: Path) -> None:
    path = tmp_path / "data"
    opened(path).close()
    connection = apsw.Connection(str(path))
    steps = {
        1: lambda c: c.execute("CREATE TABLE _one(a)"),
        2: lambda c: c.execute("CREATE TABLE _two(a); INSERT INTO nowhere VALUES (1)"),
    }
    with pytest.raises(apsw.SQLError):
        upgrade(connection, 1, 3, steps)
    assert connection.execute("PRAGMA user_version").fetchall() == [(2,)]
    names = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema").fetchall()}
    assert "_one" in names
    assert "_two" not in names
    connection.close()


def test_a_file_of_format_one_is_given_a_secret_and_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "data"
    opened(path).close()
    connection = apsw.Connection(str(path))
    connection.execute("DROP TABLE _secrets; PRAGMA user_version = 1")
    connection.close()
    engine = opened(path)
    secret = engine.secret
    worker = opened(path, Role.WORKER)
    assert len(secret) == 32
    assert worker.secret == secret
    worker.close()
    engine.close()
    again = opened(path)
    assert again.secret == secret
    again.close()
