"""The archive of a project: predictable, the same for the same files, and read with suspicion."""

from __future__ import annotations

import io
import stat
import zipfile
from pathlib import Path

import pytest
from msgspec.structs import replace

from rewake.execution import (
    ProjectArchive,
    ProjectArchiveInvalid,
    ProjectInvalid,
    ProjectTooLarge,
    gather_project,
    open_archive,
    read_settings,
)
from rewake.limits import DEFAULT_LIMITS

FILES = {"pyproject.toml": b"[tool.rewake]\n", "backend/a.py": b"x = 1\n", "backend/deep/b.py": b""}


def written(root: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        file = root / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(data)
    return root


def gathered(root: Path) -> ProjectArchive:
    return gather_project(read_settings(root), DEFAULT_LIMITS)


def zipped(*entries: tuple[str | zipfile.ZipInfo, bytes]) -> bytes:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in entries:
            archive.writestr(name, data)
    return output.getvalue()


def test_it_comes_back_as_it_was_and_is_the_same_for_the_same_files(tmp_path: Path) -> None:
    archive = gathered(written(tmp_path / "one", FILES))
    assert archive.files == FILES
    again = gathered(written(tmp_path / "two", dict(reversed(FILES.items()))))
    assert again.pack() == archive.pack()
    opened = open_archive(archive.pack(), DEFAULT_LIMITS)
    assert (opened.files, opened.digest) == (FILES, archive.digest)
    folder = tmp_path / "out"
    folder.mkdir()
    opened.write(folder)
    assert (folder / "backend" / "deep" / "b.py").read_bytes() == b""
    assert ProjectArchive(FILES | {"backend/a.py": b"x = 2\n"}).digest != archive.digest


def test_what_goes_along(tmp_path: Path) -> None:
    beside = {"backend/words.txt": b"w", "lib/money.py": b"", "one.py": b"", "other.py": b""}
    left = {
        "backend/_generated/api.js": b"",
        "backend/.env": b"",
        "backend/__pycache__/a.pyc": b"",
        "x/y.py": b"",
    }
    settings = {"pyproject.toml": b'[tool.rewake]\ninclude = ["lib", "one.py"]\n'}
    found = gathered(written(tmp_path, FILES | beside | left | settings)).files
    assert found.keys() == FILES.keys() | {"backend/words.txt", "lib/money.py", "one.py"}


@pytest.mark.parametrize("line", ["import lib.money", "from lib import money", "import lib"])
def test_a_module_that_is_left_out_is_named_with_the_setting(tmp_path: Path, line: str) -> None:
    written(tmp_path, FILES | {"backend/a.py": line.encode(), "lib/money.py": b""})
    with pytest.raises(ProjectInvalid, match=r'backend/a\.py imports `lib`.*include = \["lib"\]'):
        gathered(tmp_path)


@pytest.mark.parametrize("include", ["7", "[7]", '["/etc"]', '["../x"]', '["."]'])
def test_include_names_files_and_folders_inside(tmp_path: Path, include: str) -> None:
    written(tmp_path, FILES | {"pyproject.toml": f"[tool.rewake]\ninclude = {include}\n".encode()})
    with pytest.raises(ProjectInvalid, match="include"):
        read_settings(tmp_path)


def test_include_of_what_is_not_there(tmp_path: Path) -> None:
    written(tmp_path, FILES | {"pyproject.toml": b'[tool.rewake]\ninclude = ["gone"]\n'})
    with pytest.raises(ProjectInvalid, match="names `gone`"):
        gathered(tmp_path)


@pytest.mark.parametrize(
    ("setting", "value"),
    [("deploy_files_max", 2), ("deploy_bytes_max", 10), ("deploy_archive_bytes_max", 50)],
)
def test_what_is_too_large_is_refused_by_the_name_of_the_limit(
    tmp_path: Path, setting: str, value: int
) -> None:
    limits = replace(DEFAULT_LIMITS, **{setting: value})  # type: ignore[arg-type]
    if setting != "deploy_archive_bytes_max":
        with pytest.raises(ProjectTooLarge, match=setting):
            gather_project(read_settings(written(tmp_path, FILES)), limits)
    with pytest.raises(ProjectTooLarge, match=setting):
        open_archive(ProjectArchive(FILES).pack(), limits)


def test_a_bomb_is_stopped_by_what_it_unpacks_to() -> None:
    bomb = zipped(("backend/a.py", b"\0" * 2_000_000))
    assert len(bomb) < 10_000
    with pytest.raises(ProjectTooLarge, match="deploy_bytes_max"):
        open_archive(bomb, replace(DEFAULT_LIMITS, deploy_bytes_max=1_000_000))


def test_a_list_of_too_many_files_is_not_read() -> None:
    many = zipped(*[(f"{number:0200}.py", b"") for number in range(60)])
    with pytest.raises(ProjectTooLarge, match="deploy_files_max"):
        open_archive(many, replace(DEFAULT_LIMITS, deploy_files_max=10))


@pytest.mark.parametrize(
    "name", ["../x", "/x", "a/../../x", "a//x", "./x", "C:/x", "a\\x", "a/\x01", "a/" + "x" * 300]
)
def test_names_that_lead_elsewhere_are_refused(name: str) -> None:
    with pytest.raises(ProjectArchiveInvalid):
        open_archive(zipped((name, b"")), DEFAULT_LIMITS)


def test_links_doubles_and_files_that_are_folders_are_refused() -> None:
    link = zipfile.ZipInfo("backend/link.py")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with pytest.raises(ProjectArchiveInvalid, match="no plain file"):
        open_archive(zipped((link, b"/etc/passwd")), DEFAULT_LIMITS)
    with pytest.warns(UserWarning, match="Duplicate"):
        twice = zipped(("a.py", b"1"), ("a.py", b"2"))
    with pytest.raises(ProjectArchiveInvalid, match="twice"):
        open_archive(twice, DEFAULT_LIMITS)
    with pytest.raises(ProjectArchiveInvalid, match="a file and a folder"):
        open_archive(zipped(("a", b""), ("a/b.py", b"")), DEFAULT_LIMITS)


def test_whatever_is_broken_is_refused_and_nothing_else_happens() -> None:
    good = ProjectArchive(FILES).pack()
    with pytest.raises(ProjectArchiveInvalid):
        open_archive(b"", DEFAULT_LIMITS)
    for at in range(0, len(good), 3):
        for broken in (good[:at], good[:at] + bytes([good[at] ^ 0xFF]) + good[at + 1 :]):
            try:
                open_archive(broken, DEFAULT_LIMITS)
            except (ProjectArchiveInvalid, ProjectTooLarge):
                continue
