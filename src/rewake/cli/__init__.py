"""The command line: `rewake init`, `dev`, `serve`, `run`, `codegen`, `version`. Floor 8.

commands.py   the commands and their options; it names the module that does the work of each
failure.py    how a command ends when it does not succeed
screen.py     what people see
"""

import sys

from rewake.cli.paused_collection import paused_collection

_INTERRUPTED = 130


def main() -> None:
    """The entry point of `rewake` and `python -m rewake`."""
    # Loaded here, so that a Ctrl-C that comes at once is no traceback.
    try:
        with paused_collection():
            from rewake.cli.commands import main as run_command
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    run_command()


__all__ = ["main"]
