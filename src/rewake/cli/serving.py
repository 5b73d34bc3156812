"""`rewake serve`: the server as operators run it.

Floor 8, `cli`. No watching and no questions. Lines for a log file go to stdout: one when it is ready, then
what functions print and how they fail, with the author's traceback. A successful silent run leaves no line:
at thousands a second it would be the slowest part of the server. As JSON, each line is one object.

    load -> open data -> listen -> "Rewake is ready at ..." -> SIGTERM -> drain -> close

Not here: the development server (`development.py`).
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import sys
import tempfile
from collections.abc import Coroutine, Sequence
from contextlib import nullcontext
from enum import StrEnum
from pathlib import Path

import msgspec

from rewake.cli.call_lines import log_moment, plain_lines
from rewake.cli.captured_output import captured_output
from rewake.cli.deployed import DeployedCode, take_out
from rewake.cli.event_loop import Stopping, run_loop
from rewake.cli.failure import CommandFailed, ExitCode, WrongUsage
from rewake.cli.head_start import HeadStart
from rewake.cli.hosting import (
    Listening,
    house_logs,
    listen,
    no_data_folder,
    open_deployment,
)
from rewake.cli.json_lines import json_call, json_message
from rewake.cli.project_home import DataPlace, data_place, remove_server_record
from rewake.cli.push_progress import ProgressLines
from rewake.cli.screen import Screen
from rewake.cli.secret_files import take_secrets
from rewake.cli.ways_out import mismatch_failure
from rewake.database import SchemaMismatch
from rewake.deployment import Deployment
from rewake.environment import Environment
from rewake.execution import (
    CallRecord,
    ProjectInvalid,
    ProjectSettings,
    Registry,
    load_project,
)
from rewake.observability import redacted
from rewake.server import Server
from rewake.version import VERSION


class LogFormat(StrEnum):
    """How lines of the log look."""

    TEXT = "text"
    JSON = "json"


class ServeOptions(msgspec.Struct, frozen=True):
    """What `rewake serve` was asked for."""

    data: Path | None
    """Without a project: the file whose deploys are served."""
    listening: Listening
    readers: int
    """Worker processes for queries, beside the one for mutations; 0 runs all functions in this process."""
    log_format: LogFormat = LogFormat.TEXT
    shows_all: bool = False
    """Runs that went well and printed nothing leave a line, too."""
    tells_errors: bool = False
    """Clients are told why their calls failed, and what functions printed; else only the log is."""


_COLLECTED_AFTER = 5_000, 40, 10
"""So many objects more than before are made before garbage is looked for among the new; so often, before it
is among those that are older. By default it is 700 and 10: where thousands connect and wait, looking took a
third of all time, and stopped everything for a quarter of a second. More at once makes longer stops, and no
fewer objects to look at. What there is to find is a cycle now and then."""


def serve(options: ServeOptions, screen: Screen, environment: Environment, start: HeadStart) -> ExitCode:
    """Serve until told to stop.

    Raises:
        RewakeError: it cannot start; nothing was left behind.
    """
    # Before the loop takes over the signals: an import that never ends can be interrupted.
    if start.settings is None:
        return _serve_deployed(options, screen, environment, start)
    registry = load_project(start.settings) if options.readers == 0 else None
    return _run(_serve(options, start.settings, registry, screen, environment, start=start))


def _run(serving: Coroutine[None, None, ExitCode]) -> ExitCode:
    # All that was imported stays for good: garbage is looked for among what comes after it.
    gc.freeze()
    gc.set_threshold(*_COLLECTED_AFTER)
    return run_loop(serving)


def _serve_deployed(
    options: ServeOptions, screen: Screen, environment: Environment, start: HeadStart
) -> ExitCode:
    """Serve what was deployed to the data file, and take deploys."""
    if options.data is None:
        raise WrongUsage(
            "There is nothing to serve: name a folder, or a data file.",
            hint="`rewake serve .` serves this folder. `rewake serve --data PATH` serves what was deployed "
            "to a data file, and takes deploys.",
        )
    place = data_place(Path.cwd(), options.data)
    if not place.data.parent.is_dir():
        raise no_data_folder(place)
    with tempfile.TemporaryDirectory(prefix="rewake-deployed-", ignore_cleanup_errors=True) as home:
        code = take_out(place, Path(home), environment)
        start.begin(code.settings)
        try:
            registry = load_project(code.settings) if options.readers == 0 else None
            return _run(_serve(options, code.settings, registry, screen, environment, start=start, code=code))
        except ProjectInvalid as error:
            number = 0 if code.record is None else int(code.record.number)
            raise CommandFailed(
                f"Deploy {number} of {place.data} cannot be loaded: {error.message}",
                detail=error.traceback or "",
            ) from None


async def _serve(
    options: ServeOptions,
    settings: ProjectSettings,
    registry: Registry | None,
    screen: Screen,
    environment: Environment,
    *,
    start: HeadStart,
    code: DeployedCode | None = None,
) -> ExitCode:
    stopping = Stopping()
    stopping.listen()
    start.heed_signals()
    place = data_place(settings.root, options.data)
    secrets = take_secrets(os.environ)
    log = _Log(screen, environment, options, deployment=settings.deployment_name, secrets=secrets)
    house_logs(log.house, secrets)
    logging.captureWarnings(capture=True)
    with captured_output(log.output) if options.log_format is LogFormat.JSON else nullcontext():
        return await _open_and_serve(
            options,
            settings,
            registry,
            place=place,
            environment=environment,
            log=log,
            stopping=stopping,
            start=start,
            code=code,
        )


async def _open_and_serve(
    options: ServeOptions,
    settings: ProjectSettings,
    registry: Registry | None,
    *,
    place: DataPlace,
    environment: Environment,
    log: _Log,
    stopping: Stopping,
    start: HeadStart,
    code: DeployedCode | None,
) -> ExitCode:
    async def open_it() -> Deployment:
        return await open_deployment(
            settings,
            registry,
            place,
            readers=options.readers,
            environment=environment,
            is_redacted=not options.tells_errors,
            on_progress=ProgressLines(environment.clock, lambda words: log.say(f"Schema: {words}")),
            deploy=code.record.note if code is not None and code.record is not None else None,
            process=start.take_template(),  # Not before: a task that is cancelled at once has not begun.
        )

    opening = asyncio.ensure_future(open_it())
    # An import that never ends, or long work on the schema, must not keep anybody from stopping.
    await _first(opening, stopping.wait())
    await asyncio.wait([opening])
    if opening.cancelled():
        log.say("Stopped before it was ready.")
        return stopping.exit_code
    try:
        deployment = opening.result()
    except SchemaMismatch as mismatch:
        raise mismatch_failure(mismatch) from None
    try:
        deployment.call_log.listen(log.calls)
        if code is not None:
            deployment.deploys.home = code.home
        server = await listen(deployment, options.listening, settings=settings, place=place)
        try:
            _announce(options, deployment, server, settings=settings, place=place, log=log, code=code)
            start.manager.ready()
            await _first(stopping.wait(), server.wait())
            if not stopping.is_wished:
                raise CommandFailed("The server stopped by itself.")
            log.say("Stopping.")
        finally:
            start.manager.stopping()
            remove_server_record(settings.root)
            await server.stop()
    finally:
        await deployment.close()
    log.say("Stopped.")
    return stopping.exit_code


def _announce(
    options: ServeOptions,
    deployment: Deployment,
    server: Server,
    *,
    settings: ProjectSettings,
    place: DataPlace,
    log: _Log,
    code: DeployedCode | None,
) -> None:
    """Say what is served, and where; the last line is that it is ready."""
    where = (
        f"Functions run in {options.readers + 1} worker processes."
        if options.readers
        else "Functions run in the server's own process."
    )
    what = str(settings.root) if code is None else _deployed_words(code)
    log.say(f"Rewake {VERSION} serves {what} with data in {place.data}. {where}")
    if code is not None and code.record is None:
        log.say(f"Deploy a project to it: rewake deploy DIR --url {server.url} --admin-key KEY")
        log.say(f"The key of the deployment lies in {place.admin_key}, or is REWAKE_ADMIN_KEY.")
    if deployment.analysis.routes is not None:
        log.say(f"HTTP actions are served at {deployment.site_url}")
    if not sys.flags.hash_randomization:
        log.say("PYTHONHASHSEED=0 lets strangers choose names that collide. Unset it.")
    log.say(f"Rewake is ready at {server.url}")


def _deployed_words(code: DeployedCode) -> str:
    return "no functions yet" if code.record is None else f"deploy {int(code.record.number)}"


async def _first(*waits: object) -> None:
    """Return when the first of them is done; the others are cancelled."""
    tasks = [asyncio.ensure_future(wait) for wait in waits]  # type: ignore[call-overload]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()


class _Log:
    """Lines on stdout, from any thread."""

    def __init__(
        self,
        screen: Screen,
        environment: Environment,
        options: ServeOptions,
        *,
        deployment: str,
        secrets: tuple[str, ...],
    ) -> None:
        self._screen = screen
        self._environment = environment
        self._is_json = options.log_format is LogFormat.JSON
        self._shows_all = options.shows_all
        self._deployment = deployment
        self._secrets = secrets

    def say(self, text: str) -> None:
        """What the server says about itself."""
        self._screen.plain(self._json("info", text) if self._is_json else text)

    def output(self, text: str) -> None:
        """A line that something wrote past the log."""
        self._screen.plain(self._json("warning", redacted(text, self._secrets), logger="rewake.output"))

    def _json(self, level: str, text: str, *, logger: str = "", traceback: str = "") -> str:
        return json_message(
            level,
            text,
            moment=self._moment(),
            deployment=self._deployment,
            logger=logger,
            traceback=traceback,
        )

    def calls(self, records: Sequence[CallRecord]) -> None:
        """What runs printed, and how they failed. Called from the runner's threads."""
        for record in records:
            if self._shows_all or record.error is not None or record.log_lines:
                self._call(record)

    def _call(self, record: CallRecord) -> None:
        if self._is_json:
            text = json_call(record, moment=self._moment(), deployment=self._deployment)
        else:
            text = "\n".join(plain_lines(record, moment=self._moment()))
        # An author may print a request's headers, and an exception may quote them.
        self._screen.plain(redacted(text, self._secrets))

    def house(self, record: logging.LogRecord, text: str) -> None:
        """What the house itself says."""
        level = record.levelname.lower()
        if self._is_json:
            message = redacted(record.getMessage(), self._secrets)
            traceback = text.removeprefix(message).strip() if text.startswith(message) else ""
            self._screen.plain(self._json(level, message, logger=record.name, traceback=traceback))
        else:
            self._screen.plain(f"{self._moment()}  {level:8}  {text}")

    def _moment(self) -> str:
        return log_moment(self._environment.clock.now_ns())
