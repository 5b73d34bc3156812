"""Loading a project in a thread of this process, for as long as one may wait for it.

Floor 3, `execution`, for `--workers 0`: saves of `rewake dev`, and the switch of a deploy. An import that
does not end is interrupted where it stands, so that the next load finds the loader free. What waits inside a
library cannot be interrupted: its thread is left behind, and nothing can be loaded before it is over.

Not here: loading in a process of its own, which is simply ended (`execution/worker_process.py`).
"""

from __future__ import annotations

import asyncio
import ctypes
import threading

from rewake.execution.loader import LoadingTooSlow, ProjectSettings, load_project
from rewake.execution.registry import Registry


class _GivenUp(BaseException):
    """Raised inside an import that takes too long."""


async def load_in_thread(settings: ProjectSettings, seconds: float) -> Registry:
    """Load a project, in a thread that nobody waits for at the end of the process.

    Raises:
        ProjectInvalid: it cannot be loaded; LoadingTooSlow: it was not, in `seconds`.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[Registry] = loop.create_future()
    files = [""]

    def settle(registry: Registry | None, error: BaseException | None) -> None:
        if done.done():
            return  # Nobody waits any more.
        if error is not None:
            done.set_exception(error)
        elif registry is not None:
            done.set_result(registry)

    def run() -> None:
        try:
            registry = load_project(settings, on_import=files.append)
        except _GivenUp:
            return
        except BaseException as error:
            loop.call_soon_threadsafe(settle, None, error)
        else:
            loop.call_soon_threadsafe(settle, registry, None)

    thread = threading.Thread(target=run, name="rewake load", daemon=True)
    thread.start()
    try:
        async with asyncio.timeout(seconds):
            return await done
    except TimeoutError:
        assert thread.ident is not None, "it was started"
        ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(_GivenUp))
        raise LoadingTooSlow.of(seconds, files[-1]) from None
