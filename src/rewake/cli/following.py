"""`rewake logs`: the call log of a running server, now and as it goes on.

Floor 8, `cli`. The server keeps the latest runs; each question says how far we have read and waits for more.
A server that goes away is asked again until it is back, while we follow.

    12:04:31  mutation  messages:send  1.8 ms  failed
                [LOG] 'hello'
                Traceback ...

Not here: how a run looks (`call_lines.py`), what is kept (`execution/call_log.py`).
Source: wire 7.1.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import msgspec

from rewake.cli.admin_requests import ask
from rewake.cli.call_lines import call_lines, local_clock
from rewake.cli.connection import ServerAddress
from rewake.cli.failure import ServerUnreachable
from rewake.cli.screen import Screen
from rewake.execution import CallRecord, RunLogLine

_PATH = "/api/stream_function_logs"
_ANSWER_SECONDS = 75.0
_AGAIN_SECONDS = 1.0


class LogWishes(msgspec.Struct, frozen=True):
    """Which entries to show, and how."""

    functions: Sequence[str] = ()
    """`module:function`, or `module` for all of one; none for all."""
    only_errors: bool = False
    as_json: bool = False
    history: int = 100
    """How many past entries to begin with."""

    def wants(self, entry: dict[str, Any]) -> bool:
        """Whether to show an entry."""
        if self.only_errors and entry.get("error") is None:
            return False
        path = str(entry.get("identifier", ""))
        return not self.functions or any(
            path == wanted or path.startswith((f"{wanted}:", f"{wanted}/")) for wanted in self.functions
        )


Ask = Callable[[float], dict[str, Any]]
"""Asks for the entries after a cursor; waits for some unless that is 0."""


def asking(server: ServerAddress) -> Ask:
    """Questions to a server."""

    def ask_after(cursor: float) -> dict[str, Any]:
        response = ask(server, "GET", f"{_PATH}?cursor={cursor!r}", answer_seconds=_ANSWER_SECONDS)
        return msgspec.json.decode(response.content, type=dict[str, Any])

    return ask_after


def show_history(ask_after: Ask, wishes: LogWishes, screen: Screen) -> float:
    """Show what the server remembers; returns the cursor to go on from.

    Raises:
        ServerUnreachable: nobody answered.
        CommandFailed: the server says no.
    """
    answer = ask_after(0.0)
    # Lines of an action that is still running now come first here and are not in its completion.
    wanted = [entry for entry in answer["entries"] if wishes.wants(entry)]
    for entry in wanted[len(wanted) - min(len(wanted), wishes.history) :]:
        _show(entry, wishes, screen)
    return float(answer["newCursor"])


def follow(ask_after: Ask, cursor: float, wishes: LogWishes, screen: Screen) -> None:
    """Show entries as they come, until Ctrl-C.

    Asked in the main thread, where Ctrl-C breaks a question off: one in another thread would be waited for at
    the end, for up to a minute.
    """
    is_away = False
    while True:
        try:
            answer = ask_after(cursor)
        except ServerUnreachable as error:
            if not is_away:
                screen.note((f"{error.message} Waiting for it.", "dim"))
            is_away = True
            threading.Event().wait(_AGAIN_SECONDS)
            continue
        if is_away:
            screen.note(("The server is back.", "dim"))
        is_away = False
        for entry in answer["entries"]:
            if wishes.wants(entry):
                _show(entry, wishes, screen)
        cursor = float(answer["newCursor"])


def _show(entry: dict[str, Any], wishes: LogWishes, screen: Screen) -> None:
    if wishes.as_json:
        screen.plain(msgspec.json.encode(entry).decode())
        return
    for line in _lines(entry):
        screen.say(*line)


def _lines(entry: dict[str, Any]) -> Iterator[list[tuple[str, str]]]:
    clock = local_clock(int(float(entry["timestamp"]) * 1e9))
    is_over = entry["kind"] == "Completion"
    record = CallRecord(
        path=str(entry["identifier"]),
        kind=str(entry["udfType"]).lower(),
        seconds=float(entry["executionTime"]) if is_over else 0.0,
        log_lines=tuple(_line(line, str(entry["identifier"])) for line in entry["logLines"]),
        error=entry.get("error"),
        traceback=entry.get("traceback"),
        request_id=str(entry["requestId"]),
    )
    head, *rest = call_lines(record, clock=clock)
    if not is_over:
        head = [*head[:-1], ("runs", "dim")]
    elif record.error is not None:
        head = [*head, (f"  {record.request_id}", "dim")]
    yield head
    yield from rest


def _line(line: dict[str, Any], path: str) -> RunLogLine:
    text = " ".join(map(str, line["messages"]))
    # A nested call's line says whose it is.
    origin = line.get("udfPath") or path
    return RunLogLine(str(line["level"]), text if origin == path else f"{origin}: {text}")


def show_logs(server: ServerAddress, wishes: LogWishes, screen: Screen, *, follows: bool) -> None:
    """Show the log of `server`, and go on where `follows`.

    Raises:
        ServerUnreachable: nobody answered at first.
    """
    ask_after = asking(server)
    cursor = show_history(ask_after, wishes, screen)
    if follows:
        follow(ask_after, cursor, wishes, screen)
