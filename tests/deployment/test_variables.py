"""Variables of a deployment, in threads and in worker processes, over restarts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from rewake.database import RequiredVariablesMissing, VariableRequired, VariableValueRefused
from rewake.deployment.variables import Variables
from rewake.errors import Internal, InvalidInput
from rewake.execution import Failure, Success
from rewake.limits import VARIABLES_MAX
from tests.deployment.stage import CallFailed, Stage, play

MODULE = """
    from typing import Any
    from rewake import ActionCtx, QueryCtx, action, query

    @query
    def seen(ctx: QueryCtx) -> Any:
        return [ctx.env.get("A"), ctx.env.get("CONVEX_CLOUD_URL")]
"""


def test_changes_are_durable_and_all_or_nothing(tmp_path: Path) -> None:
    data = tmp_path / "data.sqlite3"

    async def first(stage: Stage) -> None:
        variables = stage.deployment.variables
        assert await variables.all() == {}
        await variables.announce(cloud_url="http://c", site_url="http://s")
        await variables.change({"B": "2", "A": "1"})
        with pytest.raises(InvalidInput, match="is invalid"):
            await variables.change({"A": "changed", "1": "x"})
        await variables.change({})
        assert list((await variables.all()).items()) == [("A", "1"), ("B", "2")]

    async def second(stage: Stage) -> None:
        assert await stage.query("m:seen") == ["1", "http://c"]
        await stage.deployment.variables.change({"A": None})
        assert await stage.query("m:seen") == [None, "http://c"]

    play(tmp_path, first, data=data, m=MODULE)
    play(tmp_path, second, data=data, m=MODULE)


def test_what_only_the_writer_can_tell_is_refused_with_its_own_code(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        variables = stage.deployment.variables
        await variables.change({f"V{n}": "x" for n in range(VARIABLES_MAX)})
        with pytest.raises(InvalidInput) as refused:
            await variables.change({"MORE": "x"})
        assert (refused.value.code, refused.value.status) == ("EnvVarLimitMet", 400)
        assert refused.value.message == f"The environment variable limit ({VARIABLES_MAX}) has been met."

    play(tmp_path, story, m=MODULE)


def test_values_are_in_no_record_of_the_call_log(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        await stage.deployment.variables.change({"A": "secret-1"})
        with pytest.raises(InvalidInput):
            await stage.deployment.variables.change({"A": "secret-2" * 2000})
        assert "secret" not in repr(stage.deployment.call_log.records)

    play(tmp_path, story, m=MODULE)


class BrokenStore:
    async def read(self, work: Any) -> Any:
        raise AssertionError("nothing is to be read")

    async def run_system(self, path: str, args: str) -> Success | Failure:
        return Failure(f"Something broke: {args}\n")


@pytest.mark.threads_only("no deployment is needed")
def test_a_failure_inside_does_not_tell_the_value() -> None:
    with pytest.raises(Internal) as failed:
        asyncio.run(Variables(BrokenStore()).change({"A": "secret"}))
    assert "secret" not in failed.value.message


DECLARING = """
    from typing import Literal
    from rewake import UNSET, EnvironmentVariables, QueryCtx, Unset, query

    class Env(EnvironmentVariables):
        KEY: str
        MODE: Literal["test", "live"]
        DSN: str | Unset = UNSET

    @query
    def seen(ctx: QueryCtx) -> list[str]:
        return [ctx.env["KEY"], ctx.env["MODE"], ctx.env.get("DSN", "none")]
"""
MISSING = (
    "Required environment variables are not set: KEY, MODE. Set them in the Convex dashboard or CLI before "
    "pushing."
)


def test_6_9_a_push_is_refused_until_required_variables_are_set(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        variables = stage.deployment.variables
        with pytest.raises(RequiredVariablesMissing) as caught:
            await stage.push(m=DECLARING)
        assert caught.value.message == MISSING
        assert await stage.query("m:seen") == [None, None], "what was there goes on serving"
        await variables.change({"KEY": "secret", "MODE": "Live"})
        with pytest.raises(VariableValueRefused) as refused:
            await stage.push(m=DECLARING)
        assert refused.value.message == (
            "The value of the environment variable MODE is not one that the application declares: "
            'v.union(v.literal("test"), v.literal("live"))'
        )
        await variables.change({"MODE": "live"})
        await stage.push(m=DECLARING)
        assert await stage.query("m:seen") == ["secret", "live", "none"]

    play(tmp_path, story, m=MODULE)


def test_6_9_what_is_required_stays_and_keeps_a_declared_value(tmp_path: Path) -> None:
    async def story(stage: Stage) -> None:
        variables = stage.deployment.variables
        await variables.change({"KEY": "secret", "MODE": "live", "DSN": "x", "OTHER": "y"})
        await stage.push(m=DECLARING)
        with pytest.raises(VariableRequired) as caught:
            await variables.change({"MODE": None, "KEY": None, "DSN": None})
        assert caught.value.message == (
            "Cannot delete required environment variables: KEY, MODE. These are declared as required in the "
            "app definition."
        )
        with pytest.raises(VariableValueRefused, match="variable MODE is not one that"):
            await variables.change({"OTHER": "z", "MODE": "secret"})
        assert await stage.query("m:seen") == ["secret", "live", "x"], "all or nothing"
        await variables.change({"DSN": None, "OTHER": None, "MODE": "test"})
        assert await stage.query("m:seen") == ["secret", "test", "none"]
        # Code that declares nothing asks for nothing.
        await stage.push(m=MODULE)
        await variables.change({"KEY": None, "MODE": None})

    play(tmp_path, story, m=MODULE)


def test_6_9_a_start_tells_of_what_is_missing_and_serves(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def story(stage: Stage) -> None:
        assert MISSING in caplog.messages
        with pytest.raises(CallFailed, match="The environment variable KEY is not set"):
            await stage.query("m:seen")
        with pytest.raises(RequiredVariablesMissing):
            await stage.push(m=DECLARING, other="A = 1")
        await stage.deployment.variables.change({"KEY": "secret", "MODE": "live"})
        assert await stage.query("m:seen") == ["secret", "live", "none"]
        await stage.push(m=DECLARING, other="A = 1")

    play(tmp_path, story, m=DECLARING)
