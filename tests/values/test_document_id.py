from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewake.values import DocumentId, InvalidId, decode_id, encode_id
from rewake.values.document_id import TABLE_NUMBER_MAX

ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
COUNTING = bytes(range(16))

table_numbers = st.one_of(
    st.integers(1, TABLE_NUMBER_MAX),
    st.integers(1, 20_000),
    st.sampled_from([1, 127, 128, 16383, 16384, 2**21 - 1, 2**21, 2**28 - 1, 2**28, TABLE_NUMBER_MAX]),
)
internal_ids = st.binary(min_size=16, max_size=16)


def base32(content: bytes) -> str:
    """Crockford base32 by the book, bit by bit: the second opinion."""
    bits = "".join(f"{byte:08b}" for byte in content)
    bits += "0" * (-len(bits) % 5)
    return "".join(ALPHABET[int(bits[at : at + 5], 2)] for at in range(0, len(bits), 5))


def checksum(content: bytes) -> int:
    """Fletcher's checksum as wire 3.1 writes it down."""
    c0 = c1 = 0
    for byte in content:
        c0 = (c0 + byte) % 256
        c1 = (c1 + c0) % 256
    return c1 << 8 | c0


def with_footer(content: bytes, *, version: int = 0) -> str:
    return base32(content + (checksum(content) ^ version).to_bytes(2, "little"))


@pytest.mark.parametrize(
    ("text", "table_number", "internal"),
    [
        ("kg27rxfv99gzp01wmph0gvt92d6hnvy6", 540, "7c75fb4a61fb003ca5a2086f49134d1a"),
        ("kg25efbgcywfzkr6h78cjw1pzx85r2ha", 540, "573d7067b8ffcf0689d0c97036ff505c"),
        ("j57000820c20a1g7104gm2rc1m70ynr8", 10001, "000102030405060708090a0b0c0d0e0f"),
        ("0400000000000000000000000000248", 1, "00" * 16),
    ],
)
def test_published_ids_are_read_and_written(text: str, table_number: int, internal: str) -> None:
    assert decode_id(text) == DocumentId(table_number, bytes.fromhex(internal))
    assert encode_id(table_number, bytes.fromhex(internal)) == text


@pytest.mark.parametrize(
    ("table_number", "length"),
    [
        (1, 31),
        (127, 31),
        (128, 32),
        (16383, 32),
        (16384, 34),
        (2**21 - 1, 34),
        (2**21, 36),
        (2**28 - 1, 36),
        (2**28, 37),
        (TABLE_NUMBER_MAX, 37),
    ],
)
def test_the_length_follows_from_the_table_number(table_number: int, length: int) -> None:
    text = encode_id(table_number, COUNTING)
    assert len(text) == length
    assert decode_id(text) == DocumentId(table_number, COUNTING)


def test_ids_of_user_tables_have_32_characters_and_begin_late_in_the_alphabet() -> None:
    for table_number in (10_001, 12_345, 16_383):
        text = encode_id(table_number, COUNTING)
        assert len(text) == 32
        assert "g" <= text[0] <= "z"


@given(table_numbers, internal_ids)
def test_decoding_inverts_encoding(table_number: int, internal: bytes) -> None:
    assert decode_id(encode_id(table_number, internal)) == DocumentId(table_number, internal)


@given(table_numbers, internal_ids)
def test_the_text_is_crockford_base32_with_fletchers_checksum(table_number: int, internal: bytes) -> None:
    groups = []
    rest = table_number
    while rest > 127:
        groups.append(rest % 128 + 128)
        rest //= 128
    assert encode_id(table_number, internal) == with_footer(bytes([*groups, rest]) + internal)


@given(table_numbers, internal_ids, st.data())
def test_no_other_text_means_the_same_id(table_number: int, internal: bytes, data: st.DataObject) -> None:
    text = encode_id(table_number, internal)
    at = data.draw(st.integers(0, len(text) - 1))
    other = text[:at] + data.draw(st.sampled_from(ALPHABET)) + text[at + 1 :]
    if other != text:
        try:
            decoded = decode_id(other)
        except InvalidId:
            return
        assert decoded != (table_number, internal)
        assert encode_id(*decoded) == other


@given(st.one_of(st.text(max_size=40), st.text(alphabet=ALPHABET, min_size=30, max_size=38)))
def test_any_text_is_an_id_or_refused(text: str) -> None:
    try:
        decoded = decode_id(text)
    except InvalidId:
        return
    assert encode_id(*decoded) == text


GOOD = encode_id(10001, COUNTING)


@pytest.mark.parametrize(
    "text",
    [
        GOOD.upper(),
        GOOD[:-1] + "u",
        GOOD[:-1] + "_",
        GOOD[:-1] + " ",
        "+" + GOOD[1:],
        GOOD[:-1] + "é",
        GOOD.replace("0", "o"),
        GOOD + "0",  # 33 characters: five spare bits.
        encode_id(1, COUNTING)[:-1] + "1",  # A spare bit that is set.
    ],
)
def test_text_that_is_not_canonical_base32_is_refused(text: str) -> None:
    with pytest.raises(InvalidId) as caught:
        decode_id(text)
    assert str(caught.value) == "Unable to decode ID: ID wasn't valid base32"


@pytest.mark.parametrize("text", ["", "abc", "0" * 30, "0" * 38, "x" * 5000])
def test_text_of_the_wrong_length_is_refused(text: str) -> None:
    with pytest.raises(InvalidId) as caught:
        decode_id(text)
    assert str(caught.value) == f"Unable to decode ID: Invalid ID length {len(text)}"


@pytest.mark.parametrize(
    ("start", "internal_length"), [("05", 17), ("8501", 15), ("8501", 17), ("818001", 18)]
)
def test_an_internal_id_of_other_than_16_bytes_is_refused(start: str, internal_length: int) -> None:
    text = with_footer(bytes.fromhex(start) + bytes(internal_length))
    with pytest.raises(InvalidId) as caught:
        decode_id(text)
    assert str(caught.value) == f"Unable to decode ID: Invalid ID length {len(text)}"


@pytest.mark.parametrize(
    "start",
    [
        "00",  # Zero.
        "8000",  # Zero, the long way.
        "8100",  # One, the long way.
        "ffffffff10",  # 2**32.
        "ffffffffff",  # More than five bytes.
    ],
)
def test_a_bad_table_number_is_refused(start: str) -> None:
    text = with_footer(bytes.fromhex(start) + COUNTING)
    with pytest.raises(InvalidId) as caught:
        decode_id(text)
    assert str(caught.value) == "Unable to decode ID: Invalid table number"


def test_a_wrong_checksum_is_refused_as_another_version() -> None:
    text = with_footer(b"\x91\x4e" + COUNTING, version=1)
    with pytest.raises(InvalidId) as caught:
        decode_id(text)
    assert str(caught.value) == "Unable to decode ID: Invalid ID version 1 (expected 0)"


@pytest.mark.parametrize(
    ("table_number", "internal"), [(0, COUNTING), (2**32, COUNTING), (1, b"short"), (1, bytes(17))]
)
def test_our_own_mistakes_are_asserted(table_number: int, internal: bytes) -> None:
    with pytest.raises(AssertionError):
        encode_id(table_number, internal)
