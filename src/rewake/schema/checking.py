"""Check functions written as Python source, once per validator.

Floor 1, `schema`, under `validators`, which knows what to write. A generated function takes about 1 us for
a small document where walking the validator tree takes four times that (DESIGN D2).

    validator --write_check--> CheckWriter --compile--> accepts(value, tables) -> bool

A check answers yes or no. On "no" the validator walks the value again, slowly, to say where and why; a
property test holds the two ways to the same answer.

Nothing from outside gets into the source: names and constants are passed in as objects of the function's
globals, and what is written are only variables of ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from rewake.schema.mismatch import TableNames
from rewake.values import COMMIT_TS, ID_LENGTHS, Int64, InvalidId, Value, decode_id

Accepts = Callable[[Value, TableNames | None], bool]


def table_number_of(text: str) -> int | None:
    """The table number that an id names, or None where the string is no id."""
    if len(text) not in ID_LENGTHS:
        return None
    try:
        return decode_id(text).table_number
    except InvalidId:
        return None


def id_belongs(text: str, table: str, tables: TableNames | None) -> bool:
    """Whether `text` is an id of `table`. Without `tables` any string is: only the shape was asked for."""
    if tables is None:
        return True
    known = tables.read_ids.get(table)
    if known is not None and text in known:
        return True
    try:
        return tables.table_name(decode_id(text).table_number) == table
    except InvalidId:
        return False


class CheckWriter:
    """Collects the functions and constants of one check."""

    def __init__(self, names: Mapping[str, object] = MappingProxyType({})) -> None:
        """`names` are further globals of what is written."""
        self._globals: dict[str, Any] = {
            "COMMIT_TS": COMMIT_TS,
            "Int64": Int64,
            "id_belongs": id_belongs,
            "ABSENT": object(),
            **names,
        }
        self._functions: list[str] = []
        self._written: dict[int, str] = {}
        self._kept: list[object] = []
        self._count = 0

    def constant(self, value: object) -> str:
        """The name under which generated code finds `value`."""
        self._count += 1
        name = f"k{self._count}"
        self._globals[name] = value
        return name

    def function(self, owner: object, body: Callable[[], list[str]]) -> str:
        """The name of a function `(x, tables) -> bool` that checks for `owner`, written at most once.

        The name is taken before the body is written, so a recursive validator calls itself.
        """
        known = self._written.get(id(owner))
        if known is not None:
            return known
        self._count += 1
        name = f"f{self._count}"
        self._written[id(owner)] = name
        # An address names an object only as long as the object lives.
        self._kept.append(owner)
        lines = "\n".join(f"    {line}" for line in body())
        self._functions.append(f"def {name}(x, tables):\n{lines}\n")
        return name

    def compile(self, expression: str) -> Accepts:
        """Make the check whose answer is `expression` of `x` and `tables`."""
        accepts: Accepts = self.compile_function("accepts(x, tables)", [f"return {expression}"])
        return accepts

    def compile_function(self, head: str, body: list[str]) -> Any:
        """Make the function with this head, such as `name(x)`, together with those that it calls."""
        self._functions.append(f"def {head}:\n" + "".join(f"    {line}\n" for line in body))
        namespace = self._globals
        exec(compile("\n".join(self._functions), "<rewake validator>", "exec"), namespace)
        return namespace[head.partition("(")[0]]
