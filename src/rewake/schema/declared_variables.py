"""Declared environment variables: which ones an application needs, and what they may be.

Floor 1, `schema`, on `annotations` and `validators`. A class says it as a document class says its fields:

    class Env(EnvironmentVariables):
        STRIPE_KEY: str                          must be set
        MODE: Literal["test", "live"]            must be set, to one of these
        SENTRY_DSN: str | Unset = UNSET          may be missing

    declared_variables(Env) -> {"STRIPE_KEY": DeclaredVariable(v.string(), is_required=True), ...}

Not here: what is set and what is refused (`database/environment_variables.py`), reading (`ctx.env`).
Source: semantics 6.9.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import msgspec

from rewake.schema.annotations import NO_SCOPE, class_hints
from rewake.schema.builders import validator_from_json
from rewake.schema.errors import InvalidSchema
from rewake.schema.mismatch import ValidationFailed
from rewake.schema.validator import Validator
from rewake.schema.validators import VLiteral, VString, VUnion
from rewake.values import UNSET, Unset


class EnvironmentVariables:
    """The base of the class that declares an application's environment variables.

    class Env(EnvironmentVariables):
        STRIPE_KEY: str
        MODE: Literal["test", "live"]
        SENTRY_DSN: str | Unset = UNSET

    A push is refused while one that is required is not set. Functions read them as any other, with
    `ctx.env["MODE"]`.
    """


class DeclaredVariable(msgspec.Struct, frozen=True):
    """One variable: a string, or one of some strings."""

    validator: Validator
    is_required: bool

    def takes(self, value: str) -> bool:
        """Whether it may have this value."""
        try:
            self.validator.check(value, None)
        except ValidationFailed:
            return False
        return True


def declared_variables(declaring: type[EnvironmentVariables]) -> dict[str, DeclaredVariable]:
    """What a class declares, in order of names.

    Raises:
        InvalidSchema: a hint is not a string, a literal of strings or one of these and UNSET.
        UnknownReference: a hint uses a name that is not known.
    """
    hints = class_hints(declaring, NO_SCOPE)
    found = {}
    for name in sorted(hints):
        where = f"{declaring.__name__}.{name}"
        found[name] = variable = _variable_of(hints[name], where=where)
        default = getattr(declaring, name, UNSET)
        if default is not UNSET or (variable.is_required and hasattr(declaring, name)):
            raise InvalidSchema(
                f"{where}: an environment variable has no default here. Make it optional "
                f"(`{name}: str | Unset = UNSET`) and read it with `ctx.env.get({name!r}, ...)`."
            )
    return found


def variables_to_json(declared: Mapping[str, DeclaredVariable]) -> str:
    """Canonical JSON text."""
    plain = {
        name: {"validator": variable.validator.to_json(), "isRequired": variable.is_required}
        for name, variable in declared.items()
    }
    return json.dumps(plain, sort_keys=True, separators=(",", ":"))


def variables_from_json(text: str) -> dict[str, DeclaredVariable]:
    """The inverse of `variables_to_json`."""
    return {
        name: DeclaredVariable(validator_from_json(fields["validator"]), fields["isRequired"])
        for name, fields in json.loads(text).items()
    }


def _variable_of(hint: Any, *, where: str) -> DeclaredVariable:
    members = list(_members(hint))
    kinds = [member for member in members if member is not Unset]
    is_required = len(kinds) == len(members)
    if kinds == [str]:
        return DeclaredVariable(VString(), is_required)
    values = list(dict.fromkeys(value for kind in kinds for value in _literals(kind)))
    if not values or not all(isinstance(value, str) for value in values):
        raise InvalidSchema(
            f"{where}: environment variables are strings. Write `str`, `Literal[...]` of strings, or one of "
            "these with `| Unset` for a variable that may be missing."
        )
    literals = tuple(VLiteral(value) for value in values)
    return DeclaredVariable(literals[0] if len(literals) == 1 else VUnion(literals), is_required)


def _members(hint: Any) -> Iterable[Any]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _literals(kind: Any) -> Iterable[Any]:
    return get_args(kind) if get_origin(kind) is Literal else (None,)
