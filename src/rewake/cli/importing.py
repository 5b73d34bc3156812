"""`rewake import`: a file into the tables of a running server.

Floor 8, `cli`. The same conversation as the official command line's: parts, a summary to confirm, then the
state of the import until it is over. Whatever ends this program before that takes the import back.

    upload parts -> finish -> (uploaded) -> summary -> yes -> progress -> documents written

Not here: the options (`import_commands.py`), what the server does (`deployment/importing.py`).
Source: wire 7.7; semantics 10.5.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from rewake.cli.admin_requests import CONNECT_SECONDS, ask
from rewake.cli.connection import ServerAddress
from rewake.cli.failure import CommandFailed, ServerUnreachable, WrongUsage
from rewake.cli.greeting import count
from rewake.cli.interrupting import unbroken
from rewake.cli.production import tell_production
from rewake.cli.progress import Tell, counted
from rewake.cli.screen import Screen
from rewake.environment import pause
from rewake.limits import IMPORT_PARTS_MAX, MIB

FORMATS = {".csv": "csv", ".jsonl": "jsonLines", ".json": "jsonArray", ".zip": "zip"}
_PART_BYTES = 5 * MIB
_POLL_SECONDS = 0.25


def format_of(file: Path, given: str | None) -> str:
    """The format that is given, or that the name of the file says.

    Raises:
        WrongUsage: neither says one.
    """
    found = given or FORMATS.get(file.suffix.lower(), "")
    if found not in FORMATS.values():
        raise WrongUsage(
            f"The format of `{file}` is not clear. Give it with --format: {', '.join(FORMATS.values())}."
        )
    return found


def mode_of(*, append: bool, replace: bool, replace_all: bool) -> str:
    """What becomes of documents that are there.

    Raises:
        WrongUsage: more than one was said.
    """
    wanted = [
        name
        for name, is_wanted in (("append", append), ("replace", replace), ("replaceAll", replace_all))
        if is_wanted
    ]
    if len(wanted) > 1:
        raise WrongUsage("Say one of --append, --replace and --replace-all.")
    return wanted[0] if wanted else "requireEmpty"


def import_file(
    server: ServerAddress,
    screen: Screen,
    file: Path,
    *,
    table: str | None,
    format: str,
    mode: str,
    is_sure: bool,
) -> None:
    """Import `file`, and say how many documents were written.

    Raises:
        CommandFailed: it was refused, nobody confirmed it, or the file cannot be read; nothing was changed.
        ServerUnreachable: no server answered.
    """
    if (table is None) != (format == "zip"):
        detail = "names its tables itself: leave --table out" if table else "needs --table NAME"
        raise WrongUsage(f"The format {format} {detail}.")
    if not file.is_file():
        raise CommandFailed(f"There is no file {file}.")
    begun = _Begun()
    try:
        with screen.progress() as tell:
            _upload(server, file, tell, {"tableName": table, "format": format, "mode": mode}, begun)
            state = _follow(server, begun.id, screen, tell)
        if state["state"] == "waiting_for_confirmation":
            state = _confirmed(server, screen, begun.id, state, is_sure=is_sure)
    except KeyboardInterrupt:
        begun.take_back(server)
        screen.note(_what_became(server, begun.id))
        raise
    except BaseException:
        begun.take_back(server)
        raise
    if state["state"] != "completed":
        raise CommandFailed(f"Nothing was imported. {state.get('error_message', '')}".rstrip())
    screen.say(f"Imported {count(int(state['num_rows_written']), 'document')}.")


class _Begun(msgspec.Struct):
    """What the server holds for us: nothing, an upload, an import."""

    id: str = ""
    """The token of the upload, then the id of the import."""

    def take_back(self, server: ServerAddress) -> None:
        """Take it back; where it is over already, or nobody answers, it stays as it is."""
        if self.id:
            with suppress(CommandFailed):
                body = {"importId": self.id}
                ask(server, "POST", "/api/cancel_import", body, answer_seconds=CONNECT_SECONDS)


def _what_became(server: ServerAddress, id: str) -> str:
    """What to tell somebody who has interrupted it."""
    try:
        is_done = bool(id) and _state_of(server, id)["state"] == "completed"
    except ServerUnreachable:
        return "The server does not answer any more, so whether the import was taken back is not known."
    except CommandFailed:
        is_done = False  # Not more than an upload, which the server has forgotten.
    return "The import was over already." if is_done else "Nothing was imported."


def _confirmed(
    server: ServerAddress, screen: Screen, id: str, state: dict[str, Any], *, is_sure: bool
) -> dict[str, Any]:
    screen.note(state["message_to_confirm"])
    tell_production(server, screen)
    if (state["require_manual_confirmation"] or server.is_production) and not is_sure:
        if not screen.can_ask:
            raise CommandFailed(
                "The import deletes documents, and nobody is here to confirm it."
                if state["require_manual_confirmation"]
                else f"The import is into {server.title}, and nobody is here to confirm it.",
                hint="Give --yes if it may.",
            )
        if not screen.ask(f"Import into {server.title}?" if server.is_production else "Import?"):
            raise CommandFailed("Nothing was imported.")
    ask(server, "POST", "/api/perform_import", {"importId": id})
    with screen.progress() as tell:
        return _follow(server, id, screen, tell)


def _upload(
    server: ServerAddress, file: Path, tell: Tell, order: dict[str, str | None], begun: _Begun
) -> None:
    with unbroken():
        token = begun.id = str(ask(server, "POST", "/api/import/start_upload").json()["uploadToken"])
    tokens, sent = [], 0
    try:
        size = file.stat().st_size
        for number, part in enumerate(_parts(file, size), 1):
            path = f"/api/import/upload_part?uploadToken={token}&partNumber={number}"
            tokens.append(ask(server, "POST", path, content=part).json())
            sent += len(part)
            tell(f"Sending {file.name}", sent, size)
    except OSError as error:
        raise CommandFailed(f"{file} cannot be read: {error.strerror}.") from None
    body = {"import": order, "uploadToken": token, "partTokens": tokens}
    with unbroken():
        begun.id = str(ask(server, "POST", "/api/import/finish_upload", body).json()["importId"])


def _parts(file: Path, size: int) -> Iterator[bytes]:
    part_bytes = max(_PART_BYTES, -(-size // (IMPORT_PARTS_MAX - 1)))
    with file.open("rb") as opened:
        while part := opened.read(part_bytes):
            yield part


def _follow(server: ServerAddress, id: str, screen: Screen, tell: Tell) -> dict[str, Any]:
    """Show how far the import is until it is over, or waits to be confirmed."""
    shown = 0
    while True:
        state = _state_of(server, id)
        if state["state"] not in ("uploaded", "in_progress"):
            return state
        messages = state.get("checkpoint_messages") or []
        for message in messages[shown:]:
            screen.note(message)
        shown = max(shown, len(messages))
        tell(*counted(state.get("progress_message") or "Reading the file"))
        asyncio.run(pause(_POLL_SECONDS))


def _state_of(server: ServerAddress, id: str) -> dict[str, Any]:
    body = {"path": "_system/cli/queryImport", "args": {"importId": id}, "format": "json"}
    answer = ask(server, "POST", "/api/function", body).json()
    if answer["status"] != "success":
        raise CommandFailed(f"The import is not known any more: {answer['errorMessage'].strip()}")
    state: dict[str, Any] = answer["value"]["state"]
    return state
