"""The host: one function run, from encoded arguments to an encoded result.

Floor 3, `execution`. The host owns the transaction, the identity, frozen time and seeded chance, and notes
what was observed of them. `ctx` is a face of it (DESIGN D10).

    args text -> decode -> check -> bind -> handler(ctx, **arguments) -> value -> check -> encode -> Success
                 any step may end in a Failure             nested calls pass through the same steps

A host is open during its run and in its own thread only; later use raises `RunIsOver`.

Not here: transactions (`database`), groups and snapshots (`inline_runner.py`).
Source: semantics 5.6, 5.7, 6.3; wire 6.3 for the texts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from random import Random
from threading import get_ident
from typing import Any

import msgspec

from rewake.auth import Identity, UploadGrant
from rewake.database import (
    STORAGE_PATH,
    ReadTransaction,
    WriteTransaction,
    cancel_scheduled,
    delete_file,
    file_document,
    file_url,
    origin,
    read_variable,
)
from rewake.errors import FunctionError, LimitExceeded, RewakeError
from rewake.execution.call_log import LimitReached
from rewake.execution.call_sizes import warn
from rewake.execution.calls import NO_SOURCE, Failure, RequestSource, Success, Visibility
from rewake.execution.chance import Chance
from rewake.execution.checked_values import (
    checked_arguments,
    checked_return,
    read_arguments,
    returned_text,
)
from rewake.execution.current_run import current
from rewake.execution.failures import author_traceback, failure_of
from rewake.execution.mutation_files import MutationFiles
from rewake.execution.output import LogLines, lines_of_context
from rewake.execution.pages import Pages, SecondPage
from rewake.execution.registry import FunctionRecord, Registry
from rewake.execution.scheduled_calls import schedule_for, scheduled_call
from rewake.execution.surroundings import Surroundings
from rewake.execution.system_context import SystemCtx, SystemQueryCtx
from rewake.execution.time_limit import BEGIN_SECONDS, FunctionTimedOut
from rewake.functions import (
    PLAIN_CALL,
    CallOptions,
    Content,
    DeploymentMetadata,
    FileHead,
    FunctionMetadata,
    MutationCtx,
    PageEnds,
    PaginationOptions,
    QueryCtx,
    RegisteredFunction,
    RequestMetadata,
    TransactionMetric,
    TransactionMetrics,
)
from rewake.schema import QuerySpec
from rewake.storage import GroupDoomed, StorageFailed
from rewake.values import Value, decode, normalize

_CONTEXTS: dict[tuple[str, bool], Callable[[Any], QueryCtx]] = {
    ("query", False): QueryCtx,
    ("query", True): SystemQueryCtx,
    ("mutation", False): MutationCtx,
    ("mutation", True): SystemCtx,
}
"""What a handler is given as `ctx`: by the kind of its function, and whether that is the house's own."""


class RunIsOver(FunctionError):
    """`ctx` was used after its function had returned, or from another thread. Pass values on, not the
    context.
    """

    code = "RunIsOver"
    template = (
        "This `ctx` belongs to a run of {function} that is over, or to another thread. A context can be used "
        "only while its function runs and only in the thread that runs it."
    )


class NestedCallRefused(FunctionError):
    """A function called another one that it may not call."""

    code = "NestedCallRefused"


class NestingTooDeep(LimitExceeded):
    """Functions called each other too deep. Share code as plain Python functions."""

    code, setting = "NestedCallDepthExceeded", "nested_calls_max"
    template = "Cross component call depth limit exceeded. Do you have an infinite loop in your app?"


class Host:
    """One run of one function, nested calls included."""

    # One is made for every run. What few runs ask for stands here until one does.
    error: BaseException | None = None
    """Set by `run` when it gives a Failure: the exception behind it."""
    has_read_identity = False
    has_read_clock = False
    author_seconds = BEGIN_SECONDS
    is_out_of_time = False
    """Whether its author's code has computed for too long (`time_limit.py`)."""
    is_out_of_memory = False
    """Whether an author's handler has met a MemoryError (`memory_limit.py`)."""
    standard_sources: Any = None
    """What Python's clocks and random numbers give the run (`standard_sources.py`)."""
    _chance: Chance | None = None
    """Of the innermost function that runs."""
    _pages: Pages | None = None
    used_files: MutationFiles | None = None
    """Files as the run has reached them; None where it did not."""
    _called_directly: frozenset[str] = frozenset()
    """Functions that were called as plain ones: each is told of once."""

    def __init__(
        self,
        registry: Registry,
        transaction: ReadTransaction | WriteTransaction,
        identity: Identity,
        around: Surroundings,
        *,
        journal: str | None = None,
        request_id: str = "",
        scheduled: str = "",
        source: RequestSource = NO_SOURCE,
        keys: Sequence[str] | None = None,
    ) -> None:
        now_ms = transaction.now_ms
        self.around = around
        self.registry = registry
        self.schema = registry.schema
        self.limits = transaction.limits
        self.log_lines = LogLines(self.limits, now_ms=lambda: now_ms)
        self.transaction = transaction
        """The transaction of the run; while a callee reads at its begin, that one's."""
        self.identity = identity
        """Who called."""
        self.now_ms = now_ms
        """The frozen time of the run."""
        self.thread = get_ident()
        """The thread of the run."""
        self._running: list[FunctionRecord] = []
        self._journal = journal
        self.request_id = request_id
        # What files may be stored under; None where nobody can reserve any.
        self._keys = keys
        self.source = source.within(scheduled) if scheduled else source
        self.scheduled = scheduled
        """The id of the job that this run is; empty without one."""
        self.modules: set[str] = set()
        """Modules of the functions that were called, nested ones too: the result depends on their code."""

    # What a runner calls.

    def run(self, record: FunctionRecord, args: str) -> Success | Failure:
        """Run the outermost function of a call. Never raises what an author can cause."""
        lines, limits = self.log_lines, self.limits
        text = ""
        try:
            self.modules.add(record.path.module)
            tables = self.transaction.catalog
            arguments = read_arguments(record, args, tables, limits=limits, log_lines=lines)
            result = self._enter(record, arguments)
            if self.is_out_of_time:
                raise FunctionTimedOut()
            text = returned_text(record, result, self.transaction, limits=limits, log_lines=lines)
        except (GroupDoomed, StorageFailed):
            raise  # Not the function's failure: the runner must know.
        except BaseException as error:
            # Also SystemExit and CancelledError: what an author raises ends the run, not the runner's thread.
            self.error = error
        for measure in self.transaction.warnings():
            warn(measure, lines)
        rendered = lines.rendered() if lines.lines else ()
        if self.error is not None:
            return failure_of(self.error, root=self.registry.root, log_lines=rendered, limits=limits)
        return Success(text, rendered)

    @property
    def journal(self) -> str | None:
        """What the next run of this query should be given. A failed run decides nothing: the page that was
        there keeps its end.
        """
        if self.error is not None:
            return self._journal
        return None if self._pages is None else self._pages.journal

    def traceback(self) -> str | None:
        """The author's traceback of a failed run, where an exception of theirs ended it."""
        # By its type: `isinstance` would also ask the author's object for its class, which may raise.
        if self.error is None or issubclass(type(self.error), RewakeError):
            return None
        return author_traceback(self.error, limits=self.limits)

    def limit_reached(self) -> LimitReached | None:
        """The limit that ended the run, where one did."""
        error = self.error
        if error is None or not issubclass(type(error), LimitExceeded):
            return None
        assert isinstance(error, LimitExceeded)
        return LimitReached(error.code, error.setting, error.observed, error.limit)

    @contextmanager
    def opened(self, record: FunctionRecord) -> Iterator[QueryCtx]:
        """A context for a block of code in place of a handler, with the rights of `record`: a mutation's is
        a MutationCtx.

        For code of the house's own and tests: side effects are not refused, and errors go through.
        """
        # A context of its kind asks nothing of a transaction that this one cannot do.
        face: Any = _Face(self, record)
        self._running.append(record)
        try:
            yield MutationCtx(face) if record.kind == "mutation" else QueryCtx(face)
        finally:
            self._running.pop()
            face.is_open = False

    # Steps of a run.

    def _enter(self, record: FunctionRecord, arguments: dict[str, Any]) -> Any:
        """Call the handler."""
        face = _Face(self, record)
        context = _CONTEXTS[record.kind, record.is_system](face)
        running, lines = self._running, self.log_lines
        was_guarded, caller = current.is_guarded, lines.function
        if running:
            lines.function = record.name
        running.append(record)
        outer = lines_of_context.set(lines)
        # Entered for every call, so there are no blocks around it: a `with` is three calls more.
        current.is_guarded = True
        try:
            return record.function.handler(context, **arguments)
        finally:
            current.is_guarded = was_guarded
            lines.function = caller
            running.pop()
            face.is_open = False
            lines_of_context.reset(outer)

    def call_nested(
        self, reference: object, arguments: dict[str, Any], kinds: tuple[str, ...], options: CallOptions
    ) -> Any:
        """Run another function in this transaction, as a savepoint if it writes."""
        record = self._resolve(reference)
        self._check_nested(record, kinds, options)
        value = record.arguments.to_value(arguments)
        chance = self._chance or Chance(self.around.seed)
        self._chance = chance.of_callee()
        try:
            if options is PLAIN_CALL:
                result = self._call_part(record, value)
            else:
                with self._snapshot(options), self.transaction.capped(options.caps):
                    result = self._call_part(record, value)
        finally:
            self._chance = chance
        return result

    def _check_nested(self, record: FunctionRecord, kinds: tuple[str, ...], options: CallOptions) -> None:
        caller = self._running[-1]
        if options.is_at_begin and caller.kind == "query":
            raise NestedCallRefused("`useStaleSnapshot` is only supported in mutations, not queries.")
        if record.kind not in kinds:
            callee, kind = record.kind.capitalize(), caller.kind.capitalize()
            raise NestedCallRefused(
                f"Cannot call a {callee} function from a {kind} function"
                if caller.kind == "query"
                else f"`run_{kinds[0]}` was given {record.name}, which is a {record.kind}."
            )
        depth = len(self._running) + 1
        if depth > self.limits.nested_calls_max:
            raise NestingTooDeep(observed=depth, limit=self.limits.nested_calls_max)

    @contextmanager
    def _snapshot(self, options: CallOptions) -> Iterator[None]:
        """Let a callee read at the begin of the transaction, where it is to."""
        transaction, pages = self.transaction, self.pages
        if options.is_at_begin and isinstance(transaction, WriteTransaction):
            self.transaction = transaction.at_begin()
            self._pages = Pages(self.transaction, self.around.cursors, journal=None)
        try:
            yield
        finally:
            self.transaction, self._pages = transaction, pages

    def _call_part(self, record: FunctionRecord, value: Value) -> Any:
        """Call a function as a part of the run; what a mutation does is undone by itself if it fails."""
        transaction = self.transaction
        if record.kind == "mutation" and isinstance(transaction, WriteTransaction):
            with transaction.savepoint():
                return self._call_checked(record, value)
        return self._call_checked(record, value)

    def _call_checked(self, record: FunctionRecord, value: Value) -> Any:
        """What the caller gets. A class of the author's may refuse to be that: then the call has failed."""
        self.modules.add(record.path.module)
        accepted = checked_arguments(record, normalize(value), self.transaction.catalog)
        result = checked_return(record, self._enter(record, accepted), self.transaction)
        return result if record.returns is None else record.returns.to_python(result)

    def tell_of_direct_call(self, function: RegisteredFunction[..., Any]) -> None:
        """Add a log line about a function that was called as a plain one, the first time in a run."""
        name = f"{function.__module__}.{function.__qualname__}"
        if name in self._called_directly:
            return
        self._called_directly |= {name}
        self.log_lines.add(
            "WARN",
            f"{function.__name__} is a registered {function.kind} and was called directly: it ran as a part "
            "of its caller, and its arguments and result were not checked. Share code as a plain Python "
            f"function, or call it with `ctx.run_{function.kind}`.",
            "warning:DirectFunctionCall",
        )

    def _resolve(self, reference: object) -> FunctionRecord:
        if isinstance(reference, RegisteredFunction):
            return self.registry.record_of(reference)
        if isinstance(reference, str):
            module = self.registry.module_of(reference)
            if module is not None:
                self.modules.add(module)  # Also where it is not found: a push may bring it.
            return self.registry.find(reference, Visibility.INTERNAL)
        raise NestedCallRefused(
            f"A function is called by itself or by its path; got {reference!r}. Did you forget its decorator?"
        )

    # What a face passes on.

    @property
    def pages(self) -> Pages:
        """The pages that the run reads."""
        if self._pages is None:
            self._pages = Pages(self.transaction, self.around.cursors, journal=self._journal)
        return self._pages

    @property
    def files(self) -> MutationFiles:
        """Files as a mutation reaches them."""
        if self.used_files is None:
            self.used_files = MutationFiles(self.around.blobs, self._keys)
        return self.used_files

    @property
    def chance(self) -> Random:
        """The generator of the innermost running function."""
        if self._chance is None:
            self._chance = Chance(self.around.seed)
        return self._chance.generator


class _Face(msgspec.Struct, eq=False):
    """What one `ctx` holds of the host: open while its own function runs. Implements `functions.Host`."""

    _host: Host
    _record: FunctionRecord
    _has_page: bool = False
    is_open: bool = True

    def enter(self) -> Host:
        host = self._host
        if not self.is_open or get_ident() != host.thread:
            raise RunIsOver(function=self._record.name)
        if host.is_out_of_time:
            raise FunctionTimedOut()
        return host

    def read_identity(self) -> Identity:
        host = self.enter()
        host.has_read_identity = True
        return host.identity

    def read_variable(self, name: str) -> str | None:
        return read_variable(self.enter().transaction, name)

    def read_clock(self) -> float:
        host = self.enter()
        host.has_read_clock = True
        return host.now_ms

    def random(self) -> Random:
        return self.enter().chance

    def paginate(
        self, spec: QuerySpec, options: PaginationOptions, accept: Callable[[str], bool]
    ) -> PageEnds:
        host = self.enter()
        if self._has_page:
            raise SecondPage()
        self._has_page = True
        return host.pages.read(spec, options, accept, function=self._record.path.canonical)

    def function_metadata(self) -> FunctionMetadata:
        self.enter()
        return self._record.metadata()

    def transaction_metrics(self) -> TransactionMetrics:
        measures = self.enter().transaction.measures()
        return TransactionMetrics(
            **{measure.name: _metric(measure.used, measure.limit) for measure in measures}
        )

    def deployment_metadata(self) -> DeploymentMetadata:
        return DeploymentMetadata(name=self.enter().around.deployment_name)

    def snapshot_ts(self) -> int:
        host = self.enter()
        host.has_read_clock = True
        return host.transaction.begin_ts

    def request_metadata(self) -> RequestMetadata:
        host = self.enter()
        return host.source.metadata(host.request_id)

    def schedule(self, reference: object, arguments: dict[str, Any], *, at_ms: float) -> str:
        host = self.enter()
        path, args = scheduled_call(host.registry, reference, arguments, limits=host.limits)
        assert isinstance(host.transaction, WriteTransaction), "queries have no scheduler"
        host.transaction.usage.count_scheduled(args)
        return schedule_for(host.source.scheduled, host.transaction, path, decode(args), at_ms=at_ms)

    def cancel_scheduled(self, id: str) -> None:
        host = self.enter()
        assert isinstance(host.transaction, WriteTransaction), "queries have no scheduler"
        cancel_scheduled(host.transaction, id, own=host.scheduled)

    def scheduling_ms(self) -> float:
        return self.enter().now_ms

    def file_url(self, id: str) -> str | None:
        return file_url(self.enter().transaction, id)

    def file_document(self, id: str) -> dict[str, Any] | None:
        return file_document(self.enter().transaction, id)

    def upload_url(self, bytes_max: int) -> str:
        host = self.enter()
        expires_ms = int(host.now_ms + host.limits.upload_url_seconds * 1e3)
        grant = UploadGrant(expires_ms, bytes_max, host.chance.randbytes(8))
        return f"{origin(host.transaction)}{STORAGE_PATH}/upload?token={host.around.uploads.seal(grant)}"

    def delete_file(self, id: str) -> None:
        host = self.enter()
        assert isinstance(host.transaction, WriteTransaction), "queries cannot delete"
        delete_file(host.transaction, id)

    def store_file(self, data: Content, *, content_type: str | None, sha256: str | None) -> str:
        host = self.enter()
        assert isinstance(host.transaction, WriteTransaction), "queries cannot store"
        return host.files.store(host.transaction, data, content_type=content_type, sha256=sha256)

    def reading_file(self, id: str) -> tuple[FileHead, Callable[[], Iterator[bytes]]] | None:
        host = self.enter()
        assert isinstance(host.transaction, WriteTransaction), "queries do not read files"
        return host.files.reading(host.transaction, id)

    def call(
        self,
        reference: object,
        arguments: dict[str, Any],
        *,
        kinds: tuple[str, ...],
        options: CallOptions,
    ) -> Any:
        return self.enter().call_nested(reference, arguments, kinds, options)

    def called_directly(self, function: RegisteredFunction[..., Any]) -> None:
        self.enter().tell_of_direct_call(function)

    def log(self, level: str, text: str) -> None:
        self.enter().log_lines.add(level, text)


def _metric(used: int, limit: int) -> TransactionMetric:
    return TransactionMetric(used=used, remaining=max(0, limit - used))
