"""Document ids: a table's number and sixteen bytes, as text that people can double-click.

Floor 0, `values`. The text is lowercase Crockford base32 (no i, l, o, u) of

    table number (7 bits a byte, low first) | internal id, 16 bytes | checksum, 2 bytes

so one document has exactly one id text, ids of several tables cannot be mixed up, and a mistyped id is found
out without asking the database. Which number is which table is known to each deployment alone.

Reading goes through Python's own base 32 integers, whose digits are 0-9a-v, with a table of bytes between;
writing spreads the bits of one large integer, since it cannot be done that way round.

Not here: giving out new ones (`new_ids.py`), whether a document of an id exists (`database`), which table a
number means (`schema`).
Source: spec/wire-protocol 3.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from itertools import accumulate

import msgspec

from rewake.values.errors import InvalidId

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
TO_CHARACTERS = _ALPHABET.encode() + bytes(256 - len(_ALPHABET))
"""From five bits in a byte to our alphabet."""

_DIGITS = b"0123456789abcdefghijklmnopqrstuv"
_TO_DIGITS = bytes(
    _DIGITS[_ALPHABET.index(chr(code))] if chr(code) in _ALPHABET else 0x21 for code in range(256)
)
"""From our alphabet to Python's digits; everything else becomes `!`, which `int` refuses."""

_INTERNAL_BYTES = 16
FOOTER_BYTES = 2
VERSION = 0
_USUAL_BYTES = 2 + _INTERNAL_BYTES + FOOTER_BYTES
"""In ids of tables number 128 to 16,383: of the first 6,000 tables that an application makes."""
ID_LENGTHS = range(31, 38)
"""How many characters an id may have."""
TABLE_NUMBER_MAX = 2**32 - 1

_SHAPES = {characters: divmod(5 * characters, 8) for characters in ID_LENGTHS}
"""Characters of an id to the bytes in them and the bits that are left over."""

_KNOWN_MAX = 16_384


def _spreading() -> list[tuple[int, int, int]]:
    """Steps that bring 64 groups of five bits into a byte each: the upper half of every block moves up, then
    those of its halves.
    """
    steps = []
    groups = 64
    while groups > 1:
        half = groups // 2
        bits = (1 << 5 * half) - 1
        blocks = range(0, 8 * 64, 8 * groups)
        keep = sum(bits << at for at in blocks)
        steps.append((keep, keep << 5 * half, 3 * half))
        groups = half
    return steps


SPREADING = _spreading()


class DocumentId(msgspec.Struct, frozen=True, gc=False):
    """What an id text says."""

    table_number: int
    """1 to 2**32 - 1; its meaning is the deployment's."""
    internal: bytes
    """16 bytes, unique in the deployment."""


def encode_id(table_number: int, internal: bytes) -> str:
    """Write the id text of a document: 31 to 37 characters."""
    assert 1 <= table_number <= TABLE_NUMBER_MAX
    assert len(internal) == _INTERNAL_BYTES
    content = encode_table_number(table_number) + internal
    content += (checksum(content) ^ VERSION).to_bytes(FOOTER_BYTES, "little")
    bits = 8 * len(content)
    characters = -(-bits // 5)
    number = int.from_bytes(content, "big") << 5 * characters - bits
    for keep, move, shift in SPREADING:
        number = number & keep | (number & move) << shift
    text = number.to_bytes(characters, "big").translate(TO_CHARACTERS).decode()
    _known.remember({text: DocumentId(table_number, internal)})
    return text


@lru_cache(maxsize=4_096)
def encode_table_number(number: int) -> bytes:
    """Seven bits a byte, low first; all but the last have the eighth."""
    groups = bytearray()
    while number > 0x7F:
        groups.append(number & 0x7F | 0x80)
        number >>= 7
    groups.append(number)
    return bytes(groups)


def _decode_table_number(content: bytes) -> tuple[int, int]:
    """Return the table number at the start of `content` and where it ends."""
    number = 0
    for position, group in enumerate(content[:5]):
        number |= (group & 0x7F) << 7 * position
        if group < 0x80:
            # A last group of zero is a longer way to write the same number, or the number zero.
            if group == 0 or number > TABLE_NUMBER_MAX:
                break
            return number, position + 1
    raise InvalidId(reason="Invalid table number")


def checksum(content: bytes) -> int:
    """Fletcher's checksum with modulus 256: the low byte is the sum, the high byte the sum of the sums."""
    # Cut to a byte in the end: sums of 21 bytes stay small.
    return (sum(accumulate(content)) & 0xFF) << 8 | sum(content) & 0xFF


class _KnownIds(dict[str, DocumentId]):
    """Reads id texts, and remembers those that were written or read last: a pure function remembered, no
    state that deployments share. At a bound the memory is emptied and fills again.
    """

    def remember(self, ids: Mapping[str, DocumentId]) -> None:
        """Take up what texts say that were just written or read."""
        if len(self) >= _KNOWN_MAX:
            self.clear()
        self.update(ids)

    def __missing__(self, text: str) -> DocumentId:
        shape = _SHAPES.get(len(text))
        if shape is None:
            raise InvalidId(reason=f"Invalid ID length {len(text)}")
        length, spare_bits = shape
        try:
            number = int(text.encode("ascii").translate(_TO_DIGITS), 32)
        except ValueError:  # UnicodeEncodeError is one.
            raise InvalidId(reason="ID wasn't valid base32") from None
        # Five spare bits would be a whole character too many; others must be zero, or two texts were one id.
        if spare_bits >= 5 or number & (1 << spare_bits) - 1:
            raise InvalidId(reason="ID wasn't valid base32")
        content = (number >> spare_bits).to_bytes(length, "big")
        if length == _USUAL_BYTES and content[0] > 0x7F and 0 < content[1] <= 0x7F:
            table_number, start = content[0] & 0x7F | content[1] << 7, 2
        else:
            table_number, start = _decode_table_number(content)
        if len(content) - start != _INTERNAL_BYTES + FOOTER_BYTES:
            raise InvalidId(reason=f"Invalid ID length {len(text)}")
        covered = content[:-FOOTER_BYTES]
        version = (content[-1] << 8 | content[-2]) ^ checksum(covered)
        if version != VERSION:
            raise InvalidId(reason=f"Invalid ID version {version} (expected {VERSION})")
        known = DocumentId(table_number, covered[start:])
        self.remember({text: known})
        return known


_known = _KnownIds()

remember_ids = _known.remember

decode_id: Callable[[str], DocumentId] = _known.__getitem__
"""Read an id text. Only the one text that `encode_id` writes for an id is accepted. Where it is known, this
is one look into a dict.

Raises:
    InvalidId: with the sentence of wire 3 that fits.
"""
