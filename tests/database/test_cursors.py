from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewake.database import Cursor, CursorSeal, InvalidCursor
from rewake.database.cursors import FINGERPRINT_BYTES

SEAL = CursorSeal(b"a secret")
QUERIES = st.binary(min_size=FINGERPRINT_BYTES, max_size=FINGERPRINT_BYTES)
CURSORS = st.builds(Cursor, QUERIES, st.none() | st.binary())


@given(CURSORS)
def test_what_was_sealed_is_opened(cursor: Cursor) -> None:
    assert SEAL.open(SEAL.seal(cursor)) == cursor


@given(CURSORS)
def test_a_position_has_one_text_so_an_unchanged_page_looks_unchanged(cursor: Cursor) -> None:
    assert SEAL.seal(cursor) == CursorSeal(b"a secret").seal(cursor)


@given(CURSORS, st.data())
def test_no_byte_of_a_sealed_cursor_can_be_changed(cursor: Cursor, data: st.DataObject) -> None:
    text = SEAL.seal(cursor)
    raw = bytearray(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(InvalidCursor):
        SEAL.open(base64.urlsafe_b64encode(bytes(raw)).rstrip(b"=").decode())


@pytest.mark.parametrize("text", ["", "x", "nonsense", "ä", "AAAA" * 20, "a b", "=" * 8, "\ud800"])
def test_what_was_never_sealed_is_refused_in_the_known_words(text: str) -> None:
    with pytest.raises(InvalidCursor, match=r"^InvalidCursor: Failed to parse cursor$"):
        SEAL.open(text)


def test_another_deployment_cannot_open_a_cursor_of_this_one() -> None:
    with pytest.raises(InvalidCursor):
        CursorSeal(b"another secret").open(SEAL.seal(Cursor(bytes(FINGERPRINT_BYTES), b"key")))


def test_a_sealed_cursor_shows_nothing_of_its_key() -> None:
    text = SEAL.seal(Cursor(bytes(FINGERPRINT_BYTES), b"salary: 90000"))
    assert b"salary" not in base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def test_a_later_version_of_cursors_is_refused() -> None:
    later = SEAL._cipher.encrypt(b"\x02" + bytes(FINGERPRINT_BYTES) + b"\x00", None)
    with pytest.raises(InvalidCursor, match="Failed to parse cursor"):
        SEAL.open(base64.urlsafe_b64encode(later).decode())


def test_official_hooks_find_what_they_look_for() -> None:
    error = InvalidCursor()
    assert error.message == (
        "InvalidCursor: Tried to run a query starting from a cursor, but it looks like this cursor is from a "
        "different query."
    )
    assert error.client_data == {"isConvexSystemError": True, "paginationError": "InvalidCursor"}
