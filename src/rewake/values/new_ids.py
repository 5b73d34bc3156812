"""New ids: unguessable ids of documents, written a run at a time.

Floor 0, `values`, on `document_id`. Writing the text of an id takes longer than drawing it, and ids of a
table are wanted one after the other. So a run of them is drawn and written at once, each step for all of
them: a byte of every id is one slice of a buffer, checksums are sums of large integers with a lane for each
id, and so is the spreading into groups of five bits.

    table number | 4 bytes, the run's | 10 bytes of chance | the day, 2 bytes | checksum

Ids of a run lie side by side in the index of their table, and a commit of many writes few of its pages. What
differs nobody guesses. The days are those since 1970-01-01, which nothing reads back.

Not here: what the parts mean, and one id at a time, to which a property test holds these (`document_id.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from rewake.values.document_id import (
    FOOTER_BYTES,
    SPREADING,
    TO_CHARACTERS,
    VERSION,
    DocumentId,
    checksum,
    encode_table_number,
    remember_ids,
)

_RUN = 128
"""Ids that begin alike: fewer find new pages at every commit, more are spread over many themselves."""
_TABLES_READY_MAX = 64
"""Of so many tables there are ids that wait to be given out."""
_SHARED_BYTES = 4
_DAY_BYTES = 2
_OWN_BYTES = 16 - _SHARED_BYTES - _DAY_BYTES
_DAY_NS = 86_400 * 10**9
_LANE_BYTES = 64
"""What the spreading of one id takes."""


class NewIds:
    """Gives out ids that nobody has. One for each process: a fork would repeat them."""

    def __init__(self, random_bytes: Callable[[int], bytes]) -> None:
        """`random_bytes` gives so many unguessable bytes."""
        self._random_bytes = random_bytes
        # By table number, of the day below.
        self._ready: dict[int, list[str]] = {}
        self._day = 0

    def next(self, table_number: int, now_ns: int) -> str:
        """A new id of a table. `now_ns` is the time since the epoch."""
        day = now_ns // _DAY_NS
        if day != self._day:
            self._ready.clear()
            self._day = day
        ready = self._ready.get(table_number)
        if not ready:
            ready = self._drawn(table_number)
        return ready.pop()

    def _drawn(self, table_number: int) -> list[str]:
        if len(self._ready) >= _TABLES_READY_MAX:
            self._ready.clear()
        shared, own = self._random_bytes(_SHARED_BYTES), self._random_bytes(_OWN_BYTES * _RUN)
        day = (self._day & 0xFFFF).to_bytes(_DAY_BYTES, "big")
        texts = _texts(encode_table_number(table_number), shared, own, day)
        remember_ids(
            {
                text: DocumentId(table_number, shared + own[at : at + _OWN_BYTES] + day)
                for text, at in zip(texts, range(0, len(own), _OWN_BYTES), strict=True)
            }
        )
        self._ready[table_number] = texts
        return texts


def _texts(table: bytes, shared: bytes, own: bytes, day: bytes) -> list[str]:
    """The texts of a run: of `_RUN` ids whose own bytes lie behind each other in `own`."""
    before = table + shared
    common = before + bytes(_OWN_BYTES) + day
    size = len(common) + FOOTER_BYTES
    # Every id in a lane of its own, at the lane's end.
    lanes = bytearray((bytes(_LANE_BYTES - size) + common + bytes(FOOTER_BYTES)) * _RUN)
    start, wide = _LANE_BYTES - size + len(before), bytearray(2 * _RUN)
    low, high = 0, 0
    for position in range(_OWN_BYTES):
        column = own[position::_OWN_BYTES]
        lanes[start + position :: _LANE_BYTES] = column
        wide[::2] = column
        number = int.from_bytes(wide, "little")
        low += number
        # A byte is in the sum of sums as often as there are bytes from it on.
        high += number * (_OWN_BYTES - position + _DAY_BYTES)
    of_common = checksum(common) ^ VERSION
    ones = int.from_bytes(b"\1\0" * _RUN, "little")
    for position, sums, rest in ((2, low, of_common & 0xFF), (1, high, of_common >> 8)):
        lanes[_LANE_BYTES - position :: _LANE_BYTES] = (sums + rest * ones).to_bytes(2 * _RUN, "little")[::2]
    characters = -(-8 * size // 5)
    spread = int.from_bytes(lanes, "big") << 5 * characters - 8 * size
    for keep, move, shift in _spreading():
        spread = spread & keep | (spread & move) << shift
    text = spread.to_bytes(_LANE_BYTES * _RUN, "big").translate(TO_CHARACTERS).decode()
    return [text[end - characters : end] for end in range(_LANE_BYTES, len(text) + 1, _LANE_BYTES)]


@lru_cache(maxsize=1)
def _spreading() -> list[tuple[int, int, int]]:
    """The steps of `document_id`, for all lanes at once."""
    return [(_in_all_lanes(keep), _in_all_lanes(move), shift) for keep, move, shift in SPREADING]


def _in_all_lanes(mask: int) -> int:
    return int.from_bytes(mask.to_bytes(_LANE_BYTES, "big") * _RUN, "big")
