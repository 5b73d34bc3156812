"""`docs/reference/settings.md` names every variable that the code reads, and every option of `serve`."""

from __future__ import annotations

import re

import typer.main

from rewake.cli.commands import app
from tests.house.source_tree import ROOT, SOURCE

PAGE = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
_VARIABLE = r"(?:(?:REWAKE|AWS|OTEL)_[A-Z0-9_]*[A-Z0-9]|(?:[A-Z]+_)*CONVEX_[A-Z0-9_]+|PORT|NO_COLOR"
_NAME = re.compile(rf"""["']({_VARIABLE}|NOTIFY_SOCKET|WATCHDOG_USEC|PYTHONBREAKPOINT))["']""")
_NAMED = re.compile(r"`([A-Z][A-Z0-9_]+)`")

# For our own tests of crashes and failing disks; nobody runs a server with them.
NAMED_ONLY = {
    "AWS_REGION",  # Read by the library of the bucket.
    "DIR",
    "HOST",  # Said not to be read.
    "NO_COLOR",  # Read by the library of the screen.
    "REWAKE_LIMIT_DOCUMENTS_READ_MAX",
    "REWAKE_LIMIT_NAME",
}
"""What the page names, and no string of ours."""

FOR_TESTS = {"REWAKE_KILL_POINT", "REWAKE_FAULT_DISK"}


def served() -> dict[str, typer.core.TyperOption | typer.core.TyperArgument]:
    """The parameters of `serve` by how they are written."""
    command = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]
    return {
        "DIR" if parameter.param_type_name == "argument" else max(parameter.opts, key=len): parameter
        for parameter in command.params
        if parameter.name != "help"
    }


def test_every_variable_that_is_read_is_on_the_page() -> None:
    read = set()
    for file in SOURCE.rglob("*.py"):
        read |= set(_NAME.findall(file.read_text(encoding="utf-8")))
    listed = set(_NAMED.findall(PAGE))
    assert read - FOR_TESTS - listed == set(), "docs/reference/settings.md lacks these"
    assert listed - read == NAMED_ONLY


def test_every_option_of_serve_has_a_variable_and_its_row() -> None:
    cells = [
        [cell.strip() for cell in line.split("|")] for line in PAGE.splitlines() if line.startswith("| `")
    ]
    rows = {row[2].strip("`"): (row[1], row[4]) for row in cells if len(row) == 7 and row[2]}
    assert set(rows) == set(served())
    for name, parameter in served().items():
        variables, default = rows[name]
        given = [parameter.envvar] if isinstance(parameter.envvar, str) else list(parameter.envvar or [])
        named = [one for one in re.findall(r"`(\w+)`", variables) if not one.startswith("CONVEX_")]
        assert named == given, f"{name}: the page says {named}, the code reads {given}"
        if parameter.default is not None and not isinstance(parameter.default, bool) and name != "DIR":
            assert default == f"`{parameter.default}`", name
