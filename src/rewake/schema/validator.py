"""`Validator`: what every validator can do.

Floor 1, `schema`, on `checking` (generated checks) and `mismatch` (the messages). `validators` has the kinds.

    to_json()       the form that official tools exchange (semantics 2.1)
    render()        `v.object({a: v.string()})`, as messages print it
    write_check()   an expression of generated source: does the value match?
    explain()       the first difference, depth first, declared fields before extra ones (semantics 2.2)

`check` runs the generated test and, only when that says no, `explain`. The value must be in canonical form
(`rewake.values.normalize`): a plain Python `int` is not a Float64 here.

Validators are immutable and compare by what they mean; `constraints` are ours and never exported.
"""

from __future__ import annotations

from abc import ABCMeta, abstractmethod
from functools import cached_property
from typing import Any, ClassVar, Self

import msgspec
from msgspec.structs import replace

from rewake.schema.checking import Accepts, CheckWriter
from rewake.schema.constraints import Constraint
from rewake.schema.mismatch import Path, TableNames, ValidationFailed, does_not_match
from rewake.values import Value

Json = dict[str, Any]


class _Kind(msgspec.StructMeta, ABCMeta):
    """Makes the kinds of validator: records that have to say how they check."""


class Validator(msgspec.Struct, metaclass=_Kind, frozen=True, kw_only=True, dict=True):
    """A set of values that can be checked, printed and exported."""

    kind: ClassVar[str]

    is_optional: bool = False
    """The field of an object that has this validator may be absent. Means nothing elsewhere."""
    constraints: tuple[Constraint, ...] = ()
    """Tests beyond the official validator, applied to a value that matches it."""

    @abstractmethod
    def to_json(self) -> Json:
        """The exported form, as JSON data."""

    @abstractmethod
    def render(self) -> str:
        """The validator as an author of `v.*` would write it, without `v.optional`."""

    @abstractmethod
    def write_test(self, writer: CheckWriter, x: str) -> str:
        """An expression that tells whether the variable `x` matches, constraints aside."""

    @abstractmethod
    def find_difference(self, value: Value, tables: TableNames | None, path: Path) -> ValidationFailed | None:
        """The first difference, constraints aside."""

    def write_check(self, writer: CheckWriter, x: str) -> str:
        """An expression of generated source that tells whether the variable `x` matches."""
        parts = [self.write_test(writer, x)]
        for constraint in self.constraints:
            if constraint.source is not None:
                parts.append(constraint.source.format(x=x))
            else:
                parts.append(f"{writer.constant(constraint.accepts)}({x})")
        return parts[0] if len(parts) == 1 else f"({' and '.join(parts)})"

    def explain(
        self, value: Value, tables: TableNames | None = None, path: Path = ()
    ) -> ValidationFailed | None:
        """Walk the value for its first difference; None if it matches."""
        difference = self.find_difference(value, tables, path)
        if difference is not None:
            return difference
        for constraint in self.constraints:
            if not constraint.accepts(value):
                return does_not_match(value, path=path, validator=self.render(), constraint=constraint.text)
        return None

    @cached_property
    def accepts(self) -> Accepts:
        """`accepts(value, tables)`: whether the value matches. Generated on first use.

        With `tables` None an id is any string: enough to tell shapes apart, not to trust a value.
        """
        writer = CheckWriter()
        return writer.compile(self.write_check(writer, "x"))

    def check(self, value: Value, tables: TableNames | None = None) -> None:
        """Do nothing if `value`, in canonical form, matches.

        Raises:
            ValidationFailed: with the message of semantics 2.2.
        """
        if not self.accepts(value, tables):
            difference = self.explain(value, tables)
            assert difference is not None, "generated check and explanation disagree"
            raise difference

    def optional(self) -> Self:
        """The same validator for a field that may be absent."""
        return replace(self, is_optional=True)

    def required(self) -> Self:
        """The same validator for a field that must be there."""
        return replace(self, is_optional=False)

    def constrained(self, *constraints: Constraint) -> Self:
        """The same validator with further constraints."""
        return replace(self, constraints=self.constraints + constraints)

    def __str__(self) -> str:
        return f"v.optional({self.render()})" if self.is_optional else self.render()

    __repr__ = __str__
