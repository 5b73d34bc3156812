"""Digests as callers write them."""

from __future__ import annotations

import base64
import hashlib

import pytest

from rewake.blobs import InvalidDigest, sha256_of_header, sha256_of_text

RAW = hashlib.sha256(b"12345").digest()
BASE64 = base64.b64encode(RAW).decode()


@pytest.mark.parametrize("text", [BASE64, RAW.hex(), RAW.hex().upper(), f" {BASE64} "])
def test_base64_and_hex_are_the_same(text: str) -> None:
    assert sha256_of_text(text) == BASE64


@pytest.mark.parametrize("text", ["", "no", BASE64[:-4], BASE64 + "AAAA", "z" * 64])
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidDigest):
        sha256_of_text(text)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (None, None),
        ("", None),
        ("md5=HUXZLQLMuI/KZ5KDcJPcOA==", None),
        (f"sha-256={BASE64}", BASE64),
        (f"SHA-256={BASE64}", BASE64),
        (f"md5=HUXZLQLMuI/KZ5KDcJPcOA==, sha-256={BASE64}", BASE64),
    ],
)
def test_the_header_may_hold_several(header: str | None, expected: str | None) -> None:
    assert sha256_of_header(header) == expected


def test_a_header_that_says_it_has_one_and_has_not_is_refused() -> None:
    with pytest.raises(InvalidDigest):
        sha256_of_header("sha-256=nonsense")
