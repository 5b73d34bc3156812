"""A run block: code of a test's own in the place of a mutation's handler.

Floor 8, `testing`. The writer is parked in the middle of a mutation, and its transaction is the test's until
the block ends; so asserts, breakpoints and fixtures work in it as anywhere in the test.

    writer: group.perform(body) -> hands the transaction over, waits ... keeps or undoes -> COMMIT
    test:                          uses it -------------------------'

Not here: refusing calls that would wait for the parked writer (`backend.py`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, Literal

from rewake.auth import Identity
from rewake.database import CallResult, GroupCommit, Invocation, WriteTransaction
from rewake.deployment import Deployment
from rewake.errors import Conflict
from rewake.execution import NO_SOURCE, FunctionRecord, Host, Registry, RequestSource, Surroundings
from rewake.functions import MutationCtx, QueryCtx, internal_mutation
from rewake.loop_thread import LoopThread
from rewake.protocol import FunctionPath
from rewake.storage import GroupDoomed


class RunUnderWay(Conflict):
    """A mutation was called inside a `run` block, which holds the only writer. Call it on `ctx`, or after."""

    code = "RunUnderWay"
    template = (
        "A `run` block is open and holds the writer, so {what} would wait for ever. Use "
        "`ctx.run_mutation(...)` inside the block, or call it after the block."
    )


@contextmanager
def open_block(
    loop: LoopThread,
    deployment: Deployment,
    identity: Identity,
    kind: Literal["query", "mutation"],
    source: RequestSource = NO_SOURCE,
) -> Iterator[QueryCtx]:
    """A context for the test's own code: a query's, or a mutation's, whose writes are committed when the
    block ends and undone when it raises.

    Raises:
        StorageFailed: the block could not be begun or committed; nothing of it was kept.
    """
    registry = deployment.registry
    with _ParkedWriter(loop, deployment).transaction() as transaction:
        around = Surroundings(
            seed=lambda: deployment.environment.random_bytes(16),
            cursors=deployment.cursors,
            uploads=deployment.files.uploads,
            deployment_name=deployment.deployment_name,
        )
        host = Host(registry, transaction, identity, around, source=source.signed_in(identity))
        with host.opened(_record(registry, kind)) as ctx:
            yield ctx


class _Abandoned(Exception):
    """Tells the group to undo a block that raised."""


class _ParkedWriter:
    """Holds the writer in the middle of a mutation while the test's thread uses its transaction."""

    def __init__(self, loop: LoopThread, deployment: Deployment) -> None:
        self._loop = loop
        self._deployment = deployment
        self._handed: Future[WriteTransaction] = Future()
        self._is_over = threading.Event()
        self._is_kept = False
        self._doom: GroupDoomed | None = None

    @contextmanager
    def transaction(self) -> Iterator[WriteTransaction]:
        """The open transaction. Committed when the block ends, undone when it raises."""
        written = self._loop.begin(self._deployment.change(self._hold))
        written.add_done_callback(self._on_written)
        transaction = self._handed.result()
        try:
            yield transaction
            self._is_kept = True
        except GroupDoomed as doom:
            self._doom = doom
        finally:
            self._is_over.set()
            error = written.exception()
        if error is not None:
            raise error

    def _on_written(self, written: Future[Any]) -> None:
        """Where no group could be begun, nothing was handed over."""
        if not self._handed.done():
            self._handed.set_exception(written.exception() or _Abandoned())

    def _hold(self, group: GroupCommit) -> None:
        """In the writer's thread."""
        invocation = Invocation(self._deployment.environment.random_bytes(16).hex())
        performed = group.perform(invocation, self._body)
        if performed.error is not None and not isinstance(performed.error, _Abandoned):
            raise performed.error

    def _body(self, transaction: WriteTransaction) -> CallResult:
        self._handed.set_result(transaction)
        self._is_over.wait()
        if self._doom is not None:
            raise self._doom
        if not self._is_kept:
            raise _Abandoned()
        return CallResult("null")


def _record(registry: Registry, kind: Literal["query", "mutation"]) -> FunctionRecord:
    """What a block goes by: an internal function that nobody can call."""

    @internal_mutation
    def run(ctx: MutationCtx) -> None:
        """The block."""

    return FunctionRecord(
        path=FunctionPath.parse("testing:run"),
        kind=kind,
        is_internal=True,
        function=run,
        arguments=registry.schema.arguments_codec([], names={}),
        returns=None,
    )
