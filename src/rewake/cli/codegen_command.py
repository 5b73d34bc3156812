"""`rewake codegen`: its options, and which of the generated files they ask for.

Floor 8, `cli`. Not here: the files (`generating.py`)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from rewake.cli.failure import ExitCode
from rewake.cli.project_home import find_root
from rewake.cli.screen import Screen

CODEGEN_EXAMPLES = (
    "Examples:\n\n    rewake codegen\n\n    rewake codegen examples/chat\n\n"
    "    rewake codegen --python scripts/chat_api.py\n\n    rewake codegen --openapi openapi.json\n\n"
    "    rewake codegen --check"
)


def codegen(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="DIR", help="The project's folder. Left out: the one around here.", show_default=False
        ),
    ] = None,
    *,
    python: Annotated[
        Path | None,
        typer.Option(
            "--python",
            metavar="FILE",
            help="Write typed functions for the Python client to this file, and no TypeScript.",
            show_default=False,
        ),
    ] = None,
    openapi: Annotated[
        Path | None,
        typer.Option(
            "--openapi",
            metavar="FILE",
            help="Write an OpenAPI document of the public functions to this file, and no TypeScript.",
            show_default=False,
        ),
    ] = None,
    check: Annotated[
        bool, typer.Option("--check", help="Write nothing; exit with 1 if a file is out of date.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Write nothing; say which files would be written.")
    ] = False,
) -> None:
    """Write the generated TypeScript of the project once. `rewake dev` does it on every save."""
    from rewake.cli.event_loop import run_loop
    from rewake.cli.generating import openapi_file, python_of, typescript_of
    from rewake.cli.greeting import shown_path
    from rewake.cli.hosting import analysis_of
    from rewake.execution import read_settings

    screen = Screen()
    settings = read_settings(folder if folder is not None else find_root(Path.cwd()))
    analysis = run_loop(analysis_of(settings))
    wanted = []
    if python is not None:
        wanted.append(python_of(python.resolve(), analysis))
    if openapi is not None:
        wanted.append(openapi_file(openapi.resolve(), settings, analysis))
    is_stale = False
    for generated in wanted or [typescript_of(settings, analysis)]:
        files = generated.out_of_date() if check or dry_run else generated.write()
        is_stale = is_stale or bool(files)
        if not files:
            is_one = len(generated.files) == 1
            place = generated.folder / next(iter(generated.files)) if is_one else generated.folder
            screen.say(f"{shown_path(place)}{'' if is_one else '/'} is up to date.")
        for file in files:
            screen.say((_word(check=check, dry_run=dry_run), "green"), str(shown_path(file)))
    if check and is_stale:
        raise typer.Exit(ExitCode.FAILED)


def _word(*, check: bool, dry_run: bool) -> str:
    if check:
        return "out of date: "
    return "would write " if dry_run else "wrote "
