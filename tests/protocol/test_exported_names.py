"""The public names of the package, on purpose."""

from __future__ import annotations

import rewake.protocol


def test_the_list_of_names_is_sorted_and_complete() -> None:
    names = rewake.protocol.__all__
    assert len(names) == len(set(names)) == 32
    assert all(hasattr(rewake.protocol, name) for name in names)
