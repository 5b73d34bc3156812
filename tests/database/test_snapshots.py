"""Snapshots against a plain dict: every state that ever was, read back from the latest rows and the log."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rewake.database import ReadTransaction, SnapshotInFuture, SnapshotTooOld, apply_schema
from rewake.limits import Limits
from rewake.schema import RangeBound, define_schema, define_table, v
from rewake.values import decode_stored, encode, encode_key
from tests.database.world import World, documents, query

SCHEMA = define_schema(
    {"t": define_table(v.any()).index("by_n", ["n"]).index("by_m_n", ["m", "n"])}, schema_validation=False
)
VALUES = [None, 0.0, 1.0, 2.0, "a", True]


def expected(state: dict[str, dict[str, Any]], index: str, *, descending: bool) -> list[str]:
    fields = {"by_creation_time": [], "by_n": ["n"], "by_m_n": ["m", "n"]}[index]

    def key(id: str) -> bytes:
        document = state[id]
        return encode_key([*(document[field] for field in fields), document["_creationTime"], id])

    return sorted(state, key=key, reverse=descending)


def check(transaction: ReadTransaction, state: dict[str, dict[str, Any]], ids: list[str]) -> None:
    for index in ("by_creation_time", "by_n", "by_m_n"):
        for order in ("asc", "desc"):
            found = [decode_stored(text) for text in transaction.scan(query("t", index, order=order))]
            assert [d["_id"] for d in found] == expected(state, index, descending=order == "desc")  # type: ignore[index,call-overload]
    for id in ids:
        text = transaction.get(id)
        assert (None if text is None else decode_stored(text)) == state.get(id)
    one = [decode_stored(text) for text in transaction.scan(query("t", "by_n", RangeBound("n", "gte", 1.0)))]
    assert {d["_id"] for d in one} == {  # type: ignore[index,call-overload]
        id for id, document in state.items() if encode_key([document["n"]]) >= encode_key([1.0])
    }


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 2**32))
def test_every_timestamp_reads_as_it_was(seed: int) -> None:
    chance = random.Random(seed)
    world = World()
    try:
        world.mutate(lambda tx: apply_schema(tx, SCHEMA))
        state: dict[str, dict[str, Any]] = {}
        ids: list[str] = []
        history: list[tuple[int, dict[str, dict[str, Any]]]] = [(world.database.last_ts(), {})]

        def change(tx: Any) -> None:
            for _ in range(chance.randrange(1, 6)):
                fields = {"n": chance.choice(VALUES), "m": chance.choice(VALUES)}
                alive = sorted(state)
                action = chance.choice(["insert", "insert", "patch", "replace", "delete"])
                if action == "insert" or not alive:
                    id = tx.insert("t", fields)
                    ids.append(id)
                elif action == "delete":
                    id = chance.choice(alive)
                    tx.delete(id)
                else:
                    id = chance.choice(alive)
                    getattr(tx, action)(id, fields)
                text = tx.get(id)
                if text is None:
                    del state[id]
                else:
                    state[id] = decode_stored(text)  # type: ignore[assignment]
            check(tx, state, ids)

        for _ in range(8):
            world.group.begin()
            for _ in range(chance.randrange(1, 4)):
                before = {id: dict(document) for id, document in state.items()}
                performed = world.perform(change)
                assert performed.error is None
                # Not `!=` on the objects, for which True is 1.0.
                if encode(state) != encode(before):
                    history.append((performed.ts, {id: dict(document) for id, document in state.items()}))
            world.group.commit()
        for ts, then in history:
            with world.reader.begin_at(ts) as snapshot:
                assert snapshot.ts == ts
                check(snapshot.transaction(), then, ids)
        with world.reader.begin() as snapshot:
            assert snapshot.ts == history[-1][0]
            check(snapshot.transaction(), state, ids)
    finally:
        world.close()


def test_a_snapshot_stays_as_it_was_while_others_commit(world: World) -> None:
    (id,) = world.insert("t", {"n": 1})
    with world.reader.begin() as snapshot:
        world.mutate(lambda tx: tx.patch(id, {"n": 2}))
        world.insert("u", {"n": 1})
        transaction = snapshot.transaction()
        assert documents([transaction.get(id) or ""]) == [{"n": 1.0}]
        assert list(transaction.scan(query("u"))) == []
        assert snapshot.ts < world.database.last_ts()
    with world.reader.begin() as snapshot:
        assert snapshot.ts == world.database.last_ts()
        assert len(list(snapshot.transaction().scan(query("u")))) == 1


def test_transactions_of_one_snapshot_have_read_sets_of_their_own(world: World) -> None:
    first, second = world.insert("t", {"n": 1}, {"n": 2})
    with world.reader.begin() as snapshot:
        one, other = snapshot.transaction(), snapshot.transaction()
        one.get(first)
        other.get(second)
        assert one.read_set != other.read_set
        assert one.ts == other.ts == one.begin_ts == snapshot.ts


def test_the_future_is_refused(world: World) -> None:
    world.insert("t", {"n": 1})
    last_ts = world.database.last_ts()
    with pytest.raises(SnapshotInFuture, match=str(last_ts)):
        world.reader.begin_at(last_ts + 1)
    world.reader.begin_at(last_ts).end()


def test_timestamp_zero_is_the_empty_database(world: World) -> None:
    (id,) = world.insert("t", {"n": 1})
    with world.reader.begin_at(0) as snapshot:
        assert snapshot.transaction().get(id) is None
        assert snapshot.catalog.user_tables() == []


def test_a_moment_before_an_index_was_dropped_is_gone_with_it(world: World) -> None:
    world.mutate(lambda tx: apply_schema(tx, SCHEMA))
    world.insert("t", {"n": 1})
    then = world.database.last_ts()
    world.mutate(lambda tx: apply_schema(tx, define_schema({"t": define_table(v.any())})))
    with pytest.raises(SnapshotTooOld):
        world.reader.begin_at(then)
    assert world.reader.begin().ts == world.database.last_ts()


def test_the_log_is_trimmed_by_size_from_its_beginning() -> None:
    world = World(limits=Limits(log_retention_bytes=2_000))
    try:
        timestamps = []
        for number in range(20):
            world.insert("t", {"n": number, "text": "x" * 100})
            timestamps.append(world.database.last_ts())
        world.group.begin()
        result = world.group.trim()
        world.group.commit()
        assert 0 < result.log_rows < 20
        assert not result.has_more
        with pytest.raises(SnapshotTooOld):
            world.reader.begin_at(timestamps[0])
        kept = timestamps[result.log_rows - 1]
        with world.reader.begin_at(kept) as snapshot:
            assert len(list(snapshot.transaction().scan(query("t")))) == result.log_rows
        with pytest.raises(SnapshotTooOld, match=str(kept)):
            world.reader.begin_at(kept - 1)
    finally:
        world.close()
