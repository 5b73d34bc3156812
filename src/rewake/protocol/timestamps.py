"""Timestamps on the wire: base64 of eight little-endian bytes.

Floor 1, `protocol`. A timestamp is nanoseconds since the Unix epoch, strictly increasing over the commits of
a deployment. Rust clients take it as a signed 64-bit number, so the top bit stays clear.

Source: wire 1.4, with its table of examples.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from functools import lru_cache

from rewake.errors import InvalidInput

TIMESTAMP_MAX = 2**63 - 1
"""The largest that every client family accepts."""


class InvalidTimestamp(InvalidInput):
    """A timestamp is the base64 text of eight bytes, at most 2**63 - 1. Pass back what the server gave."""

    code = "InvalidTimestamp"
    template = "Invalid timestamp {text!r}: expected the base64 text of 8 little-endian bytes"


@lru_cache(maxsize=256)
def encode_ts(ts: int) -> str:
    """Text of a timestamp. All sessions of a wave share one, hence the cache."""
    assert 0 <= ts <= TIMESTAMP_MAX, ts
    return binascii.b2a_base64(ts.to_bytes(8, "little"), newline=False).decode("ascii")


def decode_ts(text: str) -> int:
    """Timestamp of a text.

    Raises:
        InvalidTimestamp: it is not base64, not eight bytes, or above `TIMESTAMP_MAX`.
    """
    try:
        raw = b64decode(text, validate=True)
    except ValueError:
        raise InvalidTimestamp(text=text) from None
    ts = int.from_bytes(raw, "little")
    if len(raw) != 8 or ts > TIMESTAMP_MAX:
        raise InvalidTimestamp(text=text)
    return ts
