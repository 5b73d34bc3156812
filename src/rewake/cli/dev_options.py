"""The options of `rewake dev` that act beside the server, as typer reads them.

Floor 8, `cli`. Not here: what they do (`call_after_push.py`, `front_end.py`).
"""

from __future__ import annotations

from typing import Annotated

import typer

RunFunction = Annotated[
    str | None,
    typer.Option(
        "--run", metavar="FUNCTION", help="Call it after each push that went well.", show_default=False
    ),
]
RunArguments = Annotated[
    str | None,
    typer.Option("--run-args", metavar="JSON", help="Arguments for --run.", show_default=False),
]
StartCommand = Annotated[
    str | None,
    typer.Option(
        "--start",
        metavar="COMMAND",
        help="Run this beside the server, a front end's own one for example.",
        show_default=False,
    ),
]
