"""The reference: what the database means, in dicts and sorting, without an index in sight.

Everything is written again from the words of semantics 1 to 5 and shares no code with the house but the
value types and the encoding that answers are compared in.

    Reference.perform(steps)  one mutation, checked step by step against what the engine answered
    Reference.look(asked)     one query: its answer, and what it read (`reads.py`)
    Reference.push(schema)    whether the schema is taken, and which names it changed

Ids and page cursors are the engine's own; the reference takes them from its answers and remembers what they
mean, so it can tell when one comes to mean something else.

Steps, queries and answers are plain values, so that they can be sent to the functions of `application.py`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rewake.values import UNSET, encode
from tests.model.application import ODDITIES, patched
from tests.model.order import SYSTEM_FIELDS, Doc, Key, Value, levels, place_of, same
from tests.model.questions import Questions, Sight, in_range, path_of, scanned
from tests.model.reads import Change, Name
from tests.model.shapes import SchemaShape

_NESTING_MAX = 16


class Failed(Exception):
    """A mutation that says no: everything that it wrote is undone."""


class Refused(Exception):
    """A step that the database refuses, by the code of its error."""


@dataclass(frozen=True)
class State:
    """What a rollback goes back to. Documents are never changed in place."""

    tables: dict[str, dict[str, Doc]]
    made: dict[str, int]


class Reference:
    """Tables as dicts from id to document."""

    def __init__(self) -> None:
        self.schema = SchemaShape()
        self.tables: dict[str, dict[str, Doc]] = {}
        self.made: dict[str, int] = {}
        """Tables that exist, with the number of the time that they came to: an undone table takes its ids
        along."""
        self.times_made = 0
        self.owners: dict[str, tuple[str, int]] = {}
        """Every id that was ever given out, undone ones too: its table, and which making of it."""
        self.questions = Questions()

    @property
    def slots(self) -> list[str]:
        """All ids, oldest first. Steps name documents by their place here."""
        return list(self.owners)

    def table_of(self, text: str) -> str | None:
        """The table that a text is an id of."""
        owner = self.owners.get(text)
        return owner[0] if owner is not None and self.made.get(owner[0]) == owner[1] else None

    @property
    def sight(self) -> Sight:
        """What queries see."""
        return Sight(self.schema, self.tables, set(self.made), self.table_of)

    def look(self, asked: Value, **options: Any) -> Any:
        """One query; see `Questions.look`."""
        return self.questions.look(self.sight, asked, **options)

    # Schema.

    def push(self, schema: SchemaShape) -> list[Name] | None:
        """Take a schema: the names that it changed, or None if a document does not fit it."""
        will_exist = self.made.keys() | schema.tables.keys()
        for name in schema.tables:
            for document in self.tables.get(name, {}).values():
                if not schema.accepts(name, document, self.table_of):
                    return None
        names: list[Name] = [("table", name) for name in will_exist - self.made.keys()]
        for name in sorted(will_exist):
            old, new = (each.tables.get(name) for each in (self.schema, schema))
            before = old.indexes if old is not None else {}
            after = new.indexes if new is not None else {}
            names.extend(
                ("index", name, index)
                for index in sorted(before.keys() | after.keys())
                if before.get(index) != after.get(index)
            )
        for name in will_exist:
            self._make(name)
        self.schema = schema
        return names

    def _make(self, table: str) -> None:
        if table not in self.made:
            self.times_made += 1
            self.made[table] = self.times_made
            self.tables[table] = {}

    # Mutations.

    def perform(
        self, steps: Sequence[Value], answers: Sequence[Value], known: Sequence[str]
    ) -> list[Change | Name]:
        """One mutation; `answers` are the engine's, from which ids are taken. Gives what it changed.

        Raises:
            AssertionError: an answer is not the one that it must be.
        """
        before = self._state()
        try:
            self._steps(steps, answers, list(known))
        except Failed:
            self._back_to(before)
        return [*_changes(before, self._state())]

    def _state(self) -> State:
        return State({name: dict(table) for name, table in self.tables.items()}, dict(self.made))

    def _back_to(self, state: State) -> None:
        self.tables = {name: dict(table) for name, table in state.tables.items()}
        self.made = dict(state.made)

    def _steps(self, steps: Sequence[Value], answers: Sequence[Value], known: list[str]) -> None:
        for number, step in enumerate(steps):
            if step[0] == "fail":
                assert number == len(answers), f"nothing is answered after a failure: {answers[number:]}"
                raise Failed
            assert number < len(answers), f"{step} was not answered"
            answer, ids = answers[number], len(self.owners)
            if step[0] == "nest":
                self._nest(step, answer, known)
            else:
                try:
                    expected = self._step(step, answer, known)
                except Refused as refusal:
                    expected = ["error", str(refusal)]
                assert encode(answer) == encode(expected), f"{step}: answered {answer}, and it is {expected}"
            known.extend(list(self.owners)[ids:])
        assert len(answers) == sum(step[0] != "fail" for step in steps)

    def _nest(self, step: Value, answer: Value, known: list[str]) -> None:
        before = self._state()
        is_undone = False
        try:
            self._steps(step[1], answer[1], list(known))
        except Failed:
            is_undone = True
            self._back_to(before)
        assert answer[0] == ("undone" if is_undone else "kept"), (step, answer)

    def _step(self, step: Value, answer: Value, known: list[str]) -> Value:
        verb = step[0]
        if verb in ("insert", "insert odd"):
            return self._insert(step[1], step[2] if verb == "insert" else ODDITIES[step[2]], answer)
        if verb in ("look", "ask"):
            return self.look(step[1], heard=answer).answer
        if verb == "sweep":
            return self._sweep(*step[1:])
        if not known:
            return ["nobody"]
        id = known[int(step[1]) % len(known)]
        table = self.table_of(id)
        if table is not None and step[-1] not in (None, table):
            raise Refused("InvalidArgument")
        if verb == "get":
            return ["value", None if table is None else self.tables[table].get(id)]
        if table is None:
            raise Refused("InvalidIdError")
        if verb == "patch":
            self._patch(table, id, patched(step[2]))
        elif verb == "replace":
            self._change(table, id, dict(step[2]))
        else:
            self._existing(table, id)
            del self.tables[table][id]
        return ["done"]

    def _existing(self, table: str, id: str) -> Doc:
        if id not in self.tables[table]:
            raise Refused("NonexistentDocument")
        return self.tables[table][id]

    def _patch(self, table: str, id: str, fields: Doc) -> None:
        changed = dict(self._existing(table, id))
        for name, value in fields.items():
            if value is UNSET:
                changed.pop(name, None)
            else:
                changed[name] = value
        self._change(table, id, changed)

    def _change(self, table: str, id: str, fields: Doc) -> None:
        document = self._existing(table, id)
        changed = {name: document[name] for name in SYSTEM_FIELDS} | fields
        if not same(changed["_id"], id):
            raise Refused("InvalidIdError")
        if not same(changed["_creationTime"], document["_creationTime"]):
            raise Refused("InvalidCreationTimeError")
        if not same(changed, document):  # What changes nothing is not checked against the schema either.
            self._enforce(table, changed)
            self.tables[table][id] = changed

    def _enforce(self, table: str, document: Doc) -> None:
        if not self.schema.accepts(table, document, self.table_of):
            raise Refused("SchemaEnforcementError")

    def _insert(self, table: str, value: Any, answer: Value) -> Value:
        if not isinstance(value, dict):
            raise Refused("InvalidArgument")
        if any(isinstance(each, set) for each in value.values()):
            raise Refused("InvalidValue")
        if any(name.startswith("$") or not name.isascii() for name in value):
            raise Refused("InvalidFieldName")
        if "_id" in value:
            raise Refused("InvalidIdError")
        if "_creationTime" in value:
            raise Refused("InvalidCreationTimeError")
        self._make(table)
        self._enforce(table, value)
        if any(name.startswith("_") for name in value):
            raise Refused("InvalidDocumentError")
        if any(isinstance(each, str) and len(each) >= 2**20 for each in value.values()):
            raise Refused("ValueTooLargeError")
        if levels(value) > _NESTING_MAX:
            raise Refused("TooNestedError")
        assert answer[0] == "made", f"insert answered {answer}"
        document = answer[1]
        id, creation_time = document["_id"], document["_creationTime"]
        assert id not in self.owners, "ids are never used twice"
        there = [each["_creationTime"] for each in self.tables.values() for each in each.values()]
        assert creation_time > max(there, default=0), "what is younger was created later"
        self.owners[id] = (table, self.made[table])
        self.tables[table][id] = value | {"_id": id, "_creationTime": creation_time}
        return ["made", self.tables[table][id]]

    def _sweep(self, asked: Value, fields: Value, count: float) -> Value:
        """A loop over a query that changes what it stands on: each step sees the state of its moment."""
        path = path_of(self.sight, asked)
        if isinstance(path, str):
            raise Refused(path)
        met: list[Any] = []
        last: Key | None = None
        while len(met) < count:
            found = next(self._beyond(asked, path, last), None)
            if found is None:
                break
            last = place_of(found, path)
            met.append(found)
            try:
                self._patch(asked["table"], found["_id"], patched(fields))
            except Refused as refusal:
                met.append(str(refusal))
                break
        return ["value", met]

    def _beyond(self, asked: Value, path: tuple[str, ...], last: Key | None) -> Iterator[Doc]:
        """What is left of a scan behind a place, filtered, as things stand now."""
        is_inside = in_range(path, asked["bounds"])
        for document, passed in scanned(self.sight, asked, path, is_inside):
            place = place_of(document, path)
            is_ahead = last is None or (place < last if asked["order"] == "desc" else place > last)
            if passed and is_ahead:
                yield document


def _changes(before: State, after: State) -> Iterator[Change | Name]:
    for table in after.made:
        if before.made.get(table) != after.made[table]:
            yield ("table", table)
        old, new = before.tables.get(table, {}), after.tables[table]
        for id in old.keys() | new.keys():
            one, other = old.get(id), new.get(id)
            if one is not other and (one is None or other is None or not same(one, other)):
                yield Change(table, one, other)
