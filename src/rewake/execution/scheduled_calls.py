"""Scheduled calls: from what an author hands to the scheduler to what is stored.

Floor 3, `execution`. The function is looked up when it is scheduled, so that a typing mistake shows where it
was made, and again when it runs, with the code of then. Arguments are encoded now and checked then.

Not here: delays and moments (`functions/scheduler.py`), the job's document (`database/scheduled.py`).
Source: semantics 6.5.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rewake.database import JobEnd, WriteTransaction, job_end, schedule, scheduled_state
from rewake.errors import FunctionError, LimitExceeded
from rewake.execution.analysis import FunctionNotFound
from rewake.execution.calls import Failure, Success, Visibility
from rewake.execution.registry import FunctionRecord, Registry
from rewake.execution.typed_calls import encoded_arguments
from rewake.functions import RegisteredFunction
from rewake.limits import Limits
from rewake.protocol import FunctionPath, InvalidFunctionPath
from rewake.values import Value


class ScheduledFunctionMissing(FunctionNotFound):
    """There is no such function to schedule. Check its path."""

    code = "ScheduledFunctionNotFound"


class NotSchedulable(FunctionError):
    """Only mutations and actions can run later."""

    code = "NotSchedulable"
    template = "{path} is a query, and only mutations and actions can be scheduled."


class ScheduledArgumentsTooLarge(LimitExceeded):
    """The arguments of one scheduled call are too large. Store them in a document and pass its id."""

    code, setting = "ScheduledArgumentsTooLarge", "scheduled_call_arguments_bytes_max"
    template = "The arguments of the scheduled {path} are too large (limit: {limit} bytes)"


def scheduled_call(
    registry: Registry, reference: object, arguments: Mapping[str, Any], *, limits: Limits
) -> tuple[str, str]:
    """The canonical path and the encoded arguments of a call to run later.

    Raises:
        ScheduledFunctionMissing, NotSchedulable, ScheduledArgumentsTooLarge.
    """
    record = _record(registry, reference)
    path = record.path.canonical
    if record.kind == "query":
        raise NotSchedulable(path=path)
    args = encoded_arguments(record, arguments)
    size, limit = len(args.encode()), limits.scheduled_call_arguments_bytes_max
    if size > limit:
        raise ScheduledArgumentsTooLarge(path=path, observed=size, limit=limit)
    return path, args


def schedule_for(
    parent: str | None, transaction: WriteTransaction, path: str, value: Value, *, at_ms: float
) -> str:
    """Store a call to run later, on behalf of the job `parent` where there is one: one that has been
    cancelled schedules nothing that would still run. Returns the id of the new job.
    """
    is_canceled = parent is not None and scheduled_state(transaction, parent) == "canceled"
    return schedule(transaction, path, value, at_ms=at_ms, is_canceled=is_canceled)


def end_of(result: Success | Failure) -> JobEnd:
    """What a run comes to for its job."""
    if isinstance(result, Failure):
        return job_end(error=result.message.removesuffix("\n"), result="null", log_lines=result.log_lines)
    return job_end(error=None, result=result.value, log_lines=result.log_lines)


def _record(registry: Registry, reference: object) -> FunctionRecord:
    if isinstance(reference, RegisteredFunction):
        return registry.record_of(reference)
    if not isinstance(reference, str):
        raise TypeError(
            f"A function is scheduled by itself or by its path; got {reference!r}. Did you forget its "
            "decorator?"
        )
    try:
        path = FunctionPath.parse(reference)
    except InvalidFunctionPath as error:
        raise ScheduledFunctionMissing(error.message) from None
    found = registry.functions.get(path)
    if found is not None:
        return registry.find(reference, Visibility.INTERNAL)
    if any(known.module == path.module for known in registry.functions):
        raise ScheduledFunctionMissing(
            f"Attempted to schedule function, but no exported function {path.function} found in the file: "
            f"{path.module}.js. Did you forget to export it?"
        )
    raise ScheduledFunctionMissing(f"Attempted to schedule function at nonexistent path: {path.canonical}")
