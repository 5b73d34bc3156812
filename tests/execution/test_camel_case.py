"""Names as JavaScript writes them."""

from __future__ import annotations

import pytest

from rewake.execution.camel_case import camel_case


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("list_recent", "listRecent"),
        ("_private_one", "_privateOne"),
        ("x", "x"),
        ("a__b", "aB"),
        ("trail_", "trail"),
    ],
)
def test_names_are_turned(name: str, expected: str) -> None:
    assert camel_case(name) == expected
