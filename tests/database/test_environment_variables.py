"""Environment variables as documents: what may be set, and whom a change wakes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from rewake.database import (
    VARIABLE_REFUSALS,
    ReadSet,
    SystemTableRefused,
    announce_addresses,
    change_variables,
    check_variable,
    read_variable,
    read_variables,
    stored_variable,
    stored_variables,
)
from rewake.errors import InvalidInput
from rewake.limits import VARIABLE_VALUE_BYTES_MAX, VARIABLES_BYTES_MAX, VARIABLES_MAX
from tests.database.world import World, query


@pytest.fixture
def world() -> Iterator[World]:
    world = World()
    yield world
    world.close()


def put(world: World, **changes: str | None) -> Any:
    return world.mutate(lambda tx: change_variables(tx, changes.items()))


def stored(world: World) -> dict[str, str]:
    with world.reader.begin() as snapshot:
        return stored_variables(snapshot.reads)


def reading(world: World, *names: str) -> tuple[list[str | None], ReadSet]:
    with world.reader.begin() as snapshot:
        transaction = snapshot.transaction()
        values = [read_variable(transaction, name) for name in names]
        assert all(measure.used == 0 for measure in transaction.measures() if "documents" in measure.name)
        return values, transaction.read_set


def test_variables_are_set_changed_and_removed(world: World) -> None:
    put(world, A="1", B="", _c="ünïcode\n")
    assert stored(world) == {"A": "1", "B": "", "_c": "ünïcode\n"}
    put(world, A="2", B=None, never_there=None)
    assert stored(world) == {"A": "2", "_c": "ünïcode\n"}
    with world.reader.begin() as snapshot:
        assert stored_variable(snapshot.reads, "A") == "2"
        assert stored_variable(snapshot.reads, "B") is None


def test_setting_what_is_set_already_writes_nothing(world: World) -> None:
    put(world, A="1")
    assert put(world, A="1").rows == []


def test_a_change_touches_exactly_who_read_that_variable(world: World) -> None:
    put(world, A="1", AB="2")
    (one, _), read_a = reading(world, "A", "A")
    (absent,), read_c = reading(world, "C")
    assert (one, absent) == ("1", None)
    with world.reader.begin() as snapshot:
        transaction = snapshot.transaction()
        assert read_variables(transaction) == {"A": "1", "AB": "2"}
        read_all = transaction.read_set
    for changes, touched in [
        ({"AB": "3"}, (False, False, True)),
        ({"C": "new"}, (False, True, True)),
        ({"A": "4"}, (True, False, True)),
        ({"A": None}, (True, False, True)),
    ]:
        (row,) = put(world, **changes).rows
        assert (read_a.touched_by(row), read_c.touched_by(row), read_all.touched_by(row)) == touched


@pytest.mark.parametrize(
    ("name", "value", "code", "message"),
    [
        (
            "1A",
            "",
            "EnvironmentVariableNameInvalid",
            "The environment variable name 1A is invalid. Environment variable names must begin with a "
            "letter and may only include characters a-z, A-Z, 0-9, and underscores.",
        ),
        ("", "", "EnvironmentVariableNameInvalid", None),
        ("A\n", "", "EnvironmentVariableNameInvalid", None),
        ("Ä", "", "EnvironmentVariableNameInvalid", None),
        ("A-B", None, "EnvironmentVariableNameInvalid", None),
        (
            "A" * 257,
            "",
            "EnvironmentVariableNameTooLong",
            f"The environment variable name {'A' * 257} is too long. Environment variable names must be less "
            "than 256.",
        ),
        (
            "A",
            "ä" * 4097,
            "EnvironmentVariableValueTooLarge",
            "The environment variable value is 8194 bytes, which is too large. (max size: 8192",
        ),
        (
            "CONVEX_SITE_URL",
            "x",
            "EnvVarNameForbidden",
            'Environment variable with name "CONVEX_SITE_URL" is built-in and cannot be overridden',
        ),
    ],
)
def test_what_no_variable_can_be_is_refused(
    world: World, name: str, value: str | None, code: str, message: str | None
) -> None:
    with pytest.raises(InvalidInput) as refused:
        put(world, FIRST="kept?", **{name: value})
    assert refused.value.code == code
    assert VARIABLE_REFUSALS[code] is type(refused.value)
    assert message is None or refused.value.message == message
    assert stored(world) == {}, "all or nothing"


def test_the_largest_of_each_is_accepted(world: World) -> None:
    check_variable("A" * 256, "x" * VARIABLE_VALUE_BYTES_MAX)
    put(world, **{"A" * 256: "x" * VARIABLE_VALUE_BYTES_MAX})


def test_there_are_only_so_many_and_removing_is_always_possible(world: World) -> None:
    put(world, **{f"V{n}": "x" for n in range(VARIABLES_MAX)})
    with pytest.raises(
        InvalidInput, match=rf"^The environment variable limit \({VARIABLES_MAX}\) has been met\.$"
    ):
        put(world, ONE_MORE="x")
    put(world, V0=None, ONE_MORE="x")
    put(world, V1=None)
    assert len(stored(world)) == VARIABLES_MAX - 1


def test_all_together_are_bounded(world: World) -> None:
    value = "x" * (VARIABLE_VALUE_BYTES_MAX - 4)
    full = {f"V{n:03}": value for n in range(VARIABLES_BYTES_MAX // VARIABLE_VALUE_BYTES_MAX)}
    put(world, **full)
    with pytest.raises(InvalidInput) as refused:
        put(world, V="")
    assert refused.value.code == "EnvVarTotalSizeLimitMet"
    assert refused.value.message == (
        "The total size of all environment variables (524289 bytes) exceeds the limit (524288 bytes)."
    )


def test_addresses_are_built_in_read_like_others_and_listed_nowhere(world: World) -> None:
    def announce(cloud_url: str) -> Any:
        return world.mutate(lambda tx: announce_addresses(tx, cloud_url=cloud_url, site_url="http://s"))

    announce("http://c")
    put(world, A="1")
    assert stored(world) == {"A": "1"}
    values, read = reading(world, "CONVEX_CLOUD_URL", "CONVEX_SITE_URL")
    assert values == ["http://c", "http://s"]
    assert announce("http://c").rows == [], "nobody is woken by a restart"
    (row,) = announce("http://d").rows
    assert read.touched_by(row)


def test_authors_do_not_reach_the_documents(world: World) -> None:
    ids: list[str] = []
    put(world, SECRET="s")
    with world.reader.begin() as snapshot:
        for _, text in snapshot.reads.page(92, b"", None, descending=False, limit=9):
            ids.append(text.partition('"_id":"')[2].partition('"')[0])
        transaction = snapshot.transaction()
        with pytest.raises(SystemTableRefused, match="cannot be read through"):
            transaction.system.scan(query("_environment_variables"))
        with pytest.raises(SystemTableRefused, match="cannot be read through"):
            transaction.system.get(ids[0])
        with pytest.raises(SystemTableRefused):
            transaction.get(ids[0])
