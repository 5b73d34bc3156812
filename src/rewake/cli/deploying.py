"""`rewake deploy` and `rewake rollback`: ask for a plan, show it, have it carried out.

Floor 8, `cli`.

    gather files -> (build) -> plan -> shown -> asked where something may be missed -> finish -> progress
                                 |                          |
                                 refused: traceback         no, or Ctrl-C: the plan is cancelled

Once it is carried out the server goes on by itself; Ctrl-C then only ends the watching. Everything about it
goes to stderr, and with `--json` the outcome to stdout.

Not here: what a plan says (`deployment/deploy_plan.py`), which files (`execution/project_archive.py`).
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import msgspec

from rewake.cli.admin_requests import ask
from rewake.cli.call_lines import Part
from rewake.cli.connection import ServerAddress
from rewake.cli.event_loop import run_loop
from rewake.cli.failure import CommandFailed, WrongUsage
from rewake.cli.generating import write_generated
from rewake.cli.greeting import shown_path
from rewake.cli.hosting import analysis_of
from rewake.cli.production import tell_production
from rewake.cli.push_progress import progress_amount
from rewake.cli.screen import Screen
from rewake.cli.ways_out import mismatch_failure
from rewake.database import PushProgress, SchemaMismatch
from rewake.environment import Environment
from rewake.errors import RewakeError
from rewake.execution import (
    DocumentSource,
    ProjectInvalid,
    ProjectSettings,
    gather_project,
    limits_from_environment,
    read_settings,
)

_NAMES_SHOWN_MAX = 12
_URL_VARIABLES = ("CONVEX_URL", "VITE_CONVEX_URL", "NEXT_PUBLIC_CONVEX_URL")

Plan = dict[str, Any]


class DeployWishes(msgspec.Struct, frozen=True):
    """How it is to be done."""

    message: str = ""
    is_dry: bool = False
    is_sure: bool = False
    as_json: bool = False
    build: str | None = None
    """A command to run first."""
    url_variable: str | None = None


def deploy_project(
    server: ServerAddress, wishes: DeployWishes, screen: Screen, environment: Environment
) -> None:
    """Deploy the project of `server.root`.

    Raises:
        RewakeError: it was not deployed; the code from before serves.
    """
    settings = read_settings(server.root)
    limits = limits_from_environment(os.environ, base=settings.limits)
    if not wishes.is_dry:
        _generate(settings, screen)
        if wishes.build is not None:
            _build(wishes.build, wishes.url_variable, server.url)
        # What was built or generated may be among them.
    archive = gather_project(settings, limits)
    data = archive.pack()
    with screen.waiting(f"{server.url} looks at {len(archive.files):,} files"):
        path = f"/api/deploys/start?message={quote(wishes.message)}"
        plan = _answer(ask(server, "POST", path, content=data).content)
    _carry_through(server, plan, wishes, screen, environment)


def roll_back(
    server: ServerAddress,
    number: int | None,
    wishes: DeployWishes,
    screen: Screen,
    environment: Environment,
) -> None:
    """Go back to an older deploy.

    Raises:
        RewakeError: it was not; the code from before serves.
    """
    with screen.waiting(f"{server.url} looks at its older sources"):
        body = {"number": number, "message": wishes.message}
        plan = _answer(ask(server, "POST", "/api/deploys/rollback", body).content)
    _carry_through(server, plan, wishes, screen, environment)


def list_deploys(server: ServerAddress, screen: Screen, *, as_json: bool) -> None:
    """Show what was deployed, the newest first."""
    deploys = _answer(ask(server, "GET", "/api/deploys").content)["deploys"]
    if as_json:
        screen.value(deploys)
        return
    if not deploys:
        screen.note("Nothing was deployed to this server yet.")
    for deploy in deploys:
        moment = datetime.fromtimestamp(deploy["at"] / 1e3, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
        is_active = deploy["state"] == "active"
        screen.say(
            (f"{int(deploy['number']):>5}", "bold" if is_active else ""),
            ("  active    " if is_active else "  replaced  ", "green" if is_active else "dim"),
            f"{moment}  ",
            (f"{deploy['label'] or deploy['key'] or 'own key'}  ", "dim"),
            deploy["message"],
        )


def _carry_through(
    server: ServerAddress, plan: Plan, wishes: DeployWishes, screen: Screen, environment: Environment
) -> None:
    with _cancelled_if_left(server, plan):
        for line in plan_lines(plan):
            screen.note(*line)
        if wishes.is_dry:
            screen.note("Nothing was changed.")
            ask(server, "POST", "/api/deploys/cancel", {"plan": plan["plan"]})
            if wishes.as_json:
                screen.value(plan)
            return
        _refuse_variables(plan)
        confirm_plan(server, plan, wishes, screen)
    begin = environment.clock.monotonic()
    try:
        done = _finished(server, plan, screen)
    except KeyboardInterrupt:
        screen.note(
            "Not watched any more; the server goes on by itself. `rewake deploy --list` shows the outcome."
        )
        raise
    if done["state"] != "done":
        raise _failure(done["error"])
    if wishes.as_json:
        screen.value(done)
    seconds = environment.clock.monotonic() - begin
    if done["isUnchanged"]:
        screen.note(("unchanged ", "green"), f"{server.url} serves this already, as deploy {done['number']}.")
    else:
        screen.note(
            ("deployed ", "green"),
            f"{server.url} serves deploy {done['number']}  ",
            (f"{seconds:.1f} s", "dim"),
        )


def _finished(server: ServerAddress, plan: Plan, screen: Screen) -> Plan:
    """Have a plan carried out, and watch."""
    with screen.progress() as show:
        done = _answer(ask(server, "POST", "/api/deploys/finish", {"plan": plan["plan"]}).content)
        while done["state"] == "working":
            if done["progress"] is not None:
                show(*progress_amount(msgspec.convert(done["progress"], PushProgress)))
            done = _answer(ask(server, "GET", f"/api/deploys/progress?plan={plan['plan']}").content)
    return done


@contextmanager
def _cancelled_if_left(server: ServerAddress, plan: Plan) -> Iterator[None]:
    """Take a plan back where it is not carried out, in whatever way that comes."""
    try:
        yield
    except BaseException:
        with suppress(RewakeError):
            ask(server, "POST", "/api/deploys/cancel", {"plan": plan["plan"]}, answer_seconds=5)
        raise


# What is shown.


def plan_lines(plan: Mapping[str, Any]) -> list[list[Part]]:
    """A plan for people."""
    if plan["isUnchanged"]:
        return [[("No file differs from what is served.", "")]]
    changes = plan["changes"]
    lines: list[list[Part]] = []
    for kind, noun in (("functions", ""), ("routes", "route "), ("crons", "cron "), ("auth", "auth ")):
        for sign, style, names in (
            ("+", "green", changes[kind]["added"]),
            ("~", "yellow", changes[kind]["changed"]),
            ("-", "red", changes[kind]["removed"]),
        ):
            lines += _named(sign, style, [f"{noun}{name}" for name in names])
    lines += _named("+", "green", [f"table {name}" for name in changes["tablesAdded"]])
    lines += _named(
        "-",
        "yellow",
        [f"table {_counted(table)}: out of the schema, documents stay" for table in changes["tablesRemoved"]],
    )
    lines += _named("+", "green", [f"index {_index(index)}" for index in changes["indexesAdded"]])
    lines += _named("-", "red", [f"index {_index(index)}" for index in changes["indexesRemoved"]])
    lines += _named(
        "?",
        "cyan",
        [f"table {_counted(table)}: its documents are checked" for table in changes["tablesChecked"]],
    )
    if not lines:
        lines.append([("Files differ, and no function, table or index does.", "")])
    for sentence in changes["destructive"]:
        lines.append([("! ", "bold red"), (sentence, "red")])
    return lines


def _named(sign: str, style: str, names: list[str]) -> list[list[Part]]:
    lines: list[list[Part]] = [[(f"{sign} {name}", style)] for name in names[:_NAMES_SHOWN_MAX]]
    rest = len(names) - _NAMES_SHOWN_MAX
    return lines + ([[(f"{sign} and {rest} more", style)]] if rest > 0 else [])


def _counted(table: Mapping[str, Any]) -> str:
    return f"{table['name']} ({table['documents']:,} documents)"


def _index(index: Mapping[str, Any]) -> str:
    return _counted(index) + (", staged" if index["isStaged"] else "")


# What is asked and refused.


def _refuse_variables(plan: Plan) -> None:
    missing, refused = plan["changes"]["variablesMissing"], plan["changes"]["variablesRefused"]
    if missing:
        raise CommandFailed(
            f"Required environment variables are not set: {', '.join(missing)}. Nothing was changed.",
            hint=f"Set them on the server, then deploy again: rewake env set {missing[0]} VALUE",
        )
    if refused:
        raise CommandFailed(
            f"Environment variables have values that the code does not take: {', '.join(refused)}.",
            hint=f"Set them on the server, then deploy again: rewake env set {refused[0]} VALUE",
        )


def confirm_plan(server: ServerAddress, plan: Plan, wishes: DeployWishes, screen: Screen) -> None:
    """Ask where something would be lost, and a person on production always: a script that names production
    means it, and yet may not lose anything without `--yes`.
    """
    if plan["isUnchanged"]:
        return
    tell_production(server, screen)
    is_asked = plan["changes"]["destructive"] or (server.is_production and screen.can_ask)
    if not is_asked or wishes.is_sure:
        return
    if not screen.can_ask:
        raise CommandFailed(
            "Something would be lost (see above), and nobody can be asked here. Nothing was changed.",
            hint="Add --yes.",
        )
    if not screen.ask(f"Go on with {server.title}?" if server.is_production else "Go on?"):
        raise CommandFailed("Nothing was changed.")


def _failure(error: Mapping[str, Any]) -> CommandFailed:
    found = error.get("mismatch")
    if found is not None:
        mismatch = SchemaMismatch(**{name: found[name] for name in ("table", "id", "path", "detail")})
        if found.get("source") is not None:
            mismatch.fields["source"] = msgspec.convert(found["source"], DocumentSource)
        return mismatch_failure(mismatch, offers_reset=False)
    return CommandFailed(f"{error['message']} ({error['code']})", detail=error.get("traceback", ""))


# What is done before.


def _generate(settings: ProjectSettings, screen: Screen) -> None:
    try:
        written = write_generated(settings, run_loop(analysis_of(settings)))
    except ProjectInvalid as error:
        # A library may be where the server is and not here: it decides.
        screen.note(("note ", "yellow"), f"Generated files stay as they are: {error.message}")
        return
    for file in written:
        screen.note(("wrote ", "green"), str(shown_path(file)))


def _build(command: str, variable: str | None, url: str) -> None:
    names = (variable,) if variable is not None else _URL_VARIABLES
    if any(not name or "=" in name for name in names):
        raise WrongUsage("--cmd-url-env-var-name wants the name of a variable.")
    done = subprocess.run(command, shell=True, env={**os.environ, **dict.fromkeys(names, url)}, check=False)
    if done.returncode != 0:
        raise CommandFailed(f"`{command}` ended with {done.returncode}. Nothing was deployed.")


def _answer(content: bytes) -> Plan:
    return msgspec.json.decode(content, type=dict[str, Any])
