"""The first header of a name counts."""

from __future__ import annotations

from typing import Any

from rewake.http_api.headers import header, header_text


def test_the_first_of_a_name_counts_and_text_has_a_character_a_byte() -> None:
    scope: dict[str, Any] = {"headers": [(b"a", b"\xe9"), (b"b", b"2"), (b"a", b"3")]}
    assert header(scope, b"a") == b"\xe9"
    assert header_text(scope, b"a") == "\xe9"
    assert header_text(scope, b"b") == "2"
    assert header(scope, b"c") is None
    assert header_text(scope, b"c") is None
