"""Archives as any ZIP tool reads them."""

from __future__ import annotations

import io
import stat
import zipfile

import pytest

from rewake.archive import ArchiveWriter, extension_of


def test_entries_are_deflated_and_readable_by_all() -> None:
    file = io.BytesIO()
    archive = ArchiveWriter(file, at_ns=1_700_000_000_000_000_000)
    with archive.entry("a/documents.jsonl") as write:
        for _ in range(1000):
            write(b'{"n": 1}\n')
    with archive.entry("empty"):
        pass
    archive.close()
    with zipfile.ZipFile(file) as found:
        assert found.testzip() is None
        assert found.namelist() == ["a/documents.jsonl", "empty"]
        assert found.read("a/documents.jsonl") == b'{"n": 1}\n' * 1000
        facts = found.getinfo("a/documents.jsonl")
        assert facts.compress_type == zipfile.ZIP_DEFLATED
        assert facts.compress_size < 200
        assert stat.S_IMODE(facts.external_attr >> 16) == 0o644
        assert facts.date_time == (2023, 11, 14, 22, 13, 20)


def test_an_entry_that_breaks_off_is_not_an_archive() -> None:
    file = io.BytesIO()
    archive = ArchiveWriter(file, at_ns=0)

    def break_off() -> None:
        with archive.entry("a") as write:
            write(b"half")
            raise OSError("full")

    with pytest.raises(OSError, match="full"):
        break_off()
    assert not zipfile.is_zipfile(io.BytesIO(file.getvalue()))


@pytest.mark.parametrize(
    ("content_type", "ending"),
    [
        ("image/png", ".png"),
        ("text/plain; charset=utf-8", ".txt"),
        ("APPLICATION/JSON", ".json"),
        ("no/such-thing", ""),
        ("", ""),
        (None, ""),
        ("../../etc", ""),
    ],
)
def test_names_of_files_end_as_their_type_says(content_type: str | None, ending: str) -> None:
    assert extension_of(content_type) == ending
