"""The kinds of validator: what values a field, an argument or a table takes.

Floor 1, `schema`, on `validator`, which says what each of them can do. Above, `builders` gives authors `v.*`,
`type_codec` makes validators of type hints, and tables and functions carry them.

    VString VFloat64 VInt64 VBoolean VBytes VNull VCommitTs     told by the type of the value
    VId VLiteral VAny
    VArray VObject VRecord VUnion                               made of others
    VRecursive                                                  a recursive type, where it meets itself

Source: spec/semantics 2.1, 2.2.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import ClassVar

from msgspec.structs import replace

from rewake.schema.checking import CheckWriter, table_number_of
from rewake.schema.mismatch import (
    Path,
    TableNames,
    ValidationFailed,
    does_not_match,
    has_extra_field,
    id_of_other_table,
    is_not_literal,
    lacks_field,
)
from rewake.schema.validator import Json, Validator
from rewake.values import COMMIT_TS, Int64, Value, encode, render, values_equal


class _Scalar(Validator, frozen=True):
    """A validator that is told by the type of the value alone."""

    _python_type: ClassVar[type]
    _json_type: ClassVar[str | None] = None
    """Where it is exported under another name than its kind."""

    def to_json(self) -> Json:
        return {"type": self._json_type or self.kind}

    def render(self) -> str:
        return f"v.{self.kind}()"

    def write_test(self, writer: CheckWriter, x: str) -> str:
        return f"type({x}) is {self._python_type.__name__}"

    def find_difference(self, value: Value, tables: TableNames | None, path: Path) -> ValidationFailed | None:
        if type(value) is self._python_type:
            return None
        return does_not_match(value, path=path, validator=self.render())


class VFloat64(_Scalar, frozen=True):
    """Any Float64, NaN and the infinities included."""

    kind, _python_type = "float64", float
    _json_type = "number"


class _Integer(_Scalar, frozen=True):
    """An Int64, or COMMIT_TS, which becomes one at commit and until then is checked as the largest."""

    _python_type = Int64

    def write_test(self, writer: CheckWriter, x: str) -> str:
        return f"(type({x}) is Int64 or {x} is COMMIT_TS)"

    def find_difference(self, value: Value, tables: TableNames | None, path: Path) -> ValidationFailed | None:
        return None if value is COMMIT_TS else super().find_difference(value, tables, path)


class VInt64(_Integer, frozen=True):
    """An Int64 (bigint); never a Float64."""

    kind = "int64"
    _json_type = "bigint"


class VBoolean(_Scalar, frozen=True):
    """`True` or `False`."""

    kind, _python_type = "boolean", bool


class VString(_Scalar, frozen=True):
    """Any string."""

    kind, _python_type = "string", str


class VBytes(_Scalar, frozen=True):
    """Any bytes."""

    kind, _python_type = "bytes", bytes


class VCommitTs(_Integer, frozen=True):
    """A commit timestamp; takes what `int64` takes, and says what it is for."""

    kind = "commitTs"


class VNull(_Scalar, frozen=True):
    """`None`."""

    kind, _python_type = "null", type(None)

    def write_test(self, writer: CheckWriter, x: str) -> str:
        return f"{x} is None"


class VAny(Validator, frozen=True):
    """Every value."""

    kind = "any"

    def to_json(self) -> Json:
        return {"type": "any"}

    def render(self) -> str:
        return "v.any()"

    def write_test(self, writer: CheckWriter, x: str) -> str:
        return "True"

    def find_difference(self, value: Value, tables: TableNames | None, path: Path) -> ValidationFailed | None:
        return None


class VRecursive(VAny, frozen=True):
    """The place where a recursive type meets itself.

    The exported form knows no recursion, so outside this is `any`; here the value is checked against the
    validator that `target` gives once the type is complete.
    """

    target: Callable[[], Validator]

    def write_test(self, writer: CheckWriter, x: str) -> str:
        # The function belongs to this place, not to the target, which may write one of its own.
        name = writer.function(self, lambda: [f"return {self.target().write_check(writer, 'x')}"])
        return f"{name}({x}, tables)"

    def find_difference(self, value: Value, tables: TableNames | None, path: Path) -> ValidationFailed | None:
        return self.target().explain(value, tables, path)

    def __eq__(self, other: object) -> bool:
        # What it leads to is told by what it stands in, and to compare that here would never end.
        return isinstance(other, VRecursive) and (self.is_optional, self.constraints) == (
            other.is_optional,
            other.constraints,
        )

    def __hash__(self) -> int:
        return hash(("recursive", self.is_optional))


class VId(Validator, frozen=True):
    """An id of one table. Whether its document exists is not asked."""

    kind = "id"

    table_name: str

    def to_json(self) -> Json:
        return {"type": "id", "tableName": self.table_name}

    def render(self) -> str:
        return f'v.id("{self.table_name}")'

    def write_test(self, writer: CheckWriter, x: str) -> str:
        table = writer.constant(self.table_name)
        return f"(type({x}) is str and id_belongs({x}, {table}, tables))"

    def find_difference(self, value: Value, tables: TableNames | None, path: Path) -> ValidationFailed | None:
        if type(value) is not str:
            return does_not_match(value, path=path, validator=self.render())
        if tables is None:
            return None
        number = table_number_of(value)
        found = None if number is None else tables.table_name(number)
        if found is None:
            return does_not_match(value, path=path, validator=self.render())
        if found != self.table_name:
            return id_of_other_table(value, found=found, expected=self.table_name, path=path)
        return None


class VLiteral(Validator, frozen=True):
    """One value: a string, boolean, Float64 or Int64."""

    kind = "literal"

    value: str | bool | float | Int64

    def to_json(self) -> Json:
        return {"type": "literal", "value": json.loads(encode(self.value))}

    def render(self) -> str:
        return f"v.literal({render(self.value)})"

    def write_test(self, writer: CheckWriter, x: str) -> str:
        if isinstance(self.value, bool):
            return f"{x} is {self.value}"
        constant = writer.constant(self.value)
        test = f"type({x}) is {type(self.value).__name__} and {x} == {constant}"
        if type(self.value) is float and self.value == 0:
            # The one pair of different Float64 values that Python calls equal.
            test += f" and {writer.constant(values_equal)}({x}, {constant})"
        return f"({test})"

    def find_difference(self, value: Value, tables: TableNames | None, path: Path) -> ValidationFailed | None:
        if values_equal(value, self.value):
            return None
        return is_not_literal(value, literal=self.value, path=path)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, VLiteral)
            and values_equal(self.value, other.value)
            and (self.is_optional, self.constraints) == (other.is_optional, other.constraints)
        )

    def __hash__(self) -> int:
        return hash(("literal", self.value))


class VArray(Validator, frozen=True):
    """An array whose elements all match `element`."""

    kind = "array"

    element: Validator

    def to_json(self) -> Json:
        return {"type": "array", "value": self.element.to_json()}

    def render(self) -> str:
        return f"v.array({self.element.render()})"

    def write_test(self, writer: CheckWriter, x: str) -> str:
        def body() -> list[str]:
            element = self.element.write_check(writer, "e")
            if element == "True":
                return ["return type(x) is list"]
            return [
                "if type(x) is not list: return False",
                "for e in x:",
                f"    if not {element}: return False",
                "return True",
            ]

        return f"{writer.function(self, body)}({x}, tables)"

    def find_difference(self, value: Value, tables: TableNames | None, path: Path) -> ValidationFailed | None:
        if type(value) is not list:
            return does_not_match(value, path=path, validator=self.render())
        for i, element in enumerate(value):
            difference = self.element.explain(element, tables, (*path, f"[{i}]"))
            if difference is not None:
                return difference
        return None


class VObject(Validator, frozen=True):
    """An object with these fields and no others."""

    kind = "object"

    fields: Mapping[str, Validator]

    def to_json(self) -> Json:
        return {
            "type": "object",
            "value": {
                name: {"fieldType": inner.to_json(), "optional": inner.is_optional}
                for name, inner in sorted(self.fields.items())
            },
        }

    def render(self) -> str:
        fields = ", ".join(f"{name}: {inner}" for name, inner in sorted(self.fields.items()))
        return f"v.object({{{fields}}})"

    def pick(self, *names: str) -> VObject:
        """The object with only these fields."""
        return replace(self, fields={name: self.fields[name] for name in names})

    def omit(self, *names: str) -> VObject:
        """The object without these fields."""
        return replace(self, fields={name: x for name, x in self.fields.items() if name not in names})

    def partial(self) -> VObject:
        """The object with every field optional."""
        return replace(self, fields={name: inner.optional() for name, inner in self.fields.items()})

    def extend(self, fields: Mapping[str, Validator]) -> VObject:
        """The object with further fields, which take the place of those of the same name."""
        return replace(self, fields={**self.fields, **fields})

    def write_test(self, writer: CheckWriter, x: str) -> str:
        return f"{writer.function(self, lambda: self._body(writer))}({x}, tables)"

    def _body(self, writer: CheckWriter) -> list[str]:
        required: list[tuple[str, str, Validator]] = []
        optional: list[tuple[str, str, Validator]] = []
        for i, (name, inner) in enumerate(sorted(self.fields.items())):
            (optional if inner.is_optional else required).append((f"a{i}", writer.constant(name), inner))
        lines = ["if type(x) is not dict: return False"]
        if required:
            lines.append("try:")
            lines += [f"    {a} = x[{key}]" for a, key, _ in required]
            lines.append("except KeyError: return False")
        tests = [inner.write_check(writer, a) for a, _, inner in required]
        lines += [f"if not {test}: return False" for test in tests if test != "True"]
        if not optional:
            return [*lines, f"return len(x) == {len(required)}"]
        lines.append(f"n = {len(required)}")
        for a, key, inner in optional:
            lines += [
                f"{a} = x.get({key}, ABSENT)",
                f"if {a} is not ABSENT:",
                f"    if not {inner.write_check(writer, a)}: return False",
                "    n += 1",
            ]
        return [*lines, "return len(x) == n"]

    def find_difference(self, value: Value, tables: TableNames | None, path: Path) -> ValidationFailed | None:
        if type(value) is not dict:
            return does_not_match(value, path=path, validator=self.render())
        for name, inner in sorted(self.fields.items()):
            if name in value:
                difference = inner.explain(value[name], tables, (*path, f".{name}"))
                if difference is not None:
                    return difference
            elif not inner.is_optional:
                return lacks_field(value, name, path=path, validator=self.render())
        for name in sorted(value):
            if name not in self.fields:
                return has_extra_field(value, name, path=path, validator=self.render())
        return None


class VRecord(Validator, frozen=True):
    """An object whose names all match `key` and whose values all match `value`."""

    kind = "record"

    key: Validator
    value: Validator

    def to_json(self) -> Json:
        return {
            "type": "record",
            "keys": self.key.to_json(),
            "values": {"fieldType": self.value.to_json(), "optional": False},
        }

    def render(self) -> str:
        return f"v.record({self.key.render()}, {self.value.render()})"

    def write_test(self, writer: CheckWriter, x: str) -> str:
        def body() -> list[str]:
            lines = ["if type(x) is not dict: return False"]
            # Names are strings already, so the commonest key validator has nothing left to ask.
            if not (type(self.key) is VString and not self.key.constraints):
                lines += ["for e in x:", f"    if not {self.key.write_check(writer, 'e')}: return False"]
            value = self.value.write_check(writer, "e")
            if value != "True":
                lines += ["for e in x.values():", f"    if not {value}: return False"]
            return [*lines, "return True"]

        return f"{writer.function(self, body)}({x}, tables)"

    def find_difference(self, value: Value, tables: TableNames | None, path: Path) -> ValidationFailed | None:
        if type(value) is not dict:
            return does_not_match(value, path=path, validator=self.render())
        for name, inner in sorted(value.items()):
            difference = self.key.explain(name, tables, (*path, ".keys()"))
            if difference is None:
                difference = self.value.explain(inner, tables, (*path, ".values()"))
            if difference is not None:
                return difference
        return None


class VUnion(Validator, frozen=True):
    """A value that at least one member accepts; with no members, none."""

    kind = "union"

    members: tuple[Validator, ...]

    def to_json(self) -> Json:
        return {"type": "union", "value": [member.to_json() for member in self.members]}

    def render(self) -> str:
        return f"v.union({', '.join(member.render() for member in self.members)})"

    def write_test(self, writer: CheckWriter, x: str) -> str:
        strings = {_string_of(member) for member in self.members} - {None}
        tests = [m.write_check(writer, x) for m in self.members if _string_of(m) is None]
        if strings:
            tests.insert(0, f"(type({x}) is str and {x} in {writer.constant(frozenset(strings))})")
        if not tests:
            return "False"
        return tests[0] if len(tests) == 1 else f"({' or '.join(tests)})"

    def find_difference(self, value: Value, tables: TableNames | None, path: Path) -> ValidationFailed | None:
        if len(self.members) == 1:
            return self.members[0].explain(value, tables, path)
        if any(member.explain(value, tables, path) is None for member in self.members):
            return None
        return does_not_match(value, path=path, validator=self.render())


def _string_of(validator: Validator) -> str | None:
    """The string of a plain string literal, of which a union tests all together."""
    if isinstance(validator, VLiteral) and not validator.constraints:
        return validator.value if isinstance(validator.value, str) else None
    return None
