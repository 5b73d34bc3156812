"""System functions of deploys: what is stored before and swept after a switch.

Floor 3, `execution`, a part of `system_functions.py`. The record itself is written by the switch
(`code_switch.py`).

    _system/deploys:keep, trim

Not here: who calls them (`deployment/deploys.py`), what is stored (`database/deploys.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rewake.database import keep_part, trim_deploys
from rewake.execution.system_context import SystemCtx


def _keep(ctx: SystemCtx, sources: str, part: float, parts: float, data: bytes) -> None:
    """Store a part of an archive."""
    keep_part(ctx.transaction, sources, int(part), parts=int(parts), data=data)


def _trim(ctx: SystemCtx, keep: float, using: list[str]) -> bool:
    """Remove a little of what is not kept; whether there was any."""
    return trim_deploys(ctx.transaction, keep=int(keep), using=using)


DEPLOY_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "_system/deploys:keep": _keep,
    "_system/deploys:trim": _trim,
}
