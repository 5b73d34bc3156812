"""A value that does not match its validator: the messages, exactly as official clients know them.

Floor 1, `schema`; nothing else of the package lies below. `validators` walks a value and its validator
side by side and stops at the first difference; this module turns what it found into the text of
spec/semantics 2.2.

    Value does not match validator.
    Path: .a[0].b
    Value: 1.0
    Validator: v.string()

The prefixes (`ArgumentValidationError: `, the table's name) belong to whoever asked for the check.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from types import MappingProxyType
from typing import Protocol

from rewake.errors import InvalidInput
from rewake.values import Value, render

Path = tuple[str, ...]
"""Steps from the root to a place in a value, as they are printed: `.name`, `[3]`, `.keys()`, `.values()`."""


NOTHING_READ: Mapping[str, Collection[str]] = MappingProxyType({})
"""`TableNames.read_ids` of what reads no documents."""


class TableNames(Protocol):
    """What checking an id needs to know of a deployment: which table a number stands for."""

    @property
    def read_ids(self) -> Mapping[str, Collection[str]]:
        """By table, ids that are known to be of it without another look: those of documents that were just
        read.
        """
        ...

    def table_name(self, number: int) -> str | None:
        """The name of the table with this number, or None where no table has it."""
        ...


class ValidationFailed(InvalidInput):
    """A value does not match its validator. The message says where, and what was expected there."""

    code = "ValidationFailed"

    def __init__(self, message: str, /, *, path: str = "") -> None:
        """`path` is printed form without the word (`.a[0].b`), empty at the root."""
        super().__init__(message)
        self.path = path


def _context(path: Path) -> str:
    return f"Path: {''.join(path)}" if path else ""


def _failure(text: str, path: Path) -> ValidationFailed:
    return ValidationFailed(text, path="".join(path))


def does_not_match(
    value: Value, *, path: Path, validator: str, constraint: str | None = None
) -> ValidationFailed:
    """The general case: another type, no member of a union, an id that is none, a failed constraint.

    `constraint` is a line more than the official text has; it stands last, so readers of the official
    lines find them where they are used to.
    """
    text = (
        f"Value does not match validator.\n{_context(path)}\nValue: {render(value)}\nValidator: {validator}"
    )
    if constraint is not None:
        text += f"\nConstraint: {constraint}"
    return _failure(text, path)


def lacks_field(value: Value, field: str, *, path: Path, validator: str) -> ValidationFailed:
    """A required field is absent. A null in its place would be another failure."""
    return _failure(
        f"Object is missing the required field `{field}`. Consider wrapping the field validator in "
        f"`v.optional(...)` if this is expected.\n{_context(path)}\nObject: {render(value)}\nValidator: "
        f"{validator}",
        path,
    )


def has_extra_field(value: Value, field: str, *, path: Path, validator: str) -> ValidationFailed:
    """An object has a field that its validator does not name."""
    return _failure(
        f"Object contains extra field `{field}` that is not in the validator."
        f"\n{_context(path)}\nObject: {render(value)}\nValidator: {validator}",
        path,
    )


def id_of_other_table(text: str, *, found: str, expected: str, path: Path) -> ValidationFailed:
    """An id is well formed and belongs to a table that the validator does not mean."""
    origin = "a system table" if found.startswith("_") else f"table `{found}`"
    return _failure(
        f'Found ID "{text}" from {origin}, which does not match the table name in validator '
        f'`v.id("{expected}")`.{_context(path)}',
        path,
    )


def is_not_literal(value: Value, *, literal: Value, path: Path) -> ValidationFailed:
    """The value is not the one value that a literal validator accepts."""
    return _failure(
        f"`{render(value)}` does not match literal validator `v.literal({render(literal)})`.{_context(path)}",
        path,
    )
