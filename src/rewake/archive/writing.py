"""Writing an archive: entries one after another, each as a stream.

Floor 1, `archive`. Memory holds a piece of one entry and the list of entries, whose length is that of tables
and files. Entries and archives may be of any size (the ZIP64 extension).

    ArchiveWriter(file) -> entry(name) -> write* -> ... -> close

Not here: what is written (`database/archiving.py`), making the file durable, reading.
Source: wire 7.7; the ZIP file format specification (PKWARE APPNOTE), 4.4.
"""

from __future__ import annotations

import mimetypes
import stat
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import cache
from typing import IO

_MODE = (stat.S_IFREG | 0o644) << 16
_UNIX = 3
_YEARS = (1980, 2107)
"""What the format can say."""


class ArchiveWriter:
    """A ZIP archive that grows in `file`, which can be any writable binary file."""

    def __init__(self, file: IO[bytes], *, at_ns: int) -> None:
        """`at_ns` is the time that all entries bear."""
        self._zip = zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, allowZip64=True)
        at = datetime.fromtimestamp(at_ns // 10**9, UTC)
        year = min(max(at.year, _YEARS[0]), _YEARS[1])
        self._date = (year, at.month, at.day, at.hour, at.minute, at.second)

    @contextmanager
    def entry(self, name: str) -> Iterator[Callable[[bytes], object]]:
        """Begin an entry; what is yielded appends to it."""
        facts = zipfile.ZipInfo(name, self._date)
        facts.compress_type = zipfile.ZIP_DEFLATED
        facts.create_system = _UNIX
        facts.external_attr = _MODE
        # Its size is not known before its end.
        with self._zip.open(facts, "w", force_zip64=True) as entry:
            yield entry.write

    def close(self) -> None:
        """Write the list of entries. Without it there is no archive."""
        self._zip.close()


def extension_of(content_type: str | None) -> str:
    """How the name of a file of this type ends, with its dot; empty where nobody knows."""
    essence = (content_type or "").partition(";")[0].strip().lower()
    return _types().guess_extension(essence) or ""


@cache
def _types() -> mimetypes.MimeTypes:
    """The table of the standard library alone: the machine's own would name files differently from place to
    place.
    """
    return mimetypes.MimeTypes()
