"""The commit log's rows: the one road by which news travels upward.

Floor 1, `storage`. Every mutation that wrote leaves one row with its own timestamp, the documents before and
after, and their keys in every index before and after. Reactivity, reads at an older timestamp, the scheduler
and later other nodes and point-in-time restore all follow these rows and nothing else (DESIGN D4).

A document's id stands in its text, before and after, and at the end of each of its keys. In the data file it
is stored once for each write, and a mark of two bytes wherever else it stands.

Not here: writing them (`group_commit.py` in `database`), matching them with read sets
(`database/read_set.py`).
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

_WITH_MARKS = b"\xc1"
"""Begins the stored form with marks: no value of MessagePack begins so. Rows of formats 1 and 2 have none."""
_MARK = b"\xc1\xc1"
"""Stands for the document's id. No UTF-8 text holds it; where a key does, the row is stored as it is."""

Keys = tuple[tuple[int, bytes], ...]
"""(index id, key) of a document in every index that holds it."""
PackedRow = tuple[int, str, bytes]
"""A row as it lies in the data file: its timestamp, its invocation, and `pack_writes` of it."""
IndexKeys = tuple[int, bytes | None, bytes | None]
"""(index id, key before, key after); None where the document was not, or is no longer, in the index."""


class LogWrite(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One document that a mutation changed: the net effect, however often it was written.

    `old` and `new` are canonical JSON text, None where the document did not exist, or does no longer.
    """

    tablet: int
    id: str
    old: str | None
    new: str | None
    keys: tuple[IndexKeys, ...]


class LogRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one mutation wrote.

    `ts` is nanoseconds since the epoch, strictly increasing over the deployment.
    """

    ts: int
    invocation: str
    writes: tuple[LogWrite, ...]

    def keys_only(self) -> LogRow:
        """The row without its documents: all that finds the read sets which it touches."""
        (row,) = without_documents((self,))
        return row


def without_documents(rows: Iterable[LogRow]) -> list[LogRow]:
    """`LogRow.keys_only` of each."""
    return [
        LogRow(
            row.ts,
            row.invocation,
            tuple([LogWrite(write.tablet, write.id, None, None, write.keys) for write in row.writes]),
        )
        for row in rows
    ]


def joined_keys(old_keys: Keys, new_keys: Keys) -> tuple[IndexKeys, ...]:
    """Old and new key side by side for every index that holds, or held, the document."""
    if old_keys is new_keys:
        return tuple([(index_id, key, key) for index_id, key in old_keys])
    if not old_keys:
        return tuple([(index_id, None, key) for index_id, key in new_keys])
    if not new_keys:
        return tuple([(index_id, key, None) for index_id, key in old_keys])
    new = dict(new_keys)
    joined: list[IndexKeys] = [(index_id, key, new.pop(index_id, None)) for index_id, key in old_keys]
    return (*joined, *((index_id, None, key) for index_id, key in new.items()))


_encoder = msgspec.msgpack.Encoder()
_writes_decoder = msgspec.msgpack.Decoder(tuple[LogWrite, ...])
_write_decoder = msgspec.msgpack.Decoder(LogWrite)
_marked_decoder = msgspec.msgpack.Decoder(list[tuple[bytes, bytes]])
_row_decoder = msgspec.msgpack.Decoder(LogRow)


def pack_writes(writes: tuple[LogWrite, ...]) -> bytes:
    """The form in which a row's writes lie in the data file."""
    marked: list[tuple[bytes, bytes]] = []
    for write in writes:
        id, packed = write.id.encode(), _encoder.encode(write)
        short = packed.replace(id, _MARK)
        # A number is found six times as fast as a byte.
        if _MARK[0] in packed and short.replace(_MARK, id) != packed:
            return _encoder.encode(writes)
        marked.append((id, short))
    return _WITH_MARKS + _encoder.encode(marked)


def unpack_writes(packed: bytes) -> tuple[LogWrite, ...]:
    """The inverse of `pack_writes`, and what formats 1 and 2 stored.

    Raises:
        msgspec.MsgspecError: it is neither.
    """
    if not packed.startswith(_WITH_MARKS):
        return _writes_decoder.decode(packed)
    marked = _marked_decoder.decode(memoryview(packed)[len(_WITH_MARKS) :])
    return tuple([_write_decoder.decode(short.replace(_MARK, id)) for id, short in marked])


def pack_row(row: LogRow) -> bytes:
    """One whole row as it goes through a pipe to another process."""
    return _encoder.encode(row)


def unpack_row(packed: bytes) -> LogRow:
    """The inverse of `pack_row`."""
    return _row_decoder.decode(packed)
