"""Short reads of the house's own."""

from __future__ import annotations

import asyncio
from pathlib import Path

from rewake.deployment.house_reads import HouseReads
from tests.deployment.stage import Stage, play


def test_reads_see_the_latest_commit_and_end_with_the_deployment(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        reads = HouseReads(stage.deployment._database)
        await reads.close()  # Nobody has read yet.
        before = await reads.read(lambda snapshot: snapshot.ts)
        await stage.mutate("notes:add", room="a", n=1)
        after = await asyncio.gather(*(reads.read(lambda snapshot: snapshot.ts) for _ in range(5)))
        assert set(after) == {await stage.deployment.latest_ts()}
        assert after[0] > before
        await reads.close()
        await reads.close()
        # Who reads once more gets a reader of its own.
        assert await reads.read(lambda snapshot: snapshot.ts) == after[0]
        await reads.close()

    play(tmp_path, story, data=tmp_path / "data.sqlite3")
