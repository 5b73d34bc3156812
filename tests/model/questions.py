"""Queries, answered by sorting every document of the table (semantics 3).

`look` gives the answer and what was read for it: which stretch of the index was consumed up to the last
document that was looked at, where one was looked up by its id, and which names were asked for.

A page is pinned by where it ended when it was first run (3.6); `Looked.pin` is that end. Cursors are opaque
and the engine's own: what each means is remembered when the engine first gives it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.model.application import passes
from tests.model.order import Doc, Key, Value, at_path, given, order_key, place_of
from tests.model.reads import Reads, Stretch, point
from tests.model.shapes import SchemaShape, TableOf

_IMPLICIT = ("_creationTime", "_id")
_SPLIT_SHARE = 3 / 4


@dataclass(frozen=True)
class Sight:
    """A state of the database."""

    schema: SchemaShape
    tables: dict[str, dict[str, Doc]]
    made: set[str]
    table_of: TableOf


@dataclass(frozen=True)
class Position:
    """A place between two documents in the results of one query. `after` None is the end."""

    query: Value
    after: Key | None


@dataclass
class Looked:
    """What a query came to."""

    answer: Value
    reads: Reads = field(default_factory=Reads)
    pin: Position | None = None
    """Of a page: its end."""


class Questions:
    """Answers queries, and remembers what the cursors mean that the engine gave out."""

    def __init__(self) -> None:
        self.positions: dict[str, Position] = {}
        self.cursors: dict[Position, str] = {}

    def look(self, sight: Sight, asked: Value, *, pin: Position | None = None, heard: Value = None) -> Looked:
        """Answer a query. `heard` is the engine's answer: a page takes new cursors from it.

        `pin` is where the page ended when it was first run.
        """
        kind = asked["kind"]
        if kind in ("get", "get many"):
            return _get(sight, asked)
        if kind == "several":
            looked = Looked(["value", []])
            for part in asked["parts"]:
                inner = self.look(sight, part)
                looked.answer[1].append(inner.answer)
                looked.reads.add(inner.reads)
            return looked
        reads = Reads()
        path = path_of(sight, asked, reads)
        if isinstance(path, str):
            return Looked(["error", path], reads)
        if kind == "take" and asked["count"] == 0:
            return Looked(["value", []], reads)  # Table, index and range are checked, and nothing is read.
        if kind == "page":
            return self._page(sight, asked, reads, path=path, pin=pin, heard=heard)
        return _scan(sight, asked, path, reads)

    def _page(
        self,
        sight: Sight,
        asked: Value,
        reads: Reads,
        *,
        path: tuple[str, ...],
        pin: Position | None,
        heard: Value,
    ) -> Looked:
        options, query = asked["options"], _query_key(asked, path)
        start = self.positions.get(options["cursor"]) if options["cursor"] is not None else None
        end = self.positions.get(options["endCursor"]) if options.get("endCursor") is not None else pin
        for position, text in ((start, options["cursor"]), (end, options.get("endCursor"))):
            if (position is not None and position.query != query) or (position is None and text is not None):
                return Looked(["error", "InvalidCursor"], reads)
        if start is not None and start.after is None:
            return self._told(Looked(["value", [], True], reads, start), None, None, heard)
        is_left = in_range(path, asked["bounds"])
        is_left = _both(is_left, _beyond(start.after, asked["order"]) if start is not None else None)
        if end is not None and end.after is not None:
            is_left = _both(is_left, _up_to(end.after, asked["order"]))
        page = _Page(options if end is None else None)
        for document, passed in scanned(sight, asked, path, is_left):
            if page.is_over:
                break
            page.take(document, place_of(document, path), is_kept=passed)
        else:
            # No document was left. But a page that is full, or may read no more, does not look for that.
            page.is_exhausted = not page.is_over
        if end is None:
            end = Position(query, None if page.is_exhausted else page.places[-1])
        last = None if page.is_exhausted else page.places[-1]
        reads.stretches.append(Stretch(asked["table"], path, _consumed(is_left, last, asked["order"])))
        middle = page.middle
        return self._told(
            Looked(["value", page.kept, end.after is None], reads, end),
            None if middle is None else Position(query, middle),
            page.status,
            heard,
        )

    def _told(self, looked: Looked, middle: Position | None, status: str | None, heard: Value) -> Looked:
        """Finish the answer of a page with the engine's words for its positions."""
        assert looked.pin is not None
        texts = heard[3:5] if heard is not None and heard[0] == "value" else (None, None)
        looked.answer += [self._cursor(looked.pin, texts[0]), self._cursor(middle, texts[1]), status]
        return looked

    def _cursor(self, position: Position | None, heard: str | None) -> str | None:
        """The text that stands for a position; it is the engine's, and from then on always the same."""
        if position is None:
            return None
        if position not in self.cursors and heard is not None:
            known = self.positions.setdefault(heard, position)
            assert known == position, f"the cursor {heard} means {known} and {position}"
            self.cursors[position] = heard
        return self.cursors.get(position)


class _Page:
    """What a page has taken so far. `options` are None where its end is known."""

    def __init__(self, options: Value) -> None:
        self.options = options
        self.kept: list[Doc] = []
        self.kept_places: list[Key] = []
        self.places: list[Key] = []
        self.is_exhausted = False
        # A byte is less than any document has, so a bound of one byte is a bound of one document.
        limited = options is not None
        self.rows_max = (
            min(options.get("maximumRowsRead") or 1e9, options.get("maximumBytesRead") or 1e9)
            if limited
            else 1e9
        )

    @property
    def is_full(self) -> bool:
        return self.options is not None and len(self.kept) >= self.options["numItems"]

    @property
    def is_over(self) -> bool:
        return self.is_full or len(self.places) >= self.rows_max

    @property
    def status(self) -> str | None:
        if self.is_over and not self.is_full:
            return "SplitRequired"
        return "SplitRecommended" if len(self.places) > _SPLIT_SHARE * self.rows_max else None

    @property
    def middle(self) -> Key | None:
        """As many documents before as behind it, where there are three; for a page that was cut, always."""
        places = self.kept_places
        if len(places) < 3:
            places = self.places if self.status == "SplitRequired" else []
        return places[(len(places) - 1) // 2] if places else None

    def take(self, document: Doc, place: Key, *, is_kept: bool) -> None:
        self.places.append(place)
        if is_kept:
            self.kept.append(document)
            self.kept_places.append(place)


def _get(sight: Sight, asked: Value) -> Looked:
    """Documents by their ids. One `get` says its table, `get many` does not."""
    reads, found = Reads(), []
    for id in asked["ids"]:
        table = sight.table_of(id)
        if table is not None and asked["table"] not in (None, table):
            return Looked(["error", "InvalidArgument"], reads)
        if table is not None:
            reads.stretches.append(point(table, id))
        found.append(None if table is None else sight.tables[table].get(id))
    return Looked(["value", found[0] if asked["kind"] == "get" else found], reads)


def _scan(sight: Sight, asked: Value, path: tuple[str, ...], reads: Reads) -> Looked:
    kind = asked["kind"]
    wanted = {"first": 1, "unique": 2, "take": asked.get("count")}.get(kind)
    is_inside = in_range(path, asked["bounds"])
    taken: list[Any] = []
    last: Key | None = None
    for document, passed in scanned(sight, asked, path, is_inside):
        if not passed:
            continue
        taken.append(document)
        if kind == "follow":
            taken[-1] = [document, _followed(sight, asked, document, reads)]
        if len(taken) == wanted or (kind == "stop early" and passes(asked["until"], document)):
            last = place_of(document, path)
            break
    reads.stretches.append(Stretch(asked["table"], path, _consumed(is_inside, last, asked["order"])))
    if kind == "unique" and len(taken) > 1:
        return Looked(["error", "InvalidQuery"], reads)
    if kind in ("first", "unique"):
        return Looked(["value", taken[0] if taken else None], reads)
    return Looked(["value", taken], reads)


def _followed(sight: Sight, asked: Value, document: Doc, reads: Reads) -> Doc | None:
    link = at_path(document, asked["link"])
    if not isinstance(link, str):
        return None
    reads.names.add(("table", asked["to"]))
    if sight.table_of(link) != asked["to"]:
        return None
    reads.stretches.append(point(asked["to"], link))
    return sight.tables[asked["to"]].get(link)


def path_of(sight: Sight, asked: Value, reads: Reads | None = None) -> tuple[str, ...] | str:
    """The fields of the index that a query goes along, or the code of the error that there is."""
    table, index = asked["table"], asked["index"]
    reads = Reads() if reads is None else reads
    reads.names.add(("table", table))
    path: tuple[str, ...] = ("_id",) if index == "by_id" else _IMPLICIT
    if index not in (None, "by_id", "by_creation_time"):
        if table in sight.made:
            reads.names.add(("index", table, index))
        shape = sight.schema.tables.get(table)
        if shape is None or index not in shape.indexes:
            return "IndexNotFoundError"
        if shape.indexes[index].is_staged:
            return "IndexStaged"
        path = (*shape.indexes[index].path, *_IMPLICIT)
    return path if index is None or _in_order(path, asked["bounds"]) else "InvalidIndexRange"


def scanned(
    sight: Sight, asked: Value, path: tuple[str, ...], is_inside: Callable[[Key], bool]
) -> Iterator[tuple[Doc, bool]]:
    """The documents in a stretch, in order, each with whether it passes the filters."""
    documents = sorted(sight.tables.get(asked["table"], {}).values(), key=lambda each: place_of(each, path))
    if asked["order"] == "desc":
        documents.reverse()
    for document in documents:
        if is_inside(place_of(document, path)):
            yield document, all(passes(condition, document) for condition in asked["filters"])


def _in_order(path: tuple[str, ...], bounds: Sequence[Value]) -> bool:
    """Whether bounds are equal for the first fields of an index, and for nothing but the next one besides."""
    equal = {name for name, operator, _ in bounds if operator == "eq"}
    others = [(name, operator[0]) for name, operator, _ in bounds if operator != "eq"]
    return (
        equal == set(path[: len(equal)])
        and len(others) == len(set(others))
        and {name for name, _ in others} <= set(path[len(equal) : len(equal) + 1])
    )


def in_range(path: tuple[str, ...], bounds: Sequence[Value]) -> Callable[[Key], bool]:
    """Bounds are (field, operator, ["set", value] or ["unset"])."""
    tests: list[tuple[int, str, Key]] = [
        (path.index(name), operator, order_key(given(bound))) for name, operator, bound in bounds
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


def _consumed(is_inside: Callable[[Key], bool], last: Key | None, order: str | None) -> Callable[[Key], bool]:
    """What was read of a stretch: up to the last document, or all of it."""
    return is_inside if last is None else _both(is_inside, _up_to(last, order))


def _up_to(last: Key, order: str | None) -> Callable[[Key], bool]:
    return (lambda place: place >= last) if order == "desc" else (lambda place: place <= last)


def _beyond(after: Key | None, order: str | None) -> Callable[[Key], bool]:
    assert after is not None
    return (lambda place: place < after) if order == "desc" else (lambda place: place > after)


def _both(one: Callable[[Key], bool], other: Callable[[Key], bool] | None) -> Callable[[Key], bool]:
    return one if other is None else lambda place: one(place) and other(place)


def _query_key(asked: Value, path: tuple[str, ...]) -> Value:
    """What a cursor is bound to."""
    bounds = sorted((name, operator, order_key(given(bound))) for name, operator, bound in asked["bounds"])
    index = asked["index"] or "by_creation_time"
    return (asked["table"], index, path, tuple(bounds), asked["order"] or "asc")
