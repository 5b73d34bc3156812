"""Failures: from an exception in a function to the text that clients and authors read.

Floor 3, `execution`. The message of an author's exception begins with `Uncaught`, and carries the frames of
the author's own code, innermost first; messages of the system (validation, limits) stand as they are.
Frames of the house are trimmed.

    Uncaught ValueError: no
        at send (../backend/messages.py:12:9)

    Too many documents read in a single function execution (limit: 32000). ...
    [setting documents_read_max, observed 32001, limit 32000]

Not here: request ids and redaction, which the door adds (`calls.error_text`).
Source: wire 6.1 and 6.2.
"""

from __future__ import annotations

import importlib
import os
import traceback
from pathlib import Path

from rewake.errors import ApplicationError, LimitExceeded, RewakeError
from rewake.execution.calls import Failure
from rewake.limits import DEFAULT_LIMITS, Limits
from rewake.schema import ValidationFailed, plain_value
from rewake.values import CommitTsUnresolved, InvalidValue, encode, holds_commit_ts

_HOUSE = str(Path(__file__).resolve().parent.parent) + os.sep
_HEAD = "Traceback (most recent call last):\n"
_NOT_MADE = "<the error's text could not be made>"
_BETWEEN = (
    "<frozen importlib",
    importlib.__file__,
    str(Path(__file__).resolve().with_name("loader.py")),
    str(Path(__file__).resolve().with_name("time_limit.py")),
)
"""Files whose frames stand between two imports of the author's, or where a run was interrupted, and say
nothing to them."""


def failure_of(
    error: BaseException,
    *,
    root: Path | None,
    log_lines: tuple[str, ...] = (),
    limits: Limits = DEFAULT_LIMITS,
) -> Failure:
    """The result of a run that ended with `error`. `root` is the project's folder; files are shown relative
    to it.

    Never raises: an exception can carry any code of its author's, and even that must come to a failure.
    """
    try:
        text, data = _described(error, root)
    except Exception:
        text, data = f"Uncaught {type(error).__name__}: {_NOT_MADE}\n", None
    return Failure(_bounded(text, limits.error_message_bytes_max), data, log_lines)


def _described(error: BaseException, root: Path | None) -> tuple[str, str | None]:
    """Message and data."""
    if isinstance(error, LimitExceeded):
        return f"{error.message}\n{error.detail}\n", None
    if isinstance(error, RewakeError):
        told = None if error.client_data is None else encode(dict(error.client_data))
        return error.message + "\n", told
    data: str | None = None
    if isinstance(error, ApplicationError):
        try:
            data = encode(plain_value(error.data))
            if holds_commit_ts(data):
                raise CommitTsUnresolved()
        except (InvalidValue, ValidationFailed, RecursionError) as invalid:
            reason = invalid.message if isinstance(invalid, RewakeError) else "it is too nested."
            return f"ApplicationError data is not a value that clients can receive: {reason}\n", None
        text = error.data if isinstance(error.data, str) else data
        head = f"Uncaught ConvexError: {text}"
    else:
        head = f"Uncaught {type(error).__name__}: {_text_of(error)}"
    return f"{head}\n{_frames(error, root)}", data


def author_frames(error: RewakeError) -> str:
    """The traceback from the author's first frame to the last: what is wrong there, the error says by itself.
    Empty where there is none. Never raises either.
    """
    try:
        frames = _frames_of(error)
    except Exception:
        return ""
    while frames and frames[-1].filename.startswith(_HOUSE):
        del frames[-1]
    if not frames:
        return ""
    text = _HEAD + "".join(traceback.StackSummary.from_list(frames).format())
    return _bounded(text, DEFAULT_LIMITS.error_message_bytes_max)


def author_traceback(error: BaseException, *, limits: Limits = DEFAULT_LIMITS) -> str:
    """The Python traceback from the author's first frame on, without the import system's and the loader's
    frames in between, as long as the text of an error may be. Never raises, like `failure_of`.
    """
    try:
        text = _traceback_text(error)
    except Exception:
        text = f"{type(error).__name__}: {_NOT_MADE}\n"
    return _bounded(text, limits.error_message_bytes_max)


def _traceback_text(error: BaseException) -> str:
    frames = _frames_of(error)
    if not frames:
        return "".join(traceback.format_exception_only(error))
    text = _HEAD + "".join(traceback.StackSummary.from_list(frames).format())
    return text + "".join(traceback.format_exception_only(error))


def _frames_of(error: BaseException) -> list[traceback.FrameSummary]:
    """From the author's first frame on."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if not frame.filename.startswith(_BETWEEN)
    ]
    while frames and frames[0].filename.startswith(_HOUSE):
        del frames[0]
    return frames


def _frames(error: BaseException, root: Path | None) -> str:
    lines = []
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.startswith((_HOUSE, "<frozen ")):
            continue
        column = (frame.colno or 0) + 1
        lines.append(f"    at {frame.name} ({_place(frame.filename, root)}:{frame.lineno}:{column})\n")
    return "".join(lines)


def _place(filename: str, root: Path | None) -> str:
    if root is not None:
        try:
            return f"../{Path(filename).relative_to(root)}"
        except ValueError:
            pass
    # A library: the tail of the path tells which, and no folder of the server's machine leaves it.
    return "/".join(Path(filename).parts[-2:])


def _text_of(error: BaseException) -> str:
    try:
        text = str(error)
    except Exception:
        text = _NOT_MADE
    return text.encode(errors="backslashreplace").decode()


def _bounded(text: str, bytes_max: int) -> str:
    raw = text.encode(errors="backslashreplace")
    if len(raw) <= bytes_max:
        return raw.decode()
    return raw[: bytes_max - 1].decode(errors="ignore") + "\n"
