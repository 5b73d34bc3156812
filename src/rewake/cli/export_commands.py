"""`rewake export` and `rewake backup`, as typer reads them.

Floor 8, `cli`. Not here: the work (`exporting.py`, `backing_up.py`), where errors end (`commands.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rewake.cli.options import AdminKeyText, DataPath, ProjectFolder, ServerUrl
from rewake.cli.project_home import data_place, find_root
from rewake.cli.screen import Screen
from rewake.cli.server_commands import server_of
from rewake.environment import process_environment

EXPORT_EXAMPLES = (
    "Examples:\n\n    rewake export snapshot.zip\n\n    rewake export backups/ --include-file-storage\n\n"
    "    rewake export x.zip --url https://chat.example --admin-key KEY"
)
BACKUP_EXAMPLES = (
    "Examples:\n\n    rewake backup /backups/chat.sqlite3\n\n"
    "    rewake backup /backups/chat.sqlite3 --force && rewake verify /backups/chat.sqlite3"
)

Force = Annotated[bool, typer.Option("--force", help="Put the new one in the place of an old one.")]


def export(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The ZIP file, or a folder for it.")],
    *,
    include_file_storage: Annotated[
        bool, typer.Option("--include-file-storage", help="Stored files as well.")
    ] = False,
    force: Force = False,
    url: ServerUrl = None,
    admin_key: AdminKeyText = None,
    project: ProjectFolder = None,
    data: DataPath = None,
) -> None:
    """Write all tables of a running server, as they stand now, to a ZIP archive."""
    from rewake.cli.exporting import export_to

    server = server_of(url, admin_key, project, data)
    export_to(server, path, Screen(), process_environment(), has_files=include_file_storage, replaces=force)


def backup(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="The copy; files go to `PATH-files`.")],
    *,
    force: Force = False,
    project: ProjectFolder = None,
    data: DataPath = None,
) -> None:
    """Copy a data file and its files, also while it is served. Serve the copy to restore it."""
    from rewake.cli.backing_up import back_up
    from rewake.cli.hosting import files_place
    from rewake.execution import read_settings

    root = project.resolve() if project is not None else find_root(Path.cwd())
    back_up(
        data_place(root, data).data,
        path,
        Screen(),
        process_environment(),
        files=files_place(read_settings(root)),
        replaces=force,
    )
