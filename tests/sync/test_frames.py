"""Frames: what we write, the websockets core reads back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.protocol import CLIENT, OPEN, Protocol

from rewake.sync.frames import text_frames


def read(buffers: list[bytes | memoryview]) -> list[Frame]:
    """The frames that a client reads."""
    client = Protocol(CLIENT, state=OPEN, max_size=None)
    client.receive_data(b"".join(buffers))
    assert client.parser_exc is None
    events = client.events_received()
    assert all(isinstance(event, Frame) for event in events)
    return events


@given(st.lists(st.binary(), min_size=1, max_size=5), st.integers(1, 40))
def test_a_message_is_read_back_whole_in_bounded_frames(parts: list[bytes], frame_bytes_max: int) -> None:
    whole = b"".join(parts)
    frames = read(text_frames(parts, len(whole), frame_bytes_max=frame_bytes_max))
    assert b"".join(bytes(frame.data) for frame in frames) == whole
    assert [frame.opcode for frame in frames] == [Opcode.TEXT] + [Opcode.CONT] * (len(frames) - 1)
    assert [frame.fin for frame in frames] == [False] * (len(frames) - 1) + [True]
    assert all(len(frame.data) <= frame_bytes_max for frame in frames)


@pytest.mark.parametrize("size", [0, 125, 126, 65_535, 65_536, 70_000])
def test_each_form_of_length_is_right_at_its_borders(size: int) -> None:
    (frame,) = read(text_frames([b"x" * size], size, frame_bytes_max=1 << 20))
    assert len(frame.data) == size


def test_parts_after_the_first_are_not_copied() -> None:
    tail = b"shared" * 100
    buffers = text_frames([b"head", tail, b"end"], 607, frame_bytes_max=1 << 20)
    assert buffers[1] is tail
