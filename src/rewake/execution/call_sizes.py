"""Call sizes: how large the arguments and the result of a call may be.

Floor 3, `execution`. Sizes are those of the value model, so they do not depend on how a client writes its
JSON.

Not here: sizes of single values and documents (`values/sizes.py`), of what a transaction reads and writes
(`database/usage.py`).
Source: semantics 5.8.
"""

from __future__ import annotations

from rewake.database import Measure
from rewake.errors import LimitExceeded
from rewake.execution.output import LogLines
from rewake.limits import KIB, MIB, Limits
from rewake.values import Value, decode_stored, value_size


class _TooLarge(LimitExceeded):
    """Something that goes into a call or comes out of it is too large."""

    @staticmethod
    def show(amount: float) -> str:
        """The largest unit that fits, with one digit where that is not whole."""
        size, name = next((x for x in ((MIB, "MiB"), (KIB, "KiB")) if amount >= x[0]), (1, "B"))
        return f"{amount / size:.1f}".removesuffix(".0") + f" {name}"


class ArgumentsTooLarge(_TooLarge):
    """The arguments of a call are too large. Pass less, or store the data first and pass its id."""

    code, setting = "ArgumentsTooLarge", "arguments_bytes_max"
    template = "Arguments for {path} are too large (actual: {shown_observed}, limit: {shown_limit})"


class ReturnTooLarge(_TooLarge):
    """The result of a call is too large. Return pages, or fewer fields."""

    code, setting = "ReturnTooLarge", "return_bytes_max"
    template = "Function {path} return value is too large (actual: {shown_observed}, limit: {shown_limit})"


SMALL_PART = 10
"""What has a text of less than this part of a limit is far from it: a value counts at most a few times its
text. Then there is nothing to check."""


def check_arguments_size(value: Value, text: str, *, path: str, limits: Limits, log_lines: LogLines) -> None:
    """Refuse arguments that are too large; those that come near get a log line. `text` is their encoding.

    Raises:
        ArgumentsTooLarge: with the text of semantics 5.8.
    """
    if SMALL_PART * len(text) <= limits.arguments_bytes_max:
        return
    size = value_size(value)
    if size > limits.arguments_bytes_max:
        raise ArgumentsTooLarge(path=path, observed=size, limit=limits.arguments_bytes_max)
    what = "Large size of the function arguments"
    warn(Measure("", size, limits.arguments_bytes_max, what, " bytes", ArgumentsTooLarge.code), log_lines)


def check_return_size(text: str, *, path: str, limits: Limits, log_lines: LogLines) -> None:
    """Refuse a result that is too large; one that comes near gets a log line. `text` is its canonical text,
    and not a small part of the limit.

    Raises:
        ReturnTooLarge: with the text of semantics 5.8.
    """
    size = value_size(decode_stored(text))
    if size > limits.return_bytes_max:
        raise ReturnTooLarge(path=path, observed=size, limit=limits.return_bytes_max)
    what = "Large size of the function return value"
    warn(Measure("", size, limits.return_bytes_max, what, " bytes", ReturnTooLarge.code), log_lines)


def warn(measure: Measure, log_lines: LogLines) -> None:
    """Add the log line of a limit that is near, where it is."""
    if measure.is_near:
        log_lines.add("WARN", measure.warning, f"warning:{measure.code}")
