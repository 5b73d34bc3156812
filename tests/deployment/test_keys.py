"""Keys of a deployment: judged at once, in threads and in worker processes, over restarts."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from rewake.auth import (
    EVERYTHING,
    Admin,
    AdminKey,
    AdminKeyExpired,
    AdminKeyRevoked,
    BadAdminKey,
    Grant,
    Scope,
)
from rewake.database import KeyLabelInvalid, KeyNotFound, KeyScopesInvalid
from rewake.deployment.keys import Keys
from rewake.environment import ManualClock, seeded_environment
from rewake.errors import Internal
from rewake.execution import Failure, FunctionCall
from rewake.limits import KEY_USE_SECONDS
from tests.deployment.stage import CallFailed, Stage, play

MODULE = """
    from rewake import MutationCtx, QueryCtx, internal_mutation, internal_query, query

    @query
    def who(ctx: QueryCtx) -> str | None:
        identity = ctx.auth.get_user_identity()
        return None if identity is None else identity.subject

    @internal_query
    def inner(ctx: QueryCtx) -> str:
        return "inner"

    @internal_mutation
    def change(ctx: MutationCtx) -> str:
        return "changed"
"""
HOUR_MS = KEY_USE_SECONDS * 1000


def admin(*scopes: Scope) -> Admin:
    return Admin(grant=Grant("k", frozenset(scopes)))


def test_keys_live_in_the_data_file_as_hashes(tmp_path: Path) -> None:
    data = tmp_path / "data.sqlite3"
    texts: list[str] = []

    async def first(stage: Stage) -> None:
        keys = stage.deployment.keys
        assert keys.all() == []
        fresh = await keys.create(label="ci", scopes=["deploy", "run"], expires_ms=None)
        other = await keys.create(label="old", scopes=["read"], expires_ms=None)
        await keys.revoke(other.id)
        texts.extend((fresh.text, other.text))
        assert fresh.text.startswith("test|rk")
        assert keys.check(fresh.text).scopes == {Scope.DEPLOY, Scope.RUN}

    async def second(stage: Stage) -> None:
        keys = stage.deployment.keys
        assert [(key.label, key.revoked_ms is None) for key in keys.all()] == [("ci", True), ("old", False)]
        assert keys.check(texts[0]).scopes == {Scope.DEPLOY, Scope.RUN}
        assert keys.check("test|aa") == EVERYTHING
        with pytest.raises(AdminKeyRevoked):
            keys.check(texts[1])
        with pytest.raises(BadAdminKey):
            keys.check("test|ab")

    play(tmp_path, first, data=data, m=MODULE)
    play(tmp_path, second, data=data, m=MODULE)
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("data.sqlite3*") if file.is_file())
    assert texts[0][-64:].encode() not in stored


def test_what_a_revoked_key_opened_is_told_before_the_revocation_is_answered(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        deployment = stage.deployment
        told: list[str] = []
        deployment.on_identities_lost(lambda: told.append("lost"))
        fresh = await deployment.keys.create(label="x", scopes=["run"], expires_ms=None)
        identity = await deployment.authenticate("Admin", fresh.text, None)
        deployment.check_identity(identity)
        await deployment.keys.create(label="y", scopes=["run"], expires_ms=None)
        assert told == []
        await deployment.keys.revoke(fresh.id)
        assert told == ["lost"]
        with pytest.raises(AdminKeyRevoked):
            deployment.check_identity(identity)
        with pytest.raises(AdminKeyRevoked):
            await deployment.authenticate_header(f"Convex {fresh.text}")
        deployment.check_identity(Admin())

    play(tmp_path, story, m=MODULE)


def test_a_revocation_by_another_road_is_heard_of(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        deployment = stage.deployment
        told = asyncio.Event()
        deployment.on_identities_lost(told.set)
        fresh = await deployment.keys.create(label="x", scopes=["run"], expires_ms=None)
        await stage.outcome("_system/keys:revoke", identity=Admin(), id=fresh.id)
        await asyncio.wait_for(told.wait(), 20)
        with pytest.raises(AdminKeyRevoked):
            deployment.keys.check(fresh.text)

    play(tmp_path, story, m=MODULE)


def test_what_cannot_be_is_refused_with_its_own_code(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        keys = stage.deployment.keys
        with pytest.raises(KeyLabelInvalid):
            await keys.create(label="", scopes=["run"], expires_ms=None)
        with pytest.raises(KeyScopesInvalid):
            await keys.create(label="x", scopes=["fly"], expires_ms=None)
        with pytest.raises(KeyNotFound):
            await keys.revoke("nobody")
        assert keys.all() == []

    play(tmp_path, story, m=MODULE)


@pytest.mark.threads_only("the clock of a test does not reach other processes")
def test_expired_keys_are_told_of_and_uses_are_kept_to_the_hour(tmp_path: Path) -> None:
    clock = ManualClock()

    async def story(stage: Stage) -> None:
        keys, told = stage.deployment.keys, []
        keys.listen(lambda: told.append("lost"))
        now_ms = clock.now_ns() / 1e6
        fresh = await keys.create(label="x", scopes=["run"], expires_ms=now_ms + 2 * HOUR_MS)
        keys.check(fresh.text)
        await keys.tend()
        (first,) = keys.all()
        assert first.last_used_ms is not None
        assert first.last_used_ms % HOUR_MS == 0
        assert 0 <= now_ms - first.last_used_ms < HOUR_MS
        last_ts = stage.deployment.last_ts
        keys.check(fresh.text)
        await keys.tend()
        assert stage.deployment.last_ts == last_ts, "a second use in the hour writes nothing"
        clock.advance(KEY_USE_SECONDS)
        keys.check(fresh.text)
        await keys.tend()
        assert keys.all()[0].last_used_ms == first.last_used_ms + HOUR_MS
        assert told == []
        clock.advance(KEY_USE_SECONDS)
        await keys.tend()
        assert told == ["lost"]
        with pytest.raises(AdminKeyExpired):
            keys.check(fresh.text)

    environment = seeded_environment(1, clock=clock)
    play(tmp_path, story, environment=environment, keeps_house=False, m=MODULE)


def test_scopes_bound_which_functions_a_key_calls(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        read, run, deploy = admin(Scope.READ), admin(Scope.RUN), admin(Scope.DEPLOY)
        assert await stage.query("m:inner", read) == "inner"
        assert await stage.query("m:inner", run) == "inner"
        for identity, path in ((deploy, "m:inner"), (deploy, "m:who")):
            with pytest.raises(CallFailed) as denied:
                await stage.query(path, identity)
            assert denied.value.failure.message.startswith(
                "You do not have permission to perform this operation (read)."
            )
        changed = await stage.outcome("m:change", identity=run)
        assert not isinstance(changed.result, Failure)
        refused = await stage.outcome("m:change", identity=read)
        assert isinstance(refused.result, Failure)
        assert "(run)" in refused.result.message
        # Secrets are for those who deploy, whatever else a key may read.
        with pytest.raises(CallFailed, match=r"\(deploy\)"):
            await stage.query("_system/cli/queryEnvironmentVariables:default", run)
        assert await stage.query("_system/cli/queryEnvironmentVariables:default", deploy) == []
        refused = await stage.outcome("_system/keys:revoke", identity=run, id="x")
        assert isinstance(refused.result, Failure)
        assert "(admin)" in refused.result.message
        acted = await stage.deployment.act(FunctionCall("m:none", "{}"), read, request_id="r")
        assert isinstance(acted, Failure)
        assert "(run)" in acted.message
        results, _ = await stage.deployment.query_many([FunctionCall("m:who", "{}")], deploy, request_id="r")
        assert all(isinstance(each, Failure) for each in results)

    play(tmp_path, story, m=MODULE)


def test_internal_functions_are_for_administrators_only(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        with pytest.raises(CallFailed, match="Could not find public function for 'm:inner'"):
            await stage.query("m:inner")
        assert await stage.query("m:inner", Admin()) == "inner"

    play(tmp_path, story, m=MODULE)


class BrokenStore:
    """A deployment whose writer is broken."""

    deployment_name = "test"
    environment = seeded_environment(1)

    def follow(self, listener: object, *, tablet: int) -> None:
        """Nothing is committed here."""

    async def run_system(self, path: str, args: str) -> Failure:
        return Failure(f"Something broke: {args}\n")


@pytest.mark.threads_only("no deployment is needed")
def test_a_failure_inside_does_not_tell_the_digest() -> None:
    keys = Keys(BrokenStore(), AdminKey("test|aa"))  # type: ignore[arg-type]
    with pytest.raises(Internal) as failed:
        asyncio.run(keys.create(label="x", scopes=["run"], expires_ms=None))
    assert "digest" not in failed.value.message
