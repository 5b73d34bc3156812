"""Typed calls: arguments and results of a function that is called from Python.

Floor 3, `execution`. Who calls a function by itself (an action, a test) hands over Python objects and wants
them back, while every call crosses the house as encoded text, checked by the function's own hints.

    arguments -> encoded text -> run -> Success.value -> Python value by the return hint
                                        Failure       -> ApplicationError with its data | FunctionFailed

Not here: calls within one transaction (`host.py`), which stay values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rewake.errors import ApplicationError, FunctionFailed
from rewake.execution.calls import SYSTEM_PREFIX, Failure, FunctionCall, Success
from rewake.execution.registry import FunctionRecord
from rewake.schema import ValidationFailed, plain_value
from rewake.values import Value, decode_stored, encode, normalize


def encoded_arguments(record: FunctionRecord | None, arguments: Mapping[str, Any]) -> str:
    """The arguments as a client would send them. `record` is None where the function is not known."""
    value: Any
    try:
        value = plain_value(dict(arguments)) if record is None else record.arguments.to_value(arguments)
    except ValidationFailed:
        # Not what the hints ask for. The function's own check says so in the words that clients know.
        value = plain_value(dict(arguments))
    return encode(normalize(value))


def system_call(name: str, arguments: Mapping[str, Any]) -> FunctionCall:
    """The call of a function of the house: `name` without the prefix."""
    return FunctionCall(f"{SYSTEM_PREFIX}{name}", encoded_arguments(None, arguments))


def value_of(result: Success | Failure, record: FunctionRecord | None) -> Any:
    """The value of a run, typed as the function's hint says.

    Raises:
        ApplicationError: the function raised one; it has the same data.
        FunctionFailed: it failed in another way.
    """
    if isinstance(result, Failure):
        raise error_of(result)
    value: Value = decode_stored(result.value)
    return value if record is None or record.returns is None else record.returns.to_python(value)


def error_of(failure: Failure) -> ApplicationError | FunctionFailed:
    """The exception that stands for a failed run."""
    if failure.data is not None:
        return ApplicationError(decode_stored(failure.data))
    return FunctionFailed(failure.message.removesuffix("\n"), failure.log_lines)
