"""Names: identifiers, tables, fields, and paths made of them.

Floor 0, `values`. There are two kinds. An *identifier* names a table, an index, a declared field or one
step of a field path. A *field name* is any key of a stored object and may be almost any printable ASCII.

Not here: which names a table or a schema keeps for the system (`schema`).
Source: spec/semantics 1.3, 1.4.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from json.encoder import encode_basestring
from typing import Any

from rewake.limits import FIELD_NAME_LENGTH_MAX, IDENTIFIER_LENGTH_MAX
from rewake.values.errors import InvalidFieldName, InvalidName
from rewake.values.types import UNSET, Unset, Value

_IDENTIFIER = re.compile(r"_*[A-Za-z][A-Za-z0-9_]*|_+[0-9][A-Za-z0-9_]*")
_IDENTIFIER_CHARACTER = re.compile(r"[A-Za-z0-9_]")
_FIELD_NAME = re.compile(r"(?!\$)[\x20-\x7e]*")

_NAMES_KEPT_MAX = 4096
_NAME_KEPT_LENGTH_MAX = 64


def check_identifier(name: str) -> None:
    """Refuse a string that is not an identifier: `[A-Za-z_][A-Za-z0-9_]*`, 1 to 64 long, not only `_`.

    Raises:
        InvalidName: with the sentence of semantics 1.4 that fits.
    """
    if len(name) <= IDENTIFIER_LENGTH_MAX and _IDENTIFIER.fullmatch(name):
        return
    if not name:
        raise InvalidName("Identifier cannot be empty")
    if not (_IDENTIFIER_CHARACTER.match(name) and not name[0].isdigit()):
        raise InvalidName(
            f"Invalid first character '{name[0]}' in {name}: "
            "Identifiers must start with an alphabetic character or underscore"
        )
    for character in name:
        if not _IDENTIFIER_CHARACTER.match(character):
            raise InvalidName(
                f"Identifier {name} has invalid character '{character}': "
                "Identifiers can only contain alphanumeric characters or underscores"
            )
    if len(name) > IDENTIFIER_LENGTH_MAX:
        raise InvalidName(f"Identifier is too long ({len(name)} > maximum {IDENTIFIER_LENGTH_MAX})")
    raise InvalidName(f"Identifier {name} cannot have exclusively underscores")


def check_table_name(name: str) -> None:
    """Refuse a string that cannot name a user's table: an identifier without a leading underscore.

    Raises:
        InvalidName: with the sentences of semantics 2.4.
    """
    try:
        check_identifier(name)
    except InvalidName:
        raise InvalidName(
            f'Invalid table name: "{name}". Identifiers must start with a letter and '
            "can only contain letters, digits, and underscores."
        ) from None
    if name[0] == "_":
        raise InvalidName(f"{name} is a reserved table name.")


def check_field_name(name: str) -> None:
    """Refuse a string that cannot be a key of an object. The empty string and a leading `_` can.

    Raises:
        InvalidFieldName: with the sentence of semantics 1.3 that fits.
    """
    if len(name) <= FIELD_NAME_LENGTH_MAX and _FIELD_NAME.fullmatch(name):
        return
    if len(name) > FIELD_NAME_LENGTH_MAX:
        raise InvalidFieldName(f"Field name is too long ({len(name)} > maximum {FIELD_NAME_LENGTH_MAX})")
    if name.startswith("$"):
        raise InvalidFieldName(f"Field name {name} starts with '$', which is reserved.")
    character = next(character for character in name if not " " <= character <= "~")
    raise InvalidFieldName(
        f"Field name {name} has invalid character '{character}': "
        "Field names can only contain non-control ASCII characters"
    )


class FieldNames(dict[str, str]):
    """Remembers the field names that were found good, each with its JSON text `"name":`.

    `field_names[name]` is the fast way to say `check_field_name(name)`. A process sees few names, over and
    over; should strangers send ever new ones, the memory is emptied at a bound and fills again.
    """

    def __missing__(self, name: str) -> str:
        check_field_name(name)
        text: str = encode_basestring(name) + ":"
        if len(name) <= _NAME_KEPT_LENGTH_MAX:
            if len(self) >= _NAMES_KEPT_MAX:
                self.clear()
            self[name] = text
        return text


field_names = FieldNames()


def parse_field_path(text: str) -> tuple[str, ...]:
    """Split a dotted path such as `author.name` into its steps.

    Raises:
        InvalidName: a step is not an identifier.
    """
    path = tuple(text.split("."))
    for step in path:
        check_identifier(step)
    return path


def get_path(value: Mapping[str, Any] | Value, path: Sequence[str]) -> Value | Unset:
    """Follow `path` through objects, never arrays; UNSET where a step is missing or not an object."""
    found: Any = value
    for step in path:
        if not isinstance(found, Mapping):
            return UNSET
        found = found.get(step, UNSET)
    return found  # type: ignore[no-any-return]
