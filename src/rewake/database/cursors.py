"""Cursors: where a page begins or ends, sealed so that clients can carry it.

Floor 2, `database`. A cursor holds the key of the last document of a page and a fingerprint of the query that
made it. Clients get it encrypted and authenticated: a key holds values of indexed fields, which a function
may never have meant to show, and a forged one would read rows that it never asked for.

    Cursor(query, after) -> seal -> text of A-Z a-z 0-9 - _         open -> the same, or InvalidCursor

Encryption is deterministic (AES-SIV, RFC 5297): a page that did not change has the same cursors on every
run, so nobody is sent a result that only looks new. Equal positions of one query give equal texts, which
tells a client no more than the pages themselves.

Not here: what a query's fingerprint is made of (`reads.py`), pages (`execution/pages.py`).
Source: spec/semantics 3.6; wire 1.10.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from rewake.database.errors import InvalidCursor

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESSIV

FINGERPRINT_BYTES = 16
_VERSION = b"\x01"
_END, _AFTER = b"\x00", b"\x01"
_NOT_A_CURSOR = "InvalidCursor: Failed to parse cursor"


class Cursor(msgspec.Struct, frozen=True):
    """A position in the results of one query: after the index key `after`, or the end if that is None."""

    query: bytes
    after: bytes | None


class CursorSeal:
    """Seals and opens the cursors of one deployment."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def seal(self, cursor: Cursor) -> str:
        """The text that a client carries."""
        assert len(cursor.query) == FINGERPRINT_BYTES, "a fingerprint has one length"
        position = _END if cursor.after is None else _AFTER + cursor.after
        sealed = self._cipher.encrypt(_VERSION + cursor.query + position, None)
        return base64.urlsafe_b64encode(sealed).rstrip(b"=").decode()

    def open(self, text: str) -> Cursor:
        """The position behind a text.

        Raises:
            InvalidCursor: this deployment did not seal it.
        """
        from cryptography.exceptions import InvalidTag

        try:
            sealed = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True)
            plain = self._cipher.decrypt(sealed, None)
        except (InvalidTag, ValueError, binascii.Error):
            raise InvalidCursor(_NOT_A_CURSOR) from None
        query, position = plain[1 : 1 + FINGERPRINT_BYTES], plain[1 + FINGERPRINT_BYTES :]
        if plain[:1] != _VERSION or position[:1] not in (_END, _AFTER):
            raise InvalidCursor(_NOT_A_CURSOR)
        return Cursor(query, position[1:] if position[:1] == _AFTER else None)

    @cached_property
    def _cipher(self) -> AESSIV:
        # Imported when the first page is read: it takes 40 ms.
        from cryptography.hazmat.primitives.ciphers.aead import AESSIV

        return AESSIV(hashlib.blake2b(self._secret, person=b"rewake.cursors").digest())
