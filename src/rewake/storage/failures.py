"""Failures: what SQLite can report, in the words of the house.

Floor 1, `storage`. On a full disk, a failing disk, memory at its end or an interrupt SQLite may roll the
*whole* transaction back by itself, and every later statement would then commit on its own. They doom the
group of mutations that is under way (DESIGN D4), so they travel as a BaseException, which author code cannot
swallow by `except Exception`; and the writer refuses every further statement until it is rolled back. No
other error is expected of a write, and one would leave a document half written, so the writer treats all of
them alike.

    apsw.Error --(in the writer)--> GroupDoomed(.reason)     nothing was kept, for certain
               --(in a reader)----> StorageFailed
               --(around COMMIT)--> OutcomeUnknown           if the file cannot say what became of it

Not here: running the group's other members again (`execution`).
"""

from __future__ import annotations

import apsw

from rewake.errors import Unavailable


class StorageFailed(Unavailable):
    """The data file could not be read or written. Nothing of this call was kept; see the server's log."""

    code = "StorageFailed"
    template = "The data file could not be read or written: {detail}"


class StorageFull(StorageFailed):
    """The disk that holds the data file is full. Nothing of this call was kept; free space and try again."""

    code = "StorageFull"
    template = "The disk that holds the data file is full: {detail}"


class OutcomeUnknown(Unavailable):
    """The disk failed during COMMIT, and the file cannot say yet whether it kept the call. A client that
    sends the call again under its request id learns it; others must look.
    """

    code = "OutcomeUnknown"
    template = "The disk failed while this call was made durable, and nobody knows yet if it was: {detail}"


class GroupDoomed(BaseException):
    """The transaction that holds a whole group of mutations is lost; roll it back and run the group again.

    `reason` is what to tell the caller whose call brought it about, should it do so again when run alone.
    """

    def __init__(self, reason: StorageFailed) -> None:
        self.reason = reason
        super().__init__(str(reason))


def failure_of(error: apsw.Error) -> StorageFailed:
    """The error of ours that stands for one of SQLite's."""
    kind = StorageFull if isinstance(error, apsw.FullError) else StorageFailed
    return kind(detail=f"{type(error).__name__}: {error}")
