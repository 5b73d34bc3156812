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

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from rewake.database.staged_verdict import StagedVerdict
from rewake.schema import Schema, TableDefinition, Validator, WriteDocument, document_writer, schema_from_json

_STAGED = "staged:"
"""No table is called so."""


class StoredSchema(msgspec.Struct, frozen=True):
    """A schema as it lies in `_schemas`."""

    text: str
    """Canonical JSON: tables by name, keys sorted."""
    marks: Mapping[str, str]
    """For each enforced table, the mark of its validator; under `staged:messages` that of a staged one."""
    document: str = ""
    """Id of its document; empty until it is stored."""
    verdicts: Mapping[str, StagedVerdict] = msgspec.field(default_factory=dict)
    """By table, what is known of documents against a staged validator."""

    @property
    def enforced_marks(self) -> dict[str, str]:
        """The marks of enforced validators, by table."""
        return {name: mark for name, mark in self.marks.items() if not name.startswith(_STAGED)}

    @property
    def staged_marks(self) -> dict[str, str]:
        """The marks of staged validators, by table."""
        marks = self.marks.items()
        return {name.removeprefix(_STAGED): mark for name, mark in marks if name.startswith(_STAGED)}

    @property
    def key(self) -> tuple[str, tuple[tuple[str, str], ...]]:
        """Equal for schemas that mean the same."""
        return self.text, tuple(sorted(self.marks.items()))


def stored_form(schema: Schema) -> StoredSchema:
    """What is stored for a schema that is there as code."""
    text = json.dumps(schema.to_json(), sort_keys=True, separators=(",", ":"))
    enforced = schema.tables.values() if schema.schema_validation else ()
    marks = {table.name: mark_of(table.validator) for table in enforced}
    for table in schema.tables.values():
        if table.staged_validator is not None:
            marks[_STAGED + table.name] = mark_of(table.staged_validator)
    return StoredSchema(text, marks)


def mark_of(validator: Validator) -> str:
    """A hash by which two validators of a table are told apart, constraints included."""
    exported = json.dumps(validator.to_json(), sort_keys=True)
    constraints = sorted(_constraints(validator, "", frozenset()))
    return hashlib.sha256(json.dumps([exported, constraints]).encode()).hexdigest()[:32]


class ActiveSchemas:
    """Validators by stored schema. One per deployment and process."""

    def __init__(self) -> None:
        self._known: dict[object, _Validators] = {}
        # What was asked for last, and nearly always is asked for next.
        self._latest: tuple[StoredSchema, _Validators] | None = None

    def register(self, schema: Schema) -> StoredSchema:
        """Remember the validators of a schema that this process has as code."""
        stored = stored_form(schema)
        self._known[stored.key] = _validators_of(schema)
        self._latest = None
        return stored

    def validators(self, stored: StoredSchema) -> Mapping[str, Validator]:
        """The validators by table; empty where nothing is enforced."""
        return self._known_of(stored).enforced

    def writer(self, stored: StoredSchema | None, table: str) -> WriteDocument | None:
        """What checks and writes the documents of a table in one pass, where there is such a thing: for no
        table of the system, since none is in a schema.
        """
        if stored is None:
            return None
        known = self._known_of(stored)
        if table not in known.writers:
            validator = known.enforced.get(table)
            known.writers[table] = None if validator is None else document_writer(validator)
        return known.writers[table]

    def instance_writer(
        self, stored: StoredSchema | None, definition: TableDefinition
    ) -> WriteDocument | None:
        """The same for instances of the class that the code declares the table by."""
        if stored is None:
            return None
        known = self._known_of(stored)
        of_class = known.instance_writers.get(definition.name)
        if of_class is None or of_class[0] is not definition:
            validator = known.enforced.get(definition.name)
            write = None if validator is None else document_writer(validator, definition.codec.instance)
            of_class = known.instance_writers[definition.name] = definition, write
        return of_class[1]

    def staged(self, stored: StoredSchema) -> Mapping[str, Validator]:
        """The staged validators by table."""
        return self._known_of(stored).staged

    def _known_of(self, stored: StoredSchema) -> _Validators:
        latest = self._latest
        if latest is not None and latest[0] is stored:
            return latest[1]
        known = self._known.get(stored.key)
        if known is None:
            known = self._known[stored.key] = _validators_of(schema_from_json(json.loads(stored.text)))
        self._latest = stored, known
        return known


class _Validators(msgspec.Struct, frozen=True):
    enforced: Mapping[str, Validator]
    staged: Mapping[str, Validator]
    writers: dict[str, WriteDocument | None] = {}
    """By table, of those whose writers were asked for."""
    instance_writers: dict[str, tuple[TableDefinition, WriteDocument | None]] = {}
    """The same for instances of a class: of the declaration that was asked for last."""


def _validators_of(schema: Schema) -> _Validators:
    enforced = schema.tables.items() if schema.schema_validation else ()
    return _Validators(
        {name: table.validator for name, table in enforced},
        {
            name: table.staged_validator
            for name, table in schema.tables.items()
            if table.staged_validator is not None
        },
    )


def _constraints(validator: Validator, path: str, above: frozenset[int]) -> Iterator[str]:
    """Every constraint in a validator, each with the way to it."""
    if id(validator) in above:
        return
    for constraint in validator.constraints:
        yield f"{path}: {constraint.text}"
    above |= {id(validator)}
    for name in validator.__struct_fields__:
        yield from _constraints_in(getattr(validator, name), f"{path}.{name}", above)


def _constraints_in(part: Any, path: str, above: frozenset[int]) -> Iterator[str]:
    if isinstance(part, Validator):
        yield from _constraints(part, path, above)
    elif isinstance(part, Mapping):
        for name, inner in part.items():
            yield from _constraints_in(inner, f"{path}.{name}", above)
    elif isinstance(part, tuple):
        for position, inner in enumerate(part):
            yield from _constraints_in(inner, f"{path}.{position}", above)
