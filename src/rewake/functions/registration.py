"""Registration: the decorators that make a Python function callable by clients.

Floor 2, `functions`. A decorator changes nothing about the function: it remembers kind and visibility, and
the registry finds it when the project is loaded. The registered object is its own reference: pass it to
`ctx.run_query` and it is type-checked.

    @query            read-only, live, cached            @internal_query       the same, for the house only
    @mutation         one transaction                    @internal_mutation
    @action           talks to the world                 @internal_action

Not here: argument and return validators (`schema`), finding and running (`execution`).
"""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Concatenate, Generic, Literal, ParamSpec, Protocol, TypeVar, overload

from rewake.errors import InvalidInput
from rewake.functions.actions import ActionCtx, BlockingActionCtx
from rewake.functions.context import MutationCtx, QueryCtx, tell_of_direct_call
from rewake.functions.metadata import FunctionKind

P = ParamSpec("P")
R = TypeVar("R")

_CONTEXTS = {"query": "QueryCtx", "mutation": "MutationCtx", "action": "ActionCtx"}
_NO_CONTEXTS = frozenset({"str", "int", "float", "bool", "bytes", "list", "dict"})


class RegistrationError(InvalidInput):
    """A function cannot be registered as it is written."""

    code = "InvalidFunction"


class RegisteredFunction(Generic[P, R]):
    """A function with a kind and a visibility; its own reference."""

    @property
    def kind(self) -> FunctionKind:
        """Query, mutation or action."""
        raise NotImplementedError

    def __init__(self, handler: Callable[..., R], *, is_internal: bool, name: str | None) -> None:
        _refuse_wrong_shape(handler, self.kind)
        self.handler = handler
        self.is_internal = is_internal
        self.exported_name = name
        self.__doc__ = handler.__doc__
        self.__name__ = handler.__name__
        self.__qualname__ = handler.__qualname__
        self.__module__ = handler.__module__
        self.__wrapped__ = handler

    def __repr__(self) -> str:
        internal = "internal " if self.is_internal else ""
        return f"<{internal}{self.kind} {self.__module__}.{self.__name__}>"


class QueryFunction(RegisteredFunction[P, R]):
    """A registered query. Calling it directly runs the plain function in the caller's context, unchecked."""

    @property
    def kind(self) -> Literal["query"]:
        """Its kind."""
        return "query"

    def __call__(self, ctx: QueryCtx, *args: P.args, **kwargs: P.kwargs) -> R:
        tell_of_direct_call(ctx, self)
        return self.handler(ctx, *args, **kwargs)


class MutationFunction(RegisteredFunction[P, R]):
    """A registered mutation. Calling it directly runs the plain function in the caller's context,
    unchecked.
    """

    @property
    def kind(self) -> Literal["mutation"]:
        """Its kind."""
        return "mutation"

    def __call__(self, ctx: MutationCtx, *args: P.args, **kwargs: P.kwargs) -> R:
        tell_of_direct_call(ctx, self)
        return self.handler(ctx, *args, **kwargs)


class ActionFunction(RegisteredFunction[P, Awaitable[R]], Generic[P, R]):
    """A registered `async def` action. Calling it directly runs the plain function in the caller's context,
    unchecked.
    """

    @property
    def kind(self) -> Literal["action"]:
        """Its kind."""
        return "action"

    @property
    def is_async(self) -> Literal[True]:
        """Whether it is to be awaited."""
        return True

    def __call__(self, ctx: ActionCtx, *args: P.args, **kwargs: P.kwargs) -> Awaitable[R]:
        return self.handler(ctx, *args, **kwargs)


class BlockingActionFunction(RegisteredFunction[P, R]):
    """A registered plain `def` action. Calling it directly runs the plain function in the caller's context,
    unchecked.
    """

    @property
    def kind(self) -> Literal["action"]:
        """Its kind."""
        return "action"

    @property
    def is_async(self) -> Literal[False]:
        """Whether it is to be awaited."""
        return False

    def __call__(self, ctx: BlockingActionCtx, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.handler(ctx, *args, **kwargs)


def _refuse_wrong_shape(handler: Callable[..., Any], kind: str) -> None:
    name = getattr(handler, "__qualname__", repr(handler))
    if not inspect.isfunction(handler):
        raise RegistrationError(f"@{kind} decorates a function; got {handler!r}.")
    if inspect.isasyncgenfunction(handler) and kind == "action":
        raise RegistrationError(f"{name} yields, and an action returns its result. Return a list instead.")
    is_async = inspect.iscoroutinefunction(handler) or inspect.isasyncgenfunction(handler)
    if is_async and kind != "action":
        raise RegistrationError(
            f"{name} is `async def`, and a {kind} is plain `def`: the database is right there, so there is "
            "nothing to await. Write `def` instead; to talk to the outside world, call the function from an "
            "action."
        )
    if inspect.isgeneratorfunction(handler):
        article = "an" if kind == "action" else "a"
        raise RegistrationError(
            f"{name} yields, and {article} {kind} returns its result. Return a list instead."
        )
    parameters = list(inspect.signature(handler).parameters.values())
    if not parameters or parameters[0].kind not in (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    ):
        raise RegistrationError(
            f"{name} needs the context as its first parameter: `def {name}(ctx: {_CONTEXTS[kind]}, ...)`."
        )
    # A decorator of the author's that passes something else than the context on is no mistake.
    if _is_of_a_value(parameters[0].annotation) and not hasattr(handler, "__wrapped__"):
        raise RegistrationError(
            f"{name} has the argument `{parameters[0].name}` where the context comes first: "
            f"`def {name}(ctx: {_CONTEXTS[kind]}, {parameters[0].name}, ...)`."
        )
    for parameter in parameters[1:]:
        if parameter.kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.POSITIONAL_ONLY):
            raise RegistrationError(
                f"{name} takes `{parameter}`, but clients pass every argument by name. Name each argument."
            )


def _is_of_a_value(annotation: Any) -> bool:
    """Whether a first parameter with this annotation is surely no context but an argument."""
    name = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    return str(name).partition("[")[0] in _NO_CONTEXTS


@overload
def query(handler: Callable[Concatenate[QueryCtx, P], R], /) -> QueryFunction[P, R]: ...
@overload
def query(
    *, name: str | None = None
) -> Callable[[Callable[Concatenate[QueryCtx, P], R]], QueryFunction[P, R]]: ...
def query(handler: Any = None, /, *, name: str | None = None) -> Any:
    """Register a query: reads the database, changes nothing, and stays live on every screen that shows it.

    `name` is what clients call it by; the function's own name where it is left out.

    Raises:
        RegistrationError: the function is `async def`, yields, or lacks the context parameter.
    """
    return _register(QueryFunction, handler, is_internal=False, name=name)


@overload
def internal_query(handler: Callable[Concatenate[QueryCtx, P], R], /) -> QueryFunction[P, R]: ...
@overload
def internal_query(
    *, name: str | None = None
) -> Callable[[Callable[Concatenate[QueryCtx, P], R]], QueryFunction[P, R]]: ...
def internal_query(handler: Any = None, /, *, name: str | None = None) -> Any:
    """Register a query that only other functions and administrators can call."""
    return _register(QueryFunction, handler, is_internal=True, name=name)


@overload
def mutation(handler: Callable[Concatenate[MutationCtx, P], R], /) -> MutationFunction[P, R]: ...
@overload
def mutation(
    *, name: str | None = None
) -> Callable[[Callable[Concatenate[MutationCtx, P], R]], MutationFunction[P, R]]: ...
def mutation(handler: Any = None, /, *, name: str | None = None) -> Any:
    """Register a mutation: one transaction, all or nothing, never in conflict with another.

    `name` is what clients call it by; the function's own name where it is left out.

    Raises:
        RegistrationError: the function is `async def`, yields, or lacks the context parameter.
    """
    return _register(MutationFunction, handler, is_internal=False, name=name)


@overload
def internal_mutation(handler: Callable[Concatenate[MutationCtx, P], R], /) -> MutationFunction[P, R]: ...
@overload
def internal_mutation(
    *, name: str | None = None
) -> Callable[[Callable[Concatenate[MutationCtx, P], R]], MutationFunction[P, R]]: ...
def internal_mutation(handler: Any = None, /, *, name: str | None = None) -> Any:
    """Register a mutation that only other functions and administrators can call."""
    return _register(MutationFunction, handler, is_internal=True, name=name)


@overload
def action(handler: Callable[Concatenate[ActionCtx, P], Awaitable[R]], /) -> ActionFunction[P, R]: ...
@overload
def action(handler: Callable[Concatenate[BlockingActionCtx, P], R], /) -> BlockingActionFunction[P, R]: ...
@overload
def action(*, name: str | None = None) -> ActionDecorator: ...
def action(handler: Any = None, /, *, name: str | None = None) -> Any:
    """Register an action: it may talk to the world, and calls queries and mutations through `ctx`.

    `async def` takes an `ActionCtx`; plain `def` takes a `BlockingActionCtx` and runs in a thread. An action
    that a client called runs at most once; nothing of it is undone when it fails.

    Raises:
        RegistrationError: the function yields, or lacks the context parameter.
    """
    return _register(_action_kind, handler, is_internal=False, name=name)


@overload
def internal_action(
    handler: Callable[Concatenate[ActionCtx, P], Awaitable[R]], /
) -> ActionFunction[P, R]: ...
@overload
def internal_action(
    handler: Callable[Concatenate[BlockingActionCtx, P], R], /
) -> BlockingActionFunction[P, R]: ...
@overload
def internal_action(*, name: str | None = None) -> ActionDecorator: ...
def internal_action(handler: Any = None, /, *, name: str | None = None) -> Any:
    """Register an action that only other functions and administrators can call."""
    return _register(_action_kind, handler, is_internal=True, name=name)


class ActionDecorator(Protocol):
    """What `action(name=...)` gives."""

    @overload
    def __call__(
        self, handler: Callable[Concatenate[ActionCtx, P], Awaitable[R]], /
    ) -> ActionFunction[P, R]: ...
    @overload
    def __call__(
        self, handler: Callable[Concatenate[BlockingActionCtx, P], R], /
    ) -> BlockingActionFunction[P, R]: ...


def _action_kind(handler: Callable[..., Any], *, is_internal: bool, name: str | None) -> Any:
    kind: Any = ActionFunction if inspect.iscoroutinefunction(handler) else BlockingActionFunction
    return kind(handler, is_internal=is_internal, name=name)


def _register(kind: Any, handler: Any, *, is_internal: bool, name: str | None) -> Any:
    if handler is not None:
        return kind(handler, is_internal=is_internal, name=name)

    def decorate(function: Callable[..., Any]) -> Any:
        return kind(function, is_internal=is_internal, name=name)

    return decorate
