r"""Key codec: values as bytes whose order is the order of the values.

Floor 0, `values`. An index entry's key is the encodings of its fields one after another; read sets, scans
and subscriptions are intervals of such keys. So this module's one promise, `encode_key(a) < encode_key(b)`
exactly when a comes before b, carries the database's reads and the waking of live queries.

    undefined 01    null 03
    Int64           04 05 06 07 (negative, 8 4 2 1 bytes)  08 (zero)  09 0A 0B 0C (positive, 1 2 4 8 bytes)
    COMMIT_TS       as the largest Int64, and decoded as that
    Float64         0D, 8 bytes: positive with the sign flipped, negative inverted
    false 0E        true 0F
    string 10       UTF-8, 00 written as 00 FF, then 00
    bytes 11        the same
    array 12        elements, then 00
    object 15       (name as a string, field) sorted by name, then 00

Every encoding says by itself where it ends, and no tag is 00 or above 15. That leaves one trap: the bytes of
"a" begin those of "a\0b" (`10 61 00` and `10 61 00 FF ...`). Whoever wants all keys *whose first fields are*
these must therefore not take the next byte string after the prefix but `key_successor`, which lies behind
every tag and before the FF of an escape.

Not here: which fields an index has, and the implicit `_creationTime` and `_id` (`schema`).
Source: spec/semantics 3.5, 4.6, spec/wire-protocol 2.4; the escape is that of FoundationDB's tuple layer.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from struct import Struct
from typing import Any

from rewake.errors import InvalidInput
from rewake.limits import SAFE_INTEGER_MAX, VALUE_NESTING_MAX
from rewake.values.normal_form import normalize
from rewake.values.types import INT64_MAX, INT64_MIN, UNSET, CommitTsPlaceholder, Int64, Unset, Value

_UNDEFINED, _NULL, _ZERO, _FLOAT, _FALSE, _TRUE, _STRING, _BYTES, _ARRAY, _OBJECT = (
    0x01, 0x03, 0x08, 0x0D, 0x0E, 0x0F, 0x10, 0x11, 0x12, 0x15,
)  # fmt: skip
_END = 0x00
_ESCAPE = 0xFF
_BEHIND_EVERY_TAG = b"\xfe"

_INTEGER_WIDTHS = {0x04: 8, 0x05: 4, 0x06: 2, 0x07: 1, 0x08: 0, 0x09: 1, 0x0A: 2, 0x0B: 4, 0x0C: 8}

STRING_KEY = b"\x10%b\0"
"""A string without a zero byte, around its UTF-8."""
FLOAT_TAG = _FLOAT
pack_tagged_float = Struct(">Bd").pack
"""A tag and a double. With `FLOAT_TAG` and the negative of a positive Float64, that number's encoding."""
_pack_bits = Struct(">BQ").pack
_pack_double = Struct(">d").pack
_unpack_double = Struct(">d").unpack


class _Unusual(Exception):
    """The fast way met something that only `normalize` can straighten or explain."""


class InvalidKey(InvalidInput):
    """These bytes are no index key. The data file is damaged, or a cursor was made up."""

    code = "InvalidKey"


def encode_key(values: Sequence[Value | Unset]) -> bytes:
    """Encode the fields of a key, one after another.

    Raises:
        InvalidValue: one of them is neither a value nor UNSET.
    """
    try:
        if len(values) == 1:  # As most are: ids, times, indexes of one field.
            key: bytes = _ENCODERS[type(values[0])](values[0])
            return key
        return b"".join([_ENCODERS[type(value)](value) for value in values])
    except (_Unusual, KeyError, UnicodeEncodeError):  # KeyError: a type that has no encoder.
        straight = [value if value is UNSET else normalize(value) for value in values]
        return b"".join([_ENCODERS[type(value)](value) for value in straight])


def key_of_id(id: str) -> bytes:
    """`encode_key` of the text of an id alone, which is ASCII."""
    # As `str` does it: a class derived from that may encode itself otherwise.
    return STRING_KEY % str.encode(id)


def ids_at_end(keys: Iterable[bytes], size: int) -> list[str]:
    """The ids with whose keys these keys end, of which there is at least one: the inverse of `key_of_id` for
    many of one table. `size` is the length of each such key.
    """
    between = "\0\x10"  # The end of one text and the tag of the next: no id has them.
    return b"".join([key[-size:] for key in keys]).decode()[1:-1].split(between)


def decode_key(key: bytes) -> list[Value | Unset]:
    """Decode every field of a whole key.

    Raises:
        InvalidKey: the bytes are not a sequence of encoded fields.
    """
    fields: list[Value | Unset] = []
    position = 0
    while position < len(key):
        field, position = _decode(key, position, 0)
        fields.append(field)
    return fields


def key_offsets(key: bytes, enough: int | None = None) -> list[int]:
    """Return where each field of `key` ends, stopping at the first that is cut off or unknown, or that ends
    at `enough` or behind it.

    `key[:offsets[n]]` is the prefix of the first n + 1 fields. An interval's bound made by `key_successor`
    gives the fields of the prefix that it was made from. Who cuts keys must cut at one of these offsets:
    cut between the two bytes of an escape, a string looks finished.
    """
    offsets: list[int] = []
    position, end = 0, len(key) if enough is None else min(enough, len(key))
    while position < end:
        try:
            position = _skip(key, position, 0)
        except InvalidKey:
            break
        offsets.append(position)
    return offsets


def key_successor(prefix: bytes) -> bytes | None:
    """Return a bound above every key whose first fields are those of `prefix`, and below every other
    greater key; None for the empty prefix, when there is no end.

    `prefix` must end where a field ends.
    """
    return prefix + _BEHIND_EVERY_TAG if prefix else None


# Encoding


def _encode_int64(number: int) -> bytes:
    number = int(number)  # An Int64 would check each sum below against its own bounds.
    if number == 0:
        return b"\x08"
    if number > 0:
        if number < 1 << 8:
            return bytes((0x09, number))
        if number < 1 << 16:
            return b"\x0a" + number.to_bytes(2, "big")
        if number < 1 << 32:
            return b"\x0b" + number.to_bytes(4, "big")
        return b"\x0c" + number.to_bytes(8, "big")
    # Adding the power of the width keeps the order and makes the payload unsigned.
    if number >= -(1 << 8):
        return bytes((0x07, number + (1 << 8)))
    if number >= -(1 << 16):
        return b"\x06" + (number + (1 << 16)).to_bytes(2, "big")
    if number >= -(1 << 32):
        return b"\x05" + (number + (1 << 32)).to_bytes(4, "big")
    return b"\x04" + (number + (1 << 64)).to_bytes(8, "big")


def _encode_float(number: float) -> bytes:
    if number > 0.0:
        return pack_tagged_float(_FLOAT, -number)  # Negating is flipping the sign bit, in one call.
    bits = int.from_bytes(_pack_double(number), "big")
    return _pack_bits(_FLOAT, bits ^ (0xFFFF_FFFF_FFFF_FFFF if bits >> 63 else 1 << 63))


def _encode_int(number: int) -> bytes:
    if -SAFE_INTEGER_MAX <= number <= SAFE_INTEGER_MAX:
        return _encode_float(float(number))
    raise _Unusual


def _encode_string(text: str) -> bytes:
    content = text.encode()
    if b"\0" in content:
        content = content.replace(b"\0", b"\0\xff")
    return STRING_KEY % content


def _encode_bytes(content: bytes) -> bytes:
    return b"\x11" + content.replace(b"\0", b"\0\xff") + b"\0"


def _encode_container(container: list[Any] | tuple[Any, ...] | dict[str, Any]) -> bytes:
    """Encode an array or object after straightening all of it, once."""
    straight: Any = normalize(container)
    return _encode_object(straight) if type(straight) is dict else _encode_array(straight)


def _encode_array(array: list[Any]) -> bytes:
    return b"\x12" + b"".join([_encode_element(element) for element in array]) + b"\0"


def _encode_object(fields: dict[str, Any]) -> bytes:
    parts = [_encode_string(name) + _encode_element(fields[name]) for name in sorted(fields)]
    return b"\x15" + b"".join(parts) + b"\0"


def _encode_element(value: Any) -> bytes:
    """Encode one value in normal form that stands in a container."""
    kind = type(value)
    if kind is list:
        return _encode_array(value)
    if kind is dict:
        return _encode_object(value)
    encoded: bytes = _ENCODERS[kind](value)
    return encoded


_ENCODERS: dict[type, Any] = {
    Unset: lambda _: b"\x01",
    type(None): lambda _: b"\x03",
    Int64: _encode_int64,
    CommitTsPlaceholder: lambda _: _encode_int64(INT64_MAX),
    int: _encode_int,
    float: _encode_float,
    bool: lambda claim: b"\x0f" if claim else b"\x0e",
    str: _encode_string,
    bytes: _encode_bytes,
    list: _encode_container,
    tuple: _encode_container,
    dict: _encode_container,
}


# Decoding


def _decode(key: bytes, position: int, level: int) -> tuple[Any, int]:
    """Decode the field at `position`, which stands inside `level` containers; return it and where it ends."""
    end = _skip(key, position, level)
    tag = key[position]
    if tag == _STRING:
        try:
            return _unescape(key, position, end).decode(), end
        except UnicodeDecodeError:
            raise InvalidKey(f"Invalid key: a string at byte {position} is not UTF-8") from None
    if tag == _FLOAT:
        return _decode_float(key[position + 1 : end]), end
    if tag in _INTEGER_WIDTHS:
        return _decode_int64(key, position, end), end
    if tag == _BYTES:
        return _unescape(key, position, end), end
    if tag == _ARRAY:
        return _decode_elements(key, position + 1, level + 1), end
    if tag == _OBJECT:
        parts = _decode_elements(key, position + 1, level + 1)
        return dict(zip(parts[::2], parts[1::2], strict=True)), end
    return _CONSTANTS[tag], end


_CONSTANTS: dict[int, Any] = {_UNDEFINED: UNSET, _NULL: None, _FALSE: False, _TRUE: True}


def _decode_elements(key: bytes, position: int, level: int) -> list[Any]:
    """Decode fields up to the end of their container."""
    elements = []
    while key[position] != _END:
        element, position = _decode(key, position, level)
        elements.append(element)
    return elements


def _decode_int64(key: bytes, position: int, end: int) -> Int64:
    number = int.from_bytes(key[position + 1 : end], "big")
    if key[position] < _ZERO:
        number -= 1 << 8 * (end - position - 1)
    if not INT64_MIN <= number <= INT64_MAX:
        raise InvalidKey(f"Invalid key: an integer at byte {position} does not fit into 64 bits")
    return Int64(number)


def _decode_float(payload: bytes) -> float:
    bits = int.from_bytes(payload, "big")
    bits ^= 1 << 63 if bits >> 63 else 0xFFFF_FFFF_FFFF_FFFF
    number: float = _unpack_double(bits.to_bytes(8, "big"))[0]
    return number


def _unescape(key: bytes, position: int, end: int) -> bytes:
    return key[position + 1 : end - 1].replace(b"\0\xff", b"\0")


def _skip(key: bytes, position: int, level: int) -> int:
    """Return where the field at `position` ends.

    Raises:
        InvalidKey: it has no known tag, or is cut off.
    """
    tag = key[position]
    position += 1
    if tag in _CONSTANTS:
        return position
    if tag in (_STRING, _BYTES):
        return _skip_escaped(key, position)
    if tag == _FLOAT:
        end = position + 8
    elif tag in _INTEGER_WIDTHS:
        end = position + _INTEGER_WIDTHS[tag]
    elif tag in (_ARRAY, _OBJECT):
        return _skip_elements(key, position, level + 1, pairs=tag == _OBJECT)
    else:
        raise InvalidKey(f"Invalid key: unknown tag {tag:#04x} at byte {position - 1}")
    if end > len(key):
        raise InvalidKey(f"Invalid key: cut off at byte {len(key)}")
    return end


def _skip_escaped(key: bytes, position: int) -> int:
    while True:
        end = key.find(b"\0", position)
        if end < 0:
            raise InvalidKey(f"Invalid key: cut off at byte {len(key)}")
        if key[end + 1 : end + 2] != b"\xff":
            return end + 1
        position = end + 2


def _skip_elements(key: bytes, position: int, level: int, *, pairs: bool) -> int:
    if level > VALUE_NESTING_MAX:
        raise InvalidKey(f"Invalid key: nested too deep at byte {position}")
    count = 0
    while position < len(key):
        tag = key[position]
        if tag == _END and not (pairs and count % 2):
            return position + 1
        if tag == _UNDEFINED or (pairs and count % 2 == 0 and tag != _STRING):
            raise InvalidKey(f"Invalid key: tag {tag:#04x} may not stand at byte {position}")
        position = _skip(key, position, level)
        count += 1
    raise InvalidKey(f"Invalid key: cut off at byte {len(key)}")
