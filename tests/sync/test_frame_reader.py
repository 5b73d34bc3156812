"""What clients send is read as RFC 6455 and 7692 have it, however it is cut, and stays within its bound."""

from __future__ import annotations

import random
import zlib
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import ProtocolError
from websockets.extensions.permessage_deflate import PerMessageDeflate
from websockets.frames import Close, Frame, Opcode
from websockets.protocol import OPEN, SERVER, Protocol

from rewake.sync.frame_reader import Breach, FrameReader, Hangup, Heard, Noise, Ping
from tests.security.fuzzed_frames import frame as fuzzed_frame
from tests.security.fuzzed_frames import frames as fuzzed_frames

BOUND = 1000


def frame(
    opcode: int, payload: bytes = b"", *, fin: bool = True, rsv1: bool = False, mask: bool = True
) -> bytes:
    written = bytearray(Frame(Opcode(opcode), payload, fin).serialize(mask=mask))
    written[0] |= 0x40 if rsv1 else 0
    return bytes(written)


def raw(first: int, payload: bytes, *, second: int = 0x80) -> bytes:
    assert len(payload) < 126
    return bytes((first, second | len(payload))) + b"\0\0\0\0" + payload


def deflated(text: bytes, *, final: bool = False) -> bytes:
    compressor = zlib.compressobj(wbits=-15)
    if final:  # RFC 7692, section 7.2.3.4: a last block, and an empty one that gives its end away.
        return compressor.compress(text) + compressor.flush() + b"\0"
    return (compressor.compress(text) + compressor.flush(zlib.Z_SYNC_FLUSH))[:-4]


def read(data: bytes, *, inflates: bool = False, step: int = 1 << 20, bound: int = BOUND) -> list[Heard]:
    reader = FrameReader(message_bytes_max=bound, inflates=inflates)
    heard: list[Heard] = []
    for begin in range(0, len(data), step):
        heard += reader.receive(data[begin : begin + step])
    return heard


STREAM = b"".join(
    [
        frame(1, b"whole"),
        frame(1, b""),
        frame(1, b"in ", fin=False),
        frame(9, b"are you there"),
        frame(0, b"three ", fin=False),
        frame(0, b"parts \xc3", fin=False),
        frame(0, b"\xa9"),
        frame(10, b"pong"),
        frame(2, b"\0\1", fin=False),
        frame(0, b"\2"),
        frame(1, b"x" * 125),
        frame(1, b"y" * 126),
        frame(1, b"z" * BOUND),
        frame(8, b"\x03\xe8bye"),
        frame(1, b"nobody listens"),
    ]
)
HEARD: list[Heard] = [
    "whole",
    "",
    Ping(b"are you there"),
    "in three parts \xe9",
    Noise.PONG,
    Noise.BINARY,
    "x" * 125,
    "y" * 126,
    "z" * BOUND,
    Hangup(b"\x03\xe8bye"),
]


@pytest.mark.parametrize("step", [1, 2, 3, 7, 64, 1 << 20])
def test_a_stream_means_the_same_however_it_is_cut(step: int) -> None:
    assert read(STREAM, step=step) == HEARD


@pytest.mark.parametrize(
    ("data", "code"),
    ids=count(),  # The bytes are masked by chance.
    argvalues=[
        (frame(1, b"x", mask=False), 1002),
        (raw(0xA1, b"x"), 1002),
        (raw(0x91, b"x"), 1002),
        (raw(0xC1, b"x"), 1002),
        (raw(0xC9, b"x"), 1002),
        (raw(0x83, b"x"), 1002),
        (raw(0x8B, b"x"), 1002),
        (raw(0x80, b"x"), 1002),
        (raw(0x09, b"x"), 1002),
        (b"\x89\xfe\x00\x7e" + bytes(4 + 126), 1002),
        (frame(1, b"a", fin=False) + frame(1, b"b"), 1002),
        (frame(1, b"a", fin=False) + frame(2, b"b"), 1002),
        (frame(1, b"a") + frame(0, b"b"), 1002),
        (raw(0x88, b"x"), 1002),
        (raw(0x88, b"\x03\xe7"), 1002),
        (raw(0x88, b"\x03\xe8\xff"), 1007),
        (frame(1, b"\xff"), 1007),
        (frame(1, b"\xc3", fin=False) + frame(0, b""), 1007),
        (b"\x81\xfe\x03\xe9", 1009),
        (b"\x81\xff" + b"\xff" * 8, 1009),
        (frame(1, b"x" * BOUND, fin=False) + frame(0, b"x"), 1009),
    ],
)
def test_a_breach_ends_the_reading_with_its_code(data: bytes, code: int) -> None:
    for step in (1, 1 << 20):
        *_, last = read(frame(1, b"before") + data + frame(1, b"after"), step=step)
        assert isinstance(last, Breach)
        assert last.code == code


def test_a_message_over_the_bound_is_refused_by_its_head_alone() -> None:
    reader = FrameReader(message_bytes_max=BOUND)
    assert reader.receive(b"\x81\xfe\x03") == []
    (breach,) = reader.receive(b"\xe9")
    assert isinstance(breach, Breach)
    assert reader.receive(b"x" * 5000) == []


def test_nothing_is_held_between_messages() -> None:
    reader = FrameReader(message_bytes_max=BOUND)
    reader.receive(frame(1, b"x" * 900)[:-1])
    assert reader._rest is not None
    reader.receive(frame(1, b"x" * 900)[-1:])
    reader.receive(frame(1, b"x", fin=False) + frame(0, b"x"))
    assert reader._rest is reader._message is reader._opening is None


def test_frames_without_content_do_not_add_up() -> None:
    reader = FrameReader(message_bytes_max=BOUND)
    reader.receive(frame(1, b"a", fin=False))
    for _ in range(1000):
        assert reader.receive(frame(0, b"", fin=False)) == []
    assert len(reader._message or b"") == 1


@settings(deadline=None)
@given(st.text(max_size=300), st.booleans(), st.integers(1, 400), st.integers(1, 50))
def test_compressed_messages_are_inflated(text: str, final: bool, cut: int, step: int) -> None:
    payload = deflated(text.encode(), final=final)
    whole = frame(1, payload, rsv1=True)
    parts = frame(1, payload[:cut], rsv1=True, fin=False) + frame(9) + frame(0, payload[cut:])
    plain = frame(1, b"plain")
    heard = read(whole + parts + plain + whole, inflates=True, step=step, bound=4000)
    assert heard == [text, Ping(b""), text, "plain", text]


@pytest.mark.parametrize(
    ("data", "code"),
    ids=count(),  # The bytes are masked by chance.
    argvalues=[
        (frame(1, deflated(b"x" * (BOUND + 1)), rsv1=True), 1009),
        (frame(1, deflated(b"x" * 50_000_000)[: BOUND - 1], rsv1=True), 1009),
        (frame(1, b"\xff\xff\xff", rsv1=True), 1007),
        (frame(1, deflated(b"\xff"), rsv1=True), 1007),
        (frame(1, b"", fin=False, rsv1=True) + raw(0xC0, b""), 1002),
        (raw(0xC9, b""), 1002),
        (raw(0xE1, b""), 1002),
    ],
)
def test_what_does_not_inflate_or_inflates_too_far_ends_the_reading(data: bytes, code: int) -> None:
    *_, last = read(data, inflates=True)
    assert isinstance(last, Breach)
    assert last.code == code


def test_as_much_as_a_message_may_have_comes_out_and_no_byte_more() -> None:
    assert read(frame(1, deflated(b"x" * BOUND), rsv1=True), inflates=True) == ["x" * BOUND]


def reference(data: bytes, *, inflates: bool) -> tuple[list[str], int | None]:
    """The texts that the `websockets` library reads, and the code with which it ends, if it does."""
    server = Protocol(SERVER, state=OPEN, max_size=BOUND)
    if inflates:
        server.extensions = [PerMessageDeflate(True, True, 15, 15)]
    server.receive_data(data)
    texts, opening, message = [], None, b""
    for event in server.events_received():
        assert isinstance(event, Frame)
        if event.opcode in (Opcode.TEXT, Opcode.BINARY):
            opening, message = event.opcode, b""
        if event.opcode in (Opcode.TEXT, Opcode.BINARY, Opcode.CONT):
            message += bytes(event.data)
            if event.fin and opening is Opcode.TEXT:
                try:
                    texts.append(message.decode())
                except UnicodeDecodeError:
                    return texts, 1007
    close = server.close_rcvd or server.close_sent
    return texts, None if close is None else close.code


@settings(max_examples=200, deadline=None)
@given(st.integers(0, 2**32), st.booleans(), st.integers(1, 200))
def test_strangers_are_read_as_the_library_reads_them(seed: int, inflates: bool, step: int) -> None:
    rng = random.Random(seed)
    sent = [data for data in fuzzed_frames(rng) if len(data) < 2 * BOUND]
    if inflates:
        at = rng.randrange(len(sent) + 1)
        sent.insert(at, fuzzed_frame(rng, deflated(b"a compressed text"), opcode=1, bits=4))
    data = b"".join(sent)
    heard = read(data, inflates=inflates, step=step)
    texts, code = reference(data, inflates=inflates)
    assert [each for each in heard if isinstance(each, str)] == texts
    last = heard[-1] if heard else None
    if isinstance(last, Breach):
        if code is None:
            # The library looks at a frame when all of it is there.
            code = reference(data + bytes(2 * BOUND), inflates=inflates)[1]
        # It calls what does not inflate a breach of the protocol.
        assert last.code == code or (last.reason == "decompression failed" and code == 1002)
    elif isinstance(last, Hangup):
        try:
            assert code == Close.parse(last.payload).code
        except ProtocolError:
            pytest.fail("a close frame that cannot be read is a breach")
    else:
        assert code is None


@pytest.mark.parametrize(
    "text", ["x", "{}", "é" * 62, "y" * 125, "y" * 126, "y" * 127, "y" * 133, "y" * 300, "y" * BOUND]
)
def test_a_text_by_itself_is_read_in_one_step(text: str) -> None:
    assert FrameReader(message_bytes_max=BOUND).text(frame(1, text.encode())) == text


def test_what_is_not_one_text_takes_more_steps() -> None:
    whole = frame(1, b"whole")
    begun, over = FrameReader(message_bytes_max=BOUND), FrameReader(message_bytes_max=BOUND)
    assert begun.receive(frame(1, b"in two", fin=False)) == []
    assert begun.text(whole) is None
    over.receive(frame(8, Close(1000, "").serialize()))
    assert over.text(whole) is None
    cut = FrameReader(message_bytes_max=BOUND)
    assert cut.receive(whole[:4]) == []
    assert cut.text(whole) is None


@pytest.mark.parametrize(
    "data",
    [
        frame(1, b"") + b"x",
        frame(1, b"") + frame(1, b"next"),
        b"\x81\x05hello, without a mask",
        b"\x81\x00hello, without a mask",
        frame(1, b"more than is said") + b"!",
        frame(1, b"less than is said")[:-1],
        b"\x81\xff" + (5).to_bytes(8, "big") + bytes(4) + b"hello",
    ],
    # Masks are drawn by chance, and names of tests must not be.
    ids=["a byte behind", "a frame behind", "bare", "bare and empty", "too long", "too short", "of eight"],
)
def test_a_frame_that_is_not_as_long_as_it_says_or_has_no_mask_is_not_read_in_one_step(data: bytes) -> None:
    assert FrameReader(message_bytes_max=BOUND).text(data) is None


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_one_step_reads_what_many_would(draws: st.DataObject) -> None:
    payload = draws.draw(st.binary(max_size=300) | st.text(max_size=150).map(str.encode))
    opcode = draws.draw(st.sampled_from([0, 1, 1, 1, 2, 8]))
    mask = bytes(draws.draw(st.lists(st.integers(0, 255), min_size=4, max_size=4)))
    masked = bytes(byte ^ mask[index % 4] for index, byte in enumerate(payload))
    size = len(payload)
    length = bytes([size | 0x80]) if size < 126 else b"\xfe" + size.to_bytes(2, "big")
    data = bytearray(bytes([opcode | 0x80 * draws.draw(st.booleans())]) + length + mask + masked)
    for _ in range(draws.draw(st.integers(0, 2))):
        data[draws.draw(st.integers(0, min(9, len(data) - 1)))] = draws.draw(st.integers(0, 255))
    whole = bytes(data) + draws.draw(st.sampled_from([b"", b"", b"x", frame(1, b"next")]))
    text = FrameReader(message_bytes_max=200).text(whole)
    if text is not None:
        assert read(whole, bound=200) == [text]
