"""Rows into hidden tables: steps that can be taken twice, and copies that follow what others write."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rewake.database.hidden_tables import give_up_hidden
from rewake.database.import_rows import ImportedRowRefused, ImportMetChange, copy_step, load_rows
from rewake.database.importing import ImportRequest, TableRequest, declare_import, switch_import
from rewake.values import decode_stored_document, encode
from tests.archive.official_zip import id_of
from tests.database.world import World


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


def _request(mode: str) -> ImportRequest:
    return ImportRequest("i", mode, (TableRequest("notes", None),))


def _declare(world: World, mode: str = "replace") -> tuple[str, int]:
    found: list[tuple[str, int]] = []
    world.mutate(lambda tx: found.extend((d.document, d.number) for d in declare_import(tx, _request(mode))))
    return found[0]


def _texts(number: int, *ns: int) -> list[str]:
    return [
        encode({"_id": id_of(number, 1000 + n), "_creationTime": float(n + 1), "n": float(n)}) for n in ns
    ]


def _load(world: World, document: str, position: int, texts: list[str], *, slow: bool = False) -> int:
    done: list[int] = []
    world.mutate(
        lambda tx: done.append(
            load_rows(tx, document, position=position, texts=texts, is_time_up=lambda: slow)
        )
    )
    return done[0]


def _all(world: World) -> list[float]:
    with world.reader.begin() as snapshot:
        table = snapshot.catalog.tables["notes"]
        return [decode_stored_document(text)["n"] for _, text in snapshot.documents(table, limit=10_000)]


def test_a_step_ends_when_its_time_is_up_and_may_be_taken_twice(world: World) -> None:
    document, number = _declare(world)
    texts = _texts(number, 0, 1, 2)
    assert _load(world, document, 0, texts, slow=True) == 1
    assert _load(world, document, 0, texts, slow=True) == 2, "the first is there already"
    assert _load(world, document, 0, texts) == 3
    assert _load(world, document, 0, texts) == 3
    assert _load(world, document, 2, texts[2:]) == 3
    world.mutate(lambda tx: switch_import(tx, _request("replace")))
    assert _all(world) == [0.0, 1.0, 2.0]


def test_an_id_that_is_taken_is_told_with_its_position(world: World) -> None:
    document, number = _declare(world)
    with pytest.raises(ImportedRowRefused, match="is taken") as refused:
        _load(world, document, 10, _texts(number, 0, 1, 0))
    assert refused.value.fields["position"] == 12


def test_a_copy_follows_inserts_changes_and_deletes(world: World) -> None:
    ids = world.insert("notes", *({"n": float(n)} for n in range(10)))
    document, number = _declare(world, "append")
    done: list[bool] = []

    def step(tx: Any) -> None:
        done.append(copy_step(tx, document, is_time_up=lambda: True))

    turn = 0
    while not (done and done[-1]):
        if turn == 4:
            world.mutate(lambda tx: tx.patch(ids[0], {"n": 100.0}))
            world.mutate(lambda tx: tx.delete(ids[1]))
            world.mutate(lambda tx: tx.patch(ids[9], {"n": 109.0}))
            world.mutate(lambda tx: tx.delete(ids[8]))
            world.insert("notes", {"n": 50.0})
        world.mutate(step)
        turn += 1
        assert turn < 200
    assert turn > 10
    _load(world, document, 0, _texts(number, 7000))
    world.insert("notes", {"n": 51.0})
    world.mutate(lambda tx: tx.delete(ids[2]))
    world.mutate(lambda tx: switch_import(tx, _request("append")))
    assert sorted(_all(world)) == [3.0, 4.0, 5.0, 6.0, 7.0, 50.0, 51.0, 100.0, 109.0, 7000.0]


def test_steps_of_what_was_given_up_are_refused(world: World) -> None:
    document, number = _declare(world)
    world.mutate(lambda tx: give_up_hidden(tx, owner="i"))
    with pytest.raises(ImportMetChange, match="it was given up"):
        _load(world, document, 0, _texts(number, 1))
    with pytest.raises(ImportMetChange, match="it was given up"):
        world.mutate(lambda tx: copy_step(tx, document, is_time_up=lambda: False))
    with pytest.raises(ImportMetChange, match="it was given up"):
        world.mutate(lambda tx: switch_import(tx, _request("replace")))
