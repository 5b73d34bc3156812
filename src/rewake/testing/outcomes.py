"""Outcomes: what a call came to, as a test wants it.

Floor 8, `testing`. Arguments and results cross the same encoded form that clients send and receive, so a
test sees what a client sees: checked, copied, and typed again by the function's own hints.

    arguments -> encoded text -> run -> Success.value -> Python value by the return hint
                                        Failure       -> ApplicationError with its data | FunctionFailed

Not here: calling (`backend.py`), following a live query (`live_query.py`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rewake.errors import ApplicationError
from rewake.execution import Failure, FunctionRecord, Success
from rewake.schema import ValidationFailed, plain_value
from rewake.values import Value, decode_stored, encode, normalize


class FunctionFailed(Exception):
    """A function failed otherwise than by an ApplicationError. `message` is what a client reads."""

    def __init__(self, message: str, log_lines: tuple[str, ...] = ()) -> None:
        self.message = message
        self.log_lines = log_lines
        super().__init__(message)


def encoded_arguments(record: FunctionRecord | None, arguments: Mapping[str, Any]) -> str:
    """The arguments as a client would send them. `record` is None where the function is not known."""
    value: Any
    try:
        value = plain_value(dict(arguments)) if record is None else record.arguments.to_value(arguments)
    except ValidationFailed:
        # Not what the hints ask for. The function's own check says so in the words that clients know.
        value = plain_value(dict(arguments))
    return encode(normalize(value))


def value_of(
    result: Success | Failure, record: FunctionRecord | None, *, traceback: str | None = None
) -> Any:
    """The value of a run, typed as the function's hint says.

    Raises:
        ApplicationError: the function raised one; it has the same data.
        FunctionFailed: it failed in another way; `traceback` is shown with it.
    """
    if isinstance(result, Failure):
        raise failure_of(result, traceback=traceback)
    value: Value = decode_stored(result.value)
    return value if record is None or record.returns is None else record.returns.to_python(value)


def failure_of(failure: Failure, *, traceback: str | None = None) -> Exception:
    """The exception that stands for a failed run."""
    error: Exception
    if failure.data is not None:
        error = ApplicationError(decode_stored(failure.data))
    else:
        error = FunctionFailed(failure.message.removesuffix("\n"), failure.log_lines)
    if traceback is not None:
        error.add_note(f"In the function:\n{traceback}")
    return error
