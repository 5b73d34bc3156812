"""Feeds of a deployment: pages of several readers at once, and what is begun again."""

from __future__ import annotations

from pathlib import Path

import pytest

from rewake.database import Selection, SnapshotTooOld
from tests.deployment.stage import Stage, play


def test_pages_of_many_snapshots_are_kept_apart(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        feeds, wanted = stage.deployment.feeds, {}
        starts = {}
        for number in range(6):  # More than are remembered.
            await stage.mutate("notes:fill", room="a", kilobytes=100)
            await stage.mutate("notes:fill", room="a", kilobytes=200)
            ts, page = await feeds.snapshot(Selection(), ts=None, start=None)
            assert page.next is not None
            starts[ts], wanted[ts] = page, 300 * (number + 1)
        for ts, page in starts.items():
            count = len(page.rows)
            while page.next is not None:
                _, page = await feeds.snapshot(Selection(), ts=ts, start=page.next)
                count += len(page.rows)
            assert count == wanted[ts]
        assert (await feeds.columns())["notes"] == ["_creationTime", "_id", "n", "room"]
        assert await feeds.empty_tables() == {"notes": False}
        (index,) = await feeds.indexes()
        assert index == {
            "table": "notes",
            "name": "by_room",
            "fields": ["room", "n"],
            "staged": False,
            "backfill": {"state": "done"},
        }
        first = min(starts)
        found = await feeds.changes(Selection(), after=first)
        assert {row.table for row in found.rows} == {"notes"}
        with pytest.raises(SnapshotTooOld):
            await feeds.snapshot(Selection(), ts=-1, start=None)

    play(tmp_path, story)
