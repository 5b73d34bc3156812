"""Variables of a deployment, in threads and in worker processes, over restarts."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from rewake.deployment.variables import Variables
from rewake.errors import Internal, InvalidInput
from rewake.execution import Failure, Success
from rewake.limits import VARIABLES_MAX
from tests.deployment.stage import Stage, play

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
