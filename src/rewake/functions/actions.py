"""Action contexts: what an action is given as `ctx`.

Floor 2, `functions`, beside `context.py`. An action talks to the world, so it is no transaction and has no
`ctx.db`: each `run_query` and `run_mutation` of it is a call of its own, on a snapshot of its own. Calls
begin at once and may go on side by side; await them, or those that are not done when the action returns
are cancelled.

    async def        ActionCtx            await ctx.run_query(...)     asyncio.gather(...) for many at once
    def              BlockingActionCtx    ctx.run_query(...)           in a thread of its own

Not here: who carries the calls out (`execution/action_run.py`).
Source: semantics 6.3, 6.4.
"""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, ClassVar, ParamSpec, Protocol, TypeVar, overload

from rewake.auth import Identity
from rewake.functions.context import Auth
from rewake.functions.elsewhere import HasElsewhere
from rewake.functions.env import Env
from rewake.functions.metadata import FunctionKind, FunctionMetadata, RequestMetadata
from rewake.functions.references import (
    ActionReference,
    BlockingActionReference,
    MutationReference,
    QueryReference,
)
from rewake.functions.scheduler import AsyncScheduler, AsyncSchedulingHost, Scheduler, SchedulingHost
from rewake.functions.storage import ActionFilesHost, ActionStorage, AsyncActionStorage

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class ActionHost(SchedulingHost, AsyncSchedulingHost, Protocol):
    """One run of an action, seen from `ctx`."""

    def read_identity(self) -> Identity:
        """Who called."""
        ...

    def begin_call(
        self, reference: object, arguments: dict[str, Any], *, kind: FunctionKind
    ) -> Awaitable[Any]:
        """Begin a call of another function; the awaitable gives its result."""
        ...

    def call(self, reference: object, arguments: dict[str, Any], *, kind: FunctionKind) -> Any:
        """Call another function and wait for its result, in the thread of the action."""
        ...

    def read_variable(self, name: str) -> str | None:
        """The environment variable as it is now, or None where it is not set."""
        ...

    @property
    def files(self) -> ActionFilesHost:
        """Files, as this run reaches them."""
        ...

    def function_metadata(self) -> FunctionMetadata:
        """Which action runs."""
        ...

    def request_metadata(self) -> RequestMetadata:
        """Where the call came from."""
        ...


class ActionMeta:
    """`ctx.meta` of an action."""

    def __init__(self, host: ActionHost) -> None:
        self._host = host

    def get_function_metadata(self) -> FunctionMetadata:
        """The action that asks."""
        return self._host.function_metadata()

    def get_request_metadata(self) -> RequestMetadata:
        """The request behind the call."""
        return self._host.request_metadata()


class _Context(HasElsewhere):
    """What both contexts offer."""

    ELSEWHERE: ClassVar = {
        "db": "An action is no transaction. Read and write in queries and mutations: "
        "`ctx.run_query(function, ...)`, `ctx.run_mutation(function, ...)`."
    }

    def __init__(self, host: ActionHost) -> None:
        self._host = host

    @property
    def auth(self) -> Auth:
        """Who called."""
        return Auth(self._host)

    @property
    def env(self) -> Env:
        """Environment variables of the deployment, as they are at the moment: `ctx.env["NAME"]`."""
        return Env(self._host)

    @property
    def meta(self) -> ActionMeta:
        """What the run can find out about itself and about its request."""
        return ActionMeta(self._host)


class ActionCtx(_Context):
    """What an `async def` action is given: the caller, and calls of other functions."""

    @property
    def scheduler(self) -> AsyncScheduler:
        """Functions that run later, whatever becomes of this action."""
        return AsyncScheduler(self._host)

    @property
    def storage(self) -> AsyncActionStorage:
        """Files, with their bytes."""
        return AsyncActionStorage(self._host.files)

    @overload
    def run_query(
        self, function: QueryReference[P, R_co], /, *args: P.args, **arguments: P.kwargs
    ) -> Awaitable[R_co]: ...
    @overload
    def run_query(self, function: str, /, **arguments: Any) -> Awaitable[Any]: ...
    def run_query(self, function: Any, /, *args: Any, **arguments: Any) -> Awaitable[Any]:
        """Run a query on a snapshot of its own; two in a row may see different ones.

        `function` is the query itself or its path (`"messages:list"`), internal ones too.

        Raises:
            ApplicationError: the query raised one; with the same data.
            FunctionFailed: it failed in another way.
        """
        return self._begin("query", function, args, arguments)

    @overload
    def run_mutation(
        self, function: MutationReference[P, R_co], /, *args: P.args, **arguments: P.kwargs
    ) -> Awaitable[R_co]: ...
    @overload
    def run_mutation(self, function: str, /, **arguments: Any) -> Awaitable[Any]: ...
    def run_mutation(self, function: Any, /, *args: Any, **arguments: Any) -> Awaitable[Any]:
        """Run a mutation as a transaction of its own, committed when the result is there.

        Raises:
            ApplicationError: the mutation raised one; nothing of it was written.
            FunctionFailed: it failed in another way; nothing of it was written.
        """
        return self._begin("mutation", function, args, arguments)

    @overload
    def run_action(
        self, function: ActionReference[P, R_co], /, *args: P.args, **arguments: P.kwargs
    ) -> Awaitable[R_co]: ...
    @overload
    def run_action(
        self, function: BlockingActionReference[P, R_co], /, *args: P.args, **arguments: P.kwargs
    ) -> Awaitable[R_co]: ...
    @overload
    def run_action(self, function: str, /, **arguments: Any) -> Awaitable[Any]: ...
    def run_action(self, function: Any, /, *args: Any, **arguments: Any) -> Awaitable[Any]:
        """Run another action. Within one file an ordinary function is simpler and quicker.

        Raises:
            ApplicationError: the action raised one; with the same data.
            FunctionFailed: it failed in another way.
        """
        return self._begin("action", function, args, arguments)

    def _begin(
        self, kind: FunctionKind, function: object, args: tuple[Any, ...], arguments: dict[str, Any]
    ) -> Awaitable[Any]:
        if args:
            raise TypeError(f"run_{kind} takes arguments by name")
        return self._host.begin_call(function, arguments, kind=kind)


class BlockingActionCtx(_Context):
    """What a plain `def` action is given: it runs in a thread of its own, and its calls wait for their
    results.
    """

    @property
    def scheduler(self) -> Scheduler:
        """Functions that run later, whatever becomes of this action."""
        return Scheduler(self._host)

    @property
    def storage(self) -> ActionStorage:
        """Files, with their bytes."""
        return ActionStorage(self._host.files)

    @overload
    def run_query(
        self, function: QueryReference[P, R_co], /, *args: P.args, **arguments: P.kwargs
    ) -> R_co: ...
    @overload
    def run_query(self, function: str, /, **arguments: Any) -> Any: ...
    def run_query(self, function: Any, /, *args: Any, **arguments: Any) -> Any:
        """As `ActionCtx.run_query`; returns the result."""
        return self._call("query", function, args, arguments)

    @overload
    def run_mutation(
        self, function: MutationReference[P, R_co], /, *args: P.args, **arguments: P.kwargs
    ) -> R_co: ...
    @overload
    def run_mutation(self, function: str, /, **arguments: Any) -> Any: ...
    def run_mutation(self, function: Any, /, *args: Any, **arguments: Any) -> Any:
        """As `ActionCtx.run_mutation`; returns the result, after COMMIT."""
        return self._call("mutation", function, args, arguments)

    @overload
    def run_action(
        self, function: ActionReference[P, R_co], /, *args: P.args, **arguments: P.kwargs
    ) -> R_co: ...
    @overload
    def run_action(
        self, function: BlockingActionReference[P, R_co], /, *args: P.args, **arguments: P.kwargs
    ) -> R_co: ...
    @overload
    def run_action(self, function: str, /, **arguments: Any) -> Any: ...
    def run_action(self, function: Any, /, *args: Any, **arguments: Any) -> Any:
        """As `ActionCtx.run_action`; returns the result."""
        return self._call("action", function, args, arguments)

    def _call(
        self, kind: FunctionKind, function: object, args: tuple[Any, ...], arguments: dict[str, Any]
    ) -> Any:
        if args:
            raise TypeError(f"run_{kind} takes arguments by name")
        return self._host.call(function, arguments, kind=kind)
