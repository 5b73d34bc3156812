"""Upload tokens: who holds one may send a file, for an hour.

Floor 1, `auth`. A token is the time of its end and a bound on the size, signed with a key that is derived
from the data file's secret. It names nobody and nothing else, and says nothing about any other token.

    seal(UploadGrant) -> text of A-Z a-z 0-9 - _          open(text) -> the same, or an error

Not here: who gives tokens out (`functions/storage.py`) and takes them (`files`).
Source: wire 4.5.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import struct

import msgspec

from rewake.errors import Unauthenticated

_VERSION = 1
_FORM = struct.Struct(">BQQ8s")
_TAG_BYTES = 24


class StorageTokenInvalid(Unauthenticated):
    """This upload URL was not made by this deployment. Ask for a new one with `generate_upload_url`."""

    code = "StorageTokenInvalid"
    template = "InvalidStorageToken"


class StorageTokenExpired(Unauthenticated):
    """This upload URL is too old. Ask for a new one with `generate_upload_url`."""

    code = "StorageTokenExpired"
    template = "StorageTokenExpired: upload URLs are good for an hour. Ask for a new one."


class UploadGrant(msgspec.Struct, frozen=True):
    """What a token allows."""

    expires_ms: int
    bytes_max: int
    """0 where the size is not bounded."""
    nonce: bytes
    """8 bytes that make every URL another."""


class UploadSeal:
    """Signs and checks the tokens of one deployment."""

    def __init__(self, secret: bytes) -> None:
        self._key = hashlib.blake2b(secret, person=b"rewake.uploads").digest()

    def seal(self, grant: UploadGrant) -> str:
        """The text that a client carries."""
        plain = _FORM.pack(_VERSION, grant.expires_ms, grant.bytes_max, grant.nonce)
        return base64.urlsafe_b64encode(plain + self._tag(plain)).rstrip(b"=").decode()

    def open(self, text: str, *, now_ms: float) -> UploadGrant:
        """What a text allows.

        Raises:
            StorageTokenInvalid: this deployment did not sign it.
            StorageTokenExpired: its time is over.
        """
        try:
            raw = base64.b64decode(text.encode("ascii") + b"=" * (-len(text) % 4), b"-_", validate=True)
        except (ValueError, binascii.Error):
            raise StorageTokenInvalid() from None
        plain, tag = raw[: _FORM.size], raw[_FORM.size :]
        if not hmac.compare_digest(tag, self._tag(plain)):
            raise StorageTokenInvalid()
        version, expires_ms, bytes_max, nonce = _FORM.unpack(plain)
        if version != _VERSION:
            raise StorageTokenInvalid()
        if now_ms > expires_ms:
            raise StorageTokenExpired()
        return UploadGrant(expires_ms, bytes_max, nonce)

    def _tag(self, plain: bytes) -> bytes:
        return hmac.digest(self._key, plain, "sha256")[:_TAG_BYTES]
