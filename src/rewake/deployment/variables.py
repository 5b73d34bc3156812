"""Environment variables of a deployment, as operators change them.

Floor 5, `deployment`. Changes go through the writer like any mutation, so they are durable when the call
returns, and the queries that read a changed variable have been told.

Not here: limits and storing (`database/environment_variables.py`), reading in functions (`ctx.env`).
Source: semantics 6.9; wire 7.5.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol, TypeVar

from rewake.database import VARIABLE_REFUSALS, check_variable, stored_variables
from rewake.errors import INTERNAL_MESSAGE, Internal
from rewake.execution import Failure, Success
from rewake.storage import Reads
from rewake.values import decode, encode, normalize

T = TypeVar("T")


class Store(Protocol):
    """What variables need of their deployment."""

    async def read(self, work: Callable[[Reads], T]) -> T: ...

    async def run_system(self, path: str, args: str) -> Success | Failure: ...


class Variables:
    """The environment variables of one deployment."""

    def __init__(self, store: Store) -> None:
        self._store = store

    async def all(self) -> dict[str, str]:
        """What operators set, by name in order of names."""
        variables = await self._store.read(stored_variables)
        return dict(sorted(variables.items()))

    async def change(self, changes: Mapping[str, str | None]) -> None:
        """Set variables, and remove those whose value is None; all or nothing.

        Raises:
            InvalidInput: a name, a value or the sum of all is refused; nothing was changed.
        """
        for name, value in changes.items():
            check_variable(name, value)
        listed = [{"name": name, "value": value} for name, value in changes.items()]
        refusal = await self._run("change", changes=listed)
        if refusal is not None:
            raise VARIABLE_REFUSALS[refusal["code"]](refusal["message"])

    async def announce(self, *, cloud_url: str, site_url: str) -> None:
        """Tell functions where clients and HTTP actions reach the deployment (`CONVEX_CLOUD_URL`,
        `CONVEX_SITE_URL`), and have URLs of files begin so. Nothing is written where that is as before.
        """
        await self._run("announce", cloud_url=cloud_url, site_url=site_url)

    async def _run(self, function: str, **args: Any) -> Any:
        path = f"_system/variables:{function}"
        result = await self._store.run_system(path, encode(normalize(args)))
        if isinstance(result, Failure):
            # The text may hold a value: it goes nowhere.
            raise Internal(INTERNAL_MESSAGE)
        return decode(result.value)
