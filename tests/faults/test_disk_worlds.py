"""Worlds on failing disks, functions in this process: whatever the disk does, what was told is what is there.

    after each fault: nothing acknowledged is lost, nothing refused or unasked is there, no half of anything,
    replays answer with what was recorded, `verify` finds nothing, no timestamp goes back, and the next life
    begins by itself

`REWAKE_TEST_SEED` chooses other worlds; a failure prints the seed that repeats it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from pathlib import Path
from random import Random

import pytest

from rewake.database import GroupCommit
from rewake.environment import Environment
from rewake.errors import RewakeError
from rewake.storage import StorageFailed, open_database
from tests.faults.fault_disk import FaultDisk
from tests.faults.world import World, other_code

BASE_SEED = int(os.environ.get("REWAKE_TEST_SEED", "2026"))
_names = count()

# While a connection closes SQLite has nobody to tell of an error, so apsw hands it to Python as unraisable.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def disk() -> Iterator[FaultDisk]:
    disk = FaultDisk(f"world-{next(_names)}")
    yield disk
    disk.close()


def seeds(what: str, number: int) -> list[str]:
    return [f"{BASE_SEED}:{what}:{each}" for each in range(number)]


FAULTS = [
    ("write", "ENOSPC", "wal"),
    ("write", "EIO", "wal"),
    ("write", "short", "wal"),
    ("sync", "EIO", "wal"),
    ("read", "EIO", "main"),
    ("read", "EIO", "wal"),
]


@pytest.mark.parametrize("fault", FAULTS, ids="-".join)
@pytest.mark.parametrize("after", range(4))
def test_one_fault_costs_at_most_the_calls_that_met_it(
    tmp_path: Path, disk: FaultDisk, fault: tuple[str, str, str], after: int
) -> None:
    operation, error, file = fault

    async def story() -> None:
        world = World(tmp_path / "data", seed=after, disk=disk)
        await world.open()
        await world.record(0)
        disk.fail(operation, error, file=file, after=after)
        for number in range(1, 4):
            await asyncio.gather(*(world.record(10 * number + each) for each in range(4)))
        disk.heal()
        # No restart: the next call works.
        await world.record(99)
        assert 99 in world.told.kept
        await world.check()
        await world.close()
        await world.open()
        await world.check()
        await world.replay()
        await world.close()

    asyncio.run(story())


def test_a_full_disk_refuses_writes_serves_reads_and_recovers_by_itself(
    tmp_path: Path, disk: FaultDisk, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        world = World(tmp_path / "data", seed=1, disk=disk)
        await world.open()
        await world.record(1)
        disk.is_full = True
        for _ in range(5):
            await asyncio.gather(*(world.record(number) for number in range(2, 12)))
            assert world.told.refused.keys() == set(range(2, 12))
            assert not world.told.unknown
            assert await world.ask("ledger:numbers") == [1]
        assert "full" in world.told.refused[2]
        # A replay of what was recorded needs no room.
        await world.record(1)
        disk.is_full = False
        await world.record(50)
        assert 50 in world.told.kept
        await world.check()
        await world.replay()
        await world.close()

    asyncio.run(story())
    said = [record.getMessage() for record in caplog.records if record.name.endswith("group_writer")]
    assert len(said) == 2, "said once that it is full, and once that it is not any more"
    assert "full" in said[0]
    assert "again" in said[1]


def test_a_commit_that_was_reported_as_failed_stays_undone_over_a_crash(
    tmp_path: Path, disk: FaultDisk
) -> None:
    """Its pages lie whole in the write-ahead log when only the sync after them failed."""

    async def story() -> None:
        world = World(tmp_path / "data", seed=1, disk=disk)
        await world.open()
        await world.record(1)
        disk.fail("sync", "EIO", file="wal")
        await world.record(2)
        assert world.told.refused.keys() == {2}
        # The process dies here; the files are as they are, and the log is read anew.
        image = tmp_path / "image"
        image.mkdir()
        for suffix in ("", "-wal"):
            (image / f"data{suffix}").write_bytes(Path(f"{world.path}{suffix}").read_bytes())
        await world.close()
        after = World(image / "data", seed=2, disk=None)
        after.told = world.told
        await after.open()
        await after.check()
        await after.replay()
        await after.close()

    asyncio.run(story())


def test_while_nobody_can_know_nobody_is_told_and_the_replay_finds_out(
    tmp_path: Path, disk: FaultDisk
) -> None:
    async def story() -> None:
        world = World(tmp_path / "data", seed=1, disk=disk)
        await world.open()
        await world.record(1)
        # The sync fails, and so does everything that could find out what came of it.
        disk.fail("sync", "EIO", file="wal", times=-1)
        await world.record(2)
        assert world.told.unknown == {2}
        await world.record(3)
        disk.heal()
        # The writer opens the file anew by itself.
        await world.record(4)
        assert 4 in world.told.kept
        await world.check()
        await world.replay()
        await world.close()

    asyncio.run(story())


def test_a_handler_that_swallows_a_read_error_and_goes_on_leaves_no_trace(
    tmp_path: Path, disk: FaultDisk
) -> None:
    async def story() -> None:
        world = World(tmp_path / "data", seed=1, disk=disk)
        for after in range(8):
            await world.open()
            await world.record(after)
            await world.close()
            # A new life has nothing in its caches, so the handler itself meets the disk.
            await world.open()
            disk.fail("read", "EIO", file="main", after=after)
            await world.record(1_000 + after, path="ledger:record_stubbornly")
            disk.heal()
            await world.check()
            await world.close()
        assert disk.failures, "no fault was met"
        assert world.told.refused, "no handler met a fault"

    asyncio.run(story())


def test_a_handler_that_swallows_a_full_disk_and_goes_on_leaves_no_trace(
    tmp_path: Path, disk: FaultDisk
) -> None:
    def bound(pages: int) -> Callable[[GroupCommit], None]:
        # SQLite's own bound is met by the statement that wants a page, not only by COMMIT.
        return lambda group: group._store._connection.pragma("max_page_count", pages) and None

    async def story() -> None:
        world = World(tmp_path / "data", seed=1, disk=disk)
        await world.open()
        await world.record(1)
        await world.deployment.change(bound(1))
        await asyncio.gather(
            world.record(2, path="ledger:record_stubbornly"), world.record(3, path="ledger:record_stubbornly")
        )
        assert world.told.refused.keys() == {2, 3}
        await world.deployment.change(bound(2**30))
        await world.record(4)
        await world.check()
        await world.replay()
        await world.close()

    asyncio.run(story())


def test_a_query_that_swallows_the_error_is_not_believed(tmp_path: Path, disk: FaultDisk) -> None:
    async def story() -> None:
        world = World(tmp_path / "data", seed=1, disk=disk)
        await world.open()
        await world.record(7)
        await world.close()
        refused = 0
        for after in range(8):
            await world.open()
            disk.fail("read", "EIO", after=after, times=-1)
            with suppress(StorageFailed):
                refused += 1
                assert await world.ask("ledger:numbers_whatever_happens") == [7]
                refused -= 1
            disk.heal()
            assert await world.ask("ledger:numbers_whatever_happens") == [7]
            await world.close()
        assert refused >= 2

    asyncio.run(story())


@pytest.mark.parametrize(("operation", "error"), [("write", "ENOSPC"), ("write", "EIO"), ("sync", "EIO")])
@pytest.mark.parametrize("after", range(3))
def test_a_first_start_that_the_disk_refuses_is_made_good_by_the_next(
    tmp_path: Path, disk: FaultDisk, operation: str, error: str, after: int
) -> None:
    async def story() -> None:
        world = World(tmp_path / "data", seed=1, disk=disk)
        disk.fail(operation, error, after=4 * after, times=-1)
        with pytest.raises(RewakeError):
            await world.open()
        disk.heal()
        await world.open()
        await world.record(1)
        await world.check()
        await world.close()

    asyncio.run(story())


@pytest.mark.parametrize("operation", ["write", "sync"])
def test_a_push_that_the_disk_refuses_leaves_everything_as_it_was(
    tmp_path: Path, disk: FaultDisk, operation: str
) -> None:
    async def story() -> None:
        world = World(tmp_path / "data", seed=1, disk=disk)
        await world.open()
        await world.record(1)
        disk.fail(operation, "EIO", file="wal")
        with pytest.raises(StorageFailed):
            await world.deployment.push(other_code())
        # The old code serves, on the old schema.
        await world.record(2)
        await world.check()
        report = await world.deployment.push(other_code())
        assert report is not None
        await world.check()
        await world.close()

    asyncio.run(story())


async def play(world: World, chance: Random, disk: FaultDisk, first: int) -> int:
    """Some rounds of calls on a disk that fails now and then; returns the next number."""
    number = first
    for _ in range(chance.randint(3, 8)):
        if chance.random() < 0.6:
            disk.fail_at_random(Random(chance.random()), chance.choice([0.01, 0.05, 0.3]))
        if chance.random() < 0.15:
            disk.is_full = True
        batch = range(number, number + chance.randint(1, 6))
        again = [known for known in (*world.told.kept, *world.told.unknown) if chance.random() < 0.1]
        await asyncio.gather(*(world.record(each) for each in (*batch, *again)))
        number = batch.stop
        if chance.random() < 0.5:
            with suppress(StorageFailed):
                world.deployment._database.checkpoint()
        if chance.random() < 0.6:
            disk.heal()
    return number


@pytest.mark.parametrize("seed", seeds("chaos", 12))
def test_a_disk_that_fails_at_random(tmp_path: Path, disk: FaultDisk, seed: str) -> None:
    print(f"seed {seed}")

    async def story() -> None:
        chance = Random(seed)
        world = World(tmp_path / "data", seed=chance.getrandbits(32), disk=disk)
        await world.open()
        number = 0
        for _ in range(3):
            number = await play(world, chance, disk, number)
            disk.heal()
            await world.check()
            await world.close()
            await world.open()
            await world.check()
        await world.replay()
        await world.close()

    asyncio.run(story())


@pytest.mark.parametrize("seed", seeds("cut", 24))
def test_a_power_cut_at_any_moment(tmp_path: Path, seed: str) -> None:
    print(f"seed {seed}")

    async def story() -> None:
        chance = Random(seed)
        told = None
        path = tmp_path / "data"
        number = 0
        for life in range(3):
            disk = FaultDisk(f"world-{next(_names)}")
            world = World(path, seed=chance.getrandbits(32), disk=disk)
            world.told = told or world.told
            await world.open()
            await world.check()
            image = tmp_path / f"image-{life}"
            disk.cut_at(chance.randint(1, 60), image, Random(chance.random()))
            while not disk.is_dead:
                try:
                    number = await play(world, chance, disk, number)
                except RewakeError:
                    break
            if not disk.is_dead:
                disk.cut_now(image, chance)
            await world.close()
            # What was refused after the power was gone may say nothing of what was there before.
            told, path = world.told, image / "data"
            disk.close()
        last = World(path, seed=1, disk=None)
        last.told = told
        await last.open()
        await last.check()
        await last.replay()
        await last.close()

    asyncio.run(story())


def test_housekeeping_says_once_that_it_cannot_and_goes_on_when_it_can(
    tmp_path: Path, disk: FaultDisk, caplog: pytest.LogCaptureFixture
) -> None:
    async def story() -> None:
        world = World(tmp_path / "data", seed=1, disk=disk)
        await world.open()
        await world.record(1)
        deployment = world.deployment
        done = asyncio.Event()
        rounds: list[str] = []
        checkpoint = deployment._database.checkpoint

        def watched() -> object:
            rounds.append("round")
            if len(rounds) == 5:
                disk.heal()
            if len(rounds) == 7:
                loop.call_soon_threadsafe(done.set)
            loop.call_soon_threadsafe(deployment._house.hurry)
            return checkpoint()

        loop = asyncio.get_running_loop()
        deployment._database.checkpoint = watched  # type: ignore[method-assign, assignment]
        disk.fail("write", "ENOSPC", file="main", times=-1)
        deployment._house.hurry()
        deployment._house.start()
        await asyncio.wait_for(done.wait(), 30)
        await world.close()

    asyncio.run(story())
    said = [record.getMessage() for record in caplog.records if record.name.endswith("housekeeping")]
    assert ["tried again" in text for text in said] == [True, False], said
    assert "tidied again" in said[1]


def test_the_log_begins_anew_only_on_a_disk_that_can_be_written(tmp_path: Path, disk: FaultDisk) -> None:
    engine = open_database(tmp_path / "data", environment=Environment(disk=disk.name))
    writer, key = engine.writer(), b"\x10k\0"
    writer.begin()
    writer.insert_document(101, '"one"', ((1, key),))
    writer.commit()
    disk.fail("write", "EIO", file="main")
    with pytest.raises(StorageFailed):
        writer.restart_log(patience_seconds=0.01)
    assert not writer.restart_log(patience_seconds=0.01), "there is no connection until the next begin"
    writer.begin()
    assert writer.find(1, key) == '"one"'
    writer.commit()
    assert writer.restart_log(patience_seconds=0.01)
    writer.close()
    engine.close()
