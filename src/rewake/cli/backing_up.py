"""Backing up: a copy of a data file and of its files, made beside the server or without one.

Floor 8, `cli`. The data is copied under a temporary name. Then the files that the copy names are copied to
`PATH-files`: their bytes never change, so those that are there from an earlier backup stay. The data takes
its name last, in one step; before that there is no backup, or the old one, whole.

    hold files -> copy data to .part -> files -> fsync -> rename -> fsync of the folder

Not here: how pages are copied (`storage/copying.py`), proving it (`verifying.py`).
"""

from __future__ import annotations

import os
from pathlib import Path

from rewake.blobs import BlobStore, Intake, open_blobs
from rewake.cli.exporting import check_target
from rewake.cli.failure import CommandFailed
from rewake.cli.greeting import bytes_words, count, shown_path
from rewake.cli.progress import Tell
from rewake.cli.screen import Screen
from rewake.database import all_files
from rewake.environment import Environment, sync_directory
from rewake.storage import DataFileMissing, FilesHold, Inspection, copy_data_file


def back_up(
    data: Path, target: Path, screen: Screen, environment: Environment, *, files: str, replaces: bool
) -> None:
    """Copy the data file at `data` and its files, which are at `files` or beside it, to `target`.

    Raises:
        CommandFailed, DataFileRefused, StorageFailed, CopyOutrun, BlobMissing, ContentDiffers: there is no
        new backup.
    """
    if not data.is_file():
        raise DataFileMissing(path=data)
    check_target(target, replaces=replaces)
    if target.exists() and target.samefile(data):
        raise CommandFailed("A backup cannot take the place of the data itself.")
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with screen.progress() as show, FilesHold(data).shared():

            def on_pages(done: int, total: int) -> None:
                environment.reach("backup.after_pages")
                show("copying data", done, total)

            copy_data_file(data, part, environment=environment, on_pages=on_pages)
            source = open_blobs(files or f"{data}-files")
            copied = _copy_files(part, source, Path(f"{target}-files"), environment, show)
        size = part.stat().st_size
        environment.reach("backup.before_rename")
        part.replace(target)
        sync_directory(target.absolute().parent)
    except OSError as error:
        raise CommandFailed(f"{target} cannot be written: {error.strerror or error}.") from None
    finally:
        # Reading the copy leaves empty files beside it.
        for ending in ("", "-wal", "-shm"):
            part.with_name(part.name + ending).unlink(missing_ok=True)
    facts = f", {bytes_words(size)}, {count(copied, 'file')}"
    screen.say(("backed up", "green"), " to ", (str(shown_path(target)), "bold"), facts)


def _copy_files(copy: Path, source: BlobStore, folder: Path, environment: Environment, show: Tell) -> int:
    """Copy the files that the copy names; returns how many there are."""
    target = open_blobs(str(folder))
    inspection = Inspection(copy, environment=environment)
    number = 0
    try:
        for file in all_files(inspection):
            number += 1
            show(f"copying files: {number:,}")
            if (folder / file.key[:2] / file.key).is_file() and target.size(file.key) == file.size:
                continue
            intake = Intake(target, file.key)
            try:
                for piece in source.read(file.key, stop=file.size):
                    intake.add(piece)
                    intake.flush()
                intake.finish(expected=file.sha256)
            except BaseException:
                intake.abort()
                raise
    finally:
        inspection.close()
    return number
