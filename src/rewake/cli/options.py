"""Options that several commands share, as typer reads them.

Floor 8, `cli`. Which server a command talks to, and with which key; `connection.py` fills in what is left
out. Every command with `ServerUrl` and `AdminKeyText` is given `--prod`, `--deployment` and `--env-file` as
well (`CommandsWithTargets`), so that none forgets them; what they say waits in `connection.py` for
who asks for the server.

Not here: options of one command only (`commands.py`, `server_commands.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from rewake.cli.connection import WISHES, note_wish
from rewake.cli.plain_values import with_plain_values

_flags = typer.Typer(add_completion=False)

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
DataPath = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="PATH",
        help="The data file, or its folder, if it is not the project's own.",
        show_default=False,
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="As JSON.")]
Sure = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]


class CommandsWithTargets(TyperGroup):
    """The commands of an application, those that talk to a server with the flags that name one."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        _add_target_options(self)

    def get_params(self, ctx: Any) -> list[Any]:
        """The parameters of the application itself."""
        return with_plain_values(super().get_params(ctx))


def _add_target_options(command: Any) -> None:
    groups = getattr(command, "commands", None)
    if groups is not None:
        for each in groups.values():
            _add_target_options(each)
        return
    names = [parameter.name for parameter in command.params]
    if "url" in names and "admin_key" in names:
        place = names.index("admin_key") + 1
        command.params[place:place] = _target_options()


def _note(context: typer.Context, parameter: Any, value: Any) -> Any:
    """Keep what a flag says, also that it says nothing."""
    note_wish(str(parameter.name), value)
    return value


@_flags.command()
def _target(
    production: Annotated[
        bool,
        typer.Option("--prod", callback=_note, expose_value=False, help="The deployment `prod`."),
    ] = False,
    deployment: Annotated[
        str | None,
        typer.Option(
            "--deployment",
            metavar="NAME",
            callback=_note,
            expose_value=False,
            show_default=False,
            help="A deployment by its name in pyproject.toml.",
        ),
    ] = None,
    env_file: Annotated[
        Path | None,
        typer.Option(
            "--env-file",
            metavar="PATH",
            callback=_note,
            expose_value=False,
            show_default=False,
            help="A file of variables that name a server and its key.",
        ),
    ] = None,
) -> None:
    """Never called: the shape of the three flags."""


def _target_options() -> list[Any]:
    shape: Any = typer.main.get_command(_flags)
    return [parameter for parameter in shape.params if parameter.name in WISHES]
