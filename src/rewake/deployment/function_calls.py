"""Calls of functions: what doors, the scheduler and running actions have a deployment run.

Floor 5, `deployment`, under `deployment.py`, which is a `FunctionCalls` that has data to look after, people
to know and code to exchange. Here is what a call needs and nothing else: the runner, the live queries with
their cache, and the bounds of what may be under way.

    mutate, act     visibility, lane -> bounds -> runner
    query           the same -> the shared cache, or a wave of the readers
    run_scheduled, run_system, call_from_action     by the house: internal functions too

Not here: who is calling (`callers.py`), what else a deployment does (`deployment.py`).
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from rewake.auth import ANONYMOUS, Identity
from rewake.database import Database, Invocation, ReplayKey, ScheduledJob
from rewake.deployment.mutations import Mutations
from rewake.deployment.under_way import ArgumentsUnderWay, CallsUnderWay
from rewake.environment import RandomTexts
from rewake.errors import InvalidInput, RewakeError
from rewake.execution import (
    NO_SOURCE,
    SCHEDULED,
    SYSTEM_PREFIX,
    ActionJob,
    Analysis,
    CalledFrom,
    Failure,
    FunctionCall,
    FunctionNotFound,
    HttpJob,
    MutationJob,
    MutationOutcome,
    Readers,
    RequestSource,
    Runner,
    Success,
    TracedCalls,
    TracedWaves,
    Visibility,
    failure_of,
    lane_of,
    note_result,
    system_registry,
)
from rewake.functions import FunctionKind
from rewake.protocol import FunctionPath
from rewake.reactivity import LiveListener, LiveQueries, LiveSession, visibility_of
from rewake.tallies import Tallies
from rewake.tracing import Tracing

_HTTP_API = RequestSource(called_from=CalledFrom.HTTP_API)


class FunctionCalls:
    """Runs functions of one deployment."""

    def __init__(self, database: Database, runner: Runner, *, tallies: Tallies, tracing: Tracing) -> None:
        self._database = database
        self.environment = database.environment
        """Time, chance and fault points."""
        self._invocations = RandomTexts(database.environment, 16)
        self._clock = database.environment.clock
        # Asked a dozen times for each call of a door: there is nothing around them.
        self.now_ns = self._clock.now_ns
        """Wall clock, nanoseconds since the epoch."""
        self.monotonic = self._clock.monotonic
        """Seconds since some fixed moment."""
        self._runner = runner
        self.tallies = tallies
        """What doors and others count."""
        self.tracing = tracing
        """Spans of requests, where they are wanted."""
        self._calls = TracedCalls(runner, tracing) if tracing.is_on else runner
        self._mutations = Mutations(self._calls, self.run_system, limits=database.limits)
        self._arguments = taken = ArgumentsUnderWay(database.limits.arguments_under_way_bytes_max)
        queries, mutations = database.limits.queries_under_way_max, database.limits.mutations_under_way_max
        self._queries = CallsUnderWay(queries, kind="queries", arguments=taken)
        self._writes = CallsUnderWay(mutations, kind="mutations", arguments=taken)
        readers: Readers = TracedWaves(runner, tracing, clock=self._clock) if tracing.is_on else runner
        bounds, position = database.limits, database.last_ts()
        given = database.environment
        self.live = LiveQueries(readers, environment=given, limits=bounds, position=position, tallies=tallies)

    @property
    def analysis(self) -> Analysis:
        """What is known of the code that serves now."""
        return self._runner.analysis

    @property
    def last_ts(self) -> int:
        """The log position: the newest commit that live queries have been told of."""
        return self.live.position

    async def latest_ts(self) -> int:
        """The newest committed timestamp."""
        return self.live.position

    def open_session(self, listener: LiveListener) -> LiveSession:
        """A new set of live queries, empty and anonymous."""
        return self.live.open_session(listener)

    async def mutate(
        self,
        call: FunctionCall,
        identity: Identity,
        *,
        request_id: str,
        source: RequestSource = NO_SOURCE,
        replay: ReplayKey | None = None,
        visibility: Visibility | None = None,
    ) -> MutationOutcome:
        """Run a mutation, or find the outcome that `replay` had before; returns after COMMIT.

        Internal functions are found by administrators, unless `visibility` says otherwise.

        Raises:
            TooManyCalls, Overloaded: not now; it was not begun.
        """
        if call.component and (refusal := self._refuse_component(call)) is not None:
            return MutationOutcome(refusal, self.live.position)
        invocation = Invocation(next(self._invocations), replay)
        seen = visibility or visibility_of(identity, call.path, "mutation")
        lane = lane_of(identity, source, request_id=request_id, replay=replay)
        if identity is not ANONYMOUS:
            source = source.signed_in(identity)
        job = MutationJob(call, identity, seen, invocation, request_id, source=source, lane=lane)
        size = len(call.args)
        self._writes.take(size)
        try:
            return await self._mutations.run(job)
        finally:
            self._writes.give_back(size)

    async def act(
        self,
        call: FunctionCall,
        identity: Identity,
        *,
        request_id: str,
        source: RequestSource = NO_SOURCE,
        visibility: Visibility | None = None,
    ) -> Success | Failure:
        """Run an action, at most once. `visibility` as for `mutate`.

        Raises:
            RateLimited: as many actions run as the server takes.
        """
        refusal = self._refuse_component(call)
        if refusal is not None:
            return refusal
        seen = visibility or visibility_of(identity, call.path, "action")
        source = source.signed_in(identity)
        with self._arguments.of(call):
            return await self._calls.act(ActionJob(call, identity, seen, request_id, source=source))

    async def answer(self, job: HttpJob) -> Success | Failure:
        """Run an HTTP action as `act` does; its response goes to the job's door as it comes."""
        return await self._calls.act(replace(job, source=job.source.signed_in(job.identity)))

    async def call_from_action(
        self,
        kind: FunctionKind,
        call: FunctionCall,
        identity: Identity,
        *,
        request_id: str,
        source: RequestSource,
    ) -> Success | Failure:
        """Run a function that an action calls, internal ones too."""
        seen = Visibility.INTERNAL
        try:
            if kind == "query":
                with self.tracing.span(f"query {call.path[:200]}", parent=source.trace) as span:
                    result, _ = await self.query(
                        call, identity, request_id=request_id, visibility=seen, source=source
                    )
                    note_result(span, result)
            elif kind == "mutation":
                outcome = await self.mutate(
                    call, identity, request_id=request_id, source=source, visibility=seen
                )
                result = outcome.result
            else:
                result = await self.act(call, identity, request_id=request_id, source=source, visibility=seen)
        except RewakeError as error:
            return failure_of(error, root=None)
        return result

    async def query(
        self,
        call: FunctionCall,
        identity: Identity,
        *,
        request_id: str,
        at: int | None = None,
        visibility: Visibility | None = None,
        source: RequestSource = _HTTP_API,
    ) -> tuple[Success | Failure, int]:
        """Answer a query at the latest timestamp, from the shared cache if it can; or on the snapshot at
        `at`. `visibility` and what is raised as for `mutate`.
        """
        lane = lane_of(identity, source, request_id=request_id)
        seen = visibility or visibility_of(identity, call.path, "query")
        if call.component and (refusal := self._refuse_component(call)) is not None:
            return refusal, self.live.position
        size = len(call.args)
        self._queries.take(size)
        try:
            if at is not None:
                results, ts = await self.live.read_many([call], identity, seen, at=at, lane=lane)
                return results[0].result, ts
            return await self.live.query(call, identity, seen, source.called_from, lane)
        finally:
            self._queries.give_back(size)

    async def query_many(
        self,
        calls: Sequence[FunctionCall],
        identity: Identity,
        *,
        request_id: str,
        source: RequestSource = _HTTP_API,
    ) -> tuple[list[Success | Failure], int]:
        """Run several queries on one snapshot."""
        lane = lane_of(identity, source, request_id=request_id)
        each = {visibility_of(identity, call.path, "query") for call in calls}
        # The door has refused a batch with a call that is denied; should it not have, all of it is.
        seen = Visibility.DENIED if Visibility.DENIED in each else each.pop() if each else Visibility.PUBLIC
        with self._queries:
            results, ts = await self.live.read_many(calls, identity, seen, at=None, lane=lane)
        return [
            self._refuse_component(call) or result.result for call, result in zip(calls, results, strict=True)
        ], ts

    def kind_of(self, path: str, component: str) -> FunctionKind | None:
        """What kind of function lives at `path`, internal ones too."""
        if component:
            return None
        try:
            if path.startswith(SYSTEM_PREFIX):
                return system_registry().find(path, Visibility.INTERNAL).kind
            return self.analysis.find(path, Visibility.INTERNAL).kind
        except FunctionNotFound:
            return None

    def _refuse_component(self, call: FunctionCall) -> Failure | None:
        if not call.component:
            return None
        try:
            path = FunctionPath.parse(call.path).public
        except InvalidInput:
            path = call.path
        return Failure(f"Could not find public function for '{path}' in '{call.component}'.\n")

    # By the house itself.

    async def run_scheduled(self, kind: FunctionKind, job: ScheduledJob) -> Success | Failure:
        """Run the function of a job, with nobody's identity. A mutation finishes the job in its commit."""
        call, seen = FunctionCall(job.name, job.args), Visibility.INTERNAL
        request_id = self.environment.random_bytes(8).hex()
        if kind == "action":
            return await self._calls.act(ActionJob(call, ANONYMOUS, seen, request_id, job.id))
        invocation = Invocation(next(self._invocations))
        outcome = await self._mutations.run(
            MutationJob(call, ANONYMOUS, seen, invocation, request_id, job.id, lane=SCHEDULED)
        )
        return outcome.result

    async def run_system(self, path: str, args: str) -> Success | Failure:
        """Run a system mutation of the house's own, however many of others are under way."""
        invocation = Invocation(next(self._invocations))
        job = MutationJob(FunctionCall(path, args), ANONYMOUS, Visibility.INTERNAL, invocation, "")
        return (await self._runner.mutate(job)).result
