"""What may happen, as Hypothesis strategies: schemas, documents, queries and the steps of mutations.

One example is painted with a few values only (`Palette`), so that documents, bounds and literals meet.
"""

from __future__ import annotations

import struct
from typing import Any

from hypothesis import strategies as st

from rewake.values import UNSET, Int64
from tests.model.application import ODDITIES
from tests.model.order import KINDS, at_path
from tests.model.reference import Reference
from tests.model.shapes import ANY, LITERALS, IndexShape, Kind, SchemaShape, TableShape

TABLES = ("ants", "bees", "cows")
FIELDS = ("a", "b", "n", "r")
PATHS = ("a", "b", "n.x", "n.x.z", "r")
INDEXES = ("by_one", "by_two", "by_three", "by_four")

_LONG = "k" * 2_600
"""Longer than the 2500 bytes of an index key that other engines keep."""


def _double(bits: int) -> float:
    number: float = struct.unpack(">d", struct.pack(">Q", bits))[0]
    return number


VALUES: list[Any] = [
    None, True, False, Int64(1 - 2**63), Int64(-1), Int64(0), Int64(1), Int64(2**63 - 1),
    0.0, -0.0, 1.0, -1.5, 1e300, 5e-324, float("inf"), float("-inf"),
    _double(0x7FF8_0000_0000_0000), _double(0xFFF8_0000_0000_0000), _double(0x7FF0_0000_0000_0001),
    "", "a", "ab", "b", "\x00", "a\x00", "é", "\uffff", "\U0001f600", _LONG, _LONG + "a", _LONG + "b",
    b"", b"\x00", b"\xff", b"k" * 2_600, [], [1.0], [1.0, "a"], [[]], [None, [Int64(1)]],
    {}, {"x": 1.0}, {"x": "a", "y": None}, {"x": {"z": 1.0}}, {"": "", "a b": [{}]},
]  # fmt: skip


class Palette:
    """The few values that one example is painted with."""

    def __init__(self, chosen: list[Any]) -> None:
        self.chosen = chosen
        self.values = st.sampled_from(chosen)

    def __repr__(self) -> str:
        return f"Palette({self.chosen!r})"

    def values_of(self, reference: Reference) -> st.SearchStrategy[Any]:
        """The values, and the ids that there are."""
        slots = reference.slots[-8:]
        return st.one_of(self.values, self.values, st.sampled_from(slots)) if slots else self.values

    def documents(self, reference: Reference) -> st.SearchStrategy[dict[str, Any]]:
        """Documents of any content."""
        values = self.values_of(reference)
        inner = st.fixed_dictionaries({"x": values}, optional={"y": values})
        return st.fixed_dictionaries(
            {"a": values},
            optional={"b": values, "n": st.one_of(values, inner), "r": st.one_of(values, st.lists(values))},
        )


palettes = st.lists(st.sampled_from(range(len(VALUES))), min_size=2, max_size=5, unique=True).map(
    lambda places: Palette([VALUES[place] for place in places])
)
slots = st.integers(0, 20)
_tables = st.sampled_from(["ants"] * 3 + ["bees"] * 2 + ["cows"])

# Schemas.

_scalars: st.SearchStrategy[Kind] = st.sampled_from(
    [(kind,) for kind in KINDS if kind not in ("array", "object")]
)
_members: st.SearchStrategy[Kind] = st.one_of(
    _scalars,
    st.sampled_from(LITERALS).map(lambda value: ("literal", value)),
    st.sampled_from(TABLES).map(lambda table: ("id", table)),
    _scalars.map(lambda kind: ("array", kind)),
    st.just(("record", ANY)),
    st.just(("object", {"x": (ANY, True), "y": (ANY, True)})),
)
_kinds: st.SearchStrategy[Kind] = st.one_of(
    st.just(ANY), st.just(ANY), st.lists(_members, min_size=1, max_size=6).map(lambda kinds: ("union", kinds))
)
# Indexes reach into `n`, so it is something that can hold `x`, and `z` in that.
_holders: st.SearchStrategy[Kind] = st.sampled_from(
    [
        ANY,
        ("record", ANY),
        ("object", {"x": (ANY, True), "y": (ANY, True)}),
        ("union", [("null",), ("object", {"x": (ANY, False)}), ("float64",)]),
        ("union", [("object", {"x": (("record", ("float64",)), True)}), ("string",), ("bytes",)]),
    ]
)


def _objects() -> st.SearchStrategy[Kind]:
    return st.fixed_dictionaries(
        {
            name: st.tuples(_holders if name == "n" else _kinds, st.sampled_from([True, True, False]))
            for name in FIELDS
        }
    ).map(lambda fields: ("object", fields))


_documents: st.SearchStrategy[Kind] = st.one_of(
    st.just(ANY), _objects(), _objects(), st.tuples(_objects(), _objects()).map(lambda two: ("union", [*two]))
)
_indexes = st.dictionaries(
    st.sampled_from(INDEXES),
    st.builds(
        IndexShape,
        st.lists(st.sampled_from(PATHS), min_size=1, max_size=3, unique=True).map(tuple),
        st.sampled_from([False, False, False, True]),
    ),
    max_size=4,
).map(
    # Two indexes of one table must differ in their fields.
    lambda indexes: {
        name: index
        for name, index in indexes.items()
        if not any(other.path == index.path for before, other in indexes.items() if before < name)
    }
)
schemas = st.builds(
    SchemaShape,
    st.dictionaries(st.sampled_from(TABLES), st.builds(TableShape, _documents, _indexes)),
    st.sampled_from([True, True, True, False]),
)


@st.composite
def next_schemas(draw: st.DrawFn, schema: SchemaShape) -> SchemaShape:
    """A schema that may come after this one: often the same with one table declared otherwise."""
    other = draw(schemas)
    if not schema.tables or draw(st.booleans()):
        return other
    name = draw(st.sampled_from(sorted(schema.tables)))
    table, fresh = schema.tables[name], draw(st.builds(TableShape, _documents, _indexes))
    what = draw(st.sampled_from(["indexes", "indexes", "documents", "nothing"]))
    if what == "indexes":
        kept = {index: shape for index, shape in fresh.indexes.items() if _has(table.document, shape.path)}
        table = TableShape(table.document, kept)
    elif what == "documents":
        kept = {index: shape for index, shape in table.indexes.items() if _has(fresh.document, shape.path)}
        table = TableShape(fresh.document, kept)
    return SchemaShape({**schema.tables, name: table}, schema.validates)


def _has(document: Kind, path: tuple[str, ...]) -> bool:
    """Whether an index on these fields may be declared; `can_be_pushed` looks more closely."""
    return all(can_hold(document, name.split(".")) for name in path)


def can_hold(kind: Kind, path: list[str]) -> bool:
    """Whether a value that a validator accepts can have something at a path (2.4)."""
    if kind[0] == "union":
        return any(can_hold(member, path) for member in kind[1])
    if not path or kind[0] == "any":
        return True
    if kind[0] == "object":
        return path[0] in kind[1] and can_hold(kind[1][path[0]][0], path[1:])
    return kind[0] == "record" and can_hold(kind[1], path[1:])


def can_be_pushed(schema: SchemaShape) -> bool:
    """Whether every indexed field may exist, without which a schema is refused before it gets anywhere."""
    return not schema.validates or all(
        _has(table.document, index.path)
        for table in schema.tables.values()
        for index in table.indexes.values()
    )


# Documents that fit.


def fitting(kind: Kind, palette: Palette, reference: Reference) -> st.SearchStrategy[Any]:
    """Values that a validator accepts, from the palette where it has some."""
    name = kind[0]
    if name == "any":
        return palette.values_of(reference)
    if name == "literal":
        return st.just(kind[1])
    if name == "id":
        ids = [id for id in reference.slots if reference.table_of(id) == kind[1]]
        return st.sampled_from(ids) if ids else palette.values
    if name == "array":
        return st.lists(fitting(kind[1], palette, reference), max_size=2)
    if name == "record":
        return st.dictionaries(
            st.sampled_from(["x", "y", "z"]), fitting(kind[1], palette, reference), max_size=2
        )
    if name == "union":
        return st.one_of([fitting(member, palette, reference) for member in kind[1]])
    if name == "object":
        fields = {
            field: fitting(member, palette, reference) for field, (member, _) in sorted(kind[1].items())
        }
        optional = {field for field, (_, is_optional) in kind[1].items() if is_optional}
        return st.fixed_dictionaries(
            {field: inner for field, inner in fields.items() if field not in optional},
            optional={field: inner for field, inner in fields.items() if field in optional},
        )
    own = [value for value in palette.chosen if KINDS[name](value)]
    return st.sampled_from(own or [value for value in VALUES if KINDS[name](value)])


def contents(table: str, palette: Palette, reference: Reference) -> st.SearchStrategy[dict[str, Any]]:
    """What to put into a table: mostly what fits."""
    shape = reference.schema.tables.get(table)
    anything = palette.documents(reference)
    if shape is None or shape.document == ANY:
        return anything
    fit = fitting(shape.document, palette, reference)
    return st.one_of(fit, fit, fit, anything)


# Queries.


def _operand(draw: st.DrawFn, palette: Palette, reference: Reference, table: str, field: str) -> list[Any]:
    """What a field is compared with: mostly what a document has there."""
    documents = list(reference.tables.get(table, {}).values())
    if documents and draw(st.integers(0, 3)):
        value = at_path(draw(st.sampled_from(documents)), field)
    else:
        value = draw(palette.values_of(reference))
    return ["unset"] if value is UNSET else ["set", value]


@st.composite
def bounds(
    draw: st.DrawFn, palette: Palette, reference: Reference, table: str, path: tuple[str, ...]
) -> list[Any]:
    """Bounds as an index takes them: equal fields first, then one more from below and above; now and then
    otherwise.
    """
    equal = min(len(path), draw(st.sampled_from([0, 0, 0, 1, 1, 2])))
    made: list[Any] = [[name, "eq", _operand(draw, palette, reference, table, name)] for name in path[:equal]]
    if equal < len(path):
        for operators in (("gt", "gte"), ("lt", "lte")):
            if draw(st.integers(0, 2)) == 0:
                operand = _operand(draw, palette, reference, table, path[equal])
                made.append([path[equal], draw(st.sampled_from(operators)), operand])
    if made and draw(st.integers(0, 15)) == 0:
        made[0] = [draw(st.sampled_from(PATHS)), "eq", ["unset"]]
        made = [each for place, each in enumerate(made) if place == 0 or each[0] != made[0][0]]
    return made


def _path(reference: Reference, table: str, index: str | None) -> tuple[str, ...]:
    if index is None:
        return ()
    if index == "by_id":
        return ("_id",)
    shape = reference.schema.tables.get(table)
    declared = shape.indexes[index].path if shape is not None and index in shape.indexes else ()
    return (*declared, "_creationTime", "_id")


@st.composite
def scans(draw: st.DrawFn, palette: Palette, reference: Reference, kinds: tuple[str, ...]) -> dict[str, Any]:
    """A query over one table, now and then along an index that is not there."""
    table = draw(_tables)
    shape = reference.schema.tables.get(table, TableShape())
    declared = sorted(shape.indexes)
    index = draw(
        st.sampled_from([None, "by_creation_time", "by_id", *INDEXES[:1], *declared, *declared, *declared])
    )
    kind = draw(st.sampled_from(kinds))
    condition = st.tuples(st.sampled_from(PATHS), st.sampled_from(list(KINDS))).map(list)
    asked: dict[str, Any] = {
        "kind": kind,
        "table": table,
        "index": index,
        "bounds": draw(bounds(palette, reference, table, _path(reference, table, index))),
        "order": draw(st.sampled_from([None, "asc", "desc"])),
        "filters": draw(st.one_of(st.just([]), st.just([]), st.lists(condition, min_size=1, max_size=2))),
    }
    if kind == "take":
        asked["count"] = float(draw(st.integers(0, 4)))
    elif kind == "stop early":
        asked["until"] = draw(condition)
    elif kind == "follow":
        asked |= {"link": draw(st.sampled_from(["a", "b", "r"])), "to": draw(st.sampled_from(TABLES))}
    elif kind == "page":
        asked["options"] = draw(page_options())
    return asked


@st.composite
def page_options(draw: st.DrawFn) -> dict[str, Any]:
    """The first page; `Machine.turn_page` asks for the others."""
    options: dict[str, Any] = {"numItems": float(draw(st.integers(1, 5))), "cursor": None}
    if draw(st.integers(0, 3)) == 0:
        options["maximumRowsRead"] = float(draw(st.integers(1, 6)))
    elif draw(st.integers(0, 7)) == 0:
        options["maximumBytesRead"] = 1.0
    return options


SCANS = ("collect", "first", "unique", "take", "take", "stop early", "follow")


@st.composite
def lookups(draw: st.DrawFn, reference: Reference) -> dict[str, Any]:
    """Documents by their ids."""
    ids = draw(st.lists(st.sampled_from(reference.slots), min_size=1, max_size=3))
    if draw(st.booleans()):
        return {"kind": "get many", "table": None, "ids": ids}
    tables = [reference.owners[ids[0]][0], reference.owners[ids[0]][0], draw(st.sampled_from(TABLES))]
    return {"kind": "get", "table": draw(st.sampled_from(tables)), "ids": ids[:1]}


def questions(palette: Palette, reference: Reference) -> st.SearchStrategy[dict[str, Any]]:
    """Every kind of query, pages and nested ones included."""
    scan = scans(palette, reference, SCANS)
    simple = [scan, scan, scan, *([lookups(reference)] if reference.owners else [])]
    several = st.lists(st.one_of(*simple), min_size=1, max_size=3).map(
        lambda parts: {"kind": "several", "parts": parts}
    )
    pages = scans(palette, reference, ("page",))
    return st.one_of(*simple, pages, pages, several)


# Mutations.


@st.composite
def fillings(draw: st.DrawFn, palette: Palette, reference: Reference) -> list[Any]:
    """A mutation that does nothing but insert."""
    made = []
    for _ in range(draw(st.sampled_from([1, 4, 5, 6]))):
        table = draw(_tables)
        made.append(["insert", table, draw(contents(table, palette, reference))])
    return made


@st.composite
def steps(draw: st.DrawFn, palette: Palette, reference: Reference, depth: int = 2) -> list[Any]:
    """The steps of one mutation, the last of which may be to fail."""
    made = [draw(_step(palette, reference, depth)) for _ in range(draw(st.integers(1, 4)))]
    return [*made, ["fail"]] if draw(st.integers(0, 5)) == 0 else made


@st.composite
def _step(draw: st.DrawFn, palette: Palette, reference: Reference, depth: int) -> list[Any]:
    verbs = ["insert"] * 6 + ["patch"] * 3 + ["replace"] * 2 + ["delete"] * 2
    verbs += ["insert odd", "get", "look", "ask", "sweep"] + (["nest"] * 2 if depth else [])
    verb = draw(st.sampled_from(verbs))
    table = draw(_tables)
    if verb == "insert":
        return [verb, table, draw(contents(table, palette, reference))]
    if verb == "insert odd":
        return [verb, table, draw(st.sampled_from(sorted(ODDITIES)))]
    if verb == "nest":
        return [verb, draw(steps(palette, reference, depth - 1))]
    if verb == "look":
        return [verb, draw(scans(palette, reference, SCANS))]
    if verb == "ask":
        return [verb, draw(questions(palette, reference))]
    fields = st.dictionaries(
        st.sampled_from(FIELDS),
        st.one_of(
            palette.values_of(reference).map(lambda value: ["set", value]),
            palette.values.map(lambda value: ["set", {"x": value}]),
            st.just(["unset"]),
        ),
        min_size=1,
        max_size=2,
    )
    if verb == "sweep":
        return [verb, draw(scans(palette, reference, ("collect",))), draw(fields), 6.0]
    slot, form = draw(slots), draw(st.sampled_from([None, None, None, *TABLES]))
    if verb == "patch":
        system = st.sampled_from([{"_id": ["set", "x"]}, {"_creationTime": ["set", 1.0]}])
        return [verb, slot, draw(system if draw(st.integers(0, 15)) == 0 else fields), form]
    if verb == "replace":
        return [verb, slot, draw(contents(table, palette, reference)), form]
    return [verb, slot, form]
