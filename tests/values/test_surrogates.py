"""Half surrogate pairs are found, whole ones and escaped backslashes are left in peace."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewake.values.surrogates import half_surrogate_pair, unicode_advice


@pytest.mark.parametrize(
    ("text", "half"),
    [
        (r'"\ud83d"', r"\ud83d"),
        (r'"\ud83d\ud83d\ude00"', r"\ud83d"),
        (r'"\ude00"', r"\ude00"),
        (r'"\ud83d\ude00\uDE00"', r"\uDE00"),
        (r'"\\\ud83dx"', r"\ud83d"),
        (r'"\ud83d\ude00"', None),
        (r'"\\ud83d"', None),
        (r'"\u0041\ue000"', None),
        ('"😀"', None),
    ],
)
def test_the_first_half_is_found(text: str, half: str | None) -> None:
    assert half_surrogate_pair(text) == half
    assert half_surrogate_pair(text.encode()) == half
    assert (half is not None) == (str(half) in unicode_advice(text))


@given(st.text(st.characters(exclude_categories=())))
def test_it_agrees_with_python_on_any_text(text: str) -> None:
    written = json.dumps(text)
    try:
        json.loads(written).encode()  # Two halves that stand together are read as one character.
    except UnicodeEncodeError:
        assert half_surrogate_pair(written) is not None
    else:
        assert half_surrogate_pair(written) is None
