"""Environment variables: the operator's settings and secrets, as documents that functions read.

Floor 2, `database`. A variable is a document of `_environment_variables`, so a read of one is one point of
its index `by_name`, set or not, and setting it is a commit that wakes exactly the queries that read it.

    {name, value, isBuiltIn?}       by_name

The addresses of the deployment are built in: the server writes them when it listens, and nobody else may.
Authors reach variables by `ctx.env` only, never through `ctx.db.system`: values are often secrets.

Not here: who may change them (`http_api`, `cli`), `ctx.env` (`functions`).
Source: semantics 6.9.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from rewake.database.catalog import ENVIRONMENT_VARIABLES
from rewake.database.document_writes import Fields
from rewake.database.reads import ReadTransaction
from rewake.database.settings import put_setting, stored_setting
from rewake.database.writes import WriteTransaction
from rewake.errors import InvalidInput
from rewake.limits import (
    VARIABLE_NAME_LENGTH_MAX,
    VARIABLE_VALUE_BYTES_MAX,
    VARIABLES_BYTES_MAX,
    VARIABLES_MAX,
)
from rewake.schema import DeclaredVariable, variables_from_json, variables_to_json
from rewake.storage import Reads
from rewake.values import decode_stored_document, encode_key, key_successor

BUILT_IN_VARIABLES = ("CONVEX_CLOUD_URL", "CONVEX_SITE_URL")
"""Where clients and HTTP actions reach the deployment."""

VARIABLES_TABLET = ENVIRONMENT_VARIABLES.tablet
"""Where variables lie: a commit that writes there changed one."""
_BY_NAME = ENVIRONMENT_VARIABLES.indexes["by_name"].id
_DECLARED = "declared_variables"
_NAME = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_ALL = VARIABLES_MAX + len(BUILT_IN_VARIABLES)


class VariableNameInvalid(InvalidInput):
    """The name has a character that no environment variable has. Use letters, digits and underscores."""

    code = "EnvironmentVariableNameInvalid"
    template = (
        "The environment variable name {name} is invalid. Environment variable names must begin with a "
        "letter and may only include characters a-z, A-Z, 0-9, and underscores."
    )


class VariableNameTooLong(InvalidInput):
    """The name is too long. Find a shorter one."""

    code = "EnvironmentVariableNameTooLong"
    template = (
        "The environment variable name {name} is too long. Environment variable names must be less than "
        "{limit}."
    )


class VariableValueTooLarge(InvalidInput):
    """The value is too large. Keep large data in a document or a file, and its id here."""

    code = "EnvironmentVariableValueTooLarge"
    template = "The environment variable value is {size} bytes, which is too large. (max size: {limit}"


class TooManyVariables(InvalidInput):
    """There are as many environment variables as there may be. Remove some that nobody reads."""

    code = "EnvVarLimitMet"
    template = "The environment variable limit ({limit}) has been met."


class VariablesTooLarge(InvalidInput):
    """All environment variables together are too large. Remove some that nobody reads."""

    code = "EnvVarTotalSizeLimitMet"
    template = "The total size of all environment variables ({size} bytes) exceeds the limit ({limit} bytes)."


class VariableIsBuiltIn(InvalidInput):
    """The server sets this variable itself. Choose another name."""

    code = "EnvVarNameForbidden"
    template = 'Environment variable with name "{name}" is built-in and cannot be overridden'


class RequiredVariablesMissing(InvalidInput):
    """The application declares environment variables as required that are not set. Set them, then push
    again.
    """

    code = "MissingEnvironmentVariables"
    template = (
        "Required environment variables are not set: {names}. Set them in the Convex dashboard or CLI before "
        "pushing."
    )


class VariableRequired(InvalidInput):
    """The application that serves declares the environment variable as required. Push one that does not,
    then remove it.
    """

    code = "RequiredEnvironmentVariable"
    template = (
        "Cannot delete required environment variables: {names}. These are declared as required in the app "
        "definition."
    )


class VariableValueRefused(InvalidInput):
    """The application declares which values the environment variable may have. Set it to one of them."""

    # The value itself is not told: it may be a secret in the wrong place.
    code = "EnvironmentVariableInvalid"
    template = (
        "The value of the environment variable {name} is not one that the application declares: {validator}"
    )


VARIABLE_REFUSALS: Mapping[str, type[InvalidInput]] = MappingProxyType(
    {
        refusal.code: refusal
        for refusal in (
            VariableNameInvalid,
            VariableNameTooLong,
            VariableValueTooLarge,
            TooManyVariables,
            VariablesTooLarge,
            VariableIsBuiltIn,
            VariableRequired,
            VariableValueRefused,
        )
    }
)
"""Why a change of variables can be refused, by code: it comes from the writer's process as code and text."""


def read_variable(transaction: ReadTransaction, name: str) -> str | None:
    """The value of a variable, or None where it is not set; either way taken down as read."""
    lower, upper = _interval(name)
    transaction.recorder.interval(_BY_NAME, (lower, upper))
    return stored_variable(transaction.reads, name)


def read_variables(transaction: ReadTransaction) -> dict[str, str]:
    """All variables that operators set, by name; each change of any is a change of what was read."""
    transaction.recorder.interval(_BY_NAME, (b"", None))
    return stored_variables(transaction.reads)


def stored_variable(reads: Reads, name: str) -> str | None:
    """The value of a variable on a snapshot, without taking anything down: for actions."""
    lower, upper = _interval(name)
    page = reads.page(_BY_NAME, lower, upper, descending=False, limit=1)
    return str(decode_stored_document(page[0][1])["value"]) if page else None


def stored_variables(reads: Reads) -> dict[str, str]:
    """All variables that operators set, by name, on a snapshot."""
    return {
        str(fields["name"]): str(fields["value"])
        for fields in _documents(reads)
        if not fields.get("isBuiltIn", False)
    }


def change_variables(transaction: WriteTransaction, changes: Iterable[tuple[str, str | None]]) -> None:
    """Set variables, or remove those whose value is None; all or nothing. A later change of a name wins.

    Removing one that is not set does nothing.

    Raises:
        VariableNameInvalid, VariableNameTooLong, VariableValueTooLarge, VariableIsBuiltIn,
        VariableRequired, VariableValueRefused, TooManyVariables, VariablesTooLarge: nothing was changed.
    """
    wanted = dict(changes)
    for name, value in wanted.items():
        check_variable(name, value)
    before = stored_variables(transaction.reads)
    _check_against(_declared(transaction.reads), wanted, before)
    after = before | wanted
    left = {name: value for name, value in after.items() if value is not None}
    is_growing = any(value is not None for value in wanted.values())
    if is_growing and len(left) > VARIABLES_MAX:
        raise TooManyVariables(limit=VARIABLES_MAX)
    size = sum(len(name) + len(value.encode()) for name, value in left.items())
    if is_growing and size > VARIABLES_BYTES_MAX:
        raise VariablesTooLarge(size=size, limit=VARIABLES_BYTES_MAX)
    for name, value in wanted.items():
        _put(transaction, name, value, is_built_in=False)


def check_declared(reads: Reads, declared: Mapping[str, DeclaredVariable]) -> None:
    """Return where everything that an application declares is set as it must be.

    Raises:
        RequiredVariablesMissing: one that is required is not set.
        VariableValueRefused: one has a value that it may not have.
    """
    variables = stored_variables(reads)
    missing = [name for name, each in declared.items() if each.is_required and name not in variables]
    if missing:
        raise RequiredVariablesMissing(names=", ".join(sorted(missing)))
    for name, value in sorted(variables.items()):
        if name in declared and not declared[name].takes(value):
            raise VariableValueRefused(name=name, validator=declared[name].validator.render())


def remember_declared(transaction: WriteTransaction, declared: Mapping[str, DeclaredVariable]) -> None:
    """Hold later changes of variables against this. Nothing is written where nothing was and is declared."""
    if declared or _declared(transaction.reads):
        put_setting(transaction, _DECLARED, variables_to_json(declared))


def _declared(reads: Reads) -> dict[str, DeclaredVariable]:
    text = stored_setting(reads, _DECLARED)
    return {} if text is None else variables_from_json(text)


def _check_against(
    declared: Mapping[str, DeclaredVariable], wanted: Mapping[str, str | None], before: Mapping[str, str]
) -> None:
    deleted = [
        name
        for name, value in wanted.items()
        if value is None and name in before and name in declared and declared[name].is_required
    ]
    if deleted:
        raise VariableRequired(names=", ".join(sorted(deleted)))
    for name, value in wanted.items():
        if value is not None and name in declared and not declared[name].takes(value):
            raise VariableValueRefused(name=name, validator=declared[name].validator.render())


def announce_addresses(transaction: WriteTransaction, *, cloud_url: str, site_url: str) -> None:
    """Write the built-in variables; nothing is written where they are as before."""
    for name, value in zip(BUILT_IN_VARIABLES, (cloud_url, site_url), strict=True):
        _put(transaction, name, value, is_built_in=True)


def check_variable(name: str, value: str | None) -> None:
    """Return when a variable may be called so and have this value.

    Raises:
        VariableNameInvalid, VariableNameTooLong, VariableValueTooLarge, VariableIsBuiltIn.
    """
    if len(name) > VARIABLE_NAME_LENGTH_MAX:
        raise VariableNameTooLong(name=name, limit=VARIABLE_NAME_LENGTH_MAX)
    if _NAME.fullmatch(name) is None:
        raise VariableNameInvalid(name=name)
    if name in BUILT_IN_VARIABLES:
        raise VariableIsBuiltIn(name=name)
    size = 0 if value is None else len(value.encode(errors="surrogatepass"))
    if size > VARIABLE_VALUE_BYTES_MAX:
        raise VariableValueTooLarge(size=size, limit=VARIABLE_VALUE_BYTES_MAX)


def _put(transaction: WriteTransaction, name: str, value: str | None, *, is_built_in: bool) -> None:
    lower, upper = _interval(name)
    page = transaction.reads.page(_BY_NAME, lower, upper, descending=False, limit=1)
    if not page:
        if value is not None:
            fields: Fields = {"name": name, "value": value}
            transaction.insert_into(
                ENVIRONMENT_VARIABLES, fields | {"isBuiltIn": True} if is_built_in else fields
            )
        return
    id = str(decode_stored_document(page[0][1])["_id"])
    found = transaction.target(ENVIRONMENT_VARIABLES, id)
    assert found is not None, "the index has just shown it"
    old, row, document = found
    if value is None:
        transaction.delete_from(ENVIRONMENT_VARIABLES, id, row, old=old, document=document)
        return
    changed: Fields = {**document, "value": value}
    transaction.update_in(ENVIRONMENT_VARIABLES, id, row, old=old, document=document, changed=changed)


def _interval(name: str) -> tuple[bytes, bytes | None]:
    prefix = encode_key([name])
    return prefix, key_successor(prefix)


def _documents(reads: Reads) -> Iterator[Fields]:
    for _, text in reads.page(_BY_NAME, b"", None, descending=False, limit=_ALL):
        yield decode_stored_document(text)
