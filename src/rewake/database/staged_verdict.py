"""Staged verdicts: what is known of a table's documents against its staged validator.

Floor 2, `database`. A small state machine without I/O; one verdict for each table that has such a validator.

    CHECKING --(read to the end)--> VALID --(a write that does not fit)--> INVALID
       |  ^                                                                   |
       |  '---------(the named document was changed to fit, or deleted)-------'
       '------------(a page, or a write behind the cursor, does not fit)---> INVALID

Nothing is ever refused for it. Documents are told apart by their key in order of creation, which never
changes: those up to `cursor` are known to fit.

Not here: reading documents and storing verdicts (`staged_validators.py`). Source: semantics 2.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

import msgspec
from msgspec.structs import replace


class StagedState(StrEnum):
    """What is known."""

    CHECKING = "checking"
    VALID = "valid"
    INVALID = "invalid"


class StagedVerdict(msgspec.Struct, frozen=True):
    """What is known of one table."""

    mark: str
    """Of the validator."""
    state: StagedState = StagedState.CHECKING
    cursor: bytes = b""
    """INVALID: the documents up to this key fit. While CHECKING it lies with the work."""
    document: str = ""
    """INVALID: the first document found that does not fit."""
    error: str = ""
    """INVALID: why it does not."""

    @classmethod
    def from_document(cls, stored: Mapping[str, Any]) -> StagedVerdict:
        """The inverse of `to_document`."""
        state = StagedState(stored["state"])
        return cls(stored["mark"], state, stored["cursor"], stored["document"], stored["error"])

    def to_document(self) -> dict[str, Any]:
        """As it lies in the document of the schema."""
        return {
            "mark": self.mark,
            "state": str(self.state),
            "cursor": self.cursor,
            "document": self.document,
            "error": self.error,
        }

    def found(self, document: str, error: str, *, after: bytes) -> StagedVerdict:
        """A document does not fit; those up to `after` do."""
        return StagedVerdict(self.mark, StagedState.INVALID, after, document, error)

    def all_fit(self) -> StagedVerdict:
        """Every document was read."""
        return StagedVerdict(self.mark, StagedState.VALID)

    def written(self, document: str, key: bytes, error: str | None, *, checked: bytes) -> StagedVerdict:
        """A document with this key was written: `error` is why it does not fit, None where it does or is
        gone. `checked` is how far a check under way has come.
        """
        if error is None:
            if self.document != document:
                return self
            return StagedVerdict(self.mark, StagedState.CHECKING, self.cursor)
        if self.state is StagedState.VALID:
            return self.found(document, error, after=b"")
        if self.state is StagedState.CHECKING:
            # One that lies ahead will be met.
            return self.found(document, error, after=b"") if key <= checked else self
        if self.document == document:
            return replace(self, error=error)
        # Another one is named already; when that is mended, all are looked at again.
        return replace(self, cursor=b"") if key <= self.cursor else self
