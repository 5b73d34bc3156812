from __future__ import annotations

from rewake.database.catalog_places import index_interval, name_interval, number_interval
from rewake.values import encode_key


def test_a_place_has_every_key_that_begins_with_it_and_no_other() -> None:
    for (lower, upper), inside, outside in (
        (name_interval("ab"), ["ab", 1.0], ["ab\0", 1.0]),
        (number_interval(10_001), [10_001.0, 1.0], [10_002.0]),
        (index_interval(7, "by_n"), [7.0, "by_n", 1.0], [7.0, "by_m"]),
    ):
        assert upper is not None
        assert lower <= encode_key(inside) < upper
        assert not lower <= encode_key(outside) < upper
