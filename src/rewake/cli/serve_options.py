"""The options of `rewake serve` that only it reads from the environment, too.

Floor 8, `cli`. Who runs a server for others says everything by variables (docs/reference/settings.md). `PORT`
is what hosting platforms set; `HOST` is not read, since many a shell has the machine's own name in it.

Not here: what `dev` shares (`commands.py`), encryption, proxies and origins (`exposing.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

ServedFolder = Annotated[
    Path | None,
    typer.Argument(
        metavar="[DIR]",
        envvar="REWAKE_PROJECT",
        help="The project's folder. Left out, with --data: what was deployed to that data file.",
        show_default=False,
    ),
]
ServedPort = Annotated[
    int,
    typer.Option(
        "--port",
        min=0,
        max=65535,
        metavar="N",
        envvar=["REWAKE_PORT", "PORT"],
        help="Where to listen; 0 takes any free port.",
    ),
]
ServedSitePort = Annotated[
    int | None,
    typer.Option(
        "--site-port",
        min=0,
        max=65535,
        metavar="N",
        envvar="REWAKE_SITE_PORT",
        help="Where HTTP actions are served. [dim]Default: the port behind, or the next free one[/]",
        show_default=False,
    ),
]
ServedHost = Annotated[
    str,
    typer.Option("--host", envvar="REWAKE_HOST", help="The address to listen on. 0.0.0.0 for every network."),
]
ServedStatic = Annotated[
    Path | None,
    typer.Option(
        "--static",
        metavar="DIR",
        envvar="REWAKE_STATIC",
        help="Serve a built front end from this folder, too.",
        show_default=False,
    ),
]
LogFormatName = Annotated[
    Literal["text", "json"],
    typer.Option(
        "--log-format",
        envvar="REWAKE_LOG_FORMAT",
        help="Lines for people, or one JSON object a line for programs.",
    ),
]
LogsAll = Annotated[
    bool,
    typer.Option("--verbose", "-v", envvar="REWAKE_VERBOSE", help="A line for every run, silent ones too."),
]
ErrorDetails = Annotated[
    bool,
    typer.Option(
        "--error-details",
        envvar="REWAKE_ERROR_DETAILS",
        help="Tell clients why calls failed and what functions printed. Left out: the log only.",
    ),
]
