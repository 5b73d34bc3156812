"""`rewake doctor` and `rewake version`, as typer reads them.

Floor 8, `cli`. Not here: the work (`doctor.py`), where errors end (`commands.py`).
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rewake.cli.options import AdminKeyText, AsJson, ProjectFolder, ServerUrl
from rewake.cli.project_home import find_root
from rewake.cli.screen import Screen
from rewake.environment import process_environment
from rewake.version import VERSION

DOCTOR_EXAMPLES = "Examples:\n\n    rewake doctor\n\n    rewake doctor --prod --json"


def doctor(
    *,
    as_json: AsJson = False,
    url: ServerUrl = None,
    admin_key: AdminKeyText = None,
    project: ProjectFolder = None,
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="PATH", help="The data file, or its folder.", show_default=False),
    ] = None,
) -> None:
    """Look for what stands in the way here, and say what to do about it. Changes nothing."""
    from rewake.cli.doctor import examine
    from rewake.cli.findings import Patient

    root = project.resolve() if project is not None else find_root(Path.cwd())
    patient = Patient(root, data, url, admin_key, process_environment())
    raise typer.Exit(examine(patient, Screen(), as_json=as_json))


def version(
    *,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="And what it runs on.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print the version."""
    screen = Screen()
    if not verbose and not as_json:
        screen.plain(VERSION)
        return
    from rewake.cli.doctor import version_facts

    if as_json:
        screen.value(version_facts())
        return
    for name, fact in version_facts().items():
        screen.say(name.ljust(18), fact)
