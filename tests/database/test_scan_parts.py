from __future__ import annotations

import pytest

from rewake.database import Part


@pytest.mark.parametrize(
    ("part", "descending", "expected"),
    [
        (Part(), False, (b"b", b"y")),
        (Part(), True, (b"b", b"y")),
        (Part(after=b"c"), False, (b"c\0", b"y")),
        (Part(after=b"c"), True, (b"b", b"c")),
        (Part(until=b"c"), False, (b"b", b"c\0")),
        (Part(until=b"c"), True, (b"c", b"y")),
        (Part(after=b"x", until=b"c"), False, (b"x\0", b"x\0")),
        (Part(after=b"a", until=b"z"), False, (b"b", b"y")),
    ],
)
def test_a_part_narrows_an_interval(
    part: Part, descending: bool, expected: tuple[bytes, bytes | None]
) -> None:
    assert part.narrow((b"b", b"y"), descending=descending) == expected


def test_a_part_of_what_has_no_end() -> None:
    assert Part().narrow((b"", None), descending=False) == (b"", None)
    assert Part(until=b"c").narrow((b"", None), descending=False) == (b"", b"c\0")
