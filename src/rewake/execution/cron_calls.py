"""Cron calls: from what an author lists in `crons.py` to what is stored.

Floor 3, `execution`. Functions are looked up when the project is loaded, so that a typing mistake shows
before anything is deployed.

    Crons -> (function or path, arguments) -> CronFacts, in the analysis and in the code switch

Not here: what an author writes (`functions/crons.py`), the documents of crons (`database/crons.py`).
Source: semantics 6.6.
"""

from __future__ import annotations

from types import ModuleType

from rewake.database import CronFacts
from rewake.errors import RewakeError
from rewake.execution.registry import Registry
from rewake.execution.scheduled_calls import scheduled_call
from rewake.functions import Cron, Crons, InvalidCron
from rewake.limits import Limits


def crons_of(module: ModuleType | None, registry: Registry, *, limits: Limits) -> tuple[CronFacts, ...]:
    """What the variable `crons` of a project's `crons.py` lists, by functions of `registry`, in order of the
    identifiers.

    Raises:
        InvalidCron: there is no such variable; or a cron has no function, one that does not exist or cannot
            run later, or arguments that are no values.
    """
    if module is None:
        return ()
    crons = vars(module).get("crons")
    if not isinstance(crons, Crons):
        raise InvalidCron("`crons` is not a Crons.")
    return tuple(
        sorted((_facts(cron, registry, limits) for cron in crons), key=lambda facts: facts.identifier)
    )


def _facts(cron: Cron, registry: Registry, limits: Limits) -> CronFacts:
    if cron.reference is None:
        raise InvalidCron(f"The cron {cron.identifier} runs nothing: say what with `.run(function, ...)`.")
    try:
        name, args = scheduled_call(registry, cron.reference, cron.arguments, limits=limits)
    except (RewakeError, TypeError) as error:
        raise InvalidCron(f"The cron {cron.identifier} cannot run. {error}") from error
    return CronFacts(cron.identifier, name, args, dict(cron.schedule))
