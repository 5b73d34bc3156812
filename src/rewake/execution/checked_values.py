"""Checked values: arguments into a handler, and what it returned out of it.

Floor 3, `execution`. The steps around every handler, whatever kind of function it is.

    text -> decode, bounded -> check -> bind -> handler -> value -> check -> encode, bounded -> text

Not here: the transaction and the context that a handler is given (`host.py`, `action_run.py`).
Source: semantics 2.2, 5.8; wire 6.3.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rewake.errors import FunctionError, InvalidInput, RewakeError
from rewake.execution.registry import FunctionRecord
from rewake.functions import Query
from rewake.limits import ARGUMENTS_BYTES_MAX, MIB, RETURN_BYTES_MAX
from rewake.schema import TableNames, ValidationFailed, plain_value
from rewake.values import InvalidValue, Value, decode, encode, normalize, render, value_size


class ArgumentsInvalid(FunctionError):
    """The arguments do not fit the function's signature."""

    code = "InvalidArgs"


class ReturnInvalid(FunctionError):
    """The function returned what its annotation, or the value model, does not allow."""

    code = "InvalidReturnValue"


def decoded_arguments(path: str, args: str) -> Value:
    """The value that a call's text stands for.

    Raises:
        ArgumentsInvalid: it is no value, or too large.
    """
    try:
        value = decode(args)
    except InvalidInput as error:
        raise ArgumentsInvalid(f"Invalid arguments for {path}: {error.message}") from None
    refused = _over(value, text=args, limit=ARGUMENTS_BYTES_MAX)
    if refused:
        raise ArgumentsInvalid(f"Arguments for {path} are too large {refused}")
    return value


def checked_arguments(record: FunctionRecord, value: Value, tables: TableNames) -> dict[str, Any]:
    """The keyword arguments of the handler.

    Raises:
        ArgumentsInvalid: they do not fit the signature.
    """
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
    path = record.path.public
    convert: Callable[[Any], Any] = plain_value if record.returns is None else record.returns.to_value
    try:
        value = normalize(convert(result))
    except (InvalidValue, ValidationFailed) as error:
        prefix = "ReturnsValidationError: " if isinstance(error, ValidationFailed) else ""
        raise ReturnInvalid(f"{prefix}{error.message if prefix else not_a_value(path, error)}") from None
    if record.returns is not None:
        try:
            record.returns.validator.check(value, tables)
        except ValidationFailed as error:
            raise ReturnInvalid(f"ReturnsValidationError: {error.message}") from None
    return value


def encoded_return(path: str, value: Value) -> str:
    """The text of what a handler returned.

    Raises:
        ReturnInvalid: it is too large.
    """
    text = encode(value)
    refused = _over(value, text=text, limit=RETURN_BYTES_MAX)
    if refused:
        raise ReturnInvalid(f"Function {path} return value is too large {refused}")
    return text


def not_a_value(path: str, error: RewakeError) -> str:
    """What a function is told whose return value is no value."""
    return f"Function {path} return value invalid: {error.message}"


def _over(value: Value, *, text: str, limit: int) -> str:
    """How far a value is over its limit, or nothing."""
    # The size model counts at most a few times the text, so short texts need no second look.
    if len(text) <= limit // 10:
        return ""
    size = value_size(value)
    return f"(actual: {_mebibytes(size)}, limit: {_mebibytes(limit)})" if size > limit else ""


def _mebibytes(size: int) -> str:
    return f"{size / MIB:.1f} MiB".replace(".0 MiB", " MiB")
