"""SHA-256 digests as callers write them.

Floor 1, `blobs`. In the house a digest is the base64 text that documents hold. Callers give base64 or hex,
and HTTP has a header for it, in which several kinds may stand side by side.

Source: RFC 3230, 4.3.2; semantics 6.8.
"""

from __future__ import annotations

import base64
import binascii

from rewake.errors import InvalidInput

_DIGEST_BYTES = 32


class InvalidDigest(InvalidInput):
    """A SHA-256 digest cannot be read. It is 32 bytes, as base64 or hex."""

    code = "InvalidDigest"
    template = "Not a SHA-256 digest: {text!r}. Give 32 bytes as base64 or hex."


def sha256_of_text(text: str) -> str:
    """A digest as base64 or hex, as base64.

    Raises:
        InvalidDigest: it is none.
    """
    text = text.strip()
    try:
        is_hex = len(text) == 2 * _DIGEST_BYTES
        digest = bytes.fromhex(text) if is_hex else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        digest = b""
    if len(digest) != _DIGEST_BYTES:
        raise InvalidDigest(text=text[:100])
    return base64.b64encode(digest).decode()


def sha256_of_header(header: str | None) -> str | None:
    """The digest in a `Digest` header, as base64; None where it has no SHA-256.

    Raises:
        InvalidDigest: it says it has one, and has not.
    """
    for instance in (header or "").split(","):
        kind, mark, text = instance.strip().partition("=")
        if mark and kind.strip().lower() == "sha-256":
            return sha256_of_text(text)
    return None
