"""Pages: what `query.paginate` takes and gives.

Floor 2, `functions`. Both cross the wire under the names that the official clients have for them, in either
`case` of a project: `usePaginatedQuery` sends the argument `paginationOpts` and reads `page`, `isDone` and
`continueCursor`.

    @query
    def list_page(ctx: QueryCtx, pagination_opts: PaginationOptions) -> PaginationResult[Message]:
        return ctx.db.query(Message).order("desc").paginate(pagination_opts)

Not here: reading a page (`execution/pages.py`).
Source: semantics 3.6; wire 6.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Generic, Literal, TypeVar

import msgspec

from rewake.errors import InvalidInput
from rewake.values import UNSET, Unset

T = TypeVar("T")
U = TypeVar("U")

PageStatus = Literal["SplitRecommended", "SplitRequired"]


class InvalidPaginationOptions(InvalidInput):
    """A page was asked for with options that cannot be."""

    code = "InvalidPaginationOptions"


class PaginationOptions(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """Which page is wanted. An argument with this annotation is called `paginationOpts` at the door."""

    argument_name: ClassVar[str] = "paginationOpts"

    num_items: int
    """Documents wanted, after filters. A page may be shorter; run again, it may also be longer."""
    cursor: str | None
    """Where the page begins: `continue_cursor` of the one before, or None for the first."""
    end_cursor: str | Unset | None = UNSET
    """Where the page ends, if that is known; `num_items` then says nothing."""
    maximum_rows_read: int | Unset = UNSET
    """Documents that may be looked at, before filters."""
    maximum_bytes_read: int | Unset = UNSET
    """Bytes of documents that may be looked at."""
    id: float | Unset = UNSET
    """A number that clients use to keep two lists apart. It has no effect."""

    @classmethod
    def of(cls, options: PaginationOptions | Mapping[str, Any]) -> PaginationOptions:
        """Options from what a client sent, where a function takes them as a mapping."""
        if isinstance(options, PaginationOptions):
            return options
        try:
            # Numbers of clients are floats; ours are counts.
            return msgspec.convert({name: _whole(option) for name, option in dict(options).items()}, cls)
        except (msgspec.ValidationError, TypeError, ValueError) as error:
            raise InvalidPaginationOptions(f"`paginate` was given options that cannot be: {error}") from None


def _whole(option: Any) -> Any:
    return int(option) if isinstance(option, float) and option.is_integer() else option


class PaginationResult(msgspec.Struct, Generic[T], kw_only=True, rename="camel"):
    """One page, and how to go on."""

    page: list[T]
    is_done: bool
    """Whether this is the last page."""
    continue_cursor: str
    """Where the next page begins."""
    split_cursor: str | None = None
    """Somewhere in the middle: the page can be asked for again as two."""
    page_status: PageStatus | None = None
    """Whether it should be asked for as two, or must be since reading stopped early."""

    def with_page(self, page: list[U]) -> PaginationResult[U]:
        """The same position in the list, showing something made of each document."""
        return PaginationResult(
            page=page,
            is_done=self.is_done,
            continue_cursor=self.continue_cursor,
            split_cursor=self.split_cursor,
            page_status=self.page_status,
        )


class PageEnds(msgspec.Struct, frozen=True):
    """What is known of a page besides its documents."""

    is_done: bool
    continue_cursor: str
    split_cursor: str | None
    page_status: PageStatus | None
