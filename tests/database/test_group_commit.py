from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

import apsw
import pytest

from rewake.database import (
    CallResult,
    Database,
    Invocation,
    ReplayKey,
    WriteInterrupted,
    WriteTransaction,
)
from rewake.database.catalog import TABLES
from rewake.environment import Environment, ManualClock, seeded_environment
from rewake.limits import Limits
from rewake.storage import GroupDoomed, Keys, OutcomeUnknown, StorageFailed, StorageFull
from rewake.values import COMMIT_TS, Int64, decode_id, encode
from tests.database.world import START_NS, World, documents, query


def rows(world: World, table: str = "t") -> list[dict[str, Any]]:
    with world.reader.begin() as snapshot:
        return documents(snapshot.transaction().scan(query(table)))


def connection(world: World) -> apsw.Connection:
    return world.group._store._connection


def test_timestamps_rise_with_the_clock_and_without_it(world: World) -> None:
    world.group.begin()
    ts = [world.perform(lambda tx: tx.insert("t", {})).ts for _ in range(3)]
    world.environment.clock.advance(5)  # type: ignore[attr-defined]
    ts.append(world.perform(lambda tx: tx.insert("t", {})).ts)
    world.environment.clock.advance(-50)  # type: ignore[attr-defined]
    ts.append(world.perform(lambda tx: tx.insert("t", {})).ts)
    result = world.group.commit()
    assert ts == sorted(set(ts))
    assert 0 <= ts[3] - (START_NS + 5 * 10**9) < 1_000
    assert [row.ts for row in result.rows] == ts
    assert result.last_ts == world.database.last_ts() == ts[-1]


def test_a_mutation_that_wrote_nothing_has_the_timestamp_it_saw(world: World) -> None:
    world.group.begin()
    wrote = world.perform(lambda tx: tx.insert("t", {}))
    read = world.perform(lambda tx: list(tx.scan(query("t"))))
    assert read.ts == wrote.ts
    assert len(world.group.commit().rows) == 1
    world.group.begin()
    assert world.perform(lambda tx: None).ts == wrote.ts
    result = world.group.commit()
    assert result == ([], wrote.ts)


def test_a_mutation_begins_at_its_group_mates_timestamp(world: World) -> None:
    begins: list[int] = []
    world.group.begin()
    wrote = world.perform(lambda tx: tx.insert("t", {}))
    world.perform(lambda tx: begins.append(tx.begin_ts))
    world.group.commit()
    assert begins == [wrote.ts]


def test_results_and_log_lines_are_replayed_with_the_original_timestamp(world: World) -> None:
    key = ReplayKey("session", 3)
    result = CallResult('{"a":1.0}', ("one", "zwei ä"))

    def body(tx: WriteTransaction) -> CallResult:
        tx.insert("t", {})
        return result

    world.group.begin()
    first = world.perform(body, replay=key)
    world.group.commit()
    world.insert("t", {})
    world.group.begin()
    again = world.perform(body, replay=key)
    assert (again.result, again.ts, again.is_replay) == (result, first.ts, True)
    assert not first.is_replay
    assert world.group.commit().rows == []
    assert len(rows(world)) == 2


def test_a_result_and_its_record_have_the_commit_timestamp_in_place_of_the_placeholder(world: World) -> None:
    keys = [ReplayKey("session", number) for number in range(3)]

    def body(tx: WriteTransaction) -> CallResult:
        tx.insert("t", {"at": COMMIT_TS})
        return CallResult(encode([COMMIT_TS, {"at": COMMIT_TS}]))

    world.group.begin()
    told = [world.perform(body, replay=key) for key in keys]
    world.group.commit()
    assert len({performed.ts for performed in told}) == 3
    world.group.begin()
    for key, performed in zip(keys, told, strict=True):
        ts = Int64(performed.ts)
        assert performed.result == CallResult(encode([ts, {"at": ts}]))
        again = world.perform(body, replay=key)
        assert (again.is_replay, again.result, again.ts) == (True, performed.result, performed.ts)
    world.group.rollback()
    assert rows(world) == [{"at": Int64(performed.ts)} for performed in told]


def test_where_nothing_was_written_the_placeholder_is_the_timestamp_that_the_caller_is_told(
    world: World,
) -> None:
    world.insert("t", {})
    world.group.begin()
    performed = world.perform(lambda tx: CallResult(encode(COMMIT_TS)))
    assert performed.result == CallResult(encode(Int64(performed.ts)))
    assert world.group.commit().rows == []
    assert performed.ts == world.database.last_ts()


def test_a_mutation_that_wrote_nothing_is_recorded_too(world: World) -> None:
    key = ReplayKey("session", 1)
    world.insert("t", {})
    world.group.begin()
    world.perform(lambda tx: CallResult(str(len(list(tx.scan(query("t")))))), replay=key)
    world.group.commit()
    world.insert("t", {})
    world.group.begin()
    assert world.perform(lambda tx: CallResult("other"), replay=key).result == CallResult("1")
    world.group.rollback()


def test_replay_records_are_kept_for_a_time() -> None:
    world = World(limits=Limits(replay_retention_seconds=100))
    try:
        for number in range(2):
            world.group.begin()
            world.perform(lambda tx: None, replay=ReplayKey("s", number))
            world.group.commit()
            world.environment.clock.advance(60)  # type: ignore[attr-defined]
        world.group.begin()
        assert world.group.trim() == (0, 1, False)
        assert not world.perform(lambda tx: None, replay=ReplayKey("s", 0)).is_replay
        assert world.perform(lambda tx: None, replay=ReplayKey("s", 1)).is_replay
        world.group.commit()
    finally:
        world.close()


def test_what_a_body_raises_is_handed_on_with_its_group_alive(world: World) -> None:
    world.group.begin()

    def fail(tx: WriteTransaction) -> None:
        tx.insert("t", {})
        raise KeyError("mine")

    failed = world.perform(fail)
    assert isinstance(failed.error, KeyError)
    assert failed.result is None
    assert failed.ts == 0
    assert world.group.commit().rows == []


def fill_the_disk(world: World) -> None:
    """Let the file grow by no more pages."""
    pages = connection(world).execute("PRAGMA page_count").fetchall()[0][0]
    connection(world).execute(f"PRAGMA max_page_count = {pages}")


def test_a_table_that_was_undone_takes_its_number_with_it(world: World) -> None:
    # Its ids may have been told in the failure's text; they must never mean another table.
    ids: list[str] = []

    def fail(tx: WriteTransaction) -> None:
        ids.append(tx.insert("lost", {}))
        raise ValueError("no")

    world.group.begin()
    assert isinstance(world.perform(fail).error, ValueError)
    world.group.commit()
    [kept] = world.insert("kept", {})
    assert decode_id(ids[0]).table_number != decode_id(kept).table_number
    with world.reader.begin() as snapshot:
        assert snapshot.transaction().normalize_id("kept", ids[0]) is None


def test_a_full_disk_dooms_the_group_and_the_others_can_run_again(world: World) -> None:
    world.insert("t", {"n": 0})
    fill_the_disk(world)
    world.group.begin()
    assert world.perform(lambda tx: tx.insert("t", {"n": 1})).error is None
    with pytest.raises(GroupDoomed) as doomed:
        world.perform(lambda tx: [tx.insert("t", {"s": "x" * 5_000}) for _ in range(50)])
    assert isinstance(doomed.value.reason, StorageFull)
    assert doomed.value.reason.status == 503
    world.group.rollback()
    world.group.begin()
    assert world.perform(lambda tx: tx.insert("t", {"n": 1})).error is None
    assert len(world.group.commit().rows) == 1
    assert rows(world) == [{"n": 0.0}, {"n": 1.0}]


def test_a_body_that_swallows_everything_cannot_go_on_in_a_doomed_group(world: World) -> None:
    world.insert("t", {"n": 0})
    fill_the_disk(world)
    refusals: list[str] = []

    def stubborn(tx: WriteTransaction) -> None:
        for action in (
            lambda: [tx.insert("t", {"s": "x" * 5_000}) for _ in range(50)],
            lambda: tx.insert("t", {"n": 1}),
            lambda: list(tx.scan(query("t"))),
            lambda: tx.get("j57000820c20a1g7104gm2rc1m70ynr8"),
        ):
            try:
                action()
            except BaseException as error:
                refusals.append(type(error).__name__)

    world.group.begin()
    with pytest.raises(GroupDoomed):
        world.perform(stubborn)
    assert refusals == ["GroupDoomed"] * 4
    with pytest.raises(GroupDoomed):
        world.perform(lambda tx: tx.insert("t", {}))
    world.group.rollback()
    assert rows(world) == [{"n": 0.0}]


def test_an_interrupt_dooms_the_group_also_inside_a_part(world: World) -> None:
    world.insert("t", {"n": 0})
    world.group.begin()

    def body(tx: WriteTransaction) -> None:
        with tx.savepoint():
            tx.insert("t", {"n": 1})
            connection(world).set_progress_handler(lambda: True, 1)
            tx.insert("t", {"n": 2})

    with pytest.raises(GroupDoomed, match="InterruptError"):
        world.perform(body)
    connection(world).set_progress_handler(None)
    world.group.rollback()
    assert rows(world) == [{"n": 0.0}]
    world.insert("t", {"n": 3})


class FailingCommit:
    """Stands before a store's statements and spoils COMMIT, after or before it happened."""

    def __init__(self, world: World, *, really: bool) -> None:
        self._run = world.group._store._run
        self._really = really
        world.group._store._run = self  # type: ignore[assignment]

    def __call__(self, text: str, bindings: Any = ()) -> Any:
        if text == "COMMIT":
            if self._really:
                self._run(text, bindings)
            raise apsw.IOError("disk I/O error")
        return self._run(text, bindings)


def test_an_error_after_the_commit_happened_is_settled_by_the_log(world: World) -> None:
    world.group.begin()
    world.perform(lambda tx: tx.insert("t", {"n": 1}), id="mine")
    FailingCommit(world, really=True)
    result = world.group.commit()
    assert [row.invocation for row in result.rows] == ["mine"]
    assert rows(world) == [{"n": 1.0}]
    world.insert("t", {"n": 2})


def test_an_error_before_the_commit_happened_dooms_the_group(world: World) -> None:
    world.group.begin()
    world.perform(lambda tx: tx.insert("t", {"n": 1}))
    FailingCommit(world, really=False)
    with pytest.raises(GroupDoomed) as doomed:
        world.group.commit()
    assert isinstance(doomed.value.reason, StorageFailed)
    assert not world.group.is_open
    assert rows(world) == []
    world.insert("t", {"n": 2})
    assert rows(world) == [{"n": 2.0}]


def test_what_can_neither_be_asked_nor_undone_is_unknown_until_it_can(world: World) -> None:
    world.group.begin()
    world.perform(lambda tx: tx.insert("t", {"n": 1}))
    FailingCommit(world, really=False)
    store = world.group._store
    connect, store._connect = store._connect, _no_connection
    with pytest.raises(OutcomeUnknown, match="no disk"):
        world.group.commit()
    with pytest.raises(StorageFailed, match="no disk"):
        world.group.begin()
    # It opens the file anew by itself as soon as that goes.
    store._connect = connect
    world.insert("t", {"n": 2})
    assert rows(world) == [{"n": 2.0}]


def _no_connection() -> apsw.Connection:
    raise StorageFailed(detail="no disk")


def test_a_write_that_python_gave_up_half_way_cannot_be_kept(world: World) -> None:
    store = world.group._store
    insert_document = store.insert_document

    def careless(tx: WriteTransaction) -> None:
        for number in range(2):
            with suppress(RecursionError, WriteInterrupted):
                tx.insert("t", {"n": number})

    def interrupted(tablet: int, text: str, keys: Keys) -> None:
        store.insert_document = insert_document  # type: ignore[method-assign]
        insert_document(tablet, text, keys[:1])
        raise RecursionError("maximum recursion depth exceeded")

    world.insert("t", {"n": 5})
    world.group.begin()
    store.insert_document = interrupted  # type: ignore[method-assign]
    performed = world.perform(careless)
    world.group.commit()
    assert isinstance(performed.error, WriteInterrupted)
    assert rows(world) == [{"n": 5.0}]


def test_a_part_that_was_interrupted_can_be_taken_back_alone(world: World) -> None:
    store = world.group._store
    insert_document = store.insert_document

    def nested(tx: WriteTransaction) -> None:
        tx.insert("t", {"n": 1})
        with suppress(WriteInterrupted), tx.savepoint(), suppress(RecursionError):
            store.insert_document = interrupted  # type: ignore[method-assign]
            tx.insert("t", {"n": 2})
        tx.insert("t", {"n": 3})

    def interrupted(tablet: int, text: str, keys: Keys) -> None:
        store.insert_document = insert_document  # type: ignore[method-assign]
        insert_document(tablet, text, keys[:1])
        raise RecursionError("maximum recursion depth exceeded")

    world.group.begin()
    performed = world.perform(nested)
    world.group.commit()
    assert performed.error is None
    assert rows(world) == [{"n": 1.0}, {"n": 3.0}]


def test_what_was_torn_before_a_part_is_not_mended_by_taking_the_part_back(world: World) -> None:
    store = world.group._store
    delete_entry = store.delete_entry

    def careless(tx: WriteTransaction) -> None:
        with suppress(TimeoutError):
            tx.delete(id)
        with suppress(WriteInterrupted), tx.savepoint():
            raise AssertionError("no part begins where a write is torn")

    def interrupted(index_id: int, key: bytes) -> None:
        store.delete_entry = delete_entry  # type: ignore[method-assign]
        raise TimeoutError("the author's own alarm")

    [id] = world.insert("t", {"n": 1})
    world.group.begin()
    store.delete_entry = interrupted  # type: ignore[method-assign]
    performed = world.perform(careless)
    world.group.commit()
    assert isinstance(performed.error, WriteInterrupted)
    assert rows(world) == [{"n": 1.0}]


@pytest.mark.parametrize("error", [ValueError, GeneratorExit, StopIteration, KeyboardInterrupt])
def test_a_part_is_taken_back_whatever_it_raises(world: World, error: type[BaseException]) -> None:
    def careless(tx: WriteTransaction) -> None:
        with suppress(error), tx.savepoint():
            tx.insert("t", {"n": 1})
            raise error
        tx.insert("t", {"n": 2})

    world.group.begin()
    assert world.perform(careless).error is None
    world.group.commit()
    assert rows(world) == [{"n": 2.0}]


@pytest.mark.parametrize("ending", ["keep_part", "drop_part"])
def test_a_part_whose_end_was_interrupted_is_not_taken_for_the_one_around_it(
    world: World, ending: str
) -> None:
    store = world.group._store
    end_part = getattr(store, ending)

    def interrupted() -> None:
        setattr(store, ending, end_part)
        raise TimeoutError("the author's own alarm")

    def careless(tx: WriteTransaction) -> None:
        with suppress(ZeroDivisionError), tx.savepoint():
            tx.insert("t", {"n": 1})
            with suppress(TimeoutError), tx.savepoint():
                tx.insert("t", {"n": 2})
                setattr(store, ending, interrupted)
                if ending == "drop_part":
                    raise TimeoutError
            raise ZeroDivisionError
        with suppress(WriteInterrupted):
            tx.insert("t", {"n": 3})

    world.insert("t", {"n": 5})
    world.group.begin()
    performed = world.perform(careless)
    world.group.commit()
    assert isinstance(performed.error, WriteInterrupted)
    assert rows(world) == [{"n": 5.0}]


def test_a_part_that_nobody_ended_fails_its_mutation_and_touches_no_other(world: World) -> None:
    left = []

    def careless(tx: WriteTransaction) -> None:
        part = tx.savepoint()
        left.append(part)
        part.__enter__()
        tx.insert("t", {"n": 1})

    def careful(tx: WriteTransaction) -> None:
        with tx.savepoint():
            tx.insert("t", {"n": 2})
            left.clear()  # As the last reference to an error goes, and with it whatever its frames held.

    world.insert("t", {"n": 5})
    world.group.begin()
    assert isinstance(world.perform(careless).error, WriteInterrupted)
    assert world.perform(careful).error is None
    world.group.commit()
    assert rows(world) == [{"n": 5.0}, {"n": 2.0}]


def test_a_table_whose_making_was_interrupted_is_not_there(world: World) -> None:
    store = world.group._store
    define_view = store.define_view

    def interrupted(name: str, *, index_id: int, columns: dict[str, str]) -> None:
        store.define_view = define_view  # type: ignore[method-assign]
        raise TimeoutError("the author's own alarm")

    def careless(tx: WriteTransaction) -> None:
        with suppress(TimeoutError):
            tx.insert("fresh", {"n": 1})
        assert "fresh" not in tx.catalog.tables
        tx.insert("fresh", {"n": 2})

    world.group.begin()
    store.define_view = interrupted  # type: ignore[method-assign]
    performed = world.perform(careless)
    [row] = world.group.commit().rows
    assert performed.error is None
    assert rows(world, "fresh") == [{"n": 2.0}]
    assert len([write for write in row.writes if write.tablet == TABLES.tablet]) == 1


def test_the_log_tells_what_became_of_an_invocation(world: World) -> None:
    before = world.database.last_ts()
    world.group.begin()
    performed = world.perform(lambda tx: tx.insert("t", {}), id="known")
    world.group.commit()
    assert world.group.find_invocation("known", after=before) == performed.ts
    assert world.group.find_invocation("known", after=performed.ts) is None
    assert world.group.find_invocation("unknown", after=0) is None


def test_fault_points_are_reached_in_order() -> None:
    reached: list[str] = []
    environment = seeded_environment(1)
    environment.reach = reached.append
    world = World(environment=environment)
    try:
        world.group.begin()
        world.perform(lambda tx: tx.insert("t", {}))
        world.perform(lambda tx: tx.insert("t", {}))
        assert reached == ["group.after_savepoint"] * 2
        world.group.commit()
        assert reached[2:] == ["group.before_commit", "group.after_commit_before_outcome"]
    finally:
        world.close()


@pytest.mark.parametrize("moment", ["in a mutation", "before commit", "after commit"])
def test_a_crash_keeps_whole_groups_only(tmp_path: Path, moment: str) -> None:
    """The files are copied as they lie at the moment of the crash, and opened elsewhere."""

    def crash() -> None:
        for path in tmp_path.glob("data*"):
            if not path.name.endswith((".lock", "-shm")):
                shutil.copy(path, tmp_path / path.name.replace("data", "copy"))

    class Crashed(Exception):
        pass

    def reach(point: str) -> None:
        if (
            point
            == {
                "before commit": "group.before_commit",
                "after commit": "group.after_commit_before_outcome",
            }.get(moment)
            and armed
        ):
            crash()
            raise Crashed

    armed: list[bool] = []
    environment = Environment(clock=ManualClock(), reach=reach)
    world = World(path=tmp_path / "data", environment=environment)
    world.insert("t", {"n": 1})
    armed.append(True)
    world.group.begin()
    ts = world.perform(
        lambda tx: tx.insert("t", {"n": 2, "at": COMMIT_TS}), id="second", replay=ReplayKey("s", 1)
    ).ts

    def body(tx: WriteTransaction) -> None:
        tx.insert("t", {"n": 3})
        if moment == "in a mutation":
            crash()

    world.perform(body, id="third")
    if moment == "in a mutation":
        world.group.rollback()
    else:
        with pytest.raises(Crashed):
            world.group.commit()
    world.close()

    copy = World(path=tmp_path / "copy", environment=Environment(clock=ManualClock()))
    try:
        kept = moment == "after commit"
        assert rows(copy) == [{"n": 1.0}] + [{"n": 2.0, "at": Int64(ts)}, {"n": 3.0}] * kept
        found = [copy.group.find_invocation(id, after=0) is not None for id in ("second", "third")]
        assert found == [kept, kept]
        copy.group.begin()
        again = copy.perform(lambda tx: None, replay=ReplayKey("s", 1))
        assert again.is_replay is kept
        copy.group.rollback()
        assert len(list(copy.database.log_rows(after=0))) == (3 if kept else 1)
    finally:
        copy.close()


def test_the_data_outlive_the_process(tmp_path: Path) -> None:
    world = World(path=tmp_path / "data")
    (id,) = world.insert("t", {"n": 1})
    last_ts = world.database.last_ts()
    world.close()
    database = Database.open(tmp_path / "data", environment=seeded_environment(8))
    try:
        assert database.last_ts() == last_ts
        reader = database.reader()
        with reader.begin() as snapshot:
            assert documents([snapshot.transaction().get(id) or ""]) == [{"n": 1.0}]
        reader.close()
        group = database.group_commit()
        group.begin()
        performed = group.perform(Invocation("next"), lambda tx: CallResult(tx.insert("u", {})))
        assert performed.ts > last_ts
        group.commit()
        group.close()
    finally:
        database.close()


def test_checkpoints_do_not_disturb_a_snapshot(world: World) -> None:
    world.insert("t", {"n": 1})
    with world.reader.begin() as snapshot:
        world.insert("t", {"n": 2})
        frames, moved = world.database.checkpoint()
        assert 0 <= moved <= frames
        assert documents(snapshot.transaction().scan(query("t"))) == [{"n": 1.0}]
    assert world.group.restart_log(patience_seconds=1.0)
    assert len(rows(world)) == 2
