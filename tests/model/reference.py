"""The reference: what the database means, in dicts and sorting, without an index in sight.

Everything is written again from the words of semantics 1, 2.2, 3 and 4 and shares no code with the house
but the value types and the encoding that answers are compared in.

    order_key(value)          the total order (3.5)
    Reference.perform(steps)  one mutation, checked step by step against what the engine answered
    Reference.look(query)     one query: its answer, and what it read (`Reads`)
    Reads.touched_by(change)  whether a change must wake it (5.2)

Steps, queries and answers are plain values, so that they can be sent to the functions of `application.py`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from rewake.values import UNSET, Int64, encode

Value = Any
Doc = dict[str, Value]
Key = tuple[Any, ...]

KINDS: dict[str, Callable[[Value], bool]] = {
    "null": lambda value: value is None,
    "int64": lambda value: isinstance(value, Int64),
    "float64": lambda value: isinstance(value, float),
    "boolean": lambda value: isinstance(value, bool),
    "string": lambda value: isinstance(value, str),
    "bytes": lambda value: isinstance(value, bytes),
    "array": lambda value: isinstance(value, list),
}


def order_key(value: Value) -> Key:
    """A key that Python sorts as 3.5 orders values."""
    if value is UNSET:
        return (0,)
    if value is None:
        return (1,)
    if isinstance(value, bool):
        return (4, value)
    if isinstance(value, Int64):
        return (2, int(value))
    if isinstance(value, float):
        [bits] = struct.unpack(">Q", struct.pack(">d", value))
        return (3, ~bits & (2**64 - 1) if bits >> 63 else bits | 1 << 63)
    if isinstance(value, str):
        return (5, value.encode())
    if isinstance(value, bytes):
        return (6, value)
    if isinstance(value, list):
        return (7, tuple(order_key(item) for item in value))
    return (8, tuple(sorted((name.encode(), order_key(item)) for name, item in value.items())))


def at_path(document: Doc, path: str) -> Value:
    """The value at a dotted path, UNSET where there is none."""
    value: Value = document
    for name in path.split("."):
        if not isinstance(value, dict) or name not in value:
            return UNSET
        value = value[name]
    return value


@dataclass(frozen=True)
class TableShape:
    """How a schema declares a table. `fields` None takes any document; else by field (kinds, optional?)."""

    fields: Mapping[str, tuple[tuple[str, ...], bool]] | None = None
    indexes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def accepts(self, document: Doc) -> bool:
        """Whether a document without its system fields fits."""
        if self.fields is None:
            return True
        if not document.keys() <= self.fields.keys():
            return False
        for name, (kinds, is_optional) in self.fields.items():
            if name not in document:
                if not is_optional:
                    return False
            elif kinds and not any(KINDS[kind](document[name]) for kind in kinds):
                return False
        return True


@dataclass(frozen=True)
class Change:
    """What one mutation made of one document, from before it to after it."""

    table: str
    old: Doc | None
    new: Doc | None


@dataclass(frozen=True)
class Reads:
    """What one query run consumed: a stretch of one index of one table."""

    table: str
    path: tuple[str, ...]
    """The fields of the index, the implicit ones included."""
    is_inside: Callable[[Key], bool]

    def touched_by(self, change: Change) -> bool:
        """Whether the old or the new place of the document lies in the stretch."""
        if change.table != self.table:
            return False
        return any(
            document is not None and self.is_inside(place_of(document, self.path))
            for document in (change.old, change.new)
        )


def place_of(document: Doc, path: Sequence[str]) -> Key:
    """Where a document stands in an index."""
    return tuple(order_key(at_path(document, name)) for name in path)


class Failed(Exception):
    """A mutation that says no: everything that it wrote is undone."""


class Reference:
    """Tables as dicts from id to document."""

    def __init__(self) -> None:
        self.shapes: dict[str, TableShape] = {}
        self.tables: dict[str, dict[str, Doc]] = {}
        self.slots: list[tuple[str, str]] = []
        """Every document that was ever made, undone ones too: (table, id). Steps name them by place."""

    # Schema.

    def takes(self, shapes: Mapping[str, TableShape]) -> bool:
        """Whether the documents that there are fit."""
        return all(
            shape.accepts(_without_system(document))
            for name, shape in shapes.items()
            for document in self.tables.get(name, {}).values()
        )

    # Mutations.

    def perform(self, steps: Sequence[Value], answers: Sequence[Value]) -> list[Change]:
        """One mutation; `answers` are the engine's, from which ids are taken. Gives what it changed.

        Raises:
            AssertionError: an answer is not the one that it must be.
        """
        before = deepcopy(self.tables)
        try:
            self._steps(steps, answers)
        except Failed:
            self.tables = before
        return list(_changes(before, self.tables))

    def _steps(self, steps: Sequence[Value], answers: Sequence[Value]) -> None:
        for number, step in enumerate(steps):
            if step[0] == "fail":
                assert number == len(answers), f"nothing is answered after a failure: {answers[number:]}"
                raise Failed
            assert number < len(answers), f"{step} was not answered"
            answer = answers[number]
            if step[0] == "nest":
                self._nest(step, answer)
                continue
            expected = self._step(step, answer)
            assert encode(answer) == encode(expected), f"{step}: answered {answer}, and it is {expected}"
        assert len(answers) == sum(step[0] != "fail" for step in steps)

    def _nest(self, step: Value, answer: Value) -> None:
        before = deepcopy(self.tables)
        is_undone = False
        try:
            self._steps(step[1], answer[1])
        except Failed:
            is_undone = True
            self.tables = before
        assert answer[0] == ("undone" if is_undone else "kept"), (step, answer)

    def _step(self, step: Value, answer: Value) -> Value:
        verb = step[0]
        if verb == "insert":
            return self._insert(step[1], step[2], answer)
        if verb == "scan":
            return self.answer(step[1])
        if not self.slots:
            return ["nobody"]
        table, id = self.slots[int(step[1]) % len(self.slots)]
        document = self.tables.get(table, {}).get(id)
        if verb == "get":
            return ["value", document]
        if document is None:
            return ["error", "NonexistentDocument"]
        if verb == "delete":
            del self.tables[table][id]
            return ["done"]
        system = {name: document[name] for name in ("_id", "_creationTime")}
        if verb == "replace":
            changed = dict(step[2]) | system
        else:
            assert verb == "patch"
            changed = dict(document)
            for name, given in step[2].items():
                if given[0] == "unset":
                    changed.pop(name, None)
                else:
                    changed[name] = given[1]
        if encode(changed) != encode(document):
            if not self._accepts(table, changed):
                return ["error", "SchemaEnforcementError"]
            self.tables[table][id] = changed
        return ["done"]

    def _insert(self, table: str, value: Doc, answer: Value) -> Value:
        if not self._accepts(table, value):
            return ["error", "SchemaEnforcementError"]
        assert answer[0] == "made", f"insert answered {answer}"
        _, id, creation_time = answer
        known = {other for _, other in self.slots}
        assert id not in known, "ids are never used twice"
        there = [each["_creationTime"] for table_of in self.tables.values() for each in table_of.values()]
        assert creation_time > max(there, default=0), "what is younger was created later"
        self.slots.append((table, id))
        self.tables.setdefault(table, {})[id] = dict(value) | {"_id": id, "_creationTime": creation_time}
        return answer

    def _accepts(self, table: str, document: Doc) -> bool:
        shape = self.shapes.get(table)
        return shape is None or shape.accepts(_without_system(document))

    # Queries.

    def answer(self, query: Value) -> Value:
        """What a query comes to."""
        return self.look(query)[0]

    def look(self, query: Value) -> tuple[Value, Reads | None]:
        """What a query comes to and what it read; None where it came to read nothing."""
        table, index = query["table"], query["index"]
        if "slot" in query:
            return self._look_at(query)
        path = self._path(table, index)
        if path is None:
            return ["error", "IndexNotFoundError"], None
        if not _in_order(path, query["bounds"]):
            return ["error", "InvalidIndexRange"], None
        if query["count"] == 0:
            return ["value", []], None  # No document is asked for; table, index and range are checked.
        in_range = _range_test(path, query["bounds"])
        documents = sorted(self.tables.get(table, {}).values(), key=lambda each: place_of(each, path))
        found = [document for document in documents if in_range(place_of(document, path))]
        if query["order"] == "desc":
            found.reverse()
        wanted = {"collect": None, "first": 1, "unique": 2}.get(query["end"], query.get("count"))
        taken: list[Doc] = []
        last: Key | None = None
        for document in found:
            if wanted is not None and len(taken) == wanted:
                break
            if passes(query["filter"], document):
                taken.append(document)
                last = place_of(document, path)
        is_exhausted = wanted is None or len(taken) < wanted
        reads = Reads(table, path, _consumed(in_range, None if is_exhausted else last, query["order"]))
        if query["end"] == "unique" and len(taken) > 1:
            return ["error", "InvalidQuery"], reads
        if query["end"] in ("first", "unique"):
            return ["value", taken[0] if taken else None], reads
        return ["value", taken], reads

    def _look_at(self, query: Value) -> tuple[Value, Reads | None]:
        table, id = query["table"], query["slot"]
        return (
            ["value", self.tables.get(table, {}).get(id)],
            Reads(table, ("_id",), lambda place: place == (order_key(id),)),
        )

    def _path(self, table: str, index: str | None) -> tuple[str, ...] | None:
        if index == "by_id":
            return ("_id",)
        if index in (None, "by_creation_time"):
            return ("_creationTime", "_id")
        shape = self.shapes.get(table)
        if shape is None or index not in shape.indexes:
            return None
        return (*shape.indexes[index], "_creationTime", "_id")


def passes(condition: Value, document: Doc) -> bool:
    """Whether a document passes a filter: None, or (field, kind of value)."""
    if condition is None:
        return True
    value = at_path(document, condition[0])
    return value is not UNSET and KINDS[condition[1]](value)


def _in_order(path: tuple[str, ...], bounds: Sequence[Value]) -> bool:
    """Whether bounds are equal for the first fields of an index, and for nothing but the next one besides."""
    equal = [name for name, operator, _ in bounds if operator == "eq"]
    others = {name for name, operator, _ in bounds if operator != "eq"}
    return tuple(equal) == path[: len(equal)] and others <= {path[len(equal)]}


def _range_test(path: tuple[str, ...], bounds: Sequence[Value]) -> Callable[[Key], bool]:
    """Bounds are (field, operator, ["set", value] or ["unset"])."""
    tests: list[tuple[int, str, Key]] = [
        (path.index(name), operator, order_key(given[1] if given[0] == "set" else UNSET))
        for name, operator, given in bounds
    ]

    def is_inside(place: Key) -> bool:
        for position, operator, bound in tests:
            part = place[position]
            if not {
                "eq": part == bound,
                "gt": part > bound,
                "gte": part >= bound,
                "lt": part < bound,
                "lte": part <= bound,
            }[operator]:
                return False
        return True

    return is_inside


def _consumed(in_range: Callable[[Key], bool], last: Key | None, order: str) -> Callable[[Key], bool]:
    if last is None:
        return in_range
    if order != "desc":
        return lambda place: in_range(place) and place <= last
    return lambda place: in_range(place) and place >= last


def _changes(before: dict[str, dict[str, Doc]], after: dict[str, dict[str, Doc]]) -> Iterator[Change]:
    for table in before.keys() | after.keys():
        old, new = before.get(table, {}), after.get(table, {})
        for id in old.keys() | new.keys():
            one, other = old.get(id), new.get(id)
            if one is None or other is None or encode(one) != encode(other):
                yield Change(table, one, other)


def _without_system(document: Doc) -> Doc:
    return {name: value for name, value in document.items() if name not in ("_id", "_creationTime")}
