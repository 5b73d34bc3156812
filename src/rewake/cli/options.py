"""Options that several commands share, as typer reads them.

Floor 8, `cli`. Which server a command talks to, and with which key; `connection.py` fills in what is left
out.

Not here: options of one command only (`commands.py`, `server_commands.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

ServerUrl = Annotated[
    str | None,
    typer.Option("--url", help="The server. [dim]Default: the one of this project[/]", show_default=False),
]
AdminKeyText = Annotated[
    str | None,
    typer.Option("--admin-key", help="Its key. [dim]Default: the one of this project[/]", show_default=False),
]
ProjectFolder = Annotated[
    Path | None,
    typer.Option(
        "--project",
        metavar="DIR",
        help="The project's folder. Left out: the one around here.",
        show_default=False,
    ),
]
