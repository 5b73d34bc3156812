"""Function runs as lines: for the author in `dev`, for the operator's log in `serve`.

Floor 8, `cli`. A record of the call log becomes one line about the run and, indented under it, what it
printed and the author's own traceback where one ended it.

    12:04:31  mutation  messages:send  1.8 ms
                [LOG] 'hello'

Not here: where the lines go (`development.py`, `serving.py`).
"""

from __future__ import annotations

import re
from datetime import UTC, datetime

from rewake.execution import CallRecord

KIND_STYLES = {"query": "cyan", "mutation": "magenta", "action": "yellow"}
_LOG_STYLES = {"ERROR": "red", "WARN": "yellow"}
_KIND_WIDTH = 8
_REASON_LENGTH_MAX = 400
_INDENT = " " * 12

_UNHELPFUL = re.compile(r" Did you forget to run `npx convex \w+`\?")
"""Clients read the official text; here it would send people to another command line."""

Part = tuple[str, str]
"""A piece of a line: text and style."""


def call_lines(record: CallRecord, *, clock: str) -> list[list[Part]]:
    """The lines of one run; `clock` stands before the first."""
    head: list[Part] = [
        (clock, "dim"),
        ("  ", ""),
        (record.kind.ljust(_KIND_WIDTH), KIND_STYLES.get(record.kind, "")),
        ("  ", ""),
        (record.path.replace(".js:", ":"), "bold" if record.error is None else "bold red"),
        ("  ", ""),
        (duration(record.seconds), "dim"),
    ]
    if record.error is not None:
        head.append(("  failed", "red"))
    lines = [head]
    for line in record.log_lines:
        lines.extend([(_INDENT + part, _LOG_STYLES.get(line.level, ""))] for part in str(line).split("\n"))
    reason = record.traceback or _UNHELPFUL.sub("", record.error or "")
    if reason:
        # With a traceback the message for clients says the same again, with the frames the other way round.
        lines.extend([(_INDENT + line, "red")] for line in reason.rstrip("\n").split("\n"))
    return lines


def plain_lines(record: CallRecord, *, moment: str) -> list[str]:
    """The same for a log file: text only, and no more than a line for failures that clients bring about as
    they like.

    An `ApplicationError` is the author's answer to a client, and wrong arguments are the client's own
    mistake: nobody can mend them here, and with their tracebacks a stranger could fill the disk."""
    lines = ["".join(text for text, _ in line) for line in call_lines(record, clock=moment)]
    if record.error is not None:
        lines[0] += f"  {record.request_id}"
    if not is_expected(record):
        return lines
    reason, _, rest = _UNHELPFUL.sub("", record.error or "").partition("\n")
    if record.limit is not None:
        reason = f"{reason} {rest}".rstrip("\n")
    printed = sum(line.text.count("\n") + 1 for line in record.log_lines)
    return [f"{lines[0]}: {reason[:_REASON_LENGTH_MAX]}", *lines[1 : 1 + printed]]


def is_expected(record: CallRecord) -> bool:
    """Whether a run failed in a way that clients bring about: a refusal of the author's, wrong arguments."""
    return record.error is not None and (
        record.traceback is None or record.error.startswith("Uncaught ConvexError")
    )


def duration(seconds: float) -> str:
    """A length of time as people read it."""
    if seconds < 0.0995:
        return f"{seconds * 1000:.1f} ms"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    return f"{seconds:.1f} s"


def local_clock(now_ns: int) -> str:
    """Hours, minutes and seconds where the author sits."""
    return datetime.fromtimestamp(now_ns / 1e9).strftime("%H:%M:%S")


def log_moment(now_ns: int) -> str:
    """A moment for log files: UTC, sortable, to the millisecond."""
    return datetime.fromtimestamp(now_ns / 1e9, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def file_stamp(now_ns: int) -> str:
    """A moment for names of files."""
    return datetime.fromtimestamp(now_ns / 1e9).strftime("%Y%m%d-%H%M%S")
