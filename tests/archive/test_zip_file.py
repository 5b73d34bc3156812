"""Archives that an enemy made, or a bad disk."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from rewake.archive.errors import ImportUnreadable
from rewake.archive.rows import read_some
from rewake.archive.zip_file import ZipArchive
from rewake.limits import ARCHIVE_RATIO_BYTES_FREE, MIB


def _write(path: Path, *entries: tuple[zipfile.ZipInfo | str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for entry, content in entries:
            archive.writestr(entry, content)
    return path


def _entry(name: str, mode: int = 0o100644) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name)
    entry.external_attr = mode << 16
    return entry


@pytest.mark.parametrize(
    "name", ["../x", "a/../../x", "/x", "a\\b", "C:x", "a//b", "a/./b", "\x01", "a/\x7f"]
)
def test_names_that_lead_elsewhere_are_refused(tmp_path: Path, name: str) -> None:
    path = _write(tmp_path / "a.zip", (name, b"x"))
    with pytest.raises(ImportUnreadable, match="no path inside the archive"):
        ZipArchive(path, bytes_max=MIB)


def test_links_are_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.zip", (_entry("link", 0o120777), b"/etc/passwd"))
    with pytest.raises(ImportUnreadable, match="is a link or a device"):
        ZipArchive(path, bytes_max=MIB)


def test_an_entry_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate name"):
        path = _write(tmp_path / "a.zip", ("a", b"1"), ("a", b"2"))
    with pytest.raises(ImportUnreadable, match="is there twice"):
        ZipArchive(path, bytes_max=MIB)


def _changed(path: Path, change: Callable[[bytearray], None]) -> Path:
    content = bytearray(path.read_bytes())
    change(content)
    path.write_bytes(content)
    return path


def test_encrypted_entries_and_strange_methods_are_refused(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.zip", ("a", b"1"))
    central = path.read_bytes().index(b"PK\x01\x02")

    def encrypt(content: bytearray) -> None:
        content[central + 8] |= 1

    with pytest.raises(ImportUnreadable, match="is encrypted"):
        ZipArchive(_changed(path, encrypt), bytes_max=MIB)
    path = _write(tmp_path / "b.zip", ("a", b"1"))

    def exotic(content: bytearray) -> None:
        struct.pack_into("<H", content, central + 10, 12)

    with pytest.raises(ImportUnreadable, match="compressed by method 12"):
        ZipArchive(_changed(path, exotic), bytes_max=MIB)


def test_bombs_are_refused_by_their_directory(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.zip", ("a", bytes(2 * MIB)))
    with pytest.raises(ImportUnreadable, match="more than 1 MiB"):
        ZipArchive(path, bytes_max=MIB)
    zeros = bytes(ARCHIVE_RATIO_BYTES_FREE + 1)
    path = _write(tmp_path / "b.zip", ("a", zeros))
    with pytest.raises(ImportUnreadable, match="meant to fill the disk"):
        ZipArchive(path, bytes_max=1024 * MIB)


def test_an_entry_that_lies_about_its_size_gives_no_more(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.zip", ("a", b"x" * 10_000))
    central = path.read_bytes().index(b"PK\x01\x02")

    def shrink(content: bytearray) -> None:
        struct.pack_into("<L", content, central + 24, 10)

    archive = ZipArchive(_changed(path, shrink), bytes_max=MIB)
    with archive.open("a") as stream, pytest.raises(ImportUnreadable, match="a is damaged"):
        read_some(stream, "a", MIB)
    archive.close()


@pytest.mark.parametrize("cut", [0, 1, 10, 30, 60, 90])
def test_what_is_cut_off_is_refused(tmp_path: Path, cut: int) -> None:
    path = _write(tmp_path / "a.zip", ("a", b"some content"))
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ImportUnreadable, match="no ZIP archive"):
        ZipArchive(path, bytes_max=MIB)


def test_damage_anywhere_is_a_refusal_or_harmless(tmp_path: Path) -> None:
    whole = _write(tmp_path / "a.zip", ("a/documents.jsonl", b'{"x":1}\n' * 50), ("b", b"1")).read_bytes()
    for place in range(len(whole)):
        broken = bytearray(whole)
        broken[place] ^= 0xFF
        path = tmp_path / "broken.zip"
        path.write_bytes(broken)
        try:
            archive = ZipArchive(path, bytes_max=MIB)
        except ImportUnreadable:
            continue
        for name in archive.names:
            try:
                with archive.open(name) as stream:
                    read_some(stream, name, MIB)
            except ImportUnreadable:
                pass
        archive.close()


def test_one_folder_around_everything_is_passed_over(tmp_path: Path) -> None:
    path = _write(tmp_path / "a.zip", ("f/t/documents.jsonl", b""), ("f/README.md", b""), ("__MACOSX/x", b""))
    archive = ZipArchive(path, bytes_max=MIB)
    assert archive.names == ["t/documents.jsonl", "README.md"]
    archive.close()
    path = _write(tmp_path / "b.zip", ("t/documents.jsonl", b""), ("t/generated_schema.jsonl", b""))
    archive = ZipArchive(path, bytes_max=MIB)
    assert archive.names == ["t/documents.jsonl", "t/generated_schema.jsonl"]
    archive.close()


def test_an_empty_archive_is_one(tmp_path: Path) -> None:
    archive = ZipArchive(_write(tmp_path / "a.zip"), bytes_max=MIB)
    assert archive.names == []
    archive.close()
