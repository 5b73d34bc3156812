"""The command `rewake import`, as typer reads it.

Floor 8, `cli`. Not here: the work (`importing.py`), where errors end (`commands.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rewake.cli.options import AdminKeyText, ProjectFolder, ServerUrl
from rewake.cli.screen import Screen
from rewake.cli.server_commands import server_of

IMPORT_EXAMPLES = (
    "Examples:\n\n    rewake import snapshot.zip --replace\n\n"
    "    rewake import --table users users.csv\n\n"
    "    rewake import --table users more.jsonl --append"
)


def import_(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A ZIP, JSON, JSON lines or CSV file.")],
    *,
    table: Annotated[
        str | None, typer.Option("--table", metavar="NAME", help="The table, for any format but ZIP.")
    ] = None,
    format: Annotated[
        str | None,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="csv, jsonLines, jsonArray or zip. [dim]Default: what the name says[/]",
        ),
    ] = None,
    append: Annotated[bool, typer.Option("--append", help="Add to documents that are there.")] = False,
    replace: Annotated[bool, typer.Option("--replace", help="Replace the tables that the file has.")] = False,
    replace_all: Annotated[
        bool, typer.Option("--replace-all", help="As --replace, and empty all other tables.")
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Do not ask before documents are deleted, nor on production.")
    ] = False,
    url: ServerUrl = None,
    admin_key: AdminKeyText = None,
    project: ProjectFolder = None,
) -> None:
    """Import a file into tables, all or nothing, while the server goes on serving.

    Without --append, --replace or --replace-all only empty tables are filled.
    """
    from rewake.cli.importing import format_of, import_file, mode_of

    mode = mode_of(append=append, replace=replace, replace_all=replace_all)
    found = format_of(file, format)
    server = server_of(url, admin_key, project)
    import_file(server, Screen(), file, table=table, format=found, mode=mode, is_sure=yes)
