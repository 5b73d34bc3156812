from __future__ import annotations

from pathlib import Path

import pytest

from rewake.database import Database
from rewake.environment import Environment
from rewake.storage import DataFileLocked, Role
from tests.database.world import World


def test_a_new_deployment_begins_at_zero(world: World) -> None:
    assert world.database.last_ts() == 0
    assert list(world.database.log_rows(after=0)) == []


def test_followers_catch_up_from_the_log(world: World) -> None:
    timestamps = []
    for number in range(3):
        world.insert("t", {"n": number})
        timestamps.append(world.database.last_ts())
    assert [row.ts for row in world.database.log_rows(after=0)] == timestamps
    assert [row.ts for row in world.database.log_rows(after=timestamps[0])] == timestamps[1:]


def test_one_owner_and_its_workers(tmp_path: Path) -> None:
    owner = Database.open(tmp_path / "data", environment=Environment())
    with pytest.raises(DataFileLocked):
        Database.open(tmp_path / "data", environment=Environment())
    worker = Database.open(tmp_path / "data", environment=Environment(), role=Role.WORKER)
    assert worker.last_ts() == owner.last_ts() == 0
    worker.close()
    owner.close()
