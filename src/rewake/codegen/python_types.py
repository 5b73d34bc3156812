"""Validators as Python types: what a client of `rewake.client` sends and gets.

Floor 5, `codegen`. Numbers are `float`, as they arrive (an `int` passes for one), Int64 is `Int64`, ids are
`str`. Python has no anonymous object types, so each object becomes a `TypedDict` with a name of its own: that
of the place where it stands, or of the table whose stored document it equals.

Not here: TypeScript (`typescript.py`), functions (`python_api.py`).
"""

from __future__ import annotations

import keyword
import re
from collections.abc import Mapping

import msgspec

from rewake.codegen.function_spec import ValidatorJson
from rewake.codegen.typescript import table_of

_SIMPLE = {
    "any": "Any",
    "bigint": "Int64",
    "boolean": "bool",
    "bytes": "bytes",
    "commitTs": "Int64",
    "id": "str",
    "map": "Any",
    "null": "None",
    "number": "float",
    "set": "Any",
    "string": "str",
}
_NAMES = frozenset({*_SIMPLE.values(), "Literal", "Never", "NotRequired", "dict", "list"})
_WORD = re.compile(r"[A-Za-z0-9]+")


class PythonTypeWriter(msgspec.Struct):
    """Turns validators into types, and gathers the definitions that they need, in order.

    `documents` maps the `shape` of a stored document to its table.
    """

    documents: Mapping[str, str] = msgspec.field(default_factory=dict)
    definitions: list[str] = msgspec.field(default_factory=list)
    imports: set[str] = msgspec.field(default_factory=set)
    """Grows as types are written: what the module must import."""
    _names: set[str] = msgspec.field(default_factory=set)
    _of_tables: dict[str, str] = msgspec.field(default_factory=dict)

    def type_of(self, validator: ValidatorJson, *, place: str) -> str:
        """The type of the values that `validator` accepts; `place` names an object without another name.

        Raises:
            ValueError: the validator is of a kind that semantics 2.1 does not know.
        """
        kind = validator["type"]
        if kind in _SIMPLE:
            return self._named(_SIMPLE[kind])
        match kind:
            case "literal":
                return self._literal(validator["value"])
            case "array":
                return f"list[{self.type_of(validator['value'], place=place + 'Item')}]"
            case "record":
                return f"dict[str, {self.type_of(validator['values']['fieldType'], place=place + 'Value')}]"
            case "union":
                types = dict.fromkeys(self.type_of(member, place=place) for member in validator["value"])
                return " | ".join(types) or self._named("Never")
            case "object":
                table = table_of(validator, self.documents)
                return self._document(table, validator) if table else self.object_of(validator, place=place)
        raise ValueError(f"unknown validator {kind!r}")

    def object_of(self, validator: ValidatorJson, *, place: str) -> str:
        """Define an object validator as a `TypedDict`; gives its name."""
        name = self._free_name(place)
        self.imports.add("TypedDict")
        self.imports |= {"NotRequired" for of in validator["value"].values() if of["optional"]}
        fields = {
            key: (self.type_of(of["fieldType"], place=name + camel(key)), of["optional"])
            for key, of in sorted(validator["value"].items())
        }
        types = {
            key: f"NotRequired[{type_}]" if optional else type_ for key, (type_, optional) in fields.items()
        }
        if all(_is_attribute(key) for key in types):
            lines = [f"    {key}: {type_}" for key, type_ in types.items()] or ["    pass"]
            self.definitions.append("\n".join([f"class {name}(TypedDict):", *lines]))
        else:
            lines = [f"        {key!r}: {type_}," for key, type_ in types.items()]
            self.definitions.append(
                "\n".join([f"{name} = TypedDict(", f'    "{name}",', "    {", *lines, "    },", ")"])
            )
        return name

    def _document(self, table: str, validator: ValidatorJson) -> str:
        if table not in self._of_tables:
            self._of_tables[table] = self.object_of(validator, place=f"{camel(table)}Document")
        return self._of_tables[table]

    def _literal(self, value: object) -> str:
        """Only texts and truth have literal types; a number arrives as a float, which has none."""
        if isinstance(value, bool | str):
            self.imports.add("Literal")
            return f"Literal[{value!r}]"
        return self._named("Int64" if isinstance(value, Mapping) else "float")

    def _named(self, name: str) -> str:
        """A type that may have to be imported."""
        if name in ("Any", "Int64", "Never"):
            self.imports.add(name)
        return name

    def _free_name(self, wanted: str) -> str:
        name, number = wanted, 2
        while name in self._names:
            name, number = f"{wanted}{number}", number + 1
        self._names.add(name)
        return name


def camel(text: str) -> str:
    """A name for a class from any text: `messages:list_recent` is `MessagesListRecent`."""
    return "".join(word[:1].upper() + word[1:] for word in _WORD.findall(text)) or "Empty"


def _is_attribute(key: str) -> bool:
    """Whether a field can stand in the body of a class: it hides no type there, and is not mangled."""
    return key.isidentifier() and not (keyword.iskeyword(key) or key.startswith("__") or key in _NAMES)
