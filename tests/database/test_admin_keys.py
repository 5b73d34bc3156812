"""Issued keys as documents."""

from __future__ import annotations

from typing import Any

import pytest

from rewake.auth import IssuedKey, Scope
from rewake.database import (
    KEY_REFUSALS,
    KeyExpiryInvalid,
    KeyLabelInvalid,
    KeyNotFound,
    KeyScopesInvalid,
    SystemTableRefused,
    TooManyKeys,
    admin_keys,
    issue_key,
    note_key_use,
    revoke_key,
    stored_keys,
)
from rewake.limits import KEY_LABEL_LENGTH_MAX
from tests.database.world import World, query


def issue(world: World, id: str = "a1", **changes: Any) -> Any:
    wanted: dict[str, Any] = {"label": "ci", "scopes": ["run", "read"], "digest": "d", "expires_ms": None}
    return world.mutate(lambda tx: issue_key(tx, id=id, **wanted | changes))


def stored(world: World) -> list[IssuedKey]:
    with world.reader.begin() as snapshot:
        return stored_keys(snapshot.reads)


def test_keys_are_kept_with_their_scopes_and_times(world: World) -> None:
    issue(world)
    far = world.environment.clock.now_ns() / 1e6 + 60_000
    issue(world, "b2", label="x", scopes=["admin"], expires_ms=far)
    first, second = stored(world)
    assert (first.id, first.label, first.digest) == ("a1", "ci", "d")
    assert first.scopes == {Scope.RUN, Scope.READ}
    assert (first.expires_ms, first.revoked_ms, first.last_used_ms) == (None, None, None)
    assert (second.scopes, second.expires_ms) == ({Scope.ADMIN}, far)


def test_a_key_is_revoked_once_and_stays_in_the_list(world: World) -> None:
    issue(world)
    world.mutate(lambda tx: revoke_key(tx, "a1"))
    (key,) = stored(world)
    assert key.revoked_ms is not None
    world.mutate(lambda tx: revoke_key(tx, "a1"))
    assert stored(world) == [key]
    with pytest.raises(KeyNotFound):
        world.mutate(lambda tx: revoke_key(tx, "zz"))


def test_uses_are_taken_down(world: World) -> None:
    issue(world)
    world.mutate(lambda tx: note_key_use(tx, "a1", 7200_000.0))
    world.mutate(lambda tx: note_key_use(tx, "zz", 7200_000.0))
    assert [key.last_used_ms for key in stored(world)] == [7200_000.0]


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({"label": ""}, KeyLabelInvalid),
        ({"label": "  "}, KeyLabelInvalid),
        ({"label": "a\nb"}, KeyLabelInvalid),
        ({"label": "x" * (KEY_LABEL_LENGTH_MAX + 1)}, KeyLabelInvalid),
        ({"scopes": []}, KeyScopesInvalid),
        ({"scopes": ["run", "everything"]}, KeyScopesInvalid),
        ({"expires_ms": 1.0}, KeyExpiryInvalid),
        ({"expires_ms": float("nan")}, KeyExpiryInvalid),
    ],
)
def test_what_is_no_key_is_refused(world: World, changes: dict[str, Any], refusal: type[Exception]) -> None:
    with pytest.raises(refusal) as refused:
        issue(world, **changes)
    assert KEY_REFUSALS[refused.value.code] is refusal  # type: ignore[attr-defined]
    assert stored(world) == []


def test_keys_that_are_over_make_room(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_keys, "ADMIN_KEYS_MAX", 2)
    issue(world, "a1")
    issue(world, "b2")
    with pytest.raises(TooManyKeys):
        issue(world, "c3")
    world.mutate(lambda tx: revoke_key(tx, "a1"))
    issue(world, "c3")
    assert [key.id for key in stored(world)] == ["b2", "c3"]


def test_functions_do_not_see_the_table(world: World) -> None:
    issue(world)
    with world.reader.begin() as snapshot, pytest.raises(SystemTableRefused):
        snapshot.transaction().system.scan(query("_admin_keys"))
