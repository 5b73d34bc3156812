"""From the list in `crons.py` to what is stored. What is refused: `tests/semantics/test_6_crons.py`."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from rewake.database import CronFacts
from rewake.execution import ProjectInvalid
from rewake.execution.cron_calls import crons_of
from rewake.functions import Crons, InvalidCron
from rewake.limits import DEFAULT_LIMITS
from tests.deployment.stage import load
from tests.execution.action_stage import registry_of

SOURCE = """
    @internal_mutation
    def tidy(ctx: MutationCtx, n: int) -> None: ...

    @action
    async def reply(ctx: ActionCtx) -> None: ...
"""
FUNCTIONS = """
    from rewake import MutationCtx, internal_mutation

    @internal_mutation
    def tidy(ctx: MutationCtx, days_old: int) -> None: ...
"""


def test_functions_and_paths_become_canonical_paths_in_order_of_the_names(tmp_path: Path) -> None:
    registry = registry_of(tmp_path, SOURCE)
    function = next(each.function for each in registry.functions.values() if each.path.function == "tidy")
    module = ModuleType("crons")
    module.crons = crons = Crons()  # type: ignore[attr-defined]
    crons.hourly("b").run(function, n=1)
    crons.cron("a", "1 2 3 4 5").run("m:reply")
    assert crons_of(module, registry, limits=DEFAULT_LIMITS) == (
        CronFacts("a", "m.js:reply", "{}", {"type": "cron", "cron": "1 2 3 4 5"}),
        CronFacts("b", "m.js:tidy", '{"n":1.0}', {"type": "hourly"}),
    )


def test_no_module_is_no_cron_and_one_without_the_list_is_refused(tmp_path: Path) -> None:
    registry = registry_of(tmp_path, SOURCE)
    assert crons_of(None, registry, limits=DEFAULT_LIMITS) == ()
    with pytest.raises(InvalidCron, match="`crons` is not a Crons"):
        crons_of(ModuleType("crons"), registry, limits=DEFAULT_LIMITS)


def test_a_project_is_loaded_with_its_crons(tmp_path: Path) -> None:
    crons = """
        from rewake import Crons
        from . import m

        crons = Crons()
        crons.daily("tidy", hour_utc=4).run(m.tidy, days_old=3)
    """
    registry = load(tmp_path, m=FUNCTIONS, crons=crons)
    assert registry.crons == registry.analysis().crons
    [cron] = registry.crons
    assert cron == CronFacts("tidy", "m.js:tidy", '{"days_old":3.0}', {"type": "daily", "hourUTC": 4})


def test_what_cannot_run_names_the_file(tmp_path: Path) -> None:
    with pytest.raises(ProjectInvalid, match=r"backend/crons\.py: `crons` is not a Crons"):
        load(tmp_path, m=FUNCTIONS, crons="crons = 5")
    source = """
        from rewake import Crons
        crons = Crons()
        crons.hourly("a", minute_utc=60)
    """
    with pytest.raises(ProjectInvalid, match="Minute of hour must be an integer from 0 to 59"):
        load(tmp_path, m=FUNCTIONS, crons=source)
