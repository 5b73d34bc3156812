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

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from random import Random
from typing import Any

from rewake.auth import Identity
from rewake.database import CursorSeal, Measure, ReadTransaction, WriteTransaction
from rewake.errors import FunctionError, InvalidInput, RewakeError
from rewake.execution.calls import Failure, Success, Visibility
from rewake.execution.failures import author_traceback, failure_of
from rewake.execution.output import LogLines, collecting
from rewake.execution.pages import Pages, SecondPage
from rewake.execution.registry import FunctionRecord, Registry
from rewake.execution.side_effects import guarded
from rewake.execution.time_limit import TimeLimit
from rewake.functions import (
    FunctionMetadata,
    MutationCtx,
    PageEnds,
    PaginationOptions,
    Query,
    QueryCtx,
    RegisteredFunction,
    RequestMetadata,
    TransactionMetric,
    TransactionMetrics,
)
from rewake.limits import (
    ARGUMENTS_BYTES_MAX,
    FUNCTIONS_SCHEDULED_MAX,
    MIB,
    NESTED_CALLS_MAX,
    RETURN_BYTES_MAX,
    SCHEDULED_ARGUMENTS_BYTES_MAX,
)
from rewake.schema import QuerySpec, TableDefinition, TableNames, ValidationFailed, plain_value
from rewake.storage import GroupDoomed, StorageFailed
from rewake.values import (
    CommitTsUnsupported,
    InvalidValue,
    Value,
    decode,
    encode,
    holds_commit_ts,
    normalize,
    render,
    value_size,
)


class RunIsOver(FunctionError):
    """`ctx` was used after its function had returned, or from another thread. Pass values on, not the
    context.
    """

    code = "RunIsOver"
    template = (
        "This `ctx` belongs to a run of {function} that is over, or to another thread. A context can be used "
        "only while its function runs and only in the thread that runs it."
    )


class ArgumentsInvalid(FunctionError):
    """The arguments do not fit the function's signature."""

    code = "InvalidArgs"


class ReturnInvalid(FunctionError):
    """The function returned what its annotation, or the value model, does not allow."""

    code = "InvalidReturnValue"


class NestedCallRefused(FunctionError):
    """A function called another one that it may not call."""

    code = "NestedCallRefused"


@dataclass(slots=True)
class Observed:
    """What a run looked at besides the database."""

    identity: bool = False
    clock: bool = False


class Host:
    """One run of one function, nested calls included."""

    def __init__(
        self,
        *,
        registry: Registry,
        transaction: ReadTransaction | WriteTransaction,
        identity: Identity,
        now_ms: float,
        seed: bytes,
        cursors: CursorSeal,
        journal: str | None = None,
        request_id: str = "",
        time_limit: TimeLimit | None = None,
    ) -> None:
        self.time_limit = time_limit
        self.registry = registry
        self.observed = Observed()
        self.log_lines = LogLines()
        self._transaction = transaction
        self._identity = identity
        self._now_ms = now_ms
        self._random = Random(seed)
        self._thread = threading.get_ident()
        self._running: list[FunctionRecord] = []
        self._journal = journal
        self.request_id = request_id
        self.pages = Pages(transaction, cursors, journal=journal)
        self.modules: set[str] = set()
        """Modules of the functions that were called, nested ones too: the result depends on their code."""
        self.error: BaseException | None = None
        """Set by `run` when it gives a Failure: the exception behind it."""

    # What a runner calls.

    def run(self, record: FunctionRecord, args: str) -> Success | Failure:
        """Run the outermost function of a call. Never raises what an author can cause."""
        try:
            value = self._enter(record, self._decoded_arguments(record, args))
            if self.time_limit is not None:
                self.time_limit.check()
            text = self._encoded_return(record, value)
        except (GroupDoomed, StorageFailed):
            raise  # Not the function's failure: the runner must know.
        except BaseException as error:
            # Also SystemExit and CancelledError: what an author raises ends the run, not the runner's thread.
            self.error = error
            self._warn()
            return failure_of(error, root=self.registry.root, log_lines=tuple(self.log_lines.lines))
        self._warn()
        return Success(text, tuple(self.log_lines.lines))

    @property
    def journal(self) -> str | None:
        """What the next run of this query should be given. A failed run decides nothing: the page that was
        there keeps its end.
        """
        return self.pages.journal if self.error is None else self._journal

    def traceback(self) -> str | None:
        """The author's traceback of a failed run, where an exception of theirs ended it."""
        # By its type: `isinstance` would also ask the author's object for its class, which may raise.
        if self.error is None or issubclass(type(self.error), RewakeError):
            return None
        return author_traceback(self.error)

    @contextmanager
    def opened(self, record: FunctionRecord) -> Iterator[MutationCtx]:
        """A context for a block of code in place of a handler, with the rights of `record`.

        For code of the house's own and tests: side effects are not refused, and errors go through.
        """
        face = _Face(self, record)
        self._running.append(record)
        try:
            yield MutationCtx(face)
        finally:
            self._running.pop()
            face.is_open = False

    # Steps of a run.

    def _warn(self) -> None:
        """Add a log line for each limit that the transaction has come near to."""
        for warning in self._transaction.warnings():
            self.log_lines.add("WARN", warning)

    def _decoded_arguments(self, record: FunctionRecord, args: str) -> Value:
        path = record.path.public
        try:
            value = decode(args)
        except InvalidInput as error:
            raise ArgumentsInvalid(f"Invalid arguments for {path}: {error.message}") from None
        refused = self._check_size(
            value, text=args, limit=ARGUMENTS_BYTES_MAX, what="Large size of the function arguments"
        )
        if refused:
            raise ArgumentsInvalid(f"Arguments for {path} are too large {refused}")
        return value

    def _encoded_return(self, record: FunctionRecord, value: Value) -> str:
        path = record.path.public
        text = encode(value)
        if holds_commit_ts(text):
            raise ReturnInvalid(_not_a_value(path, CommitTsUnsupported()))
        refused = self._check_size(
            value, text=text, limit=RETURN_BYTES_MAX, what="Large size of the function return value"
        )
        if refused:
            raise ReturnInvalid(f"Function {path} return value is too large {refused}")
        return text

    def _check_size(self, value: Value, *, text: str, limit: int, what: str) -> str:
        """How far a value is over its limit, or nothing; one that comes near gets a log line."""
        # The size model counts at most a few times the text, so short texts need no second look.
        if len(text) <= limit // 10:
            return ""
        size = value_size(value)
        if size > limit:
            return f"(actual: {_mebibytes(size)}, limit: {_mebibytes(limit)})"
        measure = Measure("", size, limit, what, " bytes")
        if measure.is_near:
            self.log_lines.add("WARN", measure.warning)
        return ""

    def _enter(self, record: FunctionRecord, value: Value) -> Value:
        """Check arguments, call the handler, check the result; all as values."""
        self.modules.add(record.path.module)
        arguments = _checked_arguments(record, value, self._transaction.catalog)
        face = _Face(self, record)
        context = MutationCtx(face) if record.kind == "mutation" else QueryCtx(face)
        self._running.append(record)
        try:
            with guarded(), collecting(self.log_lines):
                result = record.function.handler(context, **arguments)
        finally:
            self._running.pop()
            face.is_open = False
        return _checked_return(record, result, self._transaction.catalog)

    def call_nested(self, reference: object, arguments: dict[str, Any], kinds: tuple[str, ...]) -> Any:
        """Run another function in this transaction, as a savepoint if it writes."""
        record = self._resolve(reference)
        caller = self._running[-1]
        if record.kind not in kinds:
            callee, kind = record.kind.capitalize(), caller.kind.capitalize()
            raise NestedCallRefused(
                f"Cannot call a {callee} function from a {kind} function"
                if caller.kind == "query"
                else f"`run_{kinds[0]}` was given {record.path.public}, which is a {record.kind}."
            )
        if len(self._running) >= NESTED_CALLS_MAX:
            raise NestedCallRefused(
                "Cross component call depth limit exceeded. Do you have an infinite loop in your app?"
            )
        value = record.arguments.to_value(arguments)
        random = self._random
        self._random = Random(random.getrandbits(64))
        transaction = self._transaction
        savepoint = (
            transaction.savepoint()
            if record.kind == "mutation" and isinstance(transaction, WriteTransaction)
            else nullcontext()
        )
        try:
            with savepoint:
                result = self._enter(record, normalize(value))
        finally:
            self._random = random
        return result if record.returns is None else record.returns.to_python(result)

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

    def check_thread(self) -> bool:
        """Whether the caller is the thread of the run."""
        return threading.get_ident() == self._thread

    @property
    def transaction(self) -> ReadTransaction | WriteTransaction:
        """The transaction of the run."""
        return self._transaction

    @property
    def identity(self) -> Identity:
        """Who called."""
        return self._identity

    @property
    def now_ms(self) -> float:
        """The frozen time of the run."""
        return self._now_ms

    @property
    def chance(self) -> Random:
        """The generator of the innermost running function."""
        return self._random


class _Face:
    """What one `ctx` holds of the host: open while its own function runs. Implements `functions.Host`."""

    __slots__ = ("_has_page", "_host", "_record", "is_open")

    def __init__(self, host: Host, record: FunctionRecord) -> None:
        self._host = host
        self._record = record
        self._has_page = False
        self.is_open = True

    def _opened(self) -> Host:
        if not self.is_open or not self._host.check_thread():
            raise RunIsOver(function=self._record.path.public)
        limit = self._host.time_limit
        if limit is not None:
            limit.check()
        return self._host

    @property
    def transaction(self) -> Any:
        return self._opened().transaction

    def check_open(self) -> None:
        self._opened()

    def table(self, name: str) -> TableDefinition | None:
        return self._opened().registry.schema.tables.get(name)

    def table_name(self, number: int) -> str | None:
        return self._opened().transaction.catalog.table_name(number)

    def read_identity(self) -> Identity:
        host = self._opened()
        host.observed.identity = True
        return host.identity

    def read_clock(self) -> float:
        host = self._opened()
        host.observed.clock = True
        return host.now_ms

    def random(self) -> Random:
        return self._opened().chance

    def paginate(
        self, spec: QuerySpec, options: PaginationOptions, accept: Callable[[str], bool]
    ) -> PageEnds:
        host = self._opened()
        if self._has_page:
            raise SecondPage()
        self._has_page = True
        return host.pages.read(spec, options, accept, function=self._record.path.canonical)

    def function_metadata(self) -> FunctionMetadata:
        self._opened()
        record = self._record
        return FunctionMetadata(
            name=record.path.public,
            component_path="",
            type=record.kind,
            visibility="internal" if record.is_internal else "public",
        )

    def transaction_metrics(self) -> TransactionMetrics:
        measures = self._opened().transaction.measures()
        metrics = {measure.name: _metric(measure.used, measure.limit) for measure in measures}
        return TransactionMetrics(
            **metrics,
            functions_scheduled=_metric(0, FUNCTIONS_SCHEDULED_MAX),
            scheduled_function_args_bytes=_metric(0, SCHEDULED_ARGUMENTS_BYTES_MAX),
        )

    def snapshot_ts(self) -> int:
        host = self._opened()
        host.observed.clock = True
        return host.transaction.begin_ts

    def request_metadata(self) -> RequestMetadata:
        return RequestMetadata(request_id=self._opened().request_id or None)

    def call(self, reference: object, arguments: dict[str, Any], *, kinds: tuple[str, ...]) -> Any:
        return self._opened().call_nested(reference, arguments, kinds)

    def log(self, level: str, text: str) -> None:
        self._opened().log_lines.add(level, text)


def _checked_arguments(record: FunctionRecord, value: Value, tables: TableNames) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ArgumentsInvalid(
            f"Expected to receive an object as the function's argument. Instead received: {render(value)}"
        )
    try:
        record.arguments.validator.check(value, tables)
        return record.arguments.bind(value)
    except ValidationFailed as error:
        raise ArgumentsInvalid(f"ArgumentValidationError: {error.message}\n") from None


def _checked_return(record: FunctionRecord, result: Any, tables: TableNames) -> Value:
    if isinstance(result, Query):
        raise ReturnInvalid(
            "Return value is a Query. Results must be retrieved with `.collect()`, `.take(n), `.unique()`, "
            "or `.first()`."
        )
    path = record.path.public
    convert: Callable[[Any], Any] = plain_value if record.returns is None else record.returns.to_value
    try:
        value = normalize(convert(result))
    except (InvalidValue, ValidationFailed) as error:
        prefix = "ReturnsValidationError: " if isinstance(error, ValidationFailed) else ""
        raise ReturnInvalid(f"{prefix}{error.message if prefix else _not_a_value(path, error)}") from None
    if record.returns is not None:
        try:
            record.returns.validator.check(value, tables)
        except ValidationFailed as error:
            raise ReturnInvalid(f"ReturnsValidationError: {error.message}") from None
    return value


def _not_a_value(path: str, error: RewakeError) -> str:
    return f"Function {path} return value invalid: {error.message}"


def _metric(used: int, limit: int) -> TransactionMetric:
    return TransactionMetric(used=used, remaining=max(0, limit - used))


def _mebibytes(size: int) -> str:
    return f"{size / MIB:.1f} MiB".replace(".0 MiB", " MiB")
