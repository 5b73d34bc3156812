"""Outcomes: what a call came to, as a test wants it.

Floor 8, `testing`. Arguments and results cross the same encoded form that clients send and receive, so a
test sees what a client sees: checked, copied, and typed again by the function's own hints.

    arguments -> encoded text -> run -> Success.value -> Python value by the return hint
                                        Failure       -> ApplicationError with its data | FunctionFailed

Not here: calling (`backend.py`), following a live query (`live_query.py`).
"""

from __future__ import annotations

from typing import Any

from rewake.execution import Failure, FunctionRecord, Success, error_of
from rewake.execution import value_of as typed_value_of


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
    return typed_value_of(result, record)


def failure_of(failure: Failure, *, traceback: str | None = None) -> Exception:
    """The exception that stands for a failed run."""
    error = error_of(failure)
    if traceback is not None:
        error.add_note(f"In the function:\n{traceback}")
    return error
