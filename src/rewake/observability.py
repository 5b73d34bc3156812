"""Observability: what the house says about itself.

Floor 0. Modules log through `logger(__name__)`; the process decides where lines go. Function runs are told
apart from the server's own lines: they go to the call log (`execution/call_log.py`).

Not here: log lines of author functions (`functions/log_lines.py`), metrics and traces (a later issue).
"""

from __future__ import annotations

import logging

ROOT = "rewake"


def logger(name: str) -> logging.Logger:
    """The logger of a module; names begin with `rewake.`, so that one setting governs the house."""
    return logging.getLogger(name if name.startswith(ROOT) else f"{ROOT}.{name}")
