"""What was deployed to a data file, taken out of it at a start.

Floor 8, `cli`. `rewake serve --data PATH` serves no folder of an author: the sources of the newest deploy lie
in the data file, and are unpacked into a temporary folder (of `TMPDIR`), so nothing else need be writable.

    data file -> active deploy -> home/code-... -> settings
              -> none yet      -> home/nothing  -> no functions, and a word on how to deploy

A data file that was served from a folder is not touched: without code its crons and indexes would go.

Not here: later deploys (`deployment/deploys.py`), serving (`serving.py`).
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import msgspec
from msgspec.structs import replace

from rewake.cli.failure import CommandFailed
from rewake.cli.project_home import DATA_FILE, DataPlace
from rewake.database import Database, DeployRecord, active_deploy, read_sources, stored_modules
from rewake.deployment import deployed_settings
from rewake.environment import Environment
from rewake.execution import ProjectSettings, open_archive
from rewake.limits import DEFAULT_LIMITS, SETTINGS

_ANY_SIZE = msgspec.structs.replace(
    DEFAULT_LIMITS,
    **{
        name: int(each.most)
        for name, each in SETTINGS.items()
        if name.startswith("deploy_") and each.is_whole
    },
)
"""It was taken once, perhaps under other limits."""


class DeployedCode(msgspec.Struct, frozen=True):
    """What to serve at a start."""

    settings: ProjectSettings
    record: DeployRecord | None
    """The deploy that it is; None where nothing is deployed yet."""
    home: Path
    """The folder that this and later deploys are unpacked in."""


def take_out(place: DataPlace, home: Path, environment: Environment) -> DeployedCode:
    """Unpack what was deployed to a data file.

    Raises:
        CommandFailed: the data file was served from a folder, so far.
        DataFileRefused: it cannot be opened.
        ProjectInvalid: the settings in it cannot be read.
    """
    name = _name_of(place)
    record, data, modules = _look_into(place, environment) if place.data.exists() else (None, b"", 0)
    if record is None:
        if modules:
            raise CommandFailed(
                f"{place.data} was served from a folder until now, and nothing is deployed to it.",
                hint="Serve the folder: rewake serve DIR --data PATH. To deploy, begin with a data file of "
                "its own, and move documents there with an export and an import.",
            )
        root = home / "nothing"
        (root / "backend").mkdir(parents=True)
        return DeployedCode(ProjectSettings(root, name=name), None, home)
    folder = Path(tempfile.mkdtemp(prefix="code-", dir=home))
    open_archive(data, _ANY_SIZE).write(folder)
    settings = deployed_settings(folder, name=name)
    if settings.files and "://" not in settings.files:
        # Beside the data: the folder of the sources is another one each time.
        settings = replace(settings, files=str(place.data.parent / settings.files))
    return DeployedCode(settings, record, home)


def _look_into(place: DataPlace, environment: Environment) -> tuple[DeployRecord | None, bytes, int]:
    """The active deploy, its archive, and how many modules served last."""
    database = Database.open(place.data, environment=environment)
    try:
        reader = database.reader()
        try:
            with reader.begin() as snapshot:
                record = active_deploy(snapshot.reads)
                data = b"" if record is None else read_sources(snapshot.reads, record.sources)
                return record, data, len(stored_modules(snapshot.transaction()))
        finally:
            reader.close()
    finally:
        database.close()


def _name_of(place: DataPlace) -> str:
    """What the deployment is called: after its data file, or after the folder of one with the usual name."""
    return place.data.parent.name if place.data.name == DATA_FILE else place.data.stem
