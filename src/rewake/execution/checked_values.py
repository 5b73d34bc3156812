"""Checked values: arguments into a handler, and what it returned out of it.

Floor 3, `execution`. The steps around every handler, whatever kind of function it is.

    text -> decode, bounded -> check -> bind -> handler -> check and encode, bounded -> text

Not here: the transaction and the context that a handler is given (`host.py`, `action_run.py`).
Source: semantics 2.2, 5.8; wire 6.3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rewake.errors import FunctionError, InvalidInput
from rewake.execution.call_sizes import SMALL_PART, check_arguments_size, check_return_size
from rewake.execution.output import LogLines
from rewake.execution.registry import FunctionRecord
from rewake.functions import Query
from rewake.limits import Limits
from rewake.schema import NotPlain, TableNames, ValidationFailed, plain_value
from rewake.values import (
    UNSET,
    InvalidValue,
    Value,
    decode,
    encode,
    holds_commit_ts,
    normalize,
    render,
)


class ArgumentsInvalid(FunctionError):
    """The arguments do not fit the function's signature."""

    code = "InvalidArgs"


class ReturnInvalid(FunctionError):
    """The function returned what its annotation, or the value model, does not allow."""

    code = "InvalidReturnValue"


def read_arguments(
    record: FunctionRecord, args: str, tables: TableNames, *, limits: Limits, log_lines: LogLines
) -> dict[str, Any]:
    """The keyword arguments of the handler, from a call's text.

    Raises:
        ArgumentsInvalid, ArgumentsTooLarge: as `decoded_arguments` and `checked_arguments`.
    """
    read = record.read_arguments
    if read is not None and SMALL_PART * len(args) <= limits.arguments_bytes_max:
        try:
            return read(args, tables)
        except NotPlain:
            pass  # What is wrong, if anything, is found on the way through values.
    value = decoded_arguments(record.name, args, limits=limits, log_lines=log_lines)
    return checked_arguments(record, value, tables)


def decoded_arguments(path: str, args: str, *, limits: Limits, log_lines: LogLines) -> Value:
    """The value that a call's text stands for.

    Raises:
        ArgumentsInvalid: it is no value.
        ArgumentsTooLarge: it is too large.
    """
    try:
        value = decode(args)
    except InvalidInput as error:
        raise ArgumentsInvalid(f"Invalid arguments for {path}: {error.message}") from None
    check_arguments_size(value, args, path=path, limits=limits, log_lines=log_lines)
    return value


def checked_arguments(record: FunctionRecord, value: Value, tables: TableNames) -> dict[str, Any]:
    """The keyword arguments of the handler.

    Raises:
        ArgumentsInvalid: they do not fit the signature.
    """
    if isinstance(value, list):
        # An array is the positional form of a call: it should have held one object.
        if len(value) != 1:
            raise ArgumentsInvalid(
                "Expected to receive a single object as the function's argument. "
                f"Instead received {len(value)} arguments: {render(value)}"
            )
        [value] = value
    if not isinstance(value, dict):
        raise ArgumentsInvalid(
            f"Expected to receive an object as the function's argument. Instead received: {render(value)}"
        )
    try:
        record.arguments.validator.check(value, tables)
        return record.arguments.bind(value)
    except ValidationFailed as error:
        raise ArgumentsInvalid(f"ArgumentValidationError: {error.message}\n") from None


def checked_return(record: FunctionRecord, result: Any, tables: TableNames) -> Value:
    """What the handler returned, as a value.

    Raises:
        ReturnInvalid: it is none, or does not fit the annotation.
    """
    if isinstance(result, Query):
        raise ReturnInvalid(
            "Return value is a Query. Results must be retrieved with `.collect()`, `.take(n), `.unique()`, "
            "or `.first()`."
        )
    if result is UNSET:
        result = None  # Nothing as a whole is null (semantics 1.6), with a hint and without.
    path = record.name
    convert: Callable[[Any], Any] = plain_value if record.returns is None else record.returns.to_value
    try:
        value = normalize(convert(result))
    except (InvalidValue, ValidationFailed) as error:
        prefix = "ReturnsValidationError: " if isinstance(error, ValidationFailed) else ""
        raise ReturnInvalid(
            f"{prefix}{error.message if prefix else _not_a_value(path, error.message)}"
        ) from None
    if record.returns is not None:
        try:
            record.returns.validator.check(value, tables)
        except ValidationFailed as error:
            raise ReturnInvalid(f"ReturnsValidationError: {error.message}") from None
    return value


def returned_text(
    record: FunctionRecord, result: Any, tables: TableNames, *, limits: Limits, log_lines: LogLines
) -> str:
    """The text of what a handler returned, checked.

    Raises:
        ReturnInvalid: as `checked_return`; or it holds a commit timestamp to come, and there is no commit.
        ReturnTooLarge: it is too large.
    """
    try:
        text = record.write_result(result, tables)
    except NotPlain:
        text = encode(checked_return(record, result, tables))
    if record.kind != "mutation" and holds_commit_ts(text):
        raise ReturnInvalid(_not_a_value(record.name, "queries cannot return an unresolved commit timestamp"))
    if SMALL_PART * len(text) > limits.return_bytes_max:
        check_return_size(text, path=record.name, limits=limits, log_lines=log_lines)
    return text


def _not_a_value(path: str, reason: str) -> str:
    return f"Function {path} return value invalid: {reason}"
