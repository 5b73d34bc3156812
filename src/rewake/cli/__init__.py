"""The command line: `rewake init`, `dev`, `serve`, `run`, `codegen`, `version`. Floor 8.

commands.py   the commands and their options; it names the module that does the work of each
failure.py    how a command ends when it does not succeed
screen.py     what people see
"""

from rewake.cli.commands import app, main

__all__ = ["app", "main"]
