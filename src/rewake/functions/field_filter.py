"""Filters on fields: documents kept or dropped by the order of values, not by Python's.

Floor 2, `functions`, under `query.py`. A Python function that filters compares as Python does: `1 == True`,
and `None < 5` is an error. A filter on fields compares as every index does, across all types and with missing
fields below everything, so one question has one answer whether an index or a filter asks it.

    .filter(age=gte(18) & lt(65))   ->   RangeBound("age", "gte", 18.0), ...   ->   bytes against bytes

It looks at the stored text, before a document is made of it: what is dropped costs no object.

Not here: names of attributes against stored paths (`query.py`, `schema`).
Source: semantics 3.4, 3.5.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence

from rewake.schema import RangeBound
from rewake.values import decode_stored, encode_key, get_path, parse_field_path

_TESTS: dict[str, Callable[[bytes, bytes], bool]] = {
    "eq": operator.eq,
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}


class FieldFilter:
    """Comparisons that must all hold."""

    __slots__ = ("_comparisons",)

    def __init__(self, bounds: Sequence[RangeBound]) -> None:
        """Prepare `bounds`.

        Raises:
            InvalidName: a field is no path of identifiers.
        """
        self._comparisons = [
            (parse_field_path(bound.field), _TESTS[bound.operator], encode_key([bound.value]))
            for bound in bounds
        ]

    def accepts(self, text: str) -> bool:
        """Whether the document in canonical text `text` is one to keep."""
        document = decode_stored(text)
        return all(
            holds(encode_key([get_path(document, path)]), key) for path, holds, key in self._comparisons
        )
