"""The commands and their options, as typer reads them.

Floor 8, `cli`. Each command turns its options into a call of the module that does the work, which is imported
only then: `rewake --help` should not load a database. Errors end here, as a sentence and an exit code.

    init      starter_project.py        run       calling.py, watching.py
    dev       development.py            codegen   codegen_command.py, generating.py
    serve     serving.py                verify    verifying.py
    version                             env, logs  server_commands.py
    import    importing.py              keys      key_commands.py, keys.py
                                        deployments  deployment_commands.py
    deploy, rollback                    deploy_commands.py, deploying.py

Not here: the work. The pages of the reference are `docs/reference/cli.md`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from copy import copy
from pathlib import Path
from typing import Annotated

import typer

from rewake.cli.codegen_command import CODEGEN_EXAMPLES, codegen
from rewake.cli.connection import forget_wishes
from rewake.cli.data_commands import DATA_EXAMPLES, SPEC_EXAMPLES, function_spec
from rewake.cli.data_commands import data as data_command
from rewake.cli.deploy_commands import DEPLOY_EXAMPLES, ROLLBACK_EXAMPLES, deploy, rollback
from rewake.cli.deployment_commands import deployments_app
from rewake.cli.dev_options import RunArguments, RunFunction, StartCommand
from rewake.cli.doctor_commands import DOCTOR_EXAMPLES, doctor, version
from rewake.cli.export_commands import BACKUP_EXAMPLES, EXPORT_EXAMPLES, backup, export
from rewake.cli.exposing import CorsOriginList, TlsFile, TlsKeyFile, TrustedProxyList
from rewake.cli.failure import ExitCode, out_of_reach
from rewake.cli.import_commands import IMPORT_EXAMPLES, import_
from rewake.cli.key_commands import keys_app
from rewake.cli.options import AdminKeyText, CommandsWithTargets, ProjectFolder, ServerUrl
from rewake.cli.paused_collection import paused_collection
from rewake.cli.plain_values import PlainCommand
from rewake.cli.project_home import PORT_USUAL, find_root
from rewake.cli.screen import Screen
from rewake.cli.serve_options import (
    ErrorDetails,
    LogFormatName,
    LogsAll,
    ServedFolder,
    ServedHost,
    ServedPort,
    ServedSitePort,
    ServedStatic,
)
from rewake.cli.server_commands import LOGS_EXAMPLES, env_app, logs, server_of
from rewake.cli.sql_commands import SQL_EXAMPLES, sql
from rewake.environment import process_environment
from rewake.errors import RewakeError

_EXIT_CODES = (
    "Exit codes: 0 it worked, 1 the function, the project or its data said no, 2 wrong usage, "
    "3 no server could be reached, 130 Ctrl-C."
)

_COMPLETES = "_REWAKE_COMPLETE"
"""Set by a shell that completes a line: it asks for words of any command."""

app = typer.Typer(
    name="rewake",
    cls=CommandsWithTargets,
    help="A reactive backend in Python: tables and functions here, every official Convex client there.",
    epilog=_EXIT_CODES,
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)


app.add_typer(deployments_app, name="deployments")
app.add_typer(env_app, name="env")
app.add_typer(keys_app, name="keys")


def main() -> None:
    """Run the command that the process was given."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that cannot show a character is no reason to fail.
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(errors="backslashreplace")
    forget_wishes()
    try:
        asked_for(sys.argv[1:])(prog_name="rewake")
    except RewakeError as error:
        Screen().failure(error)
        sys.exit(getattr(error, "exit_code", ExitCode.FAILED))
    except PermissionError as error:
        if error.filename is None:
            raise
        Screen().failure(out_of_reach(error))
        sys.exit(ExitCode.FAILED)
    except KeyboardInterrupt:
        sys.exit(ExitCode.INTERRUPTED)
    except BrokenPipeError:
        # `rewake run ... | head`: whoever read has enough.
        sys.stderr.close()
        sys.exit(ExitCode.FAILED)
    finally:
        forget_wishes()
        _flush()


def asked_for(words: Sequence[str]) -> Callable[..., object]:
    """The application as far as `words` need it: what typer makes of one command takes a millisecond or two,
    of all of them forty. Whoever wants help, errs or completes has them all.
    """
    if words and _COMPLETES not in os.environ:
        asked = [info for info in app.registered_commands if _name_of(info) == words[0]]
        if asked:
            part, alone = copy(app), copy(asked[0])
            alone.cls = PlainCommand
            part.registered_commands, part.registered_groups = [alone], []
            return typer.main.get_group(part)
    return app


def _name_of(info: typer.models.CommandInfo) -> str:
    assert info.callback is not None, "every command is a function"
    return info.name or typer.main.get_command_name(info.callback.__name__)


def _flush() -> None:
    """Write what is left; if whoever read has enough, Python should not complain of it at its end."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, AttributeError):
        pass  # Closed or replaced: nobody is there to read.


Project = Annotated[
    Path | None,
    typer.Argument(
        metavar="DIR", help="The project's folder. Left out: the one around here.", show_default=False
    ),
]
Data = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="PATH",
        envvar="REWAKE_DATA",
        help="The data file, or a folder for it. [dim]Default: .rewake/data.sqlite3[/]",
        show_default=False,
    ),
]
Host = Annotated[str, typer.Option("--host", help="The address to listen on. 0.0.0.0 for every network.")]
Static = Annotated[
    Path | None,
    typer.Option(
        "--static", metavar="DIR", help="Serve a built front end from this folder, too.", show_default=False
    ),
]

SitePort = Annotated[
    int | None,
    typer.Option(
        "--site-port",
        min=0,
        max=65535,
        metavar="N",
        help="Where HTTP actions are served. [dim]Default: the port behind, or the next free one[/]",
        show_default=False,
    ),
]

MetricsPort = Annotated[
    int | None,
    typer.Option(
        "--metrics-port",
        min=0,
        max=65535,
        metavar="N",
        envvar="REWAKE_METRICS_PORT",
        help="Serve /metrics and health checks there, too, without a key. Keep it inside your network.",
        show_default=False,
    ),
]

Url = Annotated[
    str | None,
    typer.Option(
        "--url",
        metavar="URL",
        envvar="REWAKE_URL",
        help="Where clients reach the server, behind a proxy for example; URLs of files begin with it.",
        show_default=False,
    ),
]
SiteUrl = Annotated[
    str | None,
    typer.Option(
        "--site-url",
        metavar="URL",
        envvar="REWAKE_SITE_URL",
        help="Where HTTP actions are reached. [dim]Default: /http of --url[/]",
        show_default=False,
    ),
]

Workers = Annotated[
    int | None,
    typer.Option(
        "--workers",
        min=0,
        max=64,
        metavar="N",
        envvar="REWAKE_WORKERS",
        help="Processes that run queries, beside the one for mutations. [dim]Default: one for each "
        "processor, at most 4.[/] 0 runs functions in this process, where breakpoint() can stop.",
        show_default=False,
    ),
]


@app.command(
    epilog="Examples:\n\n    rewake init chat && cd chat && rewake dev\n\n    rewake init . --keep",
)
def init(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where to make it. `.` is here.")],
    keep: Annotated[
        bool, typer.Option("--keep", help="Leave files that exist as they are, write the others.")
    ] = False,
) -> None:
    """Make a project that runs. Nothing that exists is overwritten."""
    from rewake.cli.starter_project import write_starter

    screen = Screen()
    done = write_starter(folder, keep=keep)
    if not done.written:
        screen.say("Everything is there already: ", (str(folder), "bold"))
    else:
        screen.say(("Made ", "green"), (str(folder) if str(folder) != "." else done.root.name, "bold"))
    for name in done.written:
        screen.say("  ", ("+ ", "green"), name)
        for name in done.kept:
            screen.say("  ", ("= ", "dim"), name, ("  kept as it is", "dim"))
    screen.say("")
    screen.say("Next:")
    if done.root != Path.cwd():
        import shlex

        screen.say("  ", (f"cd {shlex.quote(str(folder))}", "cyan"))
    screen.say(
        "  ",
        ("rewake dev", "cyan"),
        ("                              # start, and reload on every save", "dim"),
    )
    screen.say("  ", ("rewake run messages:send body=Hello", "cyan"), ("     # in a second terminal", "dim"))


@app.command(
    epilog="Examples:\n\n    rewake dev\n\n"
    "    rewake dev examples/chat --port 4000 --static examples/chat/dist\n\n"
    "    rewake dev --run seed:fill --start 'npm run dev --prefix web'\n\n"
    "    rewake dev --reset\n\n    rewake dev --once    [dim]# in CI: do the code and the schema fit?[/]",
)
def dev(
    folder: Project = None,
    *,
    port: Annotated[
        int | None,
        typer.Option(
            "--port",
            min=0,
            max=65535,
            metavar="N",
            show_default=False,
            help=f"Where to listen. [dim]Default: {PORT_USUAL}, or the next free one[/]",
        ),
    ] = None,
    site_port: SitePort = None,
    host: Host = "127.0.0.1",
    data: Data = None,
    static: Static = None,
    url: Url = None,
    site_url: SiteUrl = None,
    workers: Workers = None,
    once: Annotated[
        bool, typer.Option("--once", help="Load, apply the schema, write generated files, and exit.")
    ] = False,
    reset: Annotated[
        bool, typer.Option("--reset", help="Start with empty data; the old file is moved aside.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before --reset.")] = False,
    run: RunFunction = None,
    run_args: RunArguments = None,
    start: StartCommand = None,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Show every run of a query, silent ones too.")
    ] = False,
) -> None:
    """Run the project here and reload it on every save. Connections stay open."""
    from rewake.cli.call_after_push import wanted_call
    from rewake.cli.development import Development, DevOptions, check_once, reset_data
    from rewake.cli.event_loop import run_loop
    from rewake.cli.hosting import Listening, readers_usual

    screen, environment = Screen(), process_environment()
    options = DevOptions(
        project=folder if folder is not None else find_root(Path.cwd()),
        data=data,
        listening=Listening(
            host,
            PORT_USUAL if port is None else port,
            may_move=port is None,
            static=static,
            site_port=site_port,
            url=url,
            site_url=site_url,
        ),
        shows_queries=verbose,
        readers=readers_usual() if workers is None else workers,
        call=wanted_call(run, run_args),
        start=start,
    )
    if reset:
        reset_data(options, screen, environment, is_sure=yes)
    if once:
        raise typer.Exit(run_loop(check_once(options, screen, environment)))
    raise typer.Exit(run_loop(Development(options, screen, environment).run()))


@app.command(
    epilog="Examples:\n\n    rewake serve . --port 3210 --data /var/lib/chat/data.sqlite3\n\n"
    "    rewake serve . --host 0.0.0.0 --port 8080 --static dist\n\n"
    "    rewake serve --data /var/lib/chat/data.sqlite3    [dim]# what `rewake deploy` sends[/]\n\n"
    "The admin key is REWAKE_ADMIN_KEY, or the file beside the data.",
)
def serve(
    folder: ServedFolder = None,
    port: ServedPort = PORT_USUAL,
    *,
    site_port: ServedSitePort = None,
    data: Data = None,
    host: ServedHost = "127.0.0.1",
    static: ServedStatic = None,
    url: Url = None,
    site_url: SiteUrl = None,
    workers: Workers = None,
    metrics_port: MetricsPort = None,
    log_format: LogFormatName = "text",
    verbose: LogsAll = False,
    error_details: ErrorDetails = False,
    tls_cert: TlsFile = None,
    tls_key: TlsKeyFile = None,
    trusted_proxies: TrustedProxyList = "127.0.0.1,::1",
    cors_origins: CorsOriginList = "*",
) -> None:
    """Run the project for others: no watching, plain log lines, a clean end on SIGTERM."""
    with paused_collection():
        from rewake.cli.head_start import HeadStart
    # Not where output is caught: the process would write past that.
    with HeadStart(folder, in_workers=workers != 0 and log_format == "text") as start:
        with paused_collection():
            from rewake.cli.exposing import exposure_of
            from rewake.cli.hosting import Listening, readers_usual
            from rewake.cli.serving import LogFormat, ServeOptions
            from rewake.cli.serving import serve as serve_project

        listening = Listening(
            host,
            port,
            may_move=False,
            static=static,
            site_port=site_port,
            url=url,
            site_url=site_url,
            metrics_port=metrics_port,
            exposure=exposure_of(tls_cert, tls_key, proxies=trusted_proxies, origins=cors_origins),
        )
        options = ServeOptions(
            data,
            listening,
            readers_usual() if workers is None else workers,
            LogFormat(log_format),
            shows_all=verbose,
            tells_errors=error_details,
        )
        raise typer.Exit(serve_project(options, Screen(), process_environment(), start))


@app.command(
    epilog='Examples:\n\n    rewake run messages:send \'{"body": "hi"}\'\n\n'
    "    rewake run messages:send body=hi\n\n    rewake run messages:list_recent limit=5 --watch\n\n"
    "    echo '{}' | rewake run messages:list_recent -",
)
def run(
    function: Annotated[str, typer.Argument(metavar="FUNCTION", help="module:function, internal ones too.")],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="JSON|NAME=VALUE",
            help="The arguments. `-` reads JSON from stdin.",
            show_default=False,
        ),
    ] = None,
    *,
    watch: Annotated[
        bool, typer.Option("--watch", "-w", help="A query: print each new result until Ctrl-C.")
    ] = False,
    identity: Annotated[
        str | None,
        typer.Option(
            "--identity", metavar="JSON", help="Call as the user with these attributes.", show_default=False
        ),
    ] = None,
    url: ServerUrl = None,
    admin_key: AdminKeyText = None,
    project: ProjectFolder = None,
    data: Data = None,
) -> None:
    """Call a function and print what it returns. Its log lines and errors go to stderr."""
    from rewake.cli.arguments import parse_arguments

    words = arguments or []
    if words == ["-"]:
        words = [sys.stdin.read()]
    parsed = parse_arguments(words)
    screen = Screen()
    server = server_of(url, admin_key, project, data)
    from rewake.cli.calling import acting_user, call_function
    from rewake.cli.event_loop import run_loop

    user, environment = None if identity is None else acting_user(identity), process_environment()
    if watch:
        from rewake.cli.watching import watch_function

        watched = watch_function(server, function, parsed, screen, environment, identity=user)
        raise typer.Exit(run_loop(watched))
    run_loop(call_function(server, function, parsed, screen, environment, identity=user))


app.command(epilog=CODEGEN_EXAMPLES)(codegen)


@app.command(
    epilog="Examples:\n\n    rewake verify\n\n    rewake verify /backups/chat.sqlite3\n\n"
    "    rewake verify --data /var/lib/chat/data.sqlite3 --json",
)
def verify(
    folder: Annotated[
        Path | None,
        typer.Argument(
            metavar="PATH",
            help="A data file, a backup, or a project's folder. Left out: the project around here.",
            show_default=False,
        ),
    ] = None,
    *,
    data: Data = None,
    as_json: Annotated[bool, typer.Option("--json", help="The verdict as JSON on stdout.")] = False,
) -> None:
    """Check a data file: indexes, documents, logs and files must agree. It may be served meanwhile."""
    from rewake.cli.verifying import verify_file, what_to_verify

    file, files = what_to_verify(folder, data)
    raise typer.Exit(verify_file(file, Screen(), process_environment(), as_json=as_json, files=files))


app.command()(version)
app.command(epilog=DOCTOR_EXAMPLES)(doctor)
app.command(epilog=LOGS_EXAMPLES)(logs)
app.command("data", epilog=DATA_EXAMPLES)(data_command)
app.command(epilog=SQL_EXAMPLES)(sql)
app.command("function-spec", epilog=SPEC_EXAMPLES)(function_spec)
app.command(epilog=EXPORT_EXAMPLES)(export)
app.command(epilog=BACKUP_EXAMPLES)(backup)
app.command("import", epilog=IMPORT_EXAMPLES)(import_)
app.command(epilog=DEPLOY_EXAMPLES)(deploy)
app.command(epilog=ROLLBACK_EXAMPLES)(rollback)
