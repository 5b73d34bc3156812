"""Deploys as documents: the active one is what the last switch noted, and its sources were there before."""

from __future__ import annotations

import pytest

from rewake.database import (
    DeployNote,
    DeployRecord,
    DeploySourcesMissing,
    DeployState,
    SystemTableRefused,
    active_deploy,
    keep_part,
    note_deploy,
    read_sources,
    sources_stored,
    stored_deploys,
    trim_deploys,
)
from tests.database.world import World, query


def note(sources: str, message: str = "") -> DeployNote:
    return DeployNote(sources, 2, 10, message, "", "", "1.0", "{}")


def keep(world: World, sources: str, *parts: bytes) -> None:
    for number, data in enumerate([b"", *parts]):
        world.mutate(
            lambda tx, number=number, data=data: keep_part(tx, sources, number, parts=len(parts), data=data)
        )


def deploy(world: World, sources: str) -> None:
    keep(world, sources, b"one " + sources.encode(), b"two")
    world.mutate(lambda tx: note_deploy(tx, note(sources)))


def stored(world: World) -> list[DeployRecord]:
    with world.reader.begin() as snapshot:
        return stored_deploys(snapshot.reads)


def trim(world: World, keep: int, *using: str) -> None:
    done: list[bool] = [True]
    while done[-1]:
        world.mutate(lambda tx: done.append(trim_deploys(tx, keep=keep, using=using)))


def test_the_newest_is_active_and_the_ones_before_are_replaced(world: World) -> None:
    for sources in ("a", "b"):
        deploy(world, sources)
    assert [(each.number, each.sources, each.state) for each in stored(world)] == [
        (1, "a", DeployState.REPLACED),
        (2, "b", DeployState.ACTIVE),
    ]
    with world.reader.begin() as snapshot:
        active = active_deploy(snapshot.reads)
        assert active is not None
        assert active.note == note("b")
        assert read_sources(snapshot.reads, "a") == b"one atwo"


def test_the_same_sources_again_write_nothing(world: World) -> None:
    deploy(world, "a")
    world.mutate(lambda tx: note_deploy(tx, note("a", "again")))
    assert [each.message for each in stored(world)] == [""]


def test_code_that_was_not_deployed_leaves_none_active(world: World) -> None:
    deploy(world, "a")
    world.mutate(lambda tx: note_deploy(tx, None))
    with world.reader.begin() as snapshot:
        assert active_deploy(snapshot.reads) is None
    # Going back to it is a deploy of its own.
    world.mutate(lambda tx: note_deploy(tx, note("a")))
    assert [each.number for each in stored(world)] == [1, 2]


def test_without_all_of_its_sources_there_is_no_record(world: World) -> None:
    world.mutate(lambda tx: keep_part(tx, "a", 0, parts=2, data=b""))
    world.mutate(lambda tx: keep_part(tx, "a", 1, parts=2, data=b"x"))
    with pytest.raises(DeploySourcesMissing):
        world.mutate(lambda tx: note_deploy(tx, note("a")))
    with world.reader.begin() as snapshot:
        assert not sources_stored(snapshot.reads, "a")
        with pytest.raises(DeploySourcesMissing):
            read_sources(snapshot.reads, "a")
        with pytest.raises(DeploySourcesMissing):
            read_sources(snapshot.reads, "b")


def test_old_ones_go_with_their_sources_and_the_active_one_stays(world: World) -> None:
    for sources in ("a", "b", "a", "c"):
        deploy(world, sources)
    keep(world, "half", b"x")
    keep(world, "planned", b"y")
    trim(world, 2, "planned")
    assert [(each.number, each.sources) for each in stored(world)] == [(3, "a"), (4, "c")]
    with world.reader.begin() as snapshot:
        kept = [name for name in ("a", "b", "c", "half", "planned") if sources_stored(snapshot.reads, name)]
    assert kept == ["a", "c", "planned"]
    trim(world, 0)
    assert [each.number for each in stored(world)] == [4]


def test_functions_do_not_see_them(world: World) -> None:
    deploy(world, "a")
    for table in ("_deploys", "_deploy_parts"):
        with pytest.raises(SystemTableRefused), world.reader.begin() as snapshot:
            list(snapshot.transaction().scan(query(table)))
