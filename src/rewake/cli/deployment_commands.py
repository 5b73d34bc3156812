"""The commands of `rewake deployments`, as typer reads them: which names there are, and a key for one.

Floor 8, `cli`. Not here: what names mean (`named_deployments.py`), where errors end (`commands.py`).
"""

from __future__ import annotations

import sys
from getpass import getpass
from pathlib import Path
from typing import Annotated, Any

import typer

from rewake.cli.options import AsJson, ProjectFolder
from rewake.cli.project_home import find_root, read_server_record
from rewake.cli.screen import Screen

deployments_app = typer.Typer(
    rich_markup_mode="rich",
    invoke_without_command=True,
    epilog="Examples:\n\n    rewake deployments\n\n    rewake deployments set-key prod < key.txt\n\n"
    "    rewake data --prod",
    help="The deployments of this project, by name: `dev` runs here, others are declared in pyproject.toml.",
)


@deployments_app.callback()
def deployments(context: typer.Context, *, as_json: AsJson = False, project: ProjectFolder = None) -> None:
    """The deployments of this project, by name: `dev` runs here, others are declared in pyproject.toml."""
    if context.invoked_subcommand is None:
        _list(_root(project), Screen(), as_json=as_json)


@deployments_app.command("set-key", epilog="Example:\n\n    rewake deployments set-key prod < key.txt")
def set_key(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The deployment.")],
    *,
    project: ProjectFolder = None,
) -> None:
    """Keep the admin key of a deployment in `.rewake`, for your eyes only. From stdin, or asked."""
    from rewake.cli.greeting import shown_path
    from rewake.cli.named_deployments import find_deployment, store_key

    root = _root(project)
    deployment = find_deployment(root, name, said_by="The command line")
    is_terminal = sys.stdin is not None and sys.stdin.isatty()
    key = getpass(f"Admin key of {name} (not shown): ") if is_terminal else sys.stdin.read()
    file = store_key(root, deployment, key)
    Screen().note(("kept      ", "green"), str(shown_path(file)))


def _root(project: Path | None) -> Path:
    return project.resolve() if project is not None else find_root(Path.cwd())


def _list(root: Path, screen: Screen, *, as_json: bool) -> None:
    rows = _rows(root)
    if as_json:
        screen.value(rows)
        return
    width = max(len(row["name"]) for row in rows)
    for row in rows:
        screen.say(
            (row["name"].ljust(width), "bold"),
            f"  {row['kind']:8}  {row['url'] or 'not running'}",
            ("" if row["hasKey"] or not row["url"] else "   (no key)", "yellow"),
        )


def _rows(root: Path) -> list[dict[str, Any]]:
    from rewake.cli.connection import key_layers
    from rewake.cli.named_deployments import LOCAL, read_deployments

    rows = []
    declared = read_deployments(root)
    variables = key_layers(root)
    if LOCAL not in declared:
        record = read_server_record(root)
        url = None if record is None else record.url
        rows.append({"name": LOCAL, "kind": "dev", "url": url, "hasKey": url is not None})
    for name, each in sorted(declared.items()):
        has_key = each.key(root, variables) is not None
        rows.append({"name": name, "kind": each.kind, "url": each.url, "hasKey": has_key})
    return rows
