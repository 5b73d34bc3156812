"""What is wrong with a value, a name or an id: the errors of this package.

Floor 0, `values`. They stand in one place because four modules raise the same ones.

    InvalidInput
    ├── InvalidValue              not a value, or over a limit
    │   ├── ArrayTooLong          ┐
    │   ├── TooManyFields         │ limits of semantics 1.2; their codes are the
    │   ├── TooNested             │ official product's short codes
    │   ├── ValueTooLarge         ┘
    │   ├── InvalidDocument       a value that is fine, but not as a stored document
    │   ├── CommitTsUnresolved    COMMIT_TS where it would leave its mutation
    │   └── InvalidFieldName      also an InvalidName
    ├── InvalidName               an identifier, a table name, a field path
    └── InvalidId                 a string that is no document id

Not here: errors of validators (`schema`), of whole requests (the doors).
Source: spec/semantics 1.2 to 1.8, appendix B; spec/wire-protocol 2 and 3.
"""

from __future__ import annotations

from rewake.errors import InvalidInput
from rewake.limits import MIB


class InvalidValue(InvalidInput):
    """This cannot be stored or sent. See https://docs.convex.dev/using/types for what can."""

    code = "InvalidValue"


class ArrayTooLong(InvalidValue):
    """An array has too many elements. Split it, or keep the elements as documents of their own."""

    code = "ArrayTooLong"
    template = "Array length is too long ({length} > maximum length {maximum})"


class TooManyFields(InvalidValue):
    """An object has too many fields. Split it, or keep the entries as documents of their own."""

    code = "TooManyFieldsError"
    template = "Object has too many fields ({count} > maximum number {maximum})"


class TooNested(InvalidValue):
    """Arrays and objects stand too deep inside each other. Flatten the value."""

    code = "TooNestedError"
    template = "{what} is too nested (nested {levels} levels deep > maximum nesting {maximum})"


class ValueTooLarge(InvalidValue):
    """A value has too many bytes. Split it, or keep large contents as files."""

    code = "ValueTooLargeError"
    template = "Value is too large ({size} > maximum size {maximum})"


class InvalidDocument(InvalidValue):
    """A stored document may not look like this at its top level."""

    code = "InvalidDocumentError"


class CommitTsUnresolved(InvalidValue):
    """A commit timestamp is known after its mutation only. Store or return it there; read it afterwards."""

    code = "CommitTsUnresolved"
    template = "An unresolved commit timestamp cannot leave its mutation."


class InvalidName(InvalidInput):
    """This is not a name. Use letters, digits and underscores, a letter first."""

    code = "InvalidName"


class InvalidFieldName(InvalidName, InvalidValue):
    """An object has a field name that cannot be stored. Rename the field."""

    code = "InvalidFieldName"


class InvalidId(InvalidInput):
    """This string is not a document id. Pass on ids exactly as the server gave them."""

    code = "InvalidId"
    template = "Unable to decode ID: {reason}"


def too_large(size_bytes: int, maximum_bytes: int) -> ValueTooLarge:
    """Make the error for a value of `size_bytes`; `maximum_bytes` is the limit, a whole number of MiB."""
    size = f"{size_bytes / MIB:.2f} MiB"
    if size == f"{maximum_bytes / MIB:.2f} MiB":
        size = f"{size_bytes} bytes"  # Just over the edge "1.00 MiB > 1 MiB" would look like our mistake.
    return ValueTooLarge(size=size, maximum=f"{maximum_bytes // MIB} MiB", size_bytes=size_bytes)
