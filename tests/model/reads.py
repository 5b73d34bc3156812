"""What a query run consumed, as the model says: the judge of who must wake (5.2, 5.3, 7.1).

    Stretch     a part of one index of one table; what is absent counts too
    name        a table or an index that was looked up, whether or not it is there

and what a commit changed: documents (old and new), and names (made, dropped, defined otherwise).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.model.order import Doc, Key, order_key, place_of

Name = tuple[str, ...]
"""`("table", t)` or `("index", t, i)`."""


@dataclass(frozen=True)
class Change:
    """What one mutation made of one document, from before it to after it."""

    table: str
    old: Doc | None
    new: Doc | None


@dataclass(frozen=True)
class Stretch:
    """The places of an index that were consumed, or found empty."""

    table: str
    path: tuple[str, ...]
    """The fields of the index, the implicit ones included."""
    is_inside: Callable[[Key], bool]

    def touched_by(self, change: Change) -> bool:
        """Whether the old or the new place of the document lies in the stretch."""
        return change.table == self.table and any(
            document is not None and self.is_inside(place_of(document, self.path))
            for document in (change.old, change.new)
        )


def point(table: str, id: str) -> Stretch:
    """One document, or the place where it would be."""
    return Stretch(table, ("_id",), lambda place: place == (order_key(id),))


@dataclass
class Reads:
    """All that one run consumed."""

    stretches: list[Stretch] = field(default_factory=list)
    names: set[Name] = field(default_factory=set)

    def touched_by(self, changes: Iterable[Change | Name]) -> bool:
        """Whether a commit must wake the query."""
        return any(
            change in self.names
            if isinstance(change, tuple)
            else any(stretch.touched_by(change) for stretch in self.stretches)
            for change in changes
        )

    def add(self, other: Reads) -> None:
        """Count what a nested run consumed as consumed here."""
        self.stretches.extend(other.stretches)
        self.names |= other.names
