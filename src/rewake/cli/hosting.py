"""What `dev` and `serve` share: a process that holds one deployment and listens.

Floor 8, `cli`.

    readers_usual   how many processes run queries where nobody said
    analysis_of     what is known of a project, without its code in this process
    open_deployment the data file, its key, the code
    listen          a server, and word of it for `rewake run`
    house_logs      what the house itself has to say (warnings and errors), as lines

Not here: the loop and the wish to stop (`event_loop.py`), what is printed (`development.py`, `serving.py`).
"""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Callable
from pathlib import Path

import msgspec

from rewake.auth import AdminKey
from rewake.cli.failure import CommandFailed
from rewake.cli.project_home import (
    HOME,
    KEY_VARIABLE,
    DataPlace,
    ServerRecord,
    admin_key_for,
    make_home,
    read_server_record,
    write_server_record,
)
from rewake.database import DeployNote, OnProgress, no_progress
from rewake.deployment import Deployment
from rewake.environment import Environment
from rewake.execution import (
    Analysis,
    ProjectSettings,
    Registry,
    Template,
    TemplateProcess,
    WorkerPlan,
    let_functions_stop,
    limits_from_environment,
)
from rewake.observability import ROOT, redacted, wanted_level
from rewake.server import PORT_MAX, Exposure, PortInUse, Server
from rewake.storage import DataFileLocked
from rewake.tracing import tracing_from
from rewake.version import VERSION

FILES_VARIABLE = "REWAKE_FILES"
"""A folder or `s3://bucket/prefix`, over the `files` of `[tool.rewake]`."""
PORTS_TRIED_MAX = 100
READERS_USUAL_MAX = 4
_HOUSE_LOGGERS = (ROOT, "uvicorn", "asyncio", "py.warnings")


class Listening(msgspec.Struct, frozen=True):
    """Where to listen and what to serve beside the API."""

    host: str
    port: int
    may_move: bool
    """Another port will do if this one is taken."""
    static: Path | None
    site_port: int | None = None
    """Where HTTP actions are served; None: at the port behind, or the next free one."""
    url: str | None = None
    """Where clients reach it, if not by `host` and `port`: behind a proxy, for example."""
    site_url: str | None = None
    """Where HTTP actions are reached, if not by `/http` of `url`."""
    metrics_port: int | None = None
    """Where metrics are served without a key; None: only with one, beside the API."""
    exposure: Exposure = msgspec.field(default_factory=Exposure)
    """Encryption, proxies and origins."""


def deployment_key(root: Path, place: DataPlace, *, name: str, environment: Environment) -> AdminKey:
    """The admin key: of the environment, else of the file beside the data, which is made if need be, like its
    folder.

    Raises:
        CommandFailed: the key cannot be read or made, or there is no folder for the data.
    """
    if place.data.parent == root / HOME:
        make_home(root)
    if not place.data.parent.is_dir():
        raise no_data_folder(place)
    if given := os.environ.get(KEY_VARIABLE, "").strip():
        return AdminKey(given)
    return admin_key_for(place.admin_key, deployment_name=name, environment=environment)


def no_data_folder(place: DataPlace) -> CommandFailed:
    """The error for a data file whose folder is not there."""
    return CommandFailed(
        f"The folder {place.data.parent} does not exist, so the data file cannot be made there.",
        hint=f"Make it first: mkdir -p {shlex.quote(str(place.data.parent))}",
    )


def readers_usual() -> int:
    """One reader for each processor that this process may use, 1 to 4.

    One query that is slow, or that is over its time, then stops nobody else on any machine with two of them.
    """
    usable = getattr(os, "sched_getaffinity", None)
    processors = len(usable(0)) if usable is not None else os.cpu_count() or 1
    return max(1, min(processors, READERS_USUAL_MAX))


async def analysis_of(settings: ProjectSettings) -> Analysis:
    """What is known of a project, which is loaded in a process of its own.

    Raises:
        ProjectInvalid: it cannot be loaded.
    """
    template = await Template.load(settings)
    await template.end()
    return template.analysis


async def open_deployment(
    settings: ProjectSettings,
    registry: Registry | None,
    place: DataPlace,
    *,
    readers: int = 1,
    environment: Environment,
    is_redacted: bool = False,
    on_progress: OnProgress = no_progress,
    deploy: DeployNote | None = None,
    process: TemplateProcess | None = None,
) -> Deployment:
    """The project's data with its code: `registry` in this process, or without one in worker processes, of
    which `readers` run queries. `is_redacted` keeps error texts and log lines from clients; `on_progress`
    hears how far a long schema change is; `deploy` says that the code was deployed. `process` may have begun
    to load it; it ends with the deployment.

    Raises:
        ProjectInvalid: workers cannot load it.
        LimitSettingInvalid: a `REWAKE_LIMIT_*` variable is wrong.
        CommandFailed, DataFileRefused: the data cannot be opened; another server may have it.
        SchemaMismatch: it holds documents that the schema does not fit.
    """
    # First of all: a project that cannot be loaded, or limits that cannot be, touch no data.
    try:
        limits = limits_from_environment(os.environ, base=settings.limits)
    except BaseException:
        if process is not None:
            process.give_up()
        raise
    template = None
    if registry is None:
        template = await Template.load(settings, limits=limits, process=process)
    if registry is not None:
        let_functions_stop()
    name, is_open = settings.deployment_name, False
    try:
        deployment = await Deployment.open(
            data=place.data,
            registry=registry,
            workers=WorkerPlan(template, readers) if template is not None else None,
            name=name,
            version=VERSION,
            admin_key=deployment_key(settings.root, place, name=name, environment=environment),
            environment=environment,
            limits=limits,
            files=files_place(settings),
            is_redacted=is_redacted,
            on_progress=on_progress,
            deploy=deploy,
            tracing=tracing_from(
                os.environ, service=name, role="front", random_bytes=environment.random_bytes
            ),
        )
        is_open = True
        return deployment
    except DataFileLocked as error:
        record = read_server_record(settings.root)
        is_it = record is not None and str(record.pid) == str(error.fields.get("pid"))
        hint = f"It serves {record.url}." if record is not None and is_it else ""
        raise CommandFailed(error.message, hint=hint) from None
    finally:
        if template is not None and not is_open:
            await template.end()


def files_place(settings: ProjectSettings) -> str:
    """Where the bytes of files are: the environment's word, else the project's; empty for beside the data."""
    place = os.environ.get(FILES_VARIABLE, "").strip() or settings.files or ""
    return place if not place or "://" in place else str(settings.root / place)


async def listen(
    deployment: Deployment,
    listening: Listening,
    *,
    settings: ProjectSettings,
    place: DataPlace,
) -> Server:
    """Start to listen and leave word of it. Where clients reach us is what flags and `REWAKE_URL` say, then
    the variables of the official server, then the project.

    Raises:
        PortInUse: and no other port will do.
        AddressUnusable, PublicUrlInvalid: the address cannot be listened on, or is none.
    """
    port, site_tries = listening.port, 0
    while True:
        site = listening.site_port
        if site is None:
            site = port + 1 + site_tries if 0 < port < PORT_MAX - site_tries else 0
        server = Server(
            deployment,
            host=listening.host,
            port=port,
            site_port=site,
            static=listening.static,
            public_url=listening.url or said("CONVEX_CLOUD_ORIGIN") or settings.url,
            site_url=listening.site_url or said("CONVEX_SITE_ORIGIN") or settings.site_url,
            metrics_port=listening.metrics_port,
            exposure=listening.exposure,
        )
        try:
            await server.start()
            break
        except PortInUse as error:
            if error.fields["port"] == site != port:
                site_tries += 1
                if listening.site_port is not None or site_tries >= PORTS_TRIED_MAX:
                    raise
                continue
            port, site_tries = port + 1, 0
            if not listening.may_move or port >= listening.port + PORTS_TRIED_MAX:
                raise
    key_file = "" if os.environ.get(KEY_VARIABLE, "").strip() else str(place.admin_key)
    # A certificate is for the name that clients use, so other commands go by that one, too.
    is_named = listening.exposure.tls is not None and deployment.public_url is not None
    url = str(deployment.public_url) if is_named else server.url
    write_server_record(settings.root, ServerRecord(url=url, pid=os.getpid(), admin_key=key_file))
    return server


def said(variable: str) -> str | None:
    """What a variable of the environment says; None where it is not set, or empty."""
    return os.environ.get(variable, "").strip() or None


def house_logs(show: Callable[[logging.LogRecord, str], None], secrets: tuple[str, ...] = ()) -> None:
    """Hand warnings and errors of the house, as text with their traceback, to `show`; without `secrets`.
    `REWAKE_LOG_LEVEL` says from which level on; a word that is none counts as `warning`.
    """
    handler = _Handler(show, secrets)
    wanted = wanted_level(os.environ)
    handler.setLevel(logging.WARNING if wanted is None else wanted)
    for name in _HOUSE_LOGGERS:
        logging.getLogger(name).addHandler(handler)
        if wanted is not None:
            logging.getLogger(name).setLevel(wanted)


class _Handler(logging.Handler):
    def __init__(self, show: Callable[[logging.LogRecord, str], None], secrets: tuple[str, ...]) -> None:
        super().__init__(logging.WARNING)
        self._show = show
        self._secrets = secrets

    def emit(self, record: logging.LogRecord) -> None:
        # Like every handler: whoever logs is in the middle of something else, so nothing is raised here. The
        # traceback of an author's exception runs code of theirs.
        try:
            self._show(record, redacted(self.format(record), self._secrets))
        except Exception:
            self.handleError(record)
