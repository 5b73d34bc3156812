"""`rewake data` and `rewake function-spec`, as typer reads them.

Floor 8, `cli`. Not here: the work (`data.py`, `specifying.py`), where errors end (`commands.py`).
"""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from rewake.cli.options import AdminKeyText, AsJson, ProjectFolder, ServerUrl
from rewake.cli.screen import Screen
from rewake.cli.server_commands import server_of
from rewake.environment import process_environment

DATA_EXAMPLES = (
    "Examples:\n\n    rewake data\n\n    rewake data messages --limit 10\n\n"
    "    rewake data messages --all --format jsonLines > messages.jsonl\n\n    rewake data messages --prod"
)


def data(
    table: Annotated[
        str | None,
        typer.Argument(metavar="[TABLE]", help="Left out: list the tables.", show_default=False),
    ] = None,
    *,
    limit: Annotated[
        int, typer.Option("--limit", min=0, metavar="N", help="So many documents; 0 for all.")
    ] = 100,
    all_rows: Annotated[bool, typer.Option("--all", help="Every document, as --limit 0.")] = False,
    order: Annotated[Literal["asc", "desc"], typer.Option("--order", help="By time of creation.")] = "desc",
    format: Annotated[
        Literal["pretty", "jsonArray", "jsonLines", "csv"] | None,
        typer.Option(
            "--format",
            help="[dim]Default: pretty on a terminal, jsonLines elsewhere.[/]",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
    url: ServerUrl = None,
    admin_key: AdminKeyText = None,
    project: ProjectFolder = None,
) -> None:
    """List the tables, or print the documents of one."""
    from rewake.cli.data import DataWishes, show_rows, show_tables
    from rewake.cli.event_loop import run_loop

    screen, environment = Screen(), process_environment()
    server = server_of(url, admin_key, project)
    if table is None:
        run_loop(show_tables(server, screen, environment, as_json=as_json or format not in (None, "pretty")))
        return
    usual: Literal["pretty", "jsonLines"] = "pretty" if screen.is_terminal else "jsonLines"
    shown = format or ("jsonArray" if as_json else usual)
    wishes = DataWishes(None if all_rows or limit == 0 else limit, order, shown)
    run_loop(show_rows(server, table, wishes, screen, environment))


SPEC_EXAMPLES = "Examples:\n\n    rewake function-spec\n\n    rewake function-spec --file"


def function_spec(
    *,
    file: Annotated[
        bool, typer.Option("--file", help="Write it to function_spec_TIME.json instead.")
    ] = False,
    url: ServerUrl = None,
    admin_key: AdminKeyText = None,
    project: ProjectFolder = None,
) -> None:
    """Print every function of the running server with its arguments and result, as JSON."""
    from rewake.cli.event_loop import run_loop
    from rewake.cli.specifying import show_function_spec

    server = server_of(url, admin_key, project)
    run_loop(show_function_spec(server, Screen(), process_environment(), to_file=file))
