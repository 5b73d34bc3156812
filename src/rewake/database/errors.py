"""What the database can refuse, in the exact words that applications already know.

Floor 2, `database`. All are raised at the offending call, inside the author's function, and can be caught
there; uncaught they fail the function with their text.

    InvalidInput
    ├── InvalidArgument            not an id, not an object, an id of another table
    ├── NonexistentDocument        patch, replace or delete of nothing
    ├── TableNotFound              a write to an id whose table does not exist
    ├── IndexNotFound / IndexNotReady / IndexStaged
    ├── SystemTableRefused         a system table through the authors' door, or the other way round
    ├── SystemFieldRefused         `_id` or `_creationTime` given where the system sets them
    ├── SchemaEnforcementError     a write that the schema forbids
    ├── SchemaMismatch             a schema that existing documents do not fit
    │   └── NewDocumentMismatch    or one that was written while it was pending
    ├── TooManyTables
    ├── InvalidCursor              a page cursor that cannot be read, or of another query
    └── SnapshotTooOld / SnapshotInFuture
    FunctionError
    └── WriteInterrupted           Python gave up in the middle of a write
    Conflict
    └── SchemaWorkLeft             a switch that needs background work first; stays within the house
    Unavailable
    └── SchemaOutrun               a push that never caught up with the writes
    LimitExceeded                  see `usage.py`

Source: spec/semantics 2.2, 2.4, 2.5, 3.1, 3.6, 4.
"""

from __future__ import annotations

from types import MappingProxyType

from rewake.errors import Conflict, FunctionError, InvalidInput, Unavailable


class WriteInterrupted(FunctionError):
    """A write stopped half way, and the mutation is taken back even where its error was caught. Recurse less
    deeply.
    """

    code = "WriteInterrupted"
    template = (
        "A database write was interrupted half way (too deep a recursion, or too little memory), so this "
        "mutation cannot be kept, even if the error was caught."
    )


class InvalidArgument(InvalidInput):
    """An argument of a database call cannot be what it is."""

    code = "InvalidArgument"


class NonexistentDocument(InvalidInput):
    """The document to change does not exist (any more). Read it first, or catch this."""

    code = "NonexistentDocument"
    template = "{operation} on nonexistent document ID {id}"


class TableNotFound(InvalidInput):
    """The id belongs to no table of this deployment."""

    code = "InvalidIdError"
    template = 'Table for ID "{id}" not found'


class IndexNotFound(InvalidInput):
    """The table has no index of this name. Declare it in the schema."""

    code = "IndexNotFoundError"
    template = "Index {table}.{index} not found."


class IndexNotReady(InvalidInput):
    """The index is being built for a schema that is not active yet. Wait until the push is over."""

    code = "IndexNotReady"
    template = "Index {table}.{index} is currently backfilling and not available to query yet."


class IndexStaged(IndexNotReady):
    """The schema declares the index as staged. Take the mark away and push, and it can be queried."""

    code = "IndexStaged"
    template = "Index {table}.{index} is currently staged and not available to query until it is enabled."


class SystemTableRefused(InvalidInput):
    """System tables and tables of the application have separate doors."""

    code = "SystemTableRefused"


class InvalidIdField(InvalidInput):
    """A document's `_id` is set by the system and never changes. Leave it out."""

    code = "InvalidIdError"
    template = (
        "The `_id` of a document in table `{table}` is set by the system and never changes. "
        "Leave it out of the value."
    )


class InvalidCreationTimeField(InvalidInput):
    """A document's `_creationTime` is set by the system and never changes. Leave it out."""

    code = "InvalidCreationTimeError"
    template = (
        "The `_creationTime` of a document in table `{table}` is set by the system and never changes. "
        "Leave it out of the value."
    )


class SchemaEnforcementError(InvalidInput):
    """The document does not match the schema of its table, so it was not written."""

    code = "SchemaEnforcementError"
    template = (
        'Failed to insert or update a document in table "{table}" '
        "because it does not match the schema: {detail}"
    )


class SchemaMismatch(InvalidInput):
    """A document that exists does not match the new schema, so the schema was not taken.

    Fields: `table`, `id`, `path` (as in `.author.name`, empty for the document itself), `detail`.
    """

    code = "SchemaMismatch"
    template = 'Document with ID "{id}" in table "{table}" does not match the schema: {detail}'


class NewDocumentMismatch(SchemaMismatch):
    """A document that was written while the new schema was pending does not match it, so it was not taken.

    The write itself stands. Fields as for SchemaMismatch.
    """

    code = "NewDocumentMismatch"
    template = 'New document in table "{table}" does not match the schema: {detail}'


class SchemaWorkLeft(Conflict):
    """The switch to a new schema needs work first that does not fit into one transaction.

    Nothing was written. Never seen outside the house: whoever pushes does the work in the background and
    tries again.
    """

    code = "SchemaWorkLeft"
    template = "The schema cannot be switched yet: {what}."


class SchemaOutrun(Unavailable):
    """Writes came faster than the new schema could be checked against them. Push again later."""

    code = "SchemaOutrun"
    template = (
        "The push was given up after {rounds} rounds: writes came faster than the new schema could be "
        "checked against them. The old code goes on serving; push again when there are fewer writes."
    )


class TooManyTables(InvalidInput):
    """The deployment has as many tables as there may be."""

    code = "TooManyTables"
    template = "Number of tables cannot exceed {maximum}."


class InvalidCursor(InvalidInput):
    """A page cursor is of another query, or of none. Start again from the first page.

    The official hooks do so by themselves when they find `client_data` in an error.
    """

    code = "InvalidCursor"
    template = (
        "InvalidCursor: Tried to run a query starting from a cursor, "
        "but it looks like this cursor is from a different query."
    )
    client_data = MappingProxyType({"isConvexSystemError": True, "paginationError": "InvalidCursor"})


class SnapshotTooOld(InvalidInput):
    """That moment is no longer kept. Read at a later timestamp, or raise `log_retention_seconds`."""

    code = "SnapshotTooOld"
    template = "Timestamp {ts} lies before what is kept; the oldest that can be read is {oldest}."


class SnapshotInFuture(InvalidInput):
    """Nothing was committed at that timestamp yet."""

    code = "SnapshotInFuture"
    template = "Timestamp {ts} lies in the future of this deployment; the latest commit is {last_ts}."
