"""Queries over one table: built step by step, run at the end.

Floor 2, `functions`. A query is lazy and used once, like an iterator: each step hands its state on, and the
last one reads. The transaction below returns encoded documents one by one and counts what was consumed, so
`take(10)` depends on ten rows.

    query(T) [.with_index(I, ...)] [.order("asc" | "desc")] [.filter(f)]*  then  collect | take | first |
    unique | for

Not here: what a range means (`schema/index_range.py`), pages (a later issue).
Source: semantics 3.2.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, Literal, TypeVar

from rewake.errors import InvalidInput
from rewake.functions.ports import Host
from rewake.schema import Document, Index, QuerySpec, RangeBound, range_bounds
from rewake.values import decode_stored

T = TypeVar("T")


class InvalidQuery(InvalidInput):
    """A query was put together in a way that cannot be run."""

    code = "InvalidQuery"


class Query(Generic[T]):
    """A query that has not been run. Use each object once."""

    __slots__ = ("_bounds", "_class", "_filters", "_host", "_index", "_order", "_table", "_used")

    def __init__(self, host: Host, table: str, document_class: type[Any] | None) -> None:
        self._host = host
        self._table = table
        self._class = document_class
        self._index: str | None = None
        self._bounds: tuple[RangeBound, ...] = ()
        self._order: Literal["asc", "desc"] | None = None
        self._filters: tuple[Callable[[T], object], ...] = ()
        self._used = False

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
        if isinstance(index, Index):
            if index.table != self._table:
                raise InvalidQuery(
                    f'Index {index.table}.{index.name} does not belong to table "{self._table}".'
                )
            query._index = index.name
            query._bounds = index.bounds(bounds, **fields)
        else:
            query._index = index
            definition = self._host.table(self._table)
            query._bounds = (
                definition.bounds({**(bounds or {}), **fields})
                if definition is not None
                else range_bounds(
                    {**(bounds or {}), **{_system_name(name): value for name, value in fields.items()}}
                )
            )
        return query

    def order(self, order: Literal["asc", "desc"], /) -> Query[T]:
        """Along the index ("asc", the default) or against it ("desc")."""
        if self._order is not None:
            raise InvalidQuery("Queries may only specify order at most once")
        if order not in ("asc", "desc"):
            raise InvalidQuery(f'The order of a query is "asc" or "desc"; got {order!r}.')
        query = self._next()
        query._order = order
        return query

    def filter(self, predicate: Callable[[T], object], /) -> Query[T]:
        """Keep the documents for which `predicate` is true. Those dropped were read all the same: prefer an
        index.
        """
        query = self._next()
        query._filters = (*self._filters, predicate)
        return query

    def collect(self) -> list[T]:
        """All documents."""
        return list(self)

    def take(self, count: int, /) -> list[T]:
        """The first `count` documents, or fewer."""
        if isinstance(count, bool) or not isinstance(count, int) or count < 0:
            raise InvalidQuery("Arg 1 `n` to `take` must be a non-negative integer")
        taken: list[T] = []
        if count == 0:
            self._use()
            return taken
        for document in self._begin_reading(count):
            taken.append(document)
            if len(taken) == count:
                break
        return taken

    def first(self) -> T | None:
        """The first document, or None."""
        return next(self._begin_reading(1), None)

    def unique(self) -> T | None:
        """The only document, or None.

        Raises:
            InvalidQuery: there are two or more.
        """
        found = self.take(2)
        if len(found) > 1:
            ids = ", ".join(str(_id_of(document)) for document in found)
            raise InvalidQuery(
                f"unique() query returned more than one result from table {self._table}:\n [{ids}]"
            )
        return found[0] if found else None

    def __iter__(self) -> Iterator[T]:
        return self._begin_reading(None)

    def _begin_reading(self, count: int | None) -> Iterator[T]:
        self._use()
        spec = QuerySpec(self._table, self._index, self._bounds, self._order or "asc")
        # With a filter nobody knows how many documents `count` takes.
        return self._read(spec, None if self._filters else count)

    def _read(self, spec: QuerySpec, limit_hint: int | None) -> Iterator[T]:
        decode: Callable[[str], Any] = decode_stored
        if self._class is not None:
            definition = self._host.table(self._table)
            if definition is None or definition.document_class is not self._class:
                raise InvalidQuery(
                    f"The class {self._class.__name__} is not the one that this project's schema has for "
                    "table "
                    f'"{self._table}". Import it from schema.py.'
                )
            decode = definition.codec.decode
        for text in self._host.transaction.scan(spec, limit_hint=limit_hint):
            document = decode(text)
            if all(predicate(document) for predicate in self._filters):
                yield document
                # An iterator that outlived its run must not go on reading.
                self._host.check_open()

    def _use(self) -> None:
        if self._used:
            raise InvalidQuery("Iteration can only begin on a query once.")
        self._used = True

    def _next(self) -> Query[T]:
        if self._used:
            raise InvalidQuery(
                "A query can only be chained once and can't be chained after iteration begins."
            )
        self._used = True
        query: Query[T] = Query(self._host, self._table, self._class)
        query._index, query._bounds = self._index, self._bounds
        query._order, query._filters = self._order, self._filters
        return query


def _system_name(name: str) -> str:
    return {"id": "_id", "creation_time": "_creationTime"}.get(name, name)


def _id_of(document: object) -> object:
    return document.id if isinstance(document, Document) else document["_id"]  # type: ignore[index]
