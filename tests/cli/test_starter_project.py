"""`rewake init`: a project that runs, and nothing that exists is ever overwritten."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewake.cli.failure import CommandFailed
from rewake.cli.starter_project import package_name, starter_files, write_starter
from rewake.execution import load_project, read_settings

SOURCE = Path(__file__).resolve().parents[2] / "src"


def picture(folder: Path) -> dict[str, bytes]:
    return {str(file.relative_to(folder)): file.read_bytes() for file in folder.rglob("*") if file.is_file()}


def test_the_project_loads(project: Path) -> None:
    registry = load_project(read_settings(project))
    assert [path.public for path in sorted(registry.functions)] == ["messages:list_recent", "messages:send"]
    assert list(registry.schema.tables) == ["messages"]


@pytest.mark.slow
def test_the_project_type_checks_strictly(project: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(project / ".cache"), "backend"],
        cwd=project,
        env={"MYPYPATH": str(SOURCE)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_data_and_keys_stay_out_of_git(project: Path) -> None:
    assert ".rewake/" in (project / ".gitignore").read_text().split("\n")


def test_writing_again_changes_nothing(project: Path) -> None:
    before = picture(project)
    done = write_starter(project, keep=False)
    assert not done.written
    assert picture(project) == before


def test_what_is_missing_is_added(project: Path) -> None:
    (project / "backend" / "schema.py").unlink()
    assert write_starter(project, keep=False).written == ("backend/schema.py",)


def test_a_folder_with_other_files_is_welcome(tmp_path: Path) -> None:
    (tmp_path / "package.json").write_text("{}")
    done = write_starter(tmp_path, keep=False)
    assert len(done.written) == len(starter_files(tmp_path))


def test_a_file_in_the_way_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    with pytest.raises(CommandFailed) as caught:
        write_starter(tmp_path, keep=False)
    assert caught.value.detail == "README.md"
    assert "--keep" in caught.value.hint
    assert picture(tmp_path) == {"README.md": b"mine"}


def test_keep_leaves_files_alone_and_writes_the_others(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("mine")
    done = write_starter(tmp_path, keep=True)
    assert done.kept == ("README.md",)
    assert (tmp_path / "README.md").read_text() == "mine"
    assert (tmp_path / "backend" / "schema.py").is_file()


@pytest.mark.parametrize("keep", [False, True])
def test_a_file_where_a_folder_must_be_is_in_the_way(tmp_path: Path, *, keep: bool) -> None:
    (tmp_path / "backend").write_text("a file")
    with pytest.raises(CommandFailed, match="Nothing was written") as caught:
        write_starter(tmp_path, keep=keep)
    assert caught.value.detail == "backend"
    assert picture(tmp_path) == {"backend": b"a file"}


def test_a_dangling_link_is_not_written_through(tmp_path: Path) -> None:
    project = tmp_path / "p"
    project.mkdir()
    (project / "README.md").symlink_to(tmp_path / "elsewhere.md")
    with pytest.raises(CommandFailed, match="overwrite"):
        write_starter(project, keep=True)
    assert not (tmp_path / "elsewhere.md").exists()


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    file = tmp_path / "x"
    file.write_text("")
    with pytest.raises(CommandFailed, match="is a file"):
        write_starter(file, keep=False)


def test_a_parent_that_is_a_file_is_an_error_with_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("")
    with pytest.raises(CommandFailed, match="cannot be written"):
        write_starter(tmp_path / "x" / "y", keep=False)


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("chat", "chat"),
        ("My Chat App", "my-chat-app"),
        ("Über App!", "uber-app"),
        ("日本", "my-app"),
        ("--x--", "x"),
        ("", "my-app"),
        ('a"b\\c', "a-b-c"),
        ("x" * 300, "x" * 60),
    ],
)
def test_any_folder_gives_a_package_name(folder: str, name: str) -> None:
    assert package_name(folder) == name


@given(st.text(min_size=1, max_size=80))
def test_settings_are_valid_toml_for_any_folder_name(name: str) -> None:
    settings = starter_files(Path("/") / name.replace("/", "_").replace("\0", "_"))["pyproject.toml"]
    assert tomllib.loads(settings)["tool"]["rewake"] == {"functions": "backend"}


def test_weird_folder_names_work(tmp_path: Path) -> None:
    folder = tmp_path / "a {weird} 'näme' $HOME"
    write_starter(folder, keep=False)
    assert load_project(read_settings(folder)).functions
    assert (folder / "README.md").read_text().startswith("# a {weird} 'näme' $HOME\n")
