"""Exporting: a server makes an archive, and it comes here.

Floor 8, `cli`. The file is written under a temporary name beside its place, made durable, and moved there;
whatever ends the command before leaves nothing under the name. Ctrl-C while the server works cancels it.

    request -> followed by a query -> fetched to PATH.part -> moved to PATH

Not here: what is in an archive (`database/archiving.py`), making it (`deployment/exports.py`).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from rewake.cli.admin_requests import CONNECT_SECONDS, RequestRefused, ask, reason_of
from rewake.cli.connection import ServerAddress
from rewake.cli.failure import CommandFailed, ServerUnreachable
from rewake.cli.greeting import bytes_words, shown_path
from rewake.cli.interrupting import unbroken
from rewake.cli.progress import Tell
from rewake.cli.screen import Screen
from rewake.environment import Environment, sync_directory
from rewake.limits import MIB

_ASK_SECONDS = 0.25
_SILENT_SECONDS = 60.0
_LATEST = {"path": "_system/cli/exports:getLatest", "args": {}, "format": "json"}


def export_to(
    server: ServerAddress,
    path: Path,
    screen: Screen,
    environment: Environment,
    *,
    has_files: bool,
    replaces: bool,
) -> None:
    """Write an archive of everything to `path`, or into it where it is a folder.

    Raises:
        CommandFailed, ServerUnreachable: there is no new file.
    """
    if not path.is_dir():
        check_target(path, replaces=replaces)
    wanted = "true" if has_files else "false"
    id = ""
    try:
        with unbroken():
            id = str(ask(server, "POST", f"/api/export/request/zip?includeStorage={wanted}").json()["id"])
    except KeyboardInterrupt:
        _cancel(server, id)
        raise
    except RequestRefused as refusal:
        if refusal.refusal != "ExportInProgress":
            raise
        raise CommandFailed(
            "An export is being made already, and there is one at a time.", hint="Try again when it is over."
        ) from None
    with screen.progress() as show:
        try:
            found = _wait(server, id, show)
        except KeyboardInterrupt:
            _cancel(server, id)
            raise
        target = path / found["zip_object_key"] if path.is_dir() else path
        check_target(target, replaces=replaces)
        size = _fetch(server, f"/api/export/zip/{id}", target, show)
    screen.say(("exported", "green"), " ", (str(shown_path(target)), "bold"), f", {bytes_words(size)}")


def _cancel(server: ServerAddress, id: str) -> None:
    """Take an export back; where it is over already, or nobody answers, it stays as it is."""
    if id:
        with suppress(CommandFailed):
            ask(server, "POST", f"/api/export/cancel/{id}", {}, answer_seconds=CONNECT_SECONDS)


def check_target(path: Path, *, replaces: bool) -> None:
    """Refuse a place where nothing can or should be written.

    Raises:
        CommandFailed: something is there, or the folder is not.
    """
    if path.exists() and not replaces:
        raise CommandFailed(f"{path} exists already.", hint="Name another, or replace it with --force.")
    if path.is_dir():
        raise CommandFailed(f"{path} is a folder.", hint="Name a file in it.")
    if not path.absolute().parent.is_dir():
        raise CommandFailed(f"The folder {path.absolute().parent} does not exist.", hint="Create it first.")


def _wait(server: ServerAddress, id: str, show: Tell) -> dict[str, Any]:
    """The export when its archive is there."""
    while True:
        answer = ask(server, "POST", "/api/query", _LATEST, answer_seconds=_SILENT_SECONDS).json()
        found: dict[str, Any] = answer.get("value") or {}
        if found.get("_id") != id:
            raise CommandFailed("The server has forgotten this export.", hint="Export again.")
        state = found["state"]
        if state == "completed":
            return found
        if state not in ("requested", "in_progress"):
            raise CommandFailed(f"The export came to nothing ({state}).", detail=str(found.get("error", "")))
        done = round(found.get("rowsDone", 0))
        show(f"exporting: {done:,} documents and files", done, round(found.get("rowsTotal", 0)))
        threading.Event().wait(_ASK_SECONDS)


def _fetch(server: ServerAddress, address: str, target: Path, show: Tell) -> int:
    """Bring the archive to its place; returns its size."""
    part = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as file:
            size = _stream(server, address, file.write, show)
            file.flush()
            os.fsync(file.fileno())
        part.replace(target)
        sync_directory(target.absolute().parent)
    except OSError as error:
        raise CommandFailed(f"{target} cannot be written: {error.strerror}.") from None
    finally:
        part.unlink(missing_ok=True)
    return size


def _stream(server: ServerAddress, address: str, write: Callable[[bytes], object], show: Tell) -> int:
    size = 0
    try:
        with httpx.stream(
            "GET",
            f"{server.url}{address}",
            headers={"Authorization": f"Convex {server.admin_key}"},
            timeout=httpx.Timeout(_SILENT_SECONDS, connect=CONNECT_SECONDS),
            trust_env=False,
        ) as response:
            if response.status_code != httpx.codes.OK:
                raise CommandFailed(f"The archive cannot be fetched: HTTP {response.status_code}.")
            total = int(response.headers.get("content-length", 0))
            for piece in response.iter_raw(MIB):
                write(piece)
                size += len(piece)
                show(f"fetching: {bytes_words(size)}", size, total)
    except httpx.HTTPError as error:
        raise ServerUnreachable(
            f"The conversation with {server.url} broke off: {reason_of(error)}."
        ) from None
    return size
