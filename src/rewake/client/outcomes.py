"""Outcomes: values to arguments, and what came back to a value or an exception.

Floor 2, `client`. Values are decoded when somebody takes them, each time anew: two watchers of one query may
each change the list that they got, and a result that nobody looks at costs nothing.

Source: wire 2.1 and 2.6; `rewake.values` says which Python types values are.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rewake.client.errors import function_failure
from rewake.client.instructions import Outcome
from rewake.values import decode, encode

_logger = logging.getLogger("rewake.client.functions")
_LEVELS = {
    "DEBUG": logging.DEBUG,
    "LOG": logging.INFO,
    "INFO": logging.INFO,
    "WARN": logging.WARNING,
    "ERROR": logging.ERROR,
}


@dataclass(frozen=True, slots=True)
class Result:
    """What a live query came to: a value, or the exception that `watch` would raise."""

    value: Any
    error: Exception | None
    log_lines: tuple[str, ...]
    ts: int
    """The commit timestamp at which it holds; all live queries of a client are at one."""
    message: str = ""
    """The server's text of a failure as it stands, with its request id and the function's frames."""

    def get(self) -> Any:
        """The value; raises the error where there is one."""
        if self.error is not None:
            raise self.error
        return self.value


def encode_arguments(mapping: Sequence[Mapping[str, Any] | None], named: Mapping[str, Any]) -> str:
    """The text of a call's arguments, from a mapping, from keywords, or from both.

    Raises:
        TypeError: there are several mappings, or an argument is given twice.
        InvalidValue: one is no value.
    """
    if len(mapping) > 1:
        raise TypeError("Arguments are keywords, or one mapping.")
    first = mapping[0] if mapping else None
    if first is None:
        return encode(dict(named))
    twice = sorted(first.keys() & named.keys())
    if twice:
        raise TypeError(f"given in the mapping and as a keyword: {', '.join(twice)}")
    return encode({**first, **named})


def value_of(outcome: Outcome) -> Any:
    """The value that a function returned.

    Raises:
        ApplicationError: the function raised one.
        CallFailed: it failed otherwise.
    """
    if outcome.value is None:
        raise failure_of(outcome)
    return decode(outcome.value)


def result_of(outcome: Outcome, ts: int) -> Result:
    """The same without raising."""
    if outcome.value is None:
        return Result(None, failure_of(outcome), outcome.log_lines, ts, outcome.error)
    return Result(decode(outcome.value), None, outcome.log_lines, ts)


def failure_of(outcome: Outcome) -> Exception:
    """The exception for a function that failed."""
    assert outcome.value is None
    return function_failure(
        outcome.error, path=outcome.path, log_lines=outcome.log_lines, data=outcome.error_data
    )


def log(path: str, log_lines: tuple[str, ...]) -> None:
    """What a function printed goes to the logger `rewake.client.functions`, by its own level."""
    for line in log_lines:
        level, bracket, text = line.removeprefix("[").partition("] ")
        known = _LEVELS.get(level) if bracket else None
        _logger.log(known or logging.INFO, "%s: %s", path, text if known is not None else line)
