"""Places in the catalog: the keys that a transaction looked at when it asked for a name or a number.

Floor 2, `database`, under `reads`. Pure functions of what is asked for, asked in every transaction, so their
results are kept: a process sees few names.

Not here: which index of which system table the intervals belong to (`catalog`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from rewake.database.read_set import Interval
from rewake.values import Value, encode_key, key_successor


@lru_cache(maxsize=4_096)
def name_interval(name: str) -> Interval:
    """The keys of a table's name, or of a module's path."""
    return _prefix_interval([name])


@lru_cache(maxsize=4_096)
def number_interval(number: int) -> Interval:
    """The keys of a table's number."""
    return _prefix_interval([float(number)])


@lru_cache(maxsize=4_096)
def index_interval(tablet: int, name: str) -> Interval:
    """The keys of an index's name."""
    return _prefix_interval([float(tablet), name])


def _prefix_interval(values: Sequence[Value]) -> Interval:
    """All keys that begin with these fields."""
    prefix = encode_key(values)
    return prefix, key_successor(prefix)
