"""Environment variables of a backend under test: `backend.env["NAME"] = "value"`.

Floor 8, `testing`. A mapping that writes through to the deployment: a live query that read a variable has run
again when the assignment returns. What a real deployment would refuse is refused here too, except the
addresses that are built in: a test says where its deployment stands.

Not here: `ctx.env`, which functions read (`functions/env.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping

from rewake.database import BUILT_IN_VARIABLES, stored_variable
from rewake.deployment import Deployment
from rewake.loop_thread import LoopThread

_NOWHERE = "http://testing.invalid"


class TestVariables(MutableMapping[str, str]):
    """The environment variables of one backend."""

    __test__ = False  # pytest would take it for tests.

    def __init__(
        self,
        loop: LoopThread,
        deployment: Deployment,
        settle: Callable[[], None],
        refuse_inside_run: Callable[[str], None],
    ) -> None:
        self._loop = loop
        self._deployment = deployment
        self._settle = settle
        self._refuse_inside_run = refuse_inside_run

    def __getitem__(self, name: str) -> str:
        value = self._loop.run(self._deployment.read(lambda reads: stored_variable(reads, name)))
        if value is None:
            raise KeyError(name)
        return value

    def __setitem__(self, name: str, value: str) -> None:
        if not isinstance(value, str):
            raise TypeError(f"An environment variable is a text; got {value!r} for {name}.")
        self._refuse_inside_run("setting a variable")
        if name in BUILT_IN_VARIABLES:
            addresses = [self.get(each, _NOWHERE) for each in BUILT_IN_VARIABLES]
            addresses[BUILT_IN_VARIABLES.index(name)] = value
            cloud_url, site_url = addresses
            self._loop.run(self._deployment.variables.announce(cloud_url=cloud_url, site_url=site_url))
        else:
            self._loop.run(self._deployment.variables.change({name: value}))
        self._settle()

    def __delitem__(self, name: str) -> None:
        if name not in self:
            raise KeyError(name)
        self._refuse_inside_run("removing a variable")
        self._loop.run(self._deployment.variables.change({name: None}))
        self._settle()

    def __iter__(self) -> Iterator[str]:
        return iter(self._loop.run(self._deployment.variables.all()))

    def __len__(self) -> int:
        return len(self._loop.run(self._deployment.variables.all()))
