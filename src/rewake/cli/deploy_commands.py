"""The commands `deploy` and `rollback`, as typer reads them.

Floor 8, `cli`. Not here: the work (`deploying.py`), where errors end (`commands.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rewake.cli.options import AdminKeyText, ProjectFolder, ServerUrl
from rewake.cli.project_home import find_root
from rewake.cli.screen import Screen
from rewake.environment import process_environment

DEPLOY_EXAMPLES = (
    "Examples:\n\n    rewake deploy --url https://chat.example.org --admin-key KEY\n\n"
    "    rewake deploy --dry-run    [dim]# show what would change[/]\n\n"
    '    rewake deploy --yes --message "Release 12" --cmd "npm run build"\n\n    rewake deploy --list'
)
ROLLBACK_EXAMPLES = "Examples:\n\n    rewake rollback\n\n    rewake rollback 12 --dry-run"

DryRun = Annotated[bool, typer.Option("--dry-run", help="Show what would change, and change nothing.")]
Yes = Annotated[
    bool, typer.Option("--yes", "-y", help="Do not ask before what cannot be undone, nor on production.")
]
Message = Annotated[
    str, typer.Option("--message", "-m", metavar="TEXT", help="What it is for; the history shows it.")
]
AsJson = Annotated[bool, typer.Option("--json", help="The outcome as JSON on stdout.")]


def deploy(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="[DIR]", help="The project's folder. Left out: the one around here.", show_default=False
        ),
    ] = None,
    *,
    url: ServerUrl = None,
    admin_key: AdminKeyText = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    message: Message = "",
    cmd: Annotated[
        str | None,
        typer.Option(
            "--cmd",
            metavar="COMMAND",
            help="Run this first, to build a front end. The server's URL is in CONVEX_URL, VITE_CONVEX_URL "
            "and NEXT_PUBLIC_CONVEX_URL. Where it fails nothing is deployed.",
            show_default=False,
        ),
    ] = None,
    cmd_url_env_var_name: Annotated[
        str | None,
        typer.Option(
            "--cmd-url-env-var-name", metavar="NAME", help="Another variable for it.", show_default=False
        ),
    ] = None,
    list_: Annotated[bool, typer.Option("--list", help="Show what was deployed; deploy nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Send the project to a running server, which switches to it in one step. Nothing is cut off."""
    from rewake.cli.connection import find_server
    from rewake.cli.deploying import DeployWishes, deploy_project, list_deploys

    root = folder.resolve() if folder is not None else find_root(Path.cwd())
    server = find_server(root, url=url, admin_key=admin_key)
    if list_:
        list_deploys(server, Screen(), as_json=as_json)
        return
    wishes = DeployWishes(
        message=message,
        is_dry=dry_run,
        is_sure=yes,
        as_json=as_json,
        build=cmd,
        url_variable=cmd_url_env_var_name,
    )
    deploy_project(server, wishes, Screen(), process_environment())


def rollback(
    number: Annotated[
        int | None,
        typer.Argument(
            metavar="[NUMBER]",
            min=1,
            help="The deploy to go back to. Left out: the one before.",
            show_default=False,
        ),
    ] = None,
    *,
    url: ServerUrl = None,
    admin_key: AdminKeyText = None,
    project: ProjectFolder = None,
    dry_run: DryRun = False,
    yes: Yes = False,
    message: Message = "",
    as_json: AsJson = False,
) -> None:
    """Go back to the sources of an older deploy, which is a deploy of its own. Data is not taken back."""
    from rewake.cli.connection import find_server
    from rewake.cli.deploying import DeployWishes, roll_back

    root = project.resolve() if project is not None else find_root(Path.cwd())
    server = find_server(root, url=url, admin_key=admin_key)
    wishes = DeployWishes(message=message, is_dry=dry_run, is_sure=yes, as_json=as_json)
    roll_back(server, number, wishes, Screen(), process_environment())
