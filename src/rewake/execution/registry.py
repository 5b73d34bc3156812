"""The registry: the functions and the schema of one version of a project.

Floor 3, `execution`. Made by the loader in one piece and never changed: a deploy makes a new one and
switches. It belongs to a deployment object; nothing here is global.

Not here: importing a project (`loader.py`), running what was found (`host.py`).
Source: semantics 6.1, 6.2; wire 6.3 for the texts.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec

from rewake.auth import Provider
from rewake.database import CronFacts
from rewake.errors import FunctionError
from rewake.execution.analysis import (
    Analysis,
    FunctionFacts,
    FunctionNotFound,
    RouteFacts,
    find_function,
    module_of,
)
from rewake.execution.calls import SYSTEM_PREFIX, Visibility
from rewake.functions import FunctionKind, FunctionMetadata, HttpRouter, RegisteredFunction
from rewake.protocol import FunctionPath
from rewake.schema import (
    ArgumentsCodec,
    DeclaredVariable,
    ReadArguments,
    Schema,
    TypeCodec,
    WriteText,
    argument_reader,
    text_writer,
    variables_to_json,
)


class WrongFunctionKind(FunctionError):
    """The function exists, but it is of another kind."""

    code = "WrongFunctionKind"
    template = "Trying to execute {path} as {asked}, but it is defined as {actual}."


class FunctionRecord(msgspec.Struct, frozen=True, dict=True):
    """One function that can be called."""

    path: FunctionPath
    kind: FunctionKind
    is_internal: bool
    function: RegisteredFunction[Any, Any]
    arguments: ArgumentsCodec
    returns: TypeCodec | None
    """None where the handler has no return annotation: anything that is a value may be returned."""

    @cached_property
    def name(self) -> str:
        """`module:function`, as people read it."""
        return self.path.public

    @cached_property
    def is_system(self) -> bool:
        """Whether it is one of the house's own."""
        return self.path.module.startswith(SYSTEM_PREFIX)

    @cached_property
    def read_arguments(self) -> ReadArguments | None:
        """Reads what callers send; None where that takes the way through values. Generated on first use."""
        return argument_reader(self.arguments)

    @cached_property
    def write_result(self) -> WriteText:
        """Writes what the handler returns. Generated on first use."""
        return text_writer(self.returns)

    def facts(self) -> FunctionFacts:
        """The function without its code."""
        return FunctionFacts(
            path=self.path,
            kind=self.kind,
            is_internal=self.is_internal,
            arguments=self.arguments.validator.to_json(),
            returns=self.returns.validator.to_json() if self.returns is not None else {"type": "any"},
            documentation=_documentation_of(self.function.handler),
        )

    def metadata(self) -> FunctionMetadata:
        """What the function can ask about itself."""
        return FunctionMetadata(
            name=self.path.public,
            component_path="",
            type=self.kind,
            visibility="internal" if self.is_internal else "public",
        )

    def to_spec(self) -> dict[str, Any]:
        """The entry of the function spec (semantics 6.2)."""
        return {
            "identifier": self.path.canonical,
            "functionType": self.kind.capitalize(),
            "visibility": {"kind": "internal" if self.is_internal else "public"},
            "args": self.arguments.validator.to_json(),
            "returns": self.returns.validator.to_json() if self.returns is not None else {"type": "any"},
        }


class Registry(msgspec.Struct, frozen=True):
    """One version of a project."""

    functions: Mapping[FunctionPath, FunctionRecord]
    schema: Schema
    module_hashes: Mapping[str, str] = msgspec.field(default_factory=dict)
    """By module path (`dir/messages`): a hash of its source and of every project module that it imports."""
    root: Path | None = None
    """The project's folder; error frames show files relative to it."""
    http: HttpRouter | None = None
    """What answers HTTP requests; None where the project has no `http` module."""
    variables: Mapping[str, DeclaredVariable] = msgspec.field(default_factory=dict)
    """Environment variables that the project declares."""
    auth_providers: tuple[Provider, ...] = ()
    """Whose tokens are taken."""
    crons: tuple[CronFacts, ...] = ()
    """What runs again and again, in order of the identifiers."""
    project: Registry | None = None
    """Of the system functions: the project that they stand beside in this run."""
    _found: dict[str, FunctionRecord] = msgspec.field(default_factory=dict)
    """The functions that were called, by the text of their paths: a function has few forms of it."""
    _by_object: dict[int, FunctionRecord] = msgspec.field(default_factory=dict)
    """The functions by what they are as objects, which live as long; filled by the first who asks."""

    def find(self, path: str, visibility: Visibility, kind: FunctionKind | None = None) -> FunctionRecord:
        """The function that `path` names, which must be of `kind` where one is given.

        Raises:
            FunctionNotFound: there is none, or it is internal and `visibility` is public.
            WrongFunctionKind: it is of another kind.
        """
        record = self._found.get(path)
        if record is None or (record.is_internal and visibility is Visibility.PUBLIC):
            record = self._found[path] = find_function(self.functions, path, visibility)
        if kind is not None and record.kind != kind:
            raise WrongFunctionKind(
                path=record.path.canonical, asked=kind.capitalize(), actual=record.kind.capitalize()
            )
        return record

    def record_of(self, function: RegisteredFunction[Any, Any]) -> FunctionRecord:
        """The record of a function object used as its own reference.

        Raises:
            FunctionNotFound: the object was not found in the project when it was loaded.
        """
        known = self._by_object
        if not known:
            # In one step, since threads may ask at the same time; of two names the first counts.
            known.update({id(record.function): record for record in [*self.functions.values()][::-1]})
        record = known.get(id(function))
        if record is None:
            raise FunctionNotFound(f"{function!r} is not exported by a module of this project.")
        return record

    def code_hash(self, path: str) -> str | None:
        """The hash of the module that serves `path`, or None where it names nothing."""
        module = module_of(path)
        return None if module is None else self.module_hashes.get(module)

    def module_of(self, path: str) -> str | None:
        """The module that `path` names, whether or not it exists."""
        return module_of(path)

    def analysis(self) -> Analysis:
        """The same version as plain data, without its code."""
        return Analysis(
            functions=tuple(self.functions[path].facts() for path in sorted(self.functions)),
            schema=self.schema.to_json(),
            module_hashes=dict(self.module_hashes),
            routes=self._routes(),
            auth_providers=self.auth_providers,
            crons=self.crons,
            variables=variables_to_json(self.variables),
        )

    def _routes(self) -> tuple[RouteFacts, ...] | None:
        if self.http is None:
            return None
        return tuple(
            RouteFacts(route.path, route.is_prefix, route.method) for route in self.http.get_routes()
        )

    def function_spec(self) -> list[dict[str, Any]]:
        """All functions in order of their paths, then the HTTP routes in order of precedence (semantics
        6.2).
        """
        functions = [self.functions[path].to_spec() for path in sorted(self.functions)]
        return functions + [route.to_spec() for route in self._routes() or ()]


def registry_of(
    records: Iterable[FunctionRecord],
    schema: Schema,
    *,
    module_hashes: Mapping[str, str] | None = None,
    root: Path | None = None,
    http: HttpRouter | None = None,
    variables: Mapping[str, DeclaredVariable] | None = None,
    auth_providers: tuple[Provider, ...] = (),
) -> Registry:
    """Assemble a registry."""
    return Registry(
        {record.path: record for record in records},
        schema,
        dict(module_hashes or {}),
        root,
        http,
        dict(variables or {}),
        auth_providers,
    )


def _documentation_of(handler: object) -> str:
    """The docstring; a lone surrogate in it, which no file could hold, becomes a question mark."""
    return (inspect.getdoc(handler) or "").encode("utf-8", "replace").decode()
