"""System functions of issued keys. They never see a secret: its hash is an argument.

Floor 3, `execution`. What speaks against a change is the result, with its code, as for variables.

    _system/keys:create, revoke, note_use

Not here: who calls them (`deployment/keys.py`), what may be stored (`database/admin_keys.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rewake.database import KEY_REFUSALS, issue_key, note_key_use, revoke_key
from rewake.errors import RewakeError
from rewake.execution.system_context import SystemCtx


def _create(ctx: SystemCtx, key: dict[str, Any]) -> Any:
    """Store a key that was just made; `key` has the arguments of `issue_key`."""
    return _refusal(lambda: issue_key(ctx.transaction, **key))


def _revoke(ctx: SystemCtx, id: str) -> Any:
    """Take a key back."""
    return _refusal(lambda: revoke_key(ctx.transaction, id))


def _note_use(ctx: SystemCtx, id: str, at_ms: float) -> None:
    """Take down when a key was last used."""
    note_key_use(ctx.transaction, id, at_ms)


def _refusal(change: Callable[[], None]) -> dict[str, str] | None:
    try:
        change()
    except RewakeError as refusal:
        if refusal.code not in KEY_REFUSALS:
            raise
        return {"code": refusal.code, "message": refusal.message}
    return None


KEY_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "_system/keys:create": _create,
    "_system/keys:revoke": _revoke,
    "_system/keys:note_use": _note_use,
}
