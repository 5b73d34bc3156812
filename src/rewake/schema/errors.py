"""What can be wrong with a schema, a validator or a type hint.

Floor 1, `schema`. All of these are raised while an author's modules are imported and assembled, before any
call is served; what is wrong with a *value* is `mismatch.ValidationFailed`.

    InvalidInput
    └── InvalidSchema            tables, indexes, their names
        ├── InvalidValidator     a validator that cannot be built
        ├── UnsupportedType      a type hint that no validator stands for
        └── UnknownReference     an id of a table that nobody declares
"""

from __future__ import annotations

from rewake.errors import InvalidInput


class InvalidSchema(InvalidInput):
    """The schema cannot be used as it is declared. The message names the table and what to change."""

    code = "InvalidSchema"


class InvalidValidator(InvalidSchema):
    """A validator was put together wrongly."""

    code = "InvalidValidator"


class UnsupportedType(InvalidSchema):
    """A type hint stands for no value that can be stored. The message says what to write instead."""

    code = "UnsupportedType"


class UnknownReference(InvalidSchema):
    """A name in a type hint, or the table of an id, is declared nowhere. Check its spelling and imports."""

    code = "UnknownReference"
