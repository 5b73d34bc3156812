"""Contexts: what a handler is given as `ctx`.

Floor 2, `functions`. A context is a thin face of the host: it holds nothing of its own. Once the run is
over the host refuses every use, so a context kept in a global or handed to a thread fails with a sentence
instead of corrupting a later run.

Not here: the contexts of actions (`actions.py`).
"""

from __future__ import annotations

from operator import attrgetter
from random import Random
from typing import ClassVar, ParamSpec, Protocol, TypeVar

from rewake.auth import Admin, Identity, User
from rewake.errors import FunctionError
from rewake.functions.call_options import PLAIN_CALL, CallOptions
from rewake.functions.database import DatabaseReader, DatabaseWriter
from rewake.functions.elsewhere import HasElsewhere
from rewake.functions.env import Env
from rewake.functions.meta import Meta, MutationMeta
from rewake.functions.ports import Host
from rewake.functions.references import MutationReference, QueryReference
from rewake.functions.scheduler import Scheduler
from rewake.functions.storage import StorageReader, StorageWriter
from rewake.functions.user_identity import UserIdentity
from rewake.values import decode_stored_document

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)


class NotSignedIn(FunctionError):
    """The caller did not sign in, and the function requires it. Sign in and call again."""

    code = "Unauthenticated"
    template = "Unauthenticated: this function requires a signed-in user."


class KnowsCaller(Protocol):
    """A run that can say who called."""

    def read_identity(self) -> Identity: ...


class Auth:
    """`ctx.auth`: who called."""

    def __init__(self, host: KnowsCaller) -> None:
        self._host = host

    def get_user_identity(self) -> UserIdentity | None:
        """The signed-in user, or None. A result that rests on this is never shown to anybody else."""
        identity: Identity = self._host.read_identity()
        user = identity.acting_as if isinstance(identity, Admin) else identity
        if not isinstance(user, User):
            return None
        attributes = decode_stored_document(user.attributes)
        return UserIdentity(attributes)

    def require_identity(self) -> UserIdentity:
        """The signed-in user.

        Raises:
            NotSignedIn: nobody is signed in.
        """
        identity = self.get_user_identity()
        if identity is None:
            raise NotSignedIn()
        return identity


class NestedQueries:
    """Calls of queries within a transaction, under conditions of the caller's."""

    def __init__(self, host: Host, options: CallOptions) -> None:
        self._host = host
        self._options = options

    def run_query(
        self, function: QueryReference[P, R_co] | str, /, *args: P.args, **arguments: P.kwargs
    ) -> R_co:
        """Run another query in the same transaction, with its arguments and result checked.

        `function` is the query itself or its path (`"messages:list"`).
        """
        if args:
            raise TypeError("run_query takes arguments by name")
        result: R_co = self._host.call(function, arguments, kinds=("query",), options=self._options)
        return result

    def with_limits(
        self,
        *,
        bytes_read: int | None = None,
        database_queries: int | None = None,
        documents_read: int | None = None,
    ) -> NestedQueries:
        """Give a query that you call less than what is left: `ctx.with_limits(documents_read=100).run_query`.

        The numbers are what the call may use in addition, named as in `ctx.meta.get_transaction_metrics()`.
        The call fails where it goes over one; you can catch that and go on.
        """
        caps = {
            "bytes_read": bytes_read,
            "database_queries": database_queries,
            "documents_read": documents_read,
        }
        return NestedQueries(self._host, self._options.capped(caps))


class NestedCalls(NestedQueries):
    """Calls of queries and mutations within a mutation, under conditions of the caller's."""

    def run_mutation(
        self, function: MutationReference[P, R_co] | str, /, *args: P.args, **arguments: P.kwargs
    ) -> R_co:
        """Run another mutation as a part of this one.

        If it raises, its own writes are undone and the error goes on to the caller, who may catch it.
        """
        if args:
            raise TypeError("run_mutation takes arguments by name")
        result: R_co = self._host.call(function, arguments, kinds=("mutation",), options=self._options)
        return result

    def with_limits(
        self,
        *,
        bytes_read: int | None = None,
        bytes_written: int | None = None,
        database_queries: int | None = None,
        documents_read: int | None = None,
        documents_written: int | None = None,
        functions_scheduled: int | None = None,
        scheduled_function_args_bytes: int | None = None,
        files_read: int | None = None,
        file_read_bytes: int | None = None,
        files_written: int | None = None,
        file_write_bytes: int | None = None,
    ) -> NestedCalls:
        """Give a function that you call less than what is left. See `NestedQueries.with_limits`."""
        caps = {
            "bytes_read": bytes_read,
            "bytes_written": bytes_written,
            "database_queries": database_queries,
            "documents_read": documents_read,
            "documents_written": documents_written,
            "functions_scheduled": functions_scheduled,
            "scheduled_function_args_bytes": scheduled_function_args_bytes,
            "files_read": files_read,
            "file_read_bytes": file_read_bytes,
            "files_written": files_written,
            "file_write_bytes": file_write_bytes,
        }
        return NestedCalls(self._host, self._options.capped(caps))


class QueryCtx(NestedQueries, HasElsewhere):
    """What a query is given: the database to read, the caller, frozen time and seeded chance."""

    ELSEWHERE: ClassVar = {
        "run_mutation": "A query only reads. Call mutations from a mutation or an action.",
        "run_action": "A query only reads. Call actions from an action.",
        "scheduler": "A query only reads. Schedule functions in a mutation or an action.",
    }

    # One is made for every run, and asked for its database again and again.
    def __init__(self, host: Host) -> None:
        self._host, self._options, self._db = host, PLAIN_CALL, DatabaseReader(host)

    db: DatabaseReader = property(attrgetter("_db"))  # type: ignore[assignment]
    """The database, as it stood when the run began."""

    @property
    def auth(self) -> Auth:
        """Who called."""
        return Auth(self._host)

    @property
    def env(self) -> Env:
        """Environment variables of the deployment: `ctx.env["NAME"]`, `ctx.env.get("NAME")`."""
        return Env(self._host)

    @property
    def storage(self) -> StorageReader:
        """Files: their URLs."""
        return StorageReader(self._host)

    @property
    def now(self) -> float:
        """The time at which the run began, in milliseconds since the epoch; the same during the whole run.

        A live query is not run again merely because time passes.
        """
        return self._host.read_clock()

    @property
    def random(self) -> Random:
        """Chance, seeded anew for each run."""
        return self._host.random()

    @property
    def meta(self) -> Meta:
        """What the run can find out about itself."""
        return Meta(self._host)

    def at_begin_snapshot(self) -> NestedQueries:
        """Run a query at the moment when this mutation began: `ctx.at_begin_snapshot().run_query(...)`.

        It does not see what the mutation wrote, and the mutation does not depend on what it read. In queries
        the call is refused: they have no other snapshot.
        """
        return NestedQueries(self._host, PLAIN_CALL.at_begin())


class MutationCtx(QueryCtx, NestedCalls):
    """What a mutation is given: a query's context, and a database to write."""

    ELSEWHERE: ClassVar = {
        "run_action": "Schedule it, and it runs if this mutation commits: "
        "`ctx.scheduler.run_after(0, function, ...)`."
    }

    def __init__(self, host: Host) -> None:
        self._host, self._options, self._db = host, PLAIN_CALL, DatabaseWriter(host)

    db: DatabaseWriter = property(attrgetter("_db"))  # type: ignore[assignment]
    """The database: own writes are visible at once, to others when the mutation has committed."""

    @property
    def scheduler(self) -> Scheduler:
        """Functions that run later, if this mutation commits."""
        return Scheduler(self._host)

    @property
    def storage(self) -> StorageWriter:
        """Files: their URLs, URLs to send some to, small ones themselves, and removing them."""
        return StorageWriter(self._host)

    @property
    def meta(self) -> MutationMeta:
        """What the run can find out about itself and about its request."""
        return MutationMeta(self._host)


def tell_of_direct_call(ctx: QueryCtx, function: object) -> None:
    """Have the run say once that a registered function was called past its checks.

    A test's own stand-in for `ctx` has nobody to tell.
    """
    if isinstance(ctx, QueryCtx):
        ctx._host.called_directly(function)
