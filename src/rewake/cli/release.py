"""Which Rewake this is.

Floor 8, `cli`. In a module of its own, so that `rewake version` loads nothing else.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def rewake_version() -> str:
    """The installed version; `0.0.0` where the package was not installed but put on the path."""
    try:
        return version("rewake")
    except PackageNotFoundError:
        return "0.0.0"
