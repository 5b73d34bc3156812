"""Side effects: files, sockets and subprocesses are refused while a query or mutation runs.

Floor 3, `execution`. CPython tells audit hooks about every `open`, connect and spawn. One hook per process
looks whether this thread is in the code of a query or mutation (`current_run.py`), and if so raises an error
that names the action to write instead (DESIGN D3). It guards against accidents, not attackers: what an
already open connection does is invisible to it, and the docs say so.

Reads that Python itself makes on the author's behalf must go through: a first `strptime` or lazy import
reads modules, `ZoneInfo` reads its tables, a traceback reads source lines. They are told apart by who is on
the stack between the event and the author's code.

Not here: the frozen clock and seeded chance (`host.py`).
Source: PEP 578; the audit events table of the Python documentation.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import wraps
from types import FrameType

from rewake.errors import FunctionError
from rewake.execution.current_run import current


class SideEffectRefused(FunctionError):
    """A query or mutation tried to touch the outside world. Move that into an action and call it from
    there.
    """

    code = "SideEffectRefused"
    template = (
        "{what} can't be used in queries and mutations: they run inside a database transaction, may run "
        "again, and must not depend on anything outside the database. Do it in an action (`async def`) "
        "and pass the result to a mutation."
    )


_REFUSED = {
    "open": "Opening files",
    "os.open": "Opening files",
    "os.listdir": "Reading directories",
    "os.scandir": "Reading directories",
    "os.mkdir": "Changing files",
    "os.remove": "Changing files",
    "os.rename": "Changing files",
    "os.rmdir": "Changing files",
    "os.truncate": "Changing files",
    "shutil.copyfile": "Changing files",
    "shutil.rmtree": "Changing files",
    "socket.__new__": "Network access",
    "socket.connect": "Network access",
    "socket.getaddrinfo": "Network access",
    "socket.gethostbyname": "Network access",
    "socket.bind": "Network access",
    "subprocess.Popen": "Starting processes",
    "os.system": "Starting processes",
    "os.exec": "Starting processes",
    "os.fork": "Starting processes",
    "os.forkpty": "Starting processes",
    "os.posix_spawn": "Starting processes",
    "os.spawn": "Starting processes",
    "time.sleep": "Sleeping",
    "sqlite3.connect": "Another database",
}

_MAY_READ = frozenset(
    {
        "importlib._bootstrap",
        "importlib._bootstrap_external",
        "_frozen_importlib",
        "_frozen_importlib_external",
        "zipimport",
        "zoneinfo",
        "zoneinfo._common",
        "zoneinfo._tzpath",
        "zoneinfo._zoneinfo",
        "linecache",
        "traceback",
        "encodings",
        "locale",
        "gettext",
        "_strptime",
        "pdb",  # It reads `.pdbrc`: tests may stop in functions, too.
    }
)
_IMPORT_SYSTEM = frozenset({"_frozen_importlib_external", "importlib._bootstrap_external"})
_READS = frozenset({"open", "os.open", "os.listdir", "os.scandir"})
_FRAMES_MAX = 60
_WRITE_FLAGS = (
    0o3 | 0o100 | 0o1000
)  # O_WRONLY | O_RDWR, O_CREAT, O_TRUNC on Linux and macOS alike for the first

_installed = False


def install_guard() -> None:
    """Register the audit hook with this process. Calling again does nothing; it can not be taken out."""
    global _installed
    if not _installed:
        _installed = True
        sys.addaudithook(_hook)
        if sys.version_info < (3, 13):
            # Before 3.13 sleeping raises no audit event.
            time.sleep = _audited(time.sleep)  # type: ignore[assignment]


class unguarded:
    """Let the house itself reach outside while a query or mutation runs: none of the author's code in it."""

    __slots__ = ("_before",)

    def __enter__(self) -> None:
        self._before = current.is_guarded
        current.is_guarded = False

    def __exit__(self, *error: object) -> None:
        current.is_guarded = self._before


def _audited(sleep: Callable[[float], None]) -> Callable[[float], None]:
    @wraps(sleep)
    def audited_sleep(seconds: float, /) -> None:
        sys.audit("time.sleep", seconds)
        sleep(seconds)

    return audited_sleep


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if event not in _REFUSED or not current.is_guarded:
        return
    if sys._getframe(1).f_globals.get("__name__") in _IMPORT_SYSTEM:
        return  # A first import also writes: it caches what it compiled.
    is_read = event in _READS and not _writes(event, arguments)
    if is_read and (_is_pythons_own_read(sys._getframe(1)) or _is_time_zone(arguments[0])):
        return
    raise SideEffectRefused(what=f"{_REFUSED[event]} ({event})")


def _writes(event: str, arguments: tuple[object, ...]) -> bool:
    if event != "open":
        return False
    _path, mode, flags = (*arguments, None, None, None)[:3]
    if isinstance(mode, str):
        return any(letter in mode for letter in "wax+")
    return isinstance(flags, int) and bool(flags & _WRITE_FLAGS)


def _is_time_zone(path: object) -> bool:
    """Whether a file is one of `zoneinfo`'s tables, which it opens in C, without a frame of its own."""
    zoneinfo = sys.modules.get("zoneinfo")
    places = getattr(zoneinfo, "TZPATH", ())
    return isinstance(path, str) and any(path.startswith(f"{place}/") for place in places)


def _is_pythons_own_read(frame: FrameType | None) -> bool:
    for _ in range(_FRAMES_MAX):
        if frame is None:
            return False
        name = frame.f_globals.get("__name__", "")
        if name in _MAY_READ or name.startswith(("encodings.", "importlib.", "zoneinfo.")):
            return True
        if name == "rewake.execution.host":
            return False
        frame = frame.f_back
    return False
