"""The public names of the package, on purpose."""

from __future__ import annotations

import rewake.sync


def test_the_list_of_names_is_sorted_and_complete() -> None:
    assert rewake.sync.__all__ == [
        "Admission",
        "Backend",
        "LiveListener",
        "LiveResult",
        "LiveSession",
        "SyncDoor",
    ]
    assert all(hasattr(rewake.sync, name) for name in rewake.sync.__all__)
