"""The commands of `rewake keys`, as typer reads them.

Floor 8, `cli`. Not here: the work (`keys.py`), where errors end (`commands.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from rewake.cli.options import AdminKeyText, DataPath, ProjectFolder, ServerUrl, Sure
from rewake.cli.project_home import data_place, find_root
from rewake.cli.screen import Screen
from rewake.environment import process_environment

if TYPE_CHECKING:
    from rewake.cli.keys import KeyDesk

keys_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode="rich",
    epilog="Examples:\n\n    rewake keys create --label ci --scope deploy --expires 90d\n\n"
    "    rewake keys list\n\n    rewake keys revoke 0f7a21b9d44e",
    help="Keys for programs and people that administer a deployment: each may do what its scopes say, and "
    "can be revoked by itself.",
)


def _desk(url: str | None, admin_key: str | None, project: Path | None, data: Path | None) -> KeyDesk:
    from rewake.cli.connection import find_server, is_server_named
    from rewake.cli.keys import FileKeys, ServerKeys, desk_for
    from rewake.execution import read_settings

    root = project.resolve() if project is not None else find_root(Path.cwd())
    if url is not None or (data is None and is_server_named(root, url)):
        return ServerKeys(find_server(root, url=url, admin_key=admin_key))
    file = FileKeys(
        data_place(root, data).data,
        deployment_name=read_settings(root).deployment_name,
        environment=process_environment(),
    )
    return desk_for(file, lambda: find_server(root, url=url, admin_key=admin_key, data=data))


@keys_app.command("create", epilog="Example:\n\n    rewake keys create --label ci --scope deploy")
def create(
    label: Annotated[str, typer.Option("--label", metavar="TEXT", help="What the key is for.")],
    scope: Annotated[
        list[str],
        typer.Option(
            "--scope",
            metavar="SCOPE",
            help="deploy, read, run, or admin for everything. May be repeated.",
        ),
    ],
    *,
    expires: Annotated[
        str | None,
        typer.Option(
            "--expires",
            metavar="SPAN",
            help="How long it is good for: 90m, 12h, 30d. Left out: until it is revoked.",
            show_default=False,
        ),
    ] = None,
    url: ServerUrl = None,
    admin_key: AdminKeyText = None,
    project: ProjectFolder = None,
    data: DataPath = None,
) -> None:
    """Make a key and print it once."""
    from rewake.cli.keys import ServerKeys, create_key, wanted_scopes
    from rewake.cli.production import tell_production

    scopes, screen = wanted_scopes(scope), Screen()
    desk = _desk(url, admin_key, project, data)
    if isinstance(desk, ServerKeys):
        tell_production(desk.server, screen)
    create_key(desk, screen, process_environment(), label=label, scopes=scopes, expires=expires)


@keys_app.command("list")
def list_(
    *,
    as_json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
    url: ServerUrl = None,
    admin_key: AdminKeyText = None,
    project: ProjectFolder = None,
    data: DataPath = None,
) -> None:
    """Show all keys: id, state, scopes, label, when made and last used. Never a key itself."""
    from rewake.cli.keys import list_keys

    list_keys(_desk(url, admin_key, project, data), Screen(), process_environment(), as_json=as_json)


@keys_app.command("revoke")
def revoke(
    ids: Annotated[list[str], typer.Argument(metavar="ID...", help="Ids, as `list` shows them.")],
    *,
    yes: Sure = False,
    url: ServerUrl = None,
    admin_key: AdminKeyText = None,
    project: ProjectFolder = None,
    data: DataPath = None,
) -> None:
    """Take keys back. On a running server, connections that they opened end at once."""
    from rewake.cli.keys import ServerKeys, revoke_keys
    from rewake.cli.production import confirm_production

    desk, screen = _desk(url, admin_key, project, data), Screen()
    if isinstance(desk, ServerKeys):
        confirm_production(desk.server, screen, f"Revoke {', '.join(ids)} of", is_sure=yes)
    revoke_keys(desk, screen, ids)
