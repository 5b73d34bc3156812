"""References: a registered function as what other functions pass on, by what it takes and returns.

Floor 2, `functions`. Only types live here, so that contexts and the scheduler can name the kinds of functions
that they accept without knowing the decorators. A function of another kind is a type error.

Not here: the registered functions themselves (`registration.py`).
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, Literal, ParamSpec, Protocol, TypeVar

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class QueryReference(Protocol[P, R_co]):
    """A query, as `ctx.run_query` takes it."""

    @property
    def kind(self) -> Literal["query"]: ...
    def __call__(self, ctx: Any, *args: P.args, **kwargs: P.kwargs) -> R_co: ...


class MutationReference(Protocol[P, R_co]):
    """A mutation, as `ctx.run_mutation` takes it."""

    @property
    def kind(self) -> Literal["mutation"]: ...
    def __call__(self, ctx: Any, *args: P.args, **kwargs: P.kwargs) -> R_co: ...


class ActionReference(Protocol[P, R_co]):
    """An `async def` action, as `ctx.run_action` takes it."""

    @property
    def kind(self) -> Literal["action"]: ...
    @property
    def is_async(self) -> Literal[True]: ...
    def __call__(self, ctx: Any, *args: P.args, **kwargs: P.kwargs) -> Awaitable[R_co]: ...


class BlockingActionReference(Protocol[P, R_co]):
    """A plain `def` action, as `ctx.run_action` takes it."""

    @property
    def kind(self) -> Literal["action"]: ...
    @property
    def is_async(self) -> Literal[False]: ...
    def __call__(self, ctx: Any, *args: P.args, **kwargs: P.kwargs) -> R_co: ...


class SchedulableReference(Protocol[P, R_co]):
    """A mutation or an action, as the scheduler takes it."""

    @property
    def kind(self) -> Literal["mutation", "action"]: ...
    def __call__(self, ctx: Any, *args: P.args, **kwargs: P.kwargs) -> R_co: ...
