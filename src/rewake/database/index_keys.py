"""Index keys: where one document lies in every index of its table, in one generated function per table.

Floor 2, `database`, under `catalog`, whose tables have one each. A write asks for all keys of a document, and
most of their fields are short strings, positive numbers or absent, so the source says these out and calls
`encode_key` for the rest. A field that several indexes share is encoded once.

    (by_id, id)   (by_creation_time, time + id)   (index, fields + time + id)   for each declared index

Nothing from outside gets into the source: names and numbers are objects of the function's globals.

Not here: how a field is encoded, and why the order of keys is that of values (`values/key_codec.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rewake.storage import Keys
from rewake.values import UNSET, encode_key, get_path
from rewake.values.key_codec import FLOAT_TAG, STRING_KEY, pack_tagged_float

Path = tuple[str, ...]
WriteKeys = Callable[[Mapping[str, Any]], Keys]
"""Of a document in normal form with its `_id` and its `_creationTime`."""

_ENCODED = (
    "STRING % {x}.encode() if type({x}) is str and {x}.isascii() and NUL not in {x} "
    "else pack(FLOAT, -{x}) if type({x}) is float and {x} > 0.0 "
    "else ABSENT if {x} is UNSET else NULL if {x} is None else encode_key(({x},))"
)


def keys_writer(
    by_id: int, by_creation_time: int, declared: Iterable[tuple[int, Iterable[Path]]]
) -> WriteKeys:
    """What gives the keys of a table's documents: by id, by creation time, then in each declared index, of
    which there is its number and the paths of its fields.
    """
    names: dict[str, Any] = {
        "ABSENT": encode_key((UNSET,)),
        "FLOAT": FLOAT_TAG,
        "NULL": encode_key((None,)),
        "NUL": "\0",
        "STRING": STRING_KEY,
        "UNSET": UNSET,
        "by_creation_time": by_creation_time,
        "by_id": by_id,
        "encode_key": encode_key,
        "get_path": get_path,
        "pack": pack_tagged_float,
    }
    lines = [
        "id, time = document['_id'], document['_creationTime']",
        f"id_key = {_ENCODED.format(x='id')}",
        f"end = ({_ENCODED.format(x='time')}) + id_key",
    ]
    keys = ["(by_id, id_key)", "(by_creation_time, end)"]
    encoded: dict[Path, str] = {}
    for index_id, paths in declared:
        parts = []
        for path in paths:
            if path not in encoded:
                field = encoded[path] = f"e{len(encoded)}"
                place = names[f"p_{field}"] = path[0] if len(path) == 1 else path
                found = (
                    f"document.get(p_{field}, UNSET)"
                    if place == path[0]
                    else f"get_path(document, p_{field})"
                )
                lines += [f"x = {found}", f"{field} = {_ENCODED.format(x='x')}"]
            parts.append(encoded[path])
        number = f"n{len(keys)}"
        names[number] = index_id
        keys.append(f"({number}, {' + '.join([*parts, 'end'])})")
    source = "\n    ".join(["def keys(document):", *lines, f"return ({', '.join(keys)})"])
    exec(compile(source, "<rewake keys>", "exec"), names)
    write: WriteKeys = names["keys"]
    return write
