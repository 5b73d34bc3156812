"""Which Rewake this is.

Floor 0. A server says it before its first answer, and to ask the installed package for it takes twenty
modules. What is built takes its version from here (`pyproject.toml`).
"""

from __future__ import annotations

VERSION = "0.1.0"
