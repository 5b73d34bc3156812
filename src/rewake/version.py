"""Which Rewake this is.

Floor 0. A server says it before its first answer, and to ask the installed package for it takes twenty
modules. `pyproject.toml` says the same, and a test that it does.
"""

from __future__ import annotations

VERSION = "0.1.0"
