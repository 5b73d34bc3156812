"""ZIP archives, read as if an enemy had made them.

Floor 1, `archive`. Nothing is unpacked to the disk: entries are read as streams, their names are only
compared. All that the directory of an archive says is checked before the first byte of an entry is read.

    end of the directory -> how long it is -> names, kinds and sizes of the entries -> streams

Not here: which entry is what (`snapshot.py`), rows (`rows.py`).
Source: APPNOTE.TXT 6.3.10, sections 4.3 and 4.4.
"""

from __future__ import annotations

import re
import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from rewake.archive.errors import ImportUnreadable
from rewake.archive.rows import damaged
from rewake.limits import (
    ARCHIVE_DIRECTORY_BYTES_MAX,
    ARCHIVE_ENTRIES_MAX,
    ARCHIVE_RATIO_BYTES_FREE,
    ARCHIVE_RATIO_MAX,
    MIB,
)

_END = b"PK\x05\x06"
_END_FORMAT = struct.Struct("<4s4H2LH")
_END64_FORMAT = struct.Struct("<4sQ2H2L4Q")
_LOCATOR_FORMAT = struct.Struct("<4sLQL")
_COMMENT_MAX = 65_535
_BAD_NAME = re.compile(r"[\x00-\x1f\x7f\\]|^/|^[A-Za-z]:|(?:^|/)\.\.?(?:/|$)|//")
_JUNK = re.compile(r"(?:^|/)(?:__MACOSX/|\.DS_Store$)")
"""What file managers add to an archive that somebody packed again."""


class ZipArchive:
    """One archive that is open. Used from one thread at a time."""

    def __init__(self, path: Path, *, bytes_max: int) -> None:
        """Open the archive at `path`, whose entries may have `bytes_max` bytes together.

        Raises:
            ImportUnreadable: it is none, or not one to be read.
        """
        try:
            with path.open("rb") as file:
                _check_directory_size(file)
            self._zip = zipfile.ZipFile(path)
        except (
            zipfile.BadZipFile,
            struct.error,
            NotImplementedError,
            UnicodeDecodeError,
            ValueError,
        ) as error:
            raise ImportUnreadable(f"This is no ZIP archive that can be read: {error}") from None
        try:
            self._entries = _checked(self._zip.infolist(), bytes_max=bytes_max)
        except BaseException:
            self._zip.close()
            raise
        self._entries = _without_leading_folder(self._entries)

    @property
    def names(self) -> list[str]:
        """Of all entries that are files, in the archive's order, without the one extra folder around them."""
        return list(self._entries)

    def size(self, name: str) -> int:
        """How many bytes an entry has."""
        return self._entries[name].file_size

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """An entry as a stream.

        Raises:
            ImportUnreadable: it is damaged. Reading may raise that too (`rows.read_some`).
        """
        try:
            stream = self._zip.open(self._entries[name])
        except (
            zipfile.BadZipFile,
            zlib.error,
            EOFError,
            NotImplementedError,
            RuntimeError,
            OSError,
        ) as error:
            raise damaged(name, error) from None
        with stream:
            yield stream

    def close(self) -> None:
        """Let the file go."""
        self._zip.close()


def _check_directory_size(file: IO[bytes]) -> None:
    """The library reads the whole directory into memory; so first look how long it says it is."""
    size = file.seek(0, 2)
    begin = max(0, size - _END_FORMAT.size - _COMMENT_MAX)
    file.seek(begin)
    tail = file.read()
    found = tail.rfind(_END)
    if found < 0 or len(tail) - found < _END_FORMAT.size:
        raise zipfile.BadZipFile("the end of its directory is missing; was it cut off?")
    length = _END_FORMAT.unpack_from(tail, found)[5]
    if length == 0xFFFFFFFF:
        file.seek(begin + found - _LOCATOR_FORMAT.size)
        place = _LOCATOR_FORMAT.unpack(file.read(_LOCATOR_FORMAT.size))[2]
        if place > size:
            raise zipfile.BadZipFile("the end of its directory lies beyond the file")
        file.seek(place)
        length = _END64_FORMAT.unpack(file.read(_END64_FORMAT.size))[8]
    if length > ARCHIVE_DIRECTORY_BYTES_MAX:
        raise ImportUnreadable(
            f"The directory of the archive has {length} bytes; {ARCHIVE_DIRECTORY_BYTES_MAX} are the most."
        )


def _checked(listed: list[zipfile.ZipInfo], *, bytes_max: int) -> dict[str, zipfile.ZipInfo]:
    if len(listed) > ARCHIVE_ENTRIES_MAX:
        raise ImportUnreadable(
            f"The archive has {len(listed)} entries, and {ARCHIVE_ENTRIES_MAX} are the most."
        )
    entries: dict[str, zipfile.ZipInfo] = {}
    total = packed = 0
    for entry in listed:
        name = entry.filename
        fault = _fault_of(entry)
        if fault is None and name in entries:
            fault = "is there twice"
        if fault is not None:
            raise ImportUnreadable(f"The entry {entry.orig_filename!r} of the archive {fault}.")
        if not entry.is_dir() and not _JUNK.search(name):
            entries[name] = entry
        total, packed = total + entry.file_size, packed + entry.compress_size
        if total > bytes_max:
            raise ImportUnreadable(
                f"Unpacked, the archive has more than {bytes_max // MIB} MiB "
                "(the setting `import_unpacked_bytes_max`)."
            )
    if total > ARCHIVE_RATIO_BYTES_FREE and total > ARCHIVE_RATIO_MAX * max(packed, 1):
        raise ImportUnreadable(
            f"Unpacked, the archive is {total // max(packed, 1)} times as large as packed; "
            f"{ARCHIVE_RATIO_MAX} times is the most. Is it meant to fill the disk?"
        )
    return entries


def _fault_of(entry: zipfile.ZipInfo) -> str | None:
    name = entry.orig_filename
    if not name or _BAD_NAME.search(name.removesuffix("/") or "/"):
        return "has a name that is no path inside the archive"
    if entry.flag_bits & 0x1:
        return "is encrypted"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return f"is compressed by method {entry.compress_type}; only stored and deflated ones can be read"
    mode = entry.external_attr >> 16
    if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG, stat.S_IFDIR):
        return "is a link or a device and no file"
    return None


def _without_leading_folder(entries: dict[str, zipfile.ZipInfo]) -> dict[str, zipfile.ZipInfo]:
    """An archive that was unpacked and packed again often has one folder around everything."""
    heads = {name.partition("/")[0] for name in entries}
    if len(heads) != 1:
        return entries
    inner = {name.partition("/")[2]: entry for name, entry in entries.items()}
    tables = [name for name in inner if name.count("/") == 1 and name.endswith("/documents.jsonl")]
    return inner if tables and "" not in inner else entries
