"""`rewake dev`: the server of somebody who is writing the code.

Floor 8, `cli`. One loop: load, push, tell, wait for a save. Whatever is wrong with the new code is shown with
its place, and the old code goes on serving on the same sockets.

    picture of the files -> load -> open (first time) | push -> _generated -> report -> wait for a change
                             |         |
                             |         schema does not fit: table, document, field, ways out
                             cannot be imported: the author's traceback

Nothing is opened before the project loads once, so a broken project never touches data. Code is loaded and
run in worker processes, never in this one; with `--workers 0` it is loaded in a thread that may be left
behind, since an import that never ends must not keep Ctrl-C from working.

Not here: watching files (`source_files.py`), how a run looks (`call_lines.py`).
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from rewake.cli.call_after_push import CallAfterPush, call_after_push
from rewake.cli.call_lines import Part, call_lines, duration, file_stamp, local_clock
from rewake.cli.event_loop import Stopping
from rewake.cli.failure import CommandFailed, ExitCode, WrongUsage
from rewake.cli.front_end import FrontEnd
from rewake.cli.generating import write_generated
from rewake.cli.greeting import greet, shown_path, size_words
from rewake.cli.hosting import Listening, house_logs, listen, open_deployment
from rewake.cli.page_console import PageConsole
from rewake.cli.project_home import DataPlace, data_place, remove_server_record, set_aside
from rewake.cli.push_progress import ProgressLines
from rewake.cli.screen import Screen, indented
from rewake.cli.secret_files import take_secrets
from rewake.cli.source_files import changed_files, events, take_picture
from rewake.cli.ways_out import mismatch_failure, mismatch_report, ways_out_lines
from rewake.database import SchemaMismatch
from rewake.deployment import Deployment, PushReport
from rewake.environment import Environment
from rewake.errors import RewakeError
from rewake.execution import (
    Analysis,
    CallRecord,
    ProjectInvalid,
    ProjectSettings,
    Registry,
    limits_from_environment,
    load_in_thread,
    load_project,
    read_settings,
)
from rewake.observability import redacted
from rewake.server import Server
from rewake.storage import DataFileRefused
from rewake.version import VERSION

_NAMES_SHOWN_MAX = 6
_LABEL_WIDTH = 8


class DevOptions(msgspec.Struct, frozen=True):
    """What `rewake dev` was asked for."""

    project: Path
    data: Path | None
    listening: Listening
    shows_queries: bool
    """Also runs of queries that printed nothing and succeeded: live ones run often."""
    readers: int
    """Worker processes for queries, beside the one for mutations; 0 runs all functions in this process."""
    call: CallAfterPush | None = None
    """What is called after each push."""
    start: str | None = None
    """A command to run beside the server, in the project's folder."""


class Development:
    """One `rewake dev`, from start to Ctrl-C."""

    def __init__(self, options: DevOptions, screen: Screen, environment: Environment) -> None:
        self._options = options
        self._screen = screen
        self._environment = environment
        self._settings = read_settings(options.project)
        self._place: DataPlace = data_place(self._settings.root, options.data)
        self._stopping = Stopping()
        self._secrets: tuple[str, ...] = ()  # Set by `run`, for the log.
        # None until the project was loaded and its data opened once.
        self._deployment: Deployment | None = None
        self._server: Server | None = None
        self._console: PageConsole | None = None  # With the server.
        self._calling: asyncio.Task[None] | None = None  # The latest call after a push.
        self._front_end: FrontEnd | None = None  # After the first push, where one is wished.
        # The limits that the author knows of: those of the start, then those that a note was about.
        self._limits_told = self._settings.limits

    async def run(self) -> ExitCode:
        """Serve and reload until told to stop.

        Raises:
            RewakeError: the data or the port cannot be had; code that is wrong is waited for instead.
        """
        self._stopping.listen()
        self._secrets = take_secrets(os.environ)
        house_logs(self._show_house_log, self._secrets)
        working = asyncio.create_task(self._work())
        waiting = asyncio.create_task(self._stopping.wait())
        try:
            await asyncio.wait([working, waiting], return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            for task in (working, waiting):
                task.cancel()
            await asyncio.gather(working, waiting, return_exceptions=True)
            await self._close()
        return self._stopping.exit_code

    async def _close(self) -> None:
        remove_server_record(self._settings.root)
        if self._stopping.exit_code is ExitCode.INTERRUPTED and self._screen.is_terminal:
            self._screen.say("")  # The terminal has written ^C.
        if self._calling is not None:
            self._calling.cancel()
        if self._front_end is not None:
            await self._front_end.end()
        if self._server is not None:
            await self._server.stop()
        if self._deployment is not None:
            await self._deployment.close()
            self._tell("stopped", "green", "Data is in ", str(shown_path(self._place.data)))

    async def _work(self) -> None:
        root = self._settings.root
        picture = take_picture(root)
        await self._apply([])
        while True:
            # Begins again when folders came or went; the comparison makes sure that nothing in between is
            # lost.
            async for _ in events(self._settings):
                now = take_picture(root)
                changed = changed_files(picture, now)
                picture = now
                if changed:
                    await self._apply([file.relative_to(root) for file in changed])

    async def _apply(self, changed: list[Path]) -> None:
        """Bring what is served in step with the files."""
        begin = self._environment.clock.monotonic()
        try:
            settings = read_settings(self._options.project)
            registry = None
            if self._options.readers == 0:
                limits = limits_from_environment(os.environ, base=settings.limits)
                registry = await load_in_thread(settings, limits.load_seconds_max)
            self._settings = settings
            if self._deployment is None:
                deployment = await self._start(settings, registry)
                self._limits_told = settings.limits
                seconds = self._environment.clock.monotonic() - begin
                size = size_words(deployment.analysis)
                self._tell("ready", "green", size, (f"  {duration(seconds)}", "dim"))
            else:
                deployment = self._deployment
                code = settings if registry is None else registry
                report = await deployment.push(code, on_progress=self._progress_lines())
                seconds = self._environment.clock.monotonic() - begin
                self._show_push(changed, report, seconds)
                # Not what changed since the last try: that may have been of code that was refused.
                if settings.limits != self._limits_told:
                    self._limits_told = settings.limits
                    self._tell("note", "yellow", "New limits hold after the next start of `rewake dev`.")
            self._write_generated(settings, deployment.analysis)
            self._begin_call(deployment)
            await self._start_front_end()
        except ProjectInvalid as error:
            self._show_problem(error.message, error.traceback)
        except SchemaMismatch as mismatch:
            self._show_mismatch(mismatch)
        except (CommandFailed, DataFileRefused):
            raise
        except RewakeError as error:
            if self._server is None:
                # Not the code: the data, or the port.
                raise
            self._show_problem(error.message, None)

    async def _start(self, settings: ProjectSettings, registry: Registry | None) -> Deployment:
        deployment = await open_deployment(
            settings,
            registry,
            self._place,
            readers=self._options.readers,
            environment=self._environment,
            on_progress=self._progress_lines(),
        )
        self._deployment = deployment
        loop = asyncio.get_running_loop()

        def heard(records: Sequence[CallRecord]) -> None:
            # In the runner's thread; the terminal may be slow, and lines are to come in one order.
            for record in records:
                if self._options.shows_queries or record.kind != "query" or record.error or record.log_lines:
                    loop.call_soon_threadsafe(self._show_call, record)

        deployment.call_log.listen(heard)
        listening = self._options.listening
        self._server = await listen(deployment, listening, settings=settings, place=self._place)
        self._console = PageConsole(self._server.door)
        greet(
            self._screen,
            name=settings.deployment_name,
            version=VERSION,
            url=self._server.url,
            data=self._place.data,
            analysis=deployment.analysis,
            watched="the project's Python files",
            has_page=listening.static is not None,
            site_url=deployment.site_url,
        )
        if listening.port not in (0, self._server.port):
            self._tell("note", "yellow", f"Port {listening.port} is taken; this is {self._server.port}.")
        return deployment

    def _write_generated(self, settings: ProjectSettings, analysis: Analysis) -> None:
        try:
            written = write_generated(settings, analysis)
        except CommandFailed as error:
            self._show_problem(f"{error.message} {error.hint}", None)
            return
        if written:
            folder = shown_path(settings.generated_path)
            self._tell("wrote", "green", f"{folder}/ ", (", ".join(file.name for file in written), "dim"))

    def _begin_call(self, deployment: Deployment) -> None:
        """Make the call that was asked for; the next save need not wait for it."""
        wanted = self._options.call
        if wanted is None:
            return
        if self._calling is not None and not self._calling.done():
            self._tell("note", "yellow", f"{wanted.path} still runs, and is not called again now.")
            return
        self._calling = asyncio.create_task(self._call(deployment, wanted))

    async def _call(self, deployment: Deployment, wanted: CallAfterPush) -> None:
        try:
            value = await call_after_push(deployment, wanted)
        except CommandFailed as error:
            # The run itself was shown with its traceback.
            self._tell("problem", "bold red", (error.message.partition("\n")[0], "red"))
        else:
            self._tell("ran", "green", wanted.path, ("" if value == "null" else f"  {value}", "dim"))

    async def _start_front_end(self) -> None:
        command = self._options.start
        if command is None or self._server is None or self._front_end is not None:
            return

        def ended(code: int) -> None:
            self._tell("note", "yellow", f"`{command}` has ended with exit code {code}. The server goes on.")

        self._front_end = FrontEnd(command, root=self._settings.root, url=self._server.url, ended=ended)
        await self._front_end.start()
        self._tell("started", "green", command)

    # What is shown.

    def _tell(self, label: str, style: str, *parts: str | Part) -> None:
        clock = local_clock(self._environment.clock.now_ns())
        self._screen.say((clock, "dim"), "  ", (label.ljust(_LABEL_WIDTH), style), "  ", *parts)

    def _progress_lines(self) -> ProgressLines:
        return ProgressLines(self._environment.clock, lambda words: self._tell("schema", "cyan", words))

    def _show_call(self, record: CallRecord) -> None:
        for line in call_lines(record, clock=local_clock(self._environment.clock.now_ns())):
            self._screen.say(*((redacted(text, self._secrets), style) for text, style in line))

    def _show_push(self, changed: list[Path], report: PushReport, seconds: float) -> None:
        parts: list[str | Part] = [_listed([str(file) for file in changed])]
        for sign, style, noun, names in (
            ("+", "green", "", report.functions_added),
            ("-", "red", "", report.functions_removed),
            ("+", "green", "table ", report.tables_added),
            ("+", "green", "index ", report.indexes_added),
            ("-", "red", "index ", report.indexes_removed),
            ("+", "green", "auth ", report.auth_added),
            ("-", "red", "auth ", report.auth_removed),
            ("+", "green", "cron ", report.crons_added),
            ("~", "yellow", "cron ", report.crons_updated),
            ("-", "red", "cron ", report.crons_deleted),
        ):
            if names:
                parts.append((f"  {sign}{noun}{_listed(names, sign)}", style))
        parts.append((f"  {duration(seconds)}", "dim"))
        self._tell("reloaded", "green", *parts)
        if self._console is not None:
            self._console.mended("The code as it was saved is served again.")

    def _show_problem(self, message: str, traceback: str | None) -> None:
        if self._console is not None:
            self._console.problem(message, traceback)
        self._tell("problem", "bold red", (message, "red"))
        if traceback:
            self._screen.say("")
            self._screen.say((indented(traceback, by=4), ""))
            self._screen.say("")
        self._show_consequence()

    def _show_mismatch(self, mismatch: SchemaMismatch) -> None:
        report = mismatch_report(mismatch)
        message = "The new schema does not fit a document that exists."
        if self._console is not None:
            place = f"table {report.table}, document {report.document}, field {report.field or '(itself)'}"
            self._console.problem(message, f"{place}\n{report.detail}")
        self._tell("problem", "bold red", (message, "red"))
        for line in ways_out_lines(report):
            self._screen.say(*line)
        self._show_consequence()

    def _show_consequence(self) -> None:
        if self._deployment is None:
            self._tell("waiting", "yellow", "Nothing is served yet. Save a file and it is tried again.")
        else:
            self._tell(
                "kept", "yellow", "The code from before goes on serving. Save a file and it is tried again."
            )

    def _show_house_log(self, record: logging.LogRecord, text: str) -> None:
        style = "bold red" if record.levelno >= logging.ERROR else "yellow"
        self._tell(record.levelname.lower(), style, text)


def _listed(names: list[str] | tuple[str, ...], sign: str = "") -> str:
    """Some names, and how many more there are."""
    shown = f" {sign}".join(names[:_NAMES_SHOWN_MAX])
    rest = len(names) - _NAMES_SHOWN_MAX
    return shown + (f" and {rest} more" if rest > 0 else "")


async def check_once(options: DevOptions, screen: Screen, environment: Environment) -> ExitCode:
    """Load the project, apply its schema to the data and write generated files.

    Raises:
        RewakeError: one of these cannot be done.
    """
    settings = read_settings(options.project)
    registry = load_project(settings) if options.readers == 0 else None
    place = data_place(settings.root, options.data)
    try:
        deployment = await open_deployment(settings, registry, place, environment=environment)
    except SchemaMismatch as mismatch:
        raise mismatch_failure(mismatch) from None
    try:
        value = None if options.call is None else await call_after_push(deployment, options.call)
    finally:
        await deployment.close()
    written = write_generated(settings, deployment.analysis)
    screen.say(
        ("ok ", "green"), size_words(deployment.analysis), ", schema applied to ", str(shown_path(place.data))
    )
    for file in written:
        screen.say(("wrote ", "green"), str(shown_path(file)))
    if options.call is not None:
        screen.say(("ran ", "green"), options.call.path, (f"  {value}", "dim"))
    return ExitCode.OK


def reset_data(options: DevOptions, screen: Screen, environment: Environment, *, is_sure: bool) -> None:
    """Move the data aside, after asking.

    Raises:
        CommandFailed: the person said no, or the data cannot be moved.
        WrongUsage: there is nobody to ask.
        DataFileLocked: a server has it open.
    """
    settings = read_settings(options.project)
    place = data_place(settings.root, options.data)
    if not place.data.exists():
        screen.say("There is no data yet, so there is nothing to reset.")
        return
    if not is_sure:
        if not screen.can_ask:
            raise WrongUsage(
                "--reset asks before it moves the data aside, and nobody can answer here.", hint="Add --yes."
            )
        if not screen.ask(f"Start with empty data? {shown_path(place.data)} is moved aside."):
            raise CommandFailed("Nothing was changed.")
    moved = set_aside(place, stamp=file_stamp(environment.clock.now_ns()))
    if moved is not None:
        screen.say(("reset ", "yellow"), f"The data from before is in {shown_path(moved)}")
