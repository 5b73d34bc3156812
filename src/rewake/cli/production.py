"""Care with production: a command that changes its data says so, and asks where something is lost.

Floor 8, `cli`. Only a deployment that was named can be told to be production; whoever gives an address on the
command line has just read it.

Not here: which deployment is production (`named_deployments.py`).
"""

from __future__ import annotations

from rewake.cli.connection import ServerAddress
from rewake.cli.failure import CommandFailed, WrongUsage
from rewake.cli.screen import Screen


def tell_production(server: ServerAddress, screen: Screen) -> None:
    """Say on stderr that it is production that a command is about to change."""
    if server.is_production:
        screen.note(("production", "bold yellow"), "  ", server.title)


def confirm_production(server: ServerAddress, screen: Screen, deed: str, *, is_sure: bool) -> None:
    """Return where `deed` ("Remove 2 variables of") may be done: at once unless it is production's.

    Raises:
        CommandFailed: the person said no.
        WrongUsage: nobody can be asked, and `--yes` was not given.
    """
    tell_production(server, screen)
    if not server.is_production or is_sure:
        return
    if not screen.can_ask:
        raise WrongUsage(f"{deed} {server.title}? Nobody is there to ask: say so with --yes.")
    if not screen.ask(f"{deed} {server.title}?"):
        raise CommandFailed("Nothing was changed.")
