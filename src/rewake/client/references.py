"""References: functions of a server with what they take and return, for type checkers.

Floor 2, `client`. `rewake codegen --python` writes a module of them. Where a path is a text, a reference is a
path with types: `await client.query(api.messages.list_recent, channel=channel)` is checked, and its value is
known.

    @query("messages:list_recent")
    def list_recent(**arguments: Unpack[Arguments]) -> list[Message]: raise NotImplementedError

Not here: calling them (`client.py`), writing them (`codegen/python_api.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class QueryReference(Generic[P, R]):
    """A query of the server."""

    path: str


@dataclass(frozen=True, slots=True)
class MutationReference(Generic[P, R]):
    """A mutation of the server."""

    path: str


@dataclass(frozen=True, slots=True)
class ActionReference(Generic[P, R]):
    """An action of the server."""

    path: str


AnyQuery = str | QueryReference[..., Any]
AnyMutation = str | MutationReference[..., Any]
AnyAction = str | ActionReference[..., Any]


def query(path: str) -> Callable[[Callable[P, R]], QueryReference[P, R]]:
    """Make a reference of the query at `path`, with the signature of what is decorated."""
    return lambda signature: QueryReference(path)


def mutation(path: str) -> Callable[[Callable[P, R]], MutationReference[P, R]]:
    """Make a reference of the mutation at `path`, with the signature of what is decorated."""
    return lambda signature: MutationReference(path)


def action(path: str) -> Callable[[Callable[P, R]], ActionReference[P, R]]:
    """Make a reference of the action at `path`, with the signature of what is decorated."""
    return lambda signature: ActionReference(path)


def path_of(function: AnyQuery | AnyMutation | AnyAction) -> str:
    """The path of a function that is named either way."""
    return function if isinstance(function, str) else function.path
