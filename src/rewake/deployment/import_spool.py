"""The spool: files that are to be imported, as they come in, beside the data file.

Floor 5, `deployment`. Parts are written as they come and put together when the upload is finished; each part
goes as soon as it was appended, so a file lies there once. Nothing of a spool outlives the server: what a
crash leaves goes at the next start.

    begin -> take_part* -> join -> a path      or given up, after a pause that is too long

Not here: what the file holds (`importing.py`). Blocks; call it in a thread. Source: wire 7.7.
"""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec

from rewake.environment import Environment
from rewake.errors import InvalidInput, NotFound, RateLimited, RewakeError
from rewake.limits import IMPORT_PARTS_MAX, MIB, Limits

_COPY_BYTES = 1 * MIB
_WRITE_BYTES = 256 * 1024


class UploadNotFound(NotFound):
    """The upload is not known, or paused for too long. Begin it again."""

    code = "ImportUploadNotFound"
    template = "There is no upload with this token (any more)."


class UploadPartInvalid(InvalidInput):
    """The parts of an upload are numbered from 1, and each is named once when it is finished."""

    code = "ImportPartInvalid"


class ImportTooLarge(RewakeError):
    """The file is larger than an import may be."""

    code, status = "ImportTooLarge", 413
    template = "A file to import has at most {limit} bytes (the setting `import_upload_bytes_max`)."


class TooManyImports(RateLimited):
    """Finish or cancel other imports first."""

    code = "TooManyImports"
    template = "{limit} uploads and imports are under way already (the setting `imports_waiting_max`)."


class _Upload(msgspec.Struct):
    """An upload that is not finished."""

    folder: Path
    touched: float
    """When its last part came, on the monotonic clock."""
    sizes: dict[int, int] = msgspec.field(default_factory=dict)
    writing: int = 0
    """Parts that are coming in."""


class ImportSpool:
    """The uploads of one deployment."""

    def __init__(self, folder: Path, *, environment: Environment, limits: Limits) -> None:
        self._folder = folder
        self._environment = environment
        self._limits = limits
        self._uploads: dict[str, _Upload] = {}

    def __len__(self) -> int:
        return len(self._uploads)

    def clear(self) -> None:
        """Remove whatever a server from before left."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def begin(self) -> str:
        """A new upload; returns its token."""
        token = self._environment.random_bytes(16).hex()
        folder = self._folder / token
        folder.mkdir(parents=True, mode=0o700)
        self._uploads[token] = _Upload(folder, self._environment.clock.monotonic())
        return token

    async def take_part(self, token: str, number: int, pieces: AsyncIterator[bytes]) -> str:
        """Store a part, instead of an earlier one of its number; returns its token.

        Raises:
            UploadNotFound, UploadPartInvalid, ImportTooLarge: it was not taken.
        """
        upload = self._find(token)
        if not 1 <= number <= IMPORT_PARTS_MAX:
            raise UploadPartInvalid(f"Parts have the numbers 1 to {IMPORT_PARTS_MAX}, and not {number}.")
        others = sum(size for part, size in upload.sizes.items() if part != number)
        fresh = upload.folder / f"{number}.{self._environment.random_bytes(4).hex()}"
        size, pending = 0, bytearray()
        upload.writing += 1
        try:
            with fresh.open("wb") as file:
                async for piece in pieces:
                    size += len(piece)
                    if others + size > self._limits.import_upload_bytes_max:
                        raise ImportTooLarge(limit=self._limits.import_upload_bytes_max)
                    pending += piece
                    if len(pending) >= _WRITE_BYTES:
                        file.write(pending)
                        pending.clear()
                file.write(pending)
            # It may have been given up meanwhile.
            self._find(token)
            fresh.replace(upload.folder / str(number))
        except BaseException:
            fresh.unlink(missing_ok=True)
            raise
        finally:
            upload.writing -= 1
        upload.sizes[number] = size
        upload.touched = self._environment.clock.monotonic()
        return f"{number}-{size}"

    def join(self, token: str, part_tokens: list[str]) -> Path:
        """Put the parts together in the order of their tokens; the upload is over.

        Raises:
            UploadNotFound, UploadPartInvalid: it goes on as it was.
        """
        upload = self._find(token)
        known = {f"{number}-{size}": number for number, size in upload.sizes.items()}
        numbers = [known.get(part) for part in part_tokens]
        if None in numbers or sorted(known.values()) != sorted(n for n in numbers if n is not None):
            raise UploadPartInvalid("The part tokens are not those of this upload, each once.")
        del self._uploads[token]
        path = upload.folder / "file"
        with path.open("wb") as whole:
            for number in numbers:
                part = upload.folder / str(number)
                with part.open("rb") as file:
                    shutil.copyfileobj(file, whole, _COPY_BYTES)
                part.unlink()
        return path

    def sweep(self) -> None:
        """Give up uploads that paused for too long."""
        now = self._environment.clock.monotonic()
        for token, upload in list(self._uploads.items()):
            if not upload.writing and now - upload.touched > self._limits.import_wait_seconds:
                self.drop(token)

    def drop(self, token: str) -> bool:
        """Give an upload up, and say whether there was one."""
        upload = self._uploads.pop(token, None)
        if upload is not None:
            shutil.rmtree(upload.folder, ignore_errors=True)
        return upload is not None

    def remove(self, path: Path) -> None:
        """Remove a file that was put together."""
        shutil.rmtree(path.parent, ignore_errors=True)

    def _find(self, token: str) -> _Upload:
        upload = self._uploads.get(token)
        if upload is None:
            raise UploadNotFound()
        return upload
