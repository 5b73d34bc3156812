"""The active schema: validators for what lies in `_schemas`.

Floor 2, `database`. What is enforced is what was stored, in the same serial order as everything else. The
stored text is the official JSON, which cannot say all that Python annotations can (that an `int` is a whole
number, a pattern, a bound). So each table's validator also has a mark, a hash that includes these, and a
process that has the same schema as code enforces that; only one that never had it builds validators from the
text.

    stored marks --(same marks as a schema of this process's code)--> that code's validators
                 --(otherwise)--------------------------------------> validators built from the stored JSON

Not here: storing a schema (`schema_change.py`), what validators do (`schema`).
Source: spec/semantics 2.1, 2.3.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from rewake.schema import Schema, TableDefinition, Validator, schema_from_json


@dataclass(frozen=True)
class StoredSchema:
    """A schema as it lies in `_schemas`."""

    text: str
    """Canonical JSON: tables by name, keys sorted."""
    marks: Mapping[str, str]
    """For each enforced table, the mark of its validator."""
    document: str = ""
    """Id of its document; empty until it is stored."""

    @property
    def key(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        """Equal for schemas that mean the same."""
        return self.text, tuple(sorted(self.marks.items()))


def stored_form(schema: Schema) -> StoredSchema:
    """What is stored for a schema that is there as code."""
    text = json.dumps(schema.to_json(), sort_keys=True, separators=(",", ":"))
    enforced = schema.tables.values() if schema.schema_validation else ()
    return StoredSchema(text, {table.name: mark_of(table) for table in enforced})


def mark_of(table: TableDefinition) -> str:
    """A hash by which two validators of a table are told apart, constraints included."""
    exported = json.dumps(table.validator.to_json(), sort_keys=True)
    constraints = sorted(_constraints(table.validator, "", frozenset()))
    return hashlib.sha256(json.dumps([exported, constraints]).encode()).hexdigest()[:32]


class ActiveSchemas:
    """Validators by stored schema. One per deployment and process."""

    def __init__(self) -> None:
        self._known: dict[object, Mapping[str, Validator]] = {}

    def register(self, schema: Schema) -> StoredSchema:
        """Remember the validators of a schema that this process has as code."""
        stored = stored_form(schema)
        self._known[stored.key] = {name: schema.tables[name].validator for name in stored.marks}
        return stored

    def validators(self, stored: StoredSchema) -> Mapping[str, Validator]:
        """The validators by table; empty where nothing is enforced."""
        known = self._known.get(stored.key)
        if known is None:
            schema = schema_from_json(json.loads(stored.text))
            enforced = schema.tables.items() if schema.schema_validation else ()
            known = self._known[stored.key] = {name: table.validator for name, table in enforced}
        return known


def _constraints(validator: Validator, path: str, above: frozenset[int]) -> Iterator[str]:
    """Every constraint in a validator, each with the way to it."""
    if id(validator) in above:
        return
    for constraint in validator.constraints:
        yield f"{path}: {constraint.text}"
    above |= {id(validator)}
    for field in dataclasses.fields(validator):
        yield from _constraints_in(getattr(validator, field.name), f"{path}.{field.name}", above)


def _constraints_in(part: Any, path: str, above: frozenset[int]) -> Iterator[str]:
    if isinstance(part, Validator):
        yield from _constraints(part, path, above)
    elif isinstance(part, Mapping):
        for name, inner in part.items():
            yield from _constraints_in(inner, f"{path}.{name}", above)
    elif isinstance(part, tuple):
        for position, inner in enumerate(part):
            yield from _constraints_in(inner, f"{path}.{position}", above)
