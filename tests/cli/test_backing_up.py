"""Backups with files: they come along, are proven, and are not copied twice."""

from __future__ import annotations

from pathlib import Path

import pytest

from rewake.blobs import ContentDiffers, Intake, open_blobs
from rewake.cli.backing_up import back_up
from rewake.cli.failure import CommandFailed, ExitCode
from rewake.cli.screen import Screen
from rewake.cli.verifying import verify_file, what_to_verify
from rewake.database import begin_blob, commit_file
from rewake.environment import Environment
from rewake.storage import DataFileMissing
from tests.database.world import World

KEY = "0b9a7f2e-1111-4222-8333-444455556666"


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A data file with one stored file beside it."""
    path = tmp_path / "data.sqlite3"
    world = World(path=path)
    world.mutate(lambda tx: begin_blob(tx, KEY))
    intake = Intake(open_blobs(f"{path}-files"), KEY)
    intake.add(b"content")
    taken = intake.finish()
    world.mutate(
        lambda tx: commit_file(tx, KEY, sha256=taken.sha256, size=taken.size, content_type="text/plain")
    )
    world.close()
    return path


def copy(data: Path, target: Path, *, replaces: bool = False) -> None:
    back_up(data, target, Screen(), Environment(), files="", replaces=replaces)


def verify(path: Path) -> ExitCode:
    data, files = what_to_verify(path, None)
    return verify_file(data, Screen(), Environment(), as_json=False, files=files)


def test_files_come_along_and_are_proven(
    data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "copies" / "copy.sqlite3"
    target.parent.mkdir()
    copy(data, target)
    assert "1 file\n" in capsys.readouterr().out
    file = tmp_path / "copies" / "copy.sqlite3-files" / KEY[:2] / KEY
    assert file.read_bytes() == b"content"
    assert sorted(path.name for path in target.parent.iterdir()) == ["copy.sqlite3", "copy.sqlite3-files"]
    assert verify(target) is ExitCode.OK
    # What is there already is not copied again.
    before = file.stat().st_mtime_ns
    copy(data, target, replaces=True)
    assert file.stat().st_mtime_ns == before
    for damage, said in ((b"CONTENT", "is not what was stored"), (b"content+", "has not the 7 bytes")):
        file.write_bytes(damage)
        assert verify(target) is ExitCode.FAILED
        assert said in capsys.readouterr().out
    file.unlink()
    assert verify(target) is ExitCode.FAILED
    assert "is missing from the file store" in capsys.readouterr().out


def test_a_damaged_file_is_not_backed_up_as_if_it_were_sound(data: Path, tmp_path: Path) -> None:
    (tmp_path / "data.sqlite3-files" / KEY[:2] / KEY).write_bytes(b"CONTENT")
    with pytest.raises(ContentDiffers):
        copy(data, tmp_path / "copy.sqlite3")
    assert not list(tmp_path.glob("*copy.sqlite3"))
    assert not list(tmp_path.glob(".*"))


def test_what_is_there_is_not_overwritten(data: Path, tmp_path: Path) -> None:
    target = tmp_path / "copy.sqlite3"
    target.write_text("mine")
    for path, words in (
        (target, "exists already"),
        (tmp_path, "exists already"),
        (tmp_path / "none" / "copy", "does not exist"),
    ):
        with pytest.raises(CommandFailed, match=words):
            copy(data, path)
    with pytest.raises(CommandFailed, match="itself"):
        copy(data, data, replaces=True)
    with pytest.raises(CommandFailed, match="is a folder"):
        copy(data, tmp_path, replaces=True)
    with pytest.raises(DataFileMissing):
        copy(tmp_path / "nothing", tmp_path / "new")
    assert target.read_text() == "mine"
