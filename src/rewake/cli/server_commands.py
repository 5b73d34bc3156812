"""Commands that talk to a running server, apart from `run`: `env` and `logs`.

Floor 8, `cli`. Registered on the same application as the others; like there, each turns its options into a
call of the module that does the work, which is imported only then.

    env       variables.py
    logs      following.py

Not here: the work; where errors end (`commands.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rewake.cli.options import AdminKeyText, ProjectFolder, ServerUrl, Sure
from rewake.cli.project_home import find_root
from rewake.cli.screen import Screen

if TYPE_CHECKING:
    from rewake.cli.connection import ServerAddress

env_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    epilog="Examples:\n\n    rewake env set GREETING hello\n\n    rewake env set API_KEY < key.txt\n\n"
    "    rewake env list",
    help="Environment variables of the running server: settings and secrets that functions read with "
    "`ctx.env`.",
)


def server_of(
    url: str | None, admin_key: str | None, project: Path | None, data: Path | None = None
) -> ServerAddress:
    """The server that the options name."""
    from rewake.cli.connection import find_server

    root = project.resolve() if project is not None else find_root(Path.cwd())
    return find_server(root, url=url, admin_key=admin_key, data=data)


@env_app.command(
    "set",
    epilog="Examples:\n\n    rewake env set GREETING hello\n\n    rewake env set API_KEY < key.txt\n\n"
    "    rewake env set API_KEY    [dim]# asks, and does not show what you type[/]\n\n"
    "    rewake env set --file .env.production",
)
def set_(
    name: Annotated[
        str | None, typer.Argument(metavar="[NAME]", help="The variable.", show_default=False)
    ] = None,
    value: Annotated[
        str | None,
        typer.Argument(
            metavar="[VALUE]", help="Its value. Left out: from stdin, or asked.", show_default=False
        ),
    ] = None,
    *,
    file: Annotated[
        Path | None,
        typer.Option(
            "--file",
            "--from-file",
            metavar="PATH",
            help="Set everything in a .env file, all or none.",
            show_default=False,
        ),
    ] = None,
    url: ServerUrl = None,
    admin_key: AdminKeyText = None,
    project: ProjectFolder = None,
) -> None:
    """Set a variable. Functions see it at once; live queries that read it run again."""
    from rewake.cli.production import tell_production
    from rewake.cli.variables import set_variables, wanted_changes

    server, screen = server_of(url, admin_key, project), Screen()
    changes = wanted_changes(name, value, file)
    tell_production(server, screen)
    set_variables(server, changes, screen)


@env_app.command("get")
def get(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The variable.")],
    *,
    url: ServerUrl = None,
    admin_key: AdminKeyText = None,
    project: ProjectFolder = None,
) -> None:
    """Print the value of one variable."""
    from rewake.cli.variables import get_variable

    get_variable(server_of(url, admin_key, project), name, Screen())


@env_app.command(
    "list", epilog="Examples:\n\n    rewake env list\n\n    rewake env list --values > .env.saved"
)
def list_(
    *,
    values: Annotated[
        bool, typer.Option("--values/--names-only", help="Show values, too, as a .env file has them.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    url: ServerUrl = None,
    admin_key: AdminKeyText = None,
    project: ProjectFolder = None,
) -> None:
    """Print the names of all variables."""
    from rewake.cli.variables import list_variables

    server = server_of(url, admin_key, project)
    list_variables(server, Screen(), shows_values=values, as_json=as_json)


@env_app.command("remove")
def remove(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="The variables.")],
    *,
    yes: Sure = False,
    url: ServerUrl = None,
    admin_key: AdminKeyText = None,
    project: ProjectFolder = None,
) -> None:
    """Remove variables."""
    from rewake.cli.production import confirm_production
    from rewake.cli.variables import remove_variables

    server, screen = server_of(url, admin_key, project), Screen()
    confirm_production(server, screen, f"Remove {', '.join(names)} of", is_sure=yes)
    remove_variables(server, names, screen)


LOGS_EXAMPLES = (
    "Examples:\n\n    rewake logs --follow\n\n    rewake logs --errors --function messages\n\n"
    "    rewake logs --follow --json | jq .error"
)


def logs(
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with what comes, until Ctrl-C.")
    ] = False,
    errors: Annotated[bool, typer.Option("--errors", help="Failed runs only.")] = False,
    function: Annotated[
        list[str] | None,
        typer.Option("--function", metavar="PATH", help="Of this function or module only; may be repeated."),
    ] = None,
    history: Annotated[
        int, typer.Option("--history", min=0, metavar="N", help="Begin with so many past entries.")
    ] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    url: ServerUrl = None,
    admin_key: AdminKeyText = None,
    project: ProjectFolder = None,
) -> None:
    """Show what functions of the running server do, print and raise."""
    from rewake.cli.following import LogWishes, show_logs

    wishes = LogWishes(tuple(function or ()), only_errors=errors, as_json=as_json, history=history)
    show_logs(server_of(url, admin_key, project), wishes, Screen(), follows=follow)
