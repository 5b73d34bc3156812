"""Timestamps: the examples of wire 1.4, and the inverse."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewake.protocol import TIMESTAMP_MAX, InvalidTimestamp, decode_ts, encode_ts


@pytest.mark.parametrize(
    ("ts", "text"),
    [
        (0, "AAAAAAAAAAA="),
        (1, "AQAAAAAAAAA="),
        (1_700_000_000_000_000_000, "AAAqNv6clxc="),
        (TIMESTAMP_MAX, "/////////38="),
    ],
)
def test_the_examples_of_the_wire_note_hold(ts: int, text: str) -> None:
    assert encode_ts(ts) == text
    assert decode_ts(text) == ts


@given(st.integers(0, TIMESTAMP_MAX))
def test_decoding_inverts_encoding(ts: int) -> None:
    assert decode_ts(encode_ts(ts)) == ts


@pytest.mark.parametrize(
    "text",
    ["", "AAAA", "AAAAAAAAAAAA", "//////////8=", "AAAAAAAAAA", "not base64!", "AAAAAAAAAAA", "AAAAAAAAAIA="],
    ids=["empty", "short", "long", "all ones", "unpadded", "letters", "no padding", "top bit"],
)
def test_anything_but_eight_bytes_below_the_top_bit_is_refused(text: str) -> None:
    with pytest.raises(InvalidTimestamp, match="8 little-endian bytes"):
        decode_ts(text)


def test_an_impossible_timestamp_is_our_own_mistake() -> None:
    with pytest.raises(AssertionError):
        encode_ts(TIMESTAMP_MAX + 1)
