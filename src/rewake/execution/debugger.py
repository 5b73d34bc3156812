"""`breakpoint()` in functions that run in the server's own process: one prompt at a time, in its terminal.

Floor 3, `execution`, for the inline runner (`--workers 0`). Functions run in several threads, and a page that
watches five queries stops in all of them; each waits for its turn at the terminal. The guard against side
effects does not hold at the prompt, where somebody looks around on purpose. No limit on time runs inline.

    breakpoint() -> PYTHONBREAKPOINT names something: that, as everywhere
                 -> Prompt: turn taken -> commands -> `c`: turn given back, the function goes on
                                                   -> `q`: BdbQuit, the call fails, the server goes on

Not here: the prompt (`debugger_prompt.py`), worker processes, which have no terminal (`worker_bounds.py`).
Source: PEP 553.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from rewake.execution.side_effects import unguarded


def let_functions_stop() -> None:
    """Have `breakpoint()` stop in functions of this process."""
    sys.breakpointhook = _stop


def _stop(*arguments: Any, **named: Any) -> Any:
    chosen = os.environ.get("PYTHONBREAKPOINT", "")
    if chosen not in ("", "pdb.set_trace"):
        with unguarded():
            return sys.__breakpointhook__(*arguments, **named)
    # Here, since hardly a server ever stops.
    from rewake.execution.debugger_prompt import Prompt

    Prompt().set_trace(sys._getframe(1))
    return None
