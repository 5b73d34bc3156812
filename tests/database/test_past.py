"""The overlay against a dict that was rewound by hand; whole databases are in `test_snapshots.py`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rewake.database.past import PastReads
from rewake.storage import LogRow, LogWrite

keys = st.binary(min_size=1, max_size=2)


class DictReads:
    """The latest rows, as a dict."""

    def __init__(self, entries: dict[bytes, str]) -> None:
        self.entries = entries

    def find(self, index_id: int, key: bytes) -> str | None:
        return self.entries.get(key) if index_id == 1 else None

    def page(
        self, index_id: int, lower: bytes, upper: bytes | None, *, descending: bool, limit: int
    ) -> list[tuple[bytes, str]]:
        if index_id != 1:
            return []
        inside = sorted(
            ((k, v) for k, v in self.entries.items() if lower <= k and (upper is None or k < upper)),
            reverse=descending,
        )
        return inside[:limit]


moves = st.lists(st.tuples(keys, st.none() | keys), max_size=12)


@given(st.sets(keys, max_size=12), moves, st.tuples(keys, st.none() | keys), st.booleans(), st.integers(1, 6))
def test_the_past_is_the_latest_with_every_later_commit_undone(
    first: set[bytes],
    moves: list[tuple[bytes, bytes | None]],
    interval: tuple[bytes, bytes | None],
    descending: bool,
    limit: int,
) -> None:
    lower, upper = interval
    then = {key: f"v0 {key.hex()}" for key in first}
    now = dict(then)
    rows: list[LogRow] = []
    for number, (source, target) in enumerate(moves, 1):
        # Move a document to another key, insert it, or remove it.
        old = now.pop(source, None)
        if target is not None and target in now:
            target = None
        new = None if target is None else f"v{number} {target.hex()}"
        if target is not None and new is not None:
            now[target] = new
        old_key = source if old is not None else None
        rows.append(LogRow(number, "", (LogWrite(1, "", old, new, ((1, old_key, target),)),)))
    past = PastReads(DictReads(now), reversed(rows))
    expected = DictReads(then)
    assert past.page(1, lower, upper, descending=descending, limit=limit) == expected.page(
        1, lower, upper, descending=descending, limit=limit
    )
    for key in {*then, *now}:
        assert past.find(1, key) == then.get(key)
    assert past.page(2, lower, upper, descending=descending, limit=limit) == []
