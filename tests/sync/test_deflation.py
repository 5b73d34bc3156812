"""What we make smaller, clients read as it was; what many receive is made smaller once (RFC 7692)."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    PerMessageDeflate,
    ServerPerMessageDeflateFactory,
)
from websockets.headers import build_extension, parse_extension
from websockets.protocol import CLIENT, OPEN, Protocol

from rewake.sync import deflation
from rewake.sync.deflation import WINDOW_BITS_MAX, Deflater, PlainCount, agree
from rewake.sync.frames import text_frames

NO_TAKEOVER = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
ROW = b'{"_creationTime":1763769600000.0,"author":"ann","body":"a few words, as people write them"},'


def inflated(pieces: list[bytes], *, bits: int = WINDOW_BITS_MAX) -> bytes:
    """As a client does it: the four bytes that were left out, and a window of its own for each message."""
    decompressor = zlib.decompressobj(-bits)
    text = decompressor.decompress(b"".join(pieces) + b"\x00\x00\xff\xff")
    assert not decompressor.unconsumed_tail
    return text


@pytest.mark.parametrize(
    ("offers", "bits"),
    [
        ("", 0),
        ("permessage-deflate", 15),
        ("permessage-deflate; client_max_window_bits", 15),
        ("permessage-deflate; client_max_window_bits=10", 15),
        ("permessage-deflate;client_max_window_bits=15;server_max_window_bits=15", 15),
        ("permessage-deflate; server_max_window_bits=10", 10),
        ('permessage-deflate; server_max_window_bits="12"', 12),
        (NO_TAKEOVER, 15),
        ("permessage-deflate; server_max_window_bits=8", 0),
        ("permessage-deflate; server_max_window_bits=8, permessage-deflate", 15),
        ("permessage-deflate; server_max_window_bits", 0),
        ("permessage-deflate; server_max_window_bits=16", 0),
        ("permessage-deflate; server_max_window_bits=010", 0),
        ("permessage-deflate; server_max_window_bits=\u0661\u0662", 0),
        ("permessage-deflate; client_max_window_bits=7", 0),
        ("permessage-deflate; client_no_context_takeover=1", 0),
        ("permessage-deflate; server_no_context_takeover; server_no_context_takeover", 0),
        ("permessage-deflate; unheard_of", 0),
        ("permessage-bzip2, permessage-deflate; server_max_window_bits=11", 11),
        ("x-webkit-deflate-frame", 0),
        (";;,,=;", 0),
        ("permessage-deflate" + ", permessage-deflate" * 100, 0),
    ],
)
def test_the_first_offer_that_can_be_met_is_taken(offers: str, bits: int) -> None:
    agreement = agree(offers)
    assert (0 if agreement is None else agreement.window_bits) == bits
    if agreement is not None:
        asked = f"; server_max_window_bits={bits}" if "server_max_window_bits" in offers and bits != 0 else ""
        assert agreement.answer in (NO_TAKEOVER, NO_TAKEOVER + asked)


@settings(deadline=None)
@given(st.text(max_size=80))
def test_no_header_is_a_mistake_of_ours(offers: str) -> None:
    assert agree(offers) is None


@settings(deadline=None)
@given(
    st.booleans(),
    st.booleans(),
    st.one_of(st.none(), st.integers(9, 15)),
    st.one_of(st.none(), st.just(True), st.integers(9, 15)),
)
def test_a_client_of_the_library_agrees_with_our_answer(
    server_forgets: bool, client_forgets: bool, server_bits: int | None, client_bits: int | None
) -> None:
    factory = ClientPerMessageDeflateFactory(server_forgets, client_forgets, server_bits, client_bits)
    offer = build_extension([("permessage-deflate", list(factory.get_request_params()))])  # type: ignore[list-item]
    agreement = agree(offer)
    assert agreement is not None
    ((_, answer),) = parse_extension(agreement.answer)
    agreed = factory.process_response_params(answer, [])
    assert agreed.remote_no_context_takeover
    assert agreed.local_no_context_takeover
    assert agreed.remote_max_window_bits == agreement.window_bits


texts = st.builds(lambda unit, count: unit * count, st.binary(min_size=1, max_size=300), st.integers(1, 40))


@settings(deadline=None)
@given(st.lists(texts, min_size=1, max_size=8), st.sampled_from([9, 12, 15]))
def test_messages_are_read_back_as_they_were(parts: list[bytes], bits: int) -> None:
    whole = b"".join(parts)
    pieces = Deflater(message_bytes_min=1).message(parts, len(whole), bits)
    assert pieces is None or inflated(pieces, bits=bits) == whole
    assert pieces is None or sum(map(len, pieces)) < len(whole)


@settings(deadline=None)
@given(st.lists(texts, min_size=2, max_size=4), st.integers(1, 2000))
def test_the_library_reads_our_frames(parts: list[bytes], frame_bytes_max: int) -> None:
    whole = b"".join(parts)
    pieces = Deflater(message_bytes_min=1).message(parts, len(whole), WINDOW_BITS_MAX)
    if pieces is None:
        return
    client = Protocol(CLIENT, state=OPEN, max_size=None)
    client.extensions = [PerMessageDeflate(True, True, 15, 15)]
    size = sum(map(len, pieces))
    buffers = text_frames(pieces, size, frame_bytes_max=frame_bytes_max, is_deflated=True)
    client.receive_data(b"".join(buffers))
    assert client.parser_exc is None
    assert b"".join(bytes(event.data) for event in client.events_received()) == whole  # type: ignore[union-attr]


def test_what_many_receive_is_made_smaller_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[int] = []
    deflate = deflation._deflated

    def watched(text: bytes, bits: int) -> bytes:
        made.append(len(text))
        return deflate(text, bits)

    monkeypatch.setattr(deflation, "_deflated", watched)
    deflater = Deflater(message_bytes_min=1024)
    tail = ROW * 50
    for number in range(100):
        head = b'{"type":"Transition","queryId":%d' % number
        pieces = deflater.message((head, tail, b"]}"), len(head) + len(tail) + 2, WINDOW_BITS_MAX)
        assert pieces is not None
        assert inflated(pieces) == head + tail + b"]}"
    assert made == [len(tail)]


def test_small_large_and_random_messages_stay_as_they_are() -> None:
    deflater = Deflater(message_bytes_min=1024)
    noise = b"".join(hash_of(number) for number in range(200))
    for text in (b"x" * 1023, noise, b"x" * (2**20 + 1)):
        assert deflater.message((text,), len(text), WINDOW_BITS_MAX) is None
        half = len(text) // 2
        assert deflater.message((text[:half], text[half:]), len(text), WINDOW_BITS_MAX) is None
    assert Deflater(message_bytes_min=0).is_on is False
    assert deflater.is_on is True


def hash_of(number: int) -> bytes:
    return zlib.crc32(b"%d" % number).to_bytes(4, "big") + bytes((number * 37 % 256, number * 101 % 256))


def test_many_small_answers_in_one_message_are_made_smaller_together() -> None:
    parts = [b'{"queryId":%d,"type":"QueryUpdated","value":[]},' % number for number in range(500)]
    size = sum(map(len, parts))
    pieces = Deflater(message_bytes_min=1024).message(parts, size, WINDOW_BITS_MAX)
    assert pieces is not None
    assert sum(map(len, pieces)) < size / 4
    assert inflated(pieces) == b"".join(parts)


def test_what_is_remembered_is_bounded() -> None:
    deflater = Deflater(message_bytes_min=1024)
    for number in range(40):
        part = b"%d" % number * 200_000
        deflater.message((b"head", part[:300_000]), 300_004, WINDOW_BITS_MAX)
        held = sum(len(text) + len(smaller) for text, smaller in deflater._remembered.items())
        assert held == deflater._remembered_bytes <= deflation._REMEMBERED_BYTES_MAX
    assert 5 < len(deflater._remembered) < 40


def test_what_waits_is_counted_as_text() -> None:
    count = PlainCount()
    count.wrote(wire=100, plain=1000)
    assert count.unsent(100) == 1000
    assert count.unsent(60) == 960
    count.wrote(wire=50, plain=50)
    count.wrote(wire=200, plain=2000)
    assert count.unsent(310) == 3010
    assert count.unsent(250) == 2050
    assert count.unsent(200) == 2000
    assert count.unsent(1) == 1801
    assert count.unsent(0) == 0


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(1, 100), st.integers(0, 1000)), min_size=1), st.data())
def test_what_waits_only_shrinks_while_nothing_is_written(
    sizes: list[tuple[int, int]], data: st.DataObject
) -> None:
    count, waiting = PlainCount(), 0
    for wire, saved in sizes:
        count.wrote(wire=wire, plain=wire + saved)
        waiting += wire
    before = count.unsent(waiting)
    assert before == sum(wire + saved for wire, saved in sizes)
    while waiting:
        waiting = data.draw(st.integers(0, waiting - 1))
        now = count.unsent(waiting)
        assert waiting <= now < before
        before = now


def test_the_library_as_a_server_would_agree_to_what_we_agree_to() -> None:
    for offer in (
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_max_window_bits=10",
    ):
        ((_, parameters),) = parse_extension(offer)
        answer, _ = ServerPerMessageDeflateFactory(True, True).process_request_params(parameters, [])
        agreement = agree(offer)
        assert agreement is not None
        ours = parse_extension(agreement.answer)[0][1]
        assert set(ours) == {each for each in answer if each[0] != "client_max_window_bits"}
