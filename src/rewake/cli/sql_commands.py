"""`rewake sql`, as typer reads it.

Floor 8, `cli`. Not here: the work (`sql.py`), where errors end (`commands.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rewake.cli.options import AdminKeyText, AsJson, ProjectFolder, ServerUrl
from rewake.cli.project_home import data_place, find_root
from rewake.cli.screen import Screen

SQL_EXAMPLES = (
    'Examples:\n\n    rewake sql "SELECT author, count(*) FROM messages GROUP BY author"\n\n'
    "    rewake sql --prod --json < report.sql\n\n    rewake sql    [dim]# a prompt[/]"
)


def sql(
    query: Annotated[
        str | None,
        typer.Argument(metavar="[QUERY]", help="`-` reads stdin. Left out: a prompt.", show_default=False),
    ] = None,
    *,
    as_json: AsJson = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="As CSV.")] = False,
    url: ServerUrl = None,
    admin_key: AdminKeyText = None,
    project: ProjectFolder = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="PATH", help="The data file, or its folder.", show_default=False),
    ] = None,
) -> None:
    """Read with SQL: every table under its own name, all at one moment. Nothing can be changed."""
    from rewake.cli.connection import find_server, is_server_named
    from rewake.cli.sql import (
        SqlFormat,
        limits_of,
        on_file,
        on_server,
        prompt,
        read_statement,
        show_answer,
    )

    root = project.resolve() if project is not None else find_root(Path.cwd())
    place = data_place(root, data).data
    if data is None and is_server_named(root, url):
        run = on_server(find_server(root, url=url, admin_key=admin_key))
    else:
        run = on_file(place, limits_of(root))
    screen = Screen()
    statement = read_statement(query)
    shown: SqlFormat = "json" if as_json else "csv" if as_csv else "pretty"
    if statement is None:
        prompt(run, screen, shown)
    else:
        show_answer(run(statement), screen, shown)
