"""The engine against the reference: random schemas, documents, queries and mutations, live queries included.

Each mutation goes to both; every step of it must come to the same. Then every live query must show what the
reference and a fresh run say, and must have woken exactly if the reference's own read set was touched: a
wake-up that was missed fails, one that was not necessary is counted and printed.

`REWAKE_MODEL_SEED=5 REWAKE_MODEL_EXAMPLES=1000` looks elsewhere, and longer. Hypothesis prints the shortest
sequence of steps that goes wrong.
"""

from __future__ import annotations

import os
from collections import Counter
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from rewake import ApplicationError
from rewake.database import ReadTransaction, SchemaMismatch
from rewake.reactivity.wake_index import WakeIndex
from rewake.schema import Schema, define_schema, define_table, v
from rewake.testing import Backend, LiveQuery
from rewake.values import UNSET, Int64, compare, encode
from tests.model import application
from tests.model.reference import KINDS, Change, Reads, Reference, TableShape, order_key

SEED = int(os.environ.get("REWAKE_MODEL_SEED", "0"))
EXAMPLES = int(os.environ.get("REWAKE_MODEL_EXAMPLES", "45"))
LIVE_MAX = 5

TABLES = ("ants", "bees")
FIELDS = ("a", "b", "n")
PATHS = ("a", "b", "n.x")
INDEXES = ("by_one", "by_two")

VALUES: list[Any] = [
    None, True, False, Int64(1 - 2**63), Int64(-1), Int64(0), Int64(1), 0.0, -0.0, 1.0, -1.5, 1e300,
    float("inf"), float("-inf"), float("nan"), "", "a", "ab", "b", "\x00", "é", "\uffff", "\U0001f600",
    b"", b"\x00", b"\xff", [], [1.0], [1.0, "a"], [[]], {}, {"x": 1.0}, {"x": "a", "y": None},
]  # fmt: skip


class Palette:
    """The few values that one example is painted with, so that documents and bounds meet."""

    def __init__(self, chosen: list[Any]) -> None:
        self.values = st.sampled_from(chosen)
        self.givens = st.one_of(self.values.map(lambda value: ["set", value]), st.just(["unset"]))
        inner = st.fixed_dictionaries({"x": self.values})
        self.documents = st.fixed_dictionaries(
            {}, optional={"a": self.values, "b": self.values, "n": st.one_of(self.values, inner)}
        )


palettes = st.lists(st.sampled_from(range(len(VALUES))), min_size=2, max_size=6, unique=True).map(
    lambda places: Palette([VALUES[place] for place in places])
)
slots = st.integers(0, 30)
kinds = st.one_of(st.just(()), st.lists(st.sampled_from(list(KINDS)), min_size=2, unique=True).map(tuple))
# The field n is of any kind: an index on n.x wants one that can be an object.
shapes = st.builds(
    TableShape,
    fields=st.one_of(
        st.none(),
        st.none(),
        st.fixed_dictionaries(
            {name: st.tuples(st.just(()) if name == "n" else kinds, st.booleans()) for name in FIELDS}
        ),
    ),
    indexes=st.dictionaries(
        st.sampled_from(INDEXES),
        st.lists(st.sampled_from(PATHS), min_size=1, max_size=3, unique=True).map(tuple),
    ).map(
        lambda indexes: {name: path for path, name in {path: name for name, path in indexes.items()}.items()}
    ),
)
schemas = st.dictionaries(st.sampled_from(TABLES), shapes)


@st.composite
def bounded(draw: st.DrawFn, palette: Palette, path: tuple[str, ...]) -> list[Any]:
    """Bounds as an index takes them: equal fields first, then at most one more from below and above."""
    equal = draw(st.integers(0, len(path)))
    bounds: list[Any] = [[name, "eq", draw(palette.givens)] for name in path[:equal]]
    if equal < len(path):
        for operators in (("gt", "gte"), ("lt", "lte")):
            if draw(st.booleans()):
                bounds.append([path[equal], draw(st.sampled_from(operators)), ["set", draw(palette.values)]])
    return bounds


@st.composite
def queries(draw: st.DrawFn, reference: Reference, palette: Palette) -> dict[str, Any]:
    """A query that the present schema allows, now and then one whose index is not there."""
    table = draw(st.sampled_from(TABLES))
    shape = reference.shapes.get(table, TableShape())
    names = [None, "by_creation_time", "by_id", *INDEXES, *shape.indexes, *shape.indexes]
    index = draw(st.sampled_from(names))
    path = shape.indexes.get(index, ()) if index is not None else ()
    end = draw(st.sampled_from(["collect", "collect", "first", "unique", "take", "take"]))
    return {
        "table": table,
        "index": index,
        "bounds": draw(bounded(palette, path)),
        "order": draw(st.sampled_from([None, "asc", "desc"])),
        "filter": draw(
            st.one_of(st.none(), st.tuples(st.sampled_from(PATHS), st.sampled_from(list(KINDS))).map(list))
        ),
        "end": end,
        "count": float(draw(st.integers(0, 3))) if end == "take" else None,
    }


def steps_for(reference: Reference, palette: Palette, depth: int = 2) -> st.SearchStrategy[list[Any]]:
    """The steps of one mutation."""
    simple = [
        st.tuples(st.just("insert"), st.sampled_from(TABLES), palette.documents),
        st.tuples(st.just("insert"), st.sampled_from(TABLES), palette.documents),
        st.tuples(
            st.just("patch"), slots, st.dictionaries(st.sampled_from(FIELDS), palette.givens, min_size=1)
        ),
        st.tuples(st.just("replace"), slots, palette.documents),
        st.tuples(st.just("delete"), slots),
        st.tuples(st.just("get"), slots),
        st.tuples(st.just("scan"), queries(reference, palette)),
    ]
    nested = [st.tuples(st.just("nest"), steps_for(reference, palette, depth - 1))] if depth else []
    return st.tuples(
        st.lists(st.one_of(*simple, *nested).map(list), min_size=1, max_size=4),
        st.sampled_from([[], [], [], [["fail"]]]),
    ).map(lambda parts: parts[0] + parts[1])


def schema_of(shapes: dict[str, TableShape]) -> Schema:
    """The engine's form of a schema."""
    builders = {
        "null": v.null, "int64": v.int64, "float64": v.float64, "boolean": v.boolean,
        "string": v.string, "bytes": v.bytes,
    }  # fmt: skip
    tables = {}
    for name, shape in shapes.items():
        fields: Any = v.any()
        if shape.fields is not None:
            fields = {}
            for field, (kinds, is_optional) in shape.fields.items():
                parts = [v.array(v.any()) if kind == "array" else builders[kind]() for kind in kinds]
                validator = v.union(*parts) if parts else v.any()
                fields[field] = v.optional(validator) if is_optional else validator
        table = define_table(fields)
        for index, path in shape.indexes.items():
            table = table.index(index, list(path))
        tables[name] = table
    return define_schema(tables)


class Watched:
    """One live query, with what the reference says that it read when it last ran."""

    def __init__(self, asked: dict[str, Any], live: LiveQuery[Any], reads: Reads | None) -> None:
        self.asked = asked
        self.live = live
        self.reads = reads
        self.wakes = live.wakes


class Engine(RuleBasedStateMachine):
    """Both, step by step."""

    counted: ClassVar[Counter[str]] = Counter()
    """Over all examples: wakes, unnecessary ones, and wakes whose answer was the same."""

    palette: Palette

    def __init__(self) -> None:
        super().__init__()
        self.reference = Reference()
        # Both tables are made at once: what becomes of the ids of a table that was undone is another story.
        self.backend = Backend.from_modules(
            application, schema=schema_of(dict.fromkeys(TABLES, TableShape()))
        )
        self.watched: list[Watched] = []

    def teardown(self) -> None:
        self.backend.close()

    @initialize(palette=palettes, shapes=schemas, data=st.data())
    def furnish(self, palette: Palette, shapes: dict[str, TableShape], data: st.DataObject) -> None:
        """Begin with a schema, some documents and two live queries."""
        self.palette = palette
        self.change_schema_to(shapes)
        self.mutate(data)
        self.watch(data)
        self.watch(data)

    @rule(data=st.data())
    def mutate(self, data: st.DataObject) -> None:
        steps = data.draw(steps_for(self.reference, self.palette), label="steps")
        known = [id for _, id in self.reference.slots]
        try:
            answers = self.backend.mutation(application.perform, steps=steps, slots=known)
        except ApplicationError as error:
            answers = error.data
        changes = self.reference.perform(steps, answers)
        self.judge_wakes(changes)

    @rule(data=st.data())
    def ask(self, data: st.DataObject) -> None:
        asked = data.draw(queries(self.reference, self.palette), label="query")
        self.same(self.backend.query(application.look, asked=asked), self.reference.answer(asked), asked)

    @precondition(lambda self: len(self.watched) < LIVE_MAX)
    @rule(data=st.data())
    def watch(self, data: st.DataObject) -> None:
        asked: dict[str, Any] = data.draw(queries(self.reference, self.palette), label="live query")
        self.begin_watching(asked)

    @precondition(lambda self: self.reference.slots and len(self.watched) < LIVE_MAX)
    @rule(slot=slots)
    def watch_document(self, slot: int) -> None:
        table, id = self.reference.slots[slot % len(self.reference.slots)]
        self.begin_watching({"table": table, "index": None, "slot": id})

    def begin_watching(self, asked: dict[str, Any]) -> None:
        live = self.backend.watch(application.look, asked=asked)
        self.watched.append(Watched(asked, live, self.reference.look(asked)[1]))

    @precondition(lambda self: self.watched)
    @rule(place=st.integers(0, LIVE_MAX))
    def stop_watching(self, place: int) -> None:
        self.watched.pop(place % len(self.watched)).live.close()

    @rule(shapes=schemas)
    def change_schema(self, shapes: dict[str, TableShape]) -> None:
        self.change_schema_to(shapes)

    def change_schema_to(self, shapes: dict[str, TableShape]) -> None:
        is_taken = self.reference.takes(shapes)
        if is_taken:
            self.backend.push_schema(schema_of(shapes))
            self.reference.shapes = dict(shapes)
        else:
            with pytest.raises(SchemaMismatch):
                self.backend.push_schema(schema_of(shapes))
        for watched in self.watched:
            # Whom a deploy wakes is not judged: the code that serves is part of what a query read.
            watched.wakes = watched.live.wakes
            watched.reads = self.reference.look(watched.asked)[1]

    @invariant()
    def live_queries_show_the_truth(self) -> None:
        for watched in self.watched:
            answer = self.reference.answer(watched.asked)
            self.same(watched.live.value, answer, watched.asked)
            self.same(self.backend.query(application.look, asked=watched.asked), answer, watched.asked)

    def judge_wakes(self, changes: list[Change]) -> None:
        for watched in self.watched:
            woken = watched.live.wakes - watched.wakes
            watched.wakes += woken
            touched = watched.reads is not None and any(watched.reads.touched_by(each) for each in changes)
            assert woken or not touched, f"{watched.asked} was not woken by {changes}"
            self.counted["wakes"] += woken
            if woken and not touched:
                self.counted["unnecessary"] += woken
            watched.reads = self.reference.look(watched.asked)[1]

    @staticmethod
    def same(answer: Any, expected: Any, asked: Any) -> None:
        assert encode(answer) == encode(expected), f"{asked}: answered {answer}, and it is {expected}"


def compare_both(examples: int, *phases: Phase) -> None:
    """Run the machine; `phases` leaves out shrinking where nobody reads the counterexample."""
    run_state_machine_as_test(
        seed(SEED)(Engine),
        settings=settings(
            max_examples=examples,
            stateful_step_count=25,
            deadline=None,
            database=None,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
            phases=phases or (Phase.generate, Phase.shrink),
        ),
    )


@pytest.mark.slow
def test_the_engine_and_the_reference_never_differ(capsys: pytest.CaptureFixture[str]) -> None:
    Engine.counted.clear()
    print(f"REWAKE_MODEL_SEED={SEED} REWAKE_MODEL_EXAMPLES={EXAMPLES}")
    compare_both(EXAMPLES)
    wakes, unnecessary = Engine.counted["wakes"], Engine.counted["unnecessary"]
    share = unnecessary / wakes if wakes else 0.0
    with capsys.disabled():
        print(f"\nmodel, seed {SEED}: {wakes} wake-ups, {unnecessary} unnecessary ({share:.1%})")


def test_a_hub_that_forgets_to_wake_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(WakeIndex, "touched", lambda self, row: set())
    with pytest.raises(AssertionError, match=r"was not woken by|and it is"):
        compare_both(20, Phase.generate)


def test_a_scan_that_stops_one_short_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    scan = ReadTransaction.scan

    def short(self: Any, *args: Any, **options: Any) -> Any:
        found = list(scan(self, *args, **options))
        return iter(found[:-1] if len(found) > 1 else found)

    monkeypatch.setattr(ReadTransaction, "scan", short)
    with pytest.raises(AssertionError, match="and it is"):
        compare_both(40, Phase.generate)


def test_the_reference_orders_as_the_house_does() -> None:
    everything = [UNSET, *VALUES]
    for one in everything:
        for other in everything:
            expected = (order_key(one) > order_key(other)) - (order_key(one) < order_key(other))
            assert compare(one, other) == expected, (one, other)
