"""Queries over one table: built step by step, run at the end.

Floor 2, `functions`. A query is lazy and used once, like an iterator: each step hands its state on, and the
last one reads. The transaction below returns encoded documents one by one and counts what was consumed, so
`take(10)` depends on ten rows.

    query(T) [.with_index(I, ...)] [.order("asc" | "desc")] [.filter(f)]*
        then  collect | take | first | unique | paginate | for

Not here: what a range means (`schema/index_range.py`), where pages end (`execution/pages.py`).
Source: semantics 3.2, 3.6.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, Generic, Literal, TypeVar

from rewake.errors import InvalidInput
from rewake.functions.field_filter import FieldFilter
from rewake.functions.pages import PaginationOptions, PaginationResult
from rewake.functions.ports import Host
from rewake.limits import QUERY_OPERATORS_MAX
from rewake.schema import (
    PLAIN_DOCUMENTS,
    Document,
    Index,
    QuerySpec,
    RangeBound,
    Schema,
    TableDefinition,
    range_bounds,
)
from rewake.values import decode_stored

T = TypeVar("T")


class InvalidQuery(InvalidInput):
    """A query was put together in a way that cannot be run."""

    code = "InvalidQuery"


class Query(Generic[T]):
    """A query that has not been run. Use each object once."""

    __slots__ = (
        "_bounds",
        "_class",
        "_field_filters",
        "_filters",
        "_has_begun",
        "_host",
        "_index",
        "_is_chained",
        "_is_exhausted",
        "_order",
        "_steps",
        "_table",
    )

    def __init__(self, host: Host, table: str, document_class: type[Any] | None) -> None:
        self._host = host
        self._table = table
        self._class = document_class
        self._index: str | None = None
        self._bounds: tuple[RangeBound, ...] = ()
        self._order: Literal["asc", "desc"] | None = None
        self._filters: tuple[Callable[[T], object], ...] = ()
        self._field_filters: tuple[FieldFilter, ...] = ()
        self._steps = 0
        self._is_chained = False
        self._has_begun = False
        self._is_exhausted = False

    def with_index(
        self, index: Index | str, bounds: Mapping[str, Any] | None = None, /, **fields: Any
    ) -> Query[T]:
        """Read along an index: values fix its first fields, one comparison may bound the next.

        `index` is the attribute of the document class, or a name (`"by_creation_time"` and `"by_id"` always
        exist). Keywords are the attributes of the class; a mapping takes dotted paths. `gt`, `gte`, `lt`,
        `lte` make comparisons.
        """
        if self._index is not None:
            raise InvalidQuery("A query can use one index. `with_index` was called twice.")
        query = self._next()
        if not isinstance(index, Index | str):
            raise InvalidQuery(
                f"`with_index` takes an index of the document class, or its name; got {index!r}."
            )
        if bounds is not None and not isinstance(bounds, Mapping):
            raise InvalidQuery(
                f"`with_index` takes bounds as keywords, or a mapping of dotted paths; got {bounds!r}."
            )
        if isinstance(index, Index):
            if index.table != self._table:
                raise InvalidQuery(
                    f'Index {index.table}.{index.name} does not belong to table "{self._table}".'
                )
            query._index = index.name
            query._bounds = index.bounds(bounds, **fields)
        else:
            query._index = index
            query._bounds = self._bounds_of(bounds, fields)
        return query

    def order(self, order: Literal["asc", "desc"], /) -> Query[T]:
        """Along the index ("asc", the default) or against it ("desc")."""
        if self._order is not None:
            raise InvalidQuery("Queries may only specify order at most once")
        if order not in ("asc", "desc"):
            raise InvalidQuery(f'The order of a query is "asc" or "desc"; got {order!r}.')
        query = self._next()
        query._order = "desc" if order == "desc" else "asc"
        return query

    def filter(
        self, condition: Callable[[T], object] | Mapping[str, Any] | None = None, /, **fields: Any
    ) -> Query[T]:
        """Keep the documents for which `condition` is true. Those dropped were read all the same: prefer an
        index.

        A function compares as Python does. Fields, as keywords or in a mapping with dotted paths, compare as
        an index does: across all types, a missing field below everything. They take values, `gt`, `gte`,
        `lt` and `lte`.
        """
        query = self._next()
        paths: Mapping[str, Any] | None = None
        if isinstance(condition, Mapping):
            paths = condition
        elif condition is not None:
            if not callable(condition):
                raise InvalidQuery(f"`filter` takes a function of a document, or fields; got {condition!r}.")
            query._filters = (*self._filters, condition)
        bounds = self._bounds_of(paths, fields)
        if bounds:
            self._check_fields(bounds)
            query._field_filters = (*self._field_filters, FieldFilter(bounds))
        return query

    def collect(self) -> list[T]:
        """All documents."""
        return self._read_pages(None) if self._is_plain else list(self)

    def take(self, count: int, /) -> list[T]:
        """The first `count` documents, or fewer."""
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise InvalidQuery("Arg 1 `n` to `take` must be a non-negative integer")
        if self._is_plain:
            return self._read_pages(count)
        return list(islice(self._begin_reading(count), count))

    def first(self) -> T | None:
        """The first document, or None."""
        found = self.take(1)
        return found[0] if found else None

    def unique(self) -> T | None:
        """The only document, or None.

        Raises:
            InvalidQuery: there are two or more.
        """
        found = self.take(2)
        if len(found) > 1:
            first, second = (_id_of(document) for document in found)
            raise InvalidQuery(
                f"unique() query returned more than one result from table {self._table}:\n"
                f" [{first}, {second}, ...]"
            )
        return found[0] if found else None

    def __iter__(self) -> Iterator[T]:
        return self._begin_reading(None)

    def paginate(self, options: PaginationOptions | Mapping[str, Any], /) -> PaginationResult[T]:
        """One page of the results, and how to go on from there.

        `options` are what the client sent as `paginationOpts`. Run again as a live query, a page keeps its
        ends, so pages never gap or overlap while documents come and go.

        Raises:
            InvalidCursor: the cursor is of another query; official hooks begin again when they see it.
        """
        self._use()
        decode, page = self._decoder(self._host.enter().schema), list[T]()

        def accept(text: str) -> bool:
            if not all(fields.accepts(text) for fields in self._field_filters):
                return False
            document = decode(text)
            is_kept = all(predicate(document) for predicate in self._filters)
            if is_kept:
                page.append(document)
            return is_kept

        ends = self._host.paginate(self._spec(), PaginationOptions.of(options), accept)
        return PaginationResult(
            page=page,
            is_done=ends.is_done,
            continue_cursor=ends.continue_cursor,
            split_cursor=ends.split_cursor,
            page_status=ends.page_status,
        )

    def _begin_reading(self, count: int | None) -> Iterator[T]:
        """Check the query, also where nothing will be taken; reading begins with the first step."""
        self._use()
        run = self._host.enter()
        decode, spec = self._decoder(run.schema), self._spec()
        reads = run.transaction.system if spec.table[:1] == "_" else run.transaction
        # With a filter nobody knows how many documents `count` takes.
        is_filtered = self._filters or self._field_filters
        return self._read(reads.scan(spec, limit_hint=None if is_filtered else count), decode)

    @property
    def _is_plain(self) -> bool:
        """Whether every document that is read is given out, seen by no condition of the author's."""
        return not self._filters and not self._field_filters and self._table[:1] != "_"

    def _read_pages(self, count: int | None) -> list[T]:
        """All documents, or the first `count`, of a plain query."""
        self._use()
        run = self._host.enter()
        definition = self._definition(run.schema)
        codec = PLAIN_DOCUMENTS if definition is None else definition.codec
        documents = list[T]()
        for texts in run.transaction.scan_pages(self._spec(), count):
            documents += codec.decode_page(texts)
            self._host.enter()
        self._is_exhausted = count is None or len(documents) < count
        return documents

    def _spec(self) -> QuerySpec:
        return QuerySpec(self._table, self._index, self._bounds, self._order or "asc")

    def _read(self, texts: Iterator[str], decode: Callable[[str], Any]) -> Iterator[T]:
        for text in texts:
            if self._field_filters and not all(fields.accepts(text) for fields in self._field_filters):
                continue
            document = decode(text)
            if not self._filters or all(predicate(document) for predicate in self._filters):
                yield document
                # An iterator that outlived its run must not go on reading.
                self._host.enter()
        self._is_exhausted = True

    def _bounds_of(
        self, paths: Mapping[str, Any] | None, fields: Mapping[str, Any]
    ) -> tuple[RangeBound, ...]:
        """What was given as stored paths and as attributes, as bounds on stored paths."""
        definition = self._host.enter().schema.tables.get(self._table)
        if definition is not None:
            return definition.bounds(paths or {}) + definition.bounds(fields)
        named = {_system_name(name): value for name, value in fields.items()}
        return range_bounds(paths or {}) + range_bounds(named)

    def _check_fields(self, bounds: tuple[RangeBound, ...]) -> None:
        """Refuse a field that no document of the class has: it would be missing in all of them."""
        definition = self._host.enter().schema.tables.get(self._table)
        if definition is None or definition.document_class is None:
            return
        for bound in bounds:
            if not definition.has_field(bound.field):
                kind = definition.document_class.__name__
                raise InvalidQuery(f'`filter` was given "{bound.field}", and {kind} has no such field.')

    def _decoder(self, schema: Schema) -> Callable[[str], Any]:
        definition = self._definition(schema)
        return decode_stored if definition is None else definition.codec.decode

    def _definition(self, schema: Schema) -> TableDefinition | None:
        """The table whose class the documents are to be of; None where they are to be dicts."""
        if self._class is None:
            return None
        definition = schema.tables.get(self._table)
        if definition is None or definition.document_class is not self._class:
            raise InvalidQuery(
                f"The class {self._class.__name__} is not the one that this project's schema has for "
                f'table "{self._table}". Import it from schema.py.'
            )
        return definition

    def _use(self) -> None:
        if self._is_chained:
            raise InvalidQuery("This query has been chained with another operator and can't be reused.")
        if self._is_exhausted:
            raise InvalidQuery("This query is closed and can't emit any more values.")
        if self._has_begun:
            raise InvalidQuery("Iteration can only begin on a query once.")
        self._has_begun = True

    def _next(self) -> Query[T]:
        if self._is_chained or self._has_begun:
            raise InvalidQuery(
                "A query can only be chained once and can't be chained after iteration begins."
            )
        if self._steps == QUERY_OPERATORS_MAX:
            raise InvalidQuery(f"Can't construct query with more than {QUERY_OPERATORS_MAX} operators")
        self._is_chained = True
        query: Query[T] = Query(self._host, self._table, self._class)
        query._index, query._bounds = self._index, self._bounds
        query._order, query._filters = self._order, self._filters
        query._field_filters = self._field_filters
        query._steps = self._steps + 1
        return query


def _system_name(name: str) -> str:
    return {"id": "_id", "creation_time": "_creationTime"}.get(name, name)


def _id_of(document: object) -> object:
    return document.id if isinstance(document, Document) else document["_id"]  # type: ignore[index]
