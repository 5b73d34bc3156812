"""What a context does not have, because another kind of function does it.

Floor 2, `functions`. A query that writes and an action that asks for `ctx.db` are the usual mistakes of who
is new; Python's own words for them name no next step.

Not here: what each context has (`context.py`, `actions.py`, `database.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar


class HasElsewhere:
    """Says for each name in `ELSEWHERE` where it is to be had. It is no attribute, as `hasattr` says, too."""

    ELSEWHERE: ClassVar[Mapping[str, str]] = {}

    if not TYPE_CHECKING:  # Else a type checker would take every name for an attribute.

        def __getattr__(self, name: str) -> Any:
            what = f"'{type(self).__name__}' object has no attribute '{name}'"
            advice = self.ELSEWHERE.get(name)
            message = what if advice is None else f"{what}. {advice}"
            raise AttributeError(message, name=name, obj=self)
