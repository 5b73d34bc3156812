"""Mounted applications: one loop, one lifespan each."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rewake.execution.mounted_apps import MountedAppFailed, MountedApps


class Application:
    """Tells what happens to it."""

    def __init__(self, *, failures: int = 0) -> None:
        self.heard: list[str] = []
        self._failures = failures

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        assert scope["type"] == "lifespan"
        while True:
            what = (await receive())["type"]
            self.heard.append(what)
            if what == "lifespan.startup" and self._failures:
                self._failures -= 1
                await send({"type": "lifespan.startup.failed", "message": "no database"})
                return
            if what == "lifespan.startup":
                scope["state"]["pool"] = self
            await send({"type": f"{what}.complete"})
            if what == "lifespan.shutdown":
                return


async def without_lifespan(scope: Any, receive: Any, send: Any) -> None:
    raise AssertionError("only requests")


async def _loop() -> Any:
    return asyncio.get_running_loop()


def test_an_application_is_started_once_and_shut_down_at_the_end() -> None:
    apps, app = MountedApps(), Application()
    assert apps.open(app) == apps.open(app) == {"pool": app}
    assert apps.run(_loop()) is apps.run(_loop())
    apps.close()
    assert app.heard == ["lifespan.startup", "lifespan.shutdown"]
    apps.close()


def test_one_without_a_lifespan_is_none_the_worse() -> None:
    apps = MountedApps()
    assert apps.open(without_lifespan) == {}
    apps.close()


def test_one_that_cannot_start_says_why_and_is_tried_again() -> None:
    apps, app = MountedApps(), Application(failures=1)
    with pytest.raises(MountedAppFailed, match="could not start: no database"):
        apps.open(app)
    assert apps.open(app) == {"pool": app}
    apps.close()


def test_the_state_of_one_request_is_not_anothers() -> None:
    apps, app = MountedApps(), Application()
    apps.open(app)["mine"] = 1
    assert apps.open(app) == {"pool": app}
    apps.close()
