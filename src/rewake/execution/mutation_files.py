"""Files in mutations: bytes are durable before the commit that makes them a file.

Floor 3, `execution`. Whoever runs mutations writes to the blob store and reads it by itself, as actions do.
A document must be committed before the first byte (decision 0015), and that a mutation cannot do: so it is
given *keys*, whose documents were committed before it began.

    no key is left -> the mutation is taken back, BlobKeysWanted -> keys are reserved -> it is run again
    store: bytes under a key, durable -> the key's document becomes a file's, in the transaction
    the mutation fails, or its process dies -> the document says `incoming`, and sweeping finds the bytes

Run again, it writes the same keys again. Audit hooks refuse files to the author's code, and to this module
only while that code produces the bytes.

Not here: who reserves keys (`deployment/mutations.py`), what is stored (`database/files.py`).
Source: semantics 6.3, 6.8.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from rewake.blobs import BlobStore, Intake, sha256_of_text
from rewake.database import WriteTransaction, commit_file, file_document, file_of_id
from rewake.errors import Conflict, FunctionError
from rewake.execution.action_files import pieces_of
from rewake.execution.side_effects import unguarded
from rewake.functions import Content, FileHead


class BlobKeysWanted(Conflict):
    """A mutation stores more files than it was given keys for. It is run again with more of them; nobody but
    the house hears of this.
    """

    code = "FileKeysWanted"
    template = "This mutation stores at least {count} files."


class FilesOutOfPlace(FunctionError):
    """A block of code that a test runs in place of a mutation cannot store files. Store them with
    `backend.store(...)`, or in a mutation that you call.
    """

    code = "FilesOutOfPlace"
    template = (
        "A block of a test cannot store files: use `backend.store(...)`, or call a mutation that stores them."
    )


class KeysUsedUp(BaseException):
    """Ends a run that wants another key. No `except Exception` holds it up."""


class MutationFiles:
    """Files as one run of a mutation reaches them."""

    def __init__(self, blobs: Callable[[], BlobStore], keys: Sequence[str] | None) -> None:
        self._blobs = blobs
        # None: nobody can reserve any.
        self._keys = None if keys is None else list(keys)
        self._used = 0
        self.wanted = 0
        """How many keys the run wants at least; 0 as long as those that it has are enough."""

    def store(
        self, transaction: WriteTransaction, data: Content, *, content_type: str | None, sha256: str | None
    ) -> str:
        """Store a file; returns its id.

        Raises:
            KeysUsedUp: the run is to begin again.
            ContentDiffers, InvalidDigest, BlobStoreFailed, LimitExceeded: there is no file.
        """
        expected = None if sha256 is None else sha256_of_text(sha256)
        usage = transaction.usage
        usage.count_file_written()
        content = []
        for piece in pieces_of(data):
            usage.count_file_bytes_written(len(piece))
            content.append(piece)
        key = self._next_key()
        with unguarded():
            intake = Intake(self._blobs(), key)
            try:
                for piece in content:
                    if intake.add(piece):
                        intake.flush()
                taken = intake.finish(expected=expected)
            except BaseException:
                intake.abort()
                raise
        return commit_file(transaction, key, sha256=taken.sha256, size=taken.size, content_type=content_type)

    def reading(
        self, transaction: WriteTransaction, id: str
    ) -> tuple[FileHead, Callable[[], Iterator[bytes]]] | None:
        """A file and how to read it, or None where there is none (any more)."""
        if file_document(transaction, id) is None:
            return None
        facts = file_of_id(transaction.reads, id)
        assert facts is not None, "each file has a blob"

        def read() -> Iterator[bytes]:
            transaction.usage.count_file_read(facts.size)
            return self._read(facts.key, facts.size)

        return FileHead(facts.id, facts.sha256, facts.size, facts.content_type), read

    def _read(self, key: str, size: int) -> Iterator[bytes]:
        with unguarded():
            pieces = self._blobs().read(key, stop=size)
        while True:
            with unguarded():
                piece = next(pieces, None)
            if piece is None:
                return
            yield piece

    def refuse_wanting(self) -> None:
        """Take back a mutation that wants more keys, whatever its author made of that.

        Raises:
            BlobKeysWanted: those that it has are not enough.
        """
        if self.wanted:
            raise BlobKeysWanted(count=self.wanted)

    def _next_key(self) -> str:
        if self._keys is None:
            raise FilesOutOfPlace()
        self._used += 1
        if self._used > len(self._keys):
            self.wanted = self._used
            raise KeysUsedUp()
        return self._keys[self._used - 1]
