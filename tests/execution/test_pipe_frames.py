"""Frames in any portions."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewake.execution.pipe_frames import FRAME_BYTES_MAX, FrameDecoder, PipeBroken, framed


@given(st.lists(st.text(max_size=30), max_size=6), st.data())
def test_a_stream_can_come_in_any_portions(texts: list[str], data: st.DataObject) -> None:
    stream = framed(text.encode() for text in texts)
    decoder = FrameDecoder()
    heard: list[bytes] = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        heard += decoder.feed(stream[:size])
        stream = stream[size:]
    assert [body.decode() for body in heard] == texts
    assert decoder.is_between_frames


def test_a_stream_that_ends_within_a_frame_is_known_by_it() -> None:
    decoder = FrameDecoder()
    assert not decoder.feed(framed([b"abc"])[:-1])
    assert not decoder.is_between_frames


def test_a_frame_that_is_too_long_breaks_the_pipe() -> None:
    with pytest.raises(PipeBroken):
        FrameDecoder().feed((FRAME_BYTES_MAX + 1).to_bytes(4, "big"))
