"""System functions: what the house itself does in transactions, written as an author would write it.

Floor 3, `execution`. They live beside the functions of every project under paths that begin with `_system/`,
are internal, and need no module of an author: a project that cannot be loaded does not stop them.

    _system/scheduler:schedule, cancel       for actions, whose `ctx` has no transaction
    _system/scheduler:begin, finish          around the run of a scheduled action, or of a cron's
    _system/scheduler:put_back               where that could not begin
    _system/scheduler:trim                   forget jobs that were over long ago
    _system/cli/crons:list                   crons and their last runs, for administrators
    _system/variables:change, announce       environment variables, for administrators and the server
    _system/cli/queryEnvironmentVariables    what the official command line reads of them
    _system/cli/tables, tableData, ...       `data_functions.py`
    _system/exports:...                      `export_functions.py`
    _system/files:...                        `file_functions.py`
    _system/imports:..., cli/queryImport     `import_functions.py`
    _system/keys:...                         `key_functions.py`
    _system/deploys:...                      `deploy_functions.py`

Only administrators and the house itself may call them.

Not here: who calls them (`scheduling`, `action_run.py`, `deployment`).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import cache
from typing import Any

from msgspec.structs import replace

from rewake.database import (
    JobEnd,
    announce_addresses,
    cancel_scheduled,
    change_variables,
    claim_job,
    finish_job,
    put_back_scheduled,
    read_variable,
    read_variables,
    set_origin,
    trim_scheduled,
)
from rewake.errors import FunctionError, InvalidInput
from rewake.execution.data_functions import DATA_FUNCTIONS
from rewake.execution.deploy_functions import DEPLOY_FUNCTIONS
from rewake.execution.export_functions import EXPORT_MUTATIONS, EXPORT_QUERIES
from rewake.execution.file_functions import FILE_FUNCTIONS
from rewake.execution.import_functions import IMPORT_FUNCTIONS, IMPORT_QUERIES
from rewake.execution.key_functions import KEY_FUNCTIONS
from rewake.execution.registry import FunctionRecord, Registry, registry_of
from rewake.execution.scheduled_calls import schedule_for
from rewake.execution.system_context import SystemCtx, SystemQueryCtx
from rewake.functions import RegisteredFunction, internal_mutation, internal_query
from rewake.protocol import FunctionPath
from rewake.schema import Schema, function_names
from rewake.values import Value


class SystemIdentityRequired(FunctionError):
    """Functions under `_system/` are for administrators. Call with the admin key."""

    code = "SystemIdentityRequired"
    template = "Operation {kind} not permitted"


def _schedule(ctx: SystemCtx, name: str, arguments: dict[str, Any], at_ms: float, parent: str | None) -> str:
    """Store a job on behalf of an action; `parent` is the job that the action runs for."""
    value: Value = arguments
    return schedule_for(parent, ctx.transaction, name, value, at_ms=at_ms)


def _cancel(ctx: SystemCtx, id: str) -> None:
    """Take a job back on behalf of an action."""
    cancel_scheduled(ctx.transaction, id, own=None)


def _begin(ctx: SystemCtx, id: str, name: str, args: str) -> bool:
    """Begin the job of an action. False where it must not run."""
    return claim_job(ctx.transaction, id, name=name, args=args)


def _finish(
    ctx: SystemCtx, *, id: str, due_ms: float, error: str | None, result: str, log_lines: list[str]
) -> None:
    """End the job of an action, or of a mutation that could not do so itself."""
    finish_job(ctx.transaction, id, JobEnd(error, result, tuple(log_lines)), due_ms=due_ms)


def _put_back(ctx: SystemCtx, id: str) -> None:
    """Let the job of an action wait again that was begun, and the action was not."""
    put_back_scheduled(ctx.transaction, id)


def _trim(ctx: SystemCtx, before_ms: float, limit: float) -> float:
    """Forget jobs that were over before `before_ms`; returns how many."""
    return float(trim_scheduled(ctx.transaction, before_ms=before_ms, limit=int(limit)))


def _list_crons(ctx: SystemQueryCtx) -> Any:
    """All crons in order of their identifiers, each with its last runs, the oldest first."""
    crons = {cron["_id"]: {**cron, "runs": []} for cron in ctx.db.system.query("_crons").collect()}
    for run in ctx.db.system.query("_cron_runs").collect():
        crons[run["cron"]]["runs"].append(run)
    return sorted(crons.values(), key=lambda cron: cron["identifier"])


def _change_variables(ctx: SystemCtx, changes: list[Any]) -> Any:
    """Set and remove environment variables; what speaks against it is the result, with its code."""
    try:
        change_variables(ctx.transaction, ((change["name"], change["value"]) for change in changes))
    except InvalidInput as refusal:
        return {"code": refusal.code, "message": refusal.message}
    return None


def _announce(ctx: SystemCtx, cloud_url: str, site_url: str) -> None:
    """Write where the deployment is reached, and that URLs of files begin so."""
    announce_addresses(ctx.transaction, cloud_url=cloud_url, site_url=site_url)
    set_origin(ctx.transaction, cloud_url)


def _list_variables(ctx: SystemQueryCtx) -> Any:
    """All environment variables that operators set."""
    variables = read_variables(ctx.transaction)
    return [{"name": name, "value": variables[name]} for name in sorted(variables)]


def _get_variable(ctx: SystemQueryCtx, name: str) -> Any:
    """One environment variable, or null."""
    value = read_variable(ctx.transaction, name)
    return None if value is None else {"name": name, "value": value}


_QUERIES: dict[str, Callable[..., Any]] = {
    "_system/cli/queryEnvironmentVariables:default": _list_variables,
    "_system/cli/queryEnvironmentVariables:get": _get_variable,
    "_system/cli/crons:list": _list_crons,
    **DATA_FUNCTIONS,
    **IMPORT_QUERIES,
    **EXPORT_QUERIES,
}
_MUTATIONS: dict[str, Callable[..., Any]] = {
    "_system/variables:change": _change_variables,
    "_system/variables:announce": _announce,
    "_system/scheduler:schedule": _schedule,
    "_system/scheduler:cancel": _cancel,
    "_system/scheduler:begin": _begin,
    "_system/scheduler:finish": _finish,
    "_system/scheduler:put_back": _put_back,
    "_system/scheduler:trim": _trim,
    **EXPORT_MUTATIONS,
    **FILE_FUNCTIONS,
    **IMPORT_FUNCTIONS,
    **KEY_FUNCTIONS,
    **DEPLOY_FUNCTIONS,
}


@cache
def system_registry() -> Registry:
    """The system functions, ready to run."""
    mutations = (_record(path, internal_mutation(handler)) for path, handler in _MUTATIONS.items())
    queries = (_record(path, internal_query(handler)) for path, handler in _QUERIES.items())
    return registry_of((*mutations, *queries), Schema({}))


def system_registry_for(project: Registry) -> Registry:
    """The same, for functions that tell of the code of `project`."""
    return replace(system_registry(), project=project)


def _record(path: str, function: RegisteredFunction[..., Any]) -> FunctionRecord:
    handler = function.handler
    schema, names = Schema({}), function_names(handler)
    signature = inspect.signature(handler)
    parameters = list(signature.parameters.values())[1:]
    return FunctionRecord(
        path=FunctionPath.parse(path),
        kind=function.kind,
        is_internal=True,
        function=function,
        arguments=schema.arguments_codec(parameters, names=names, where=path),
        returns=schema.codec_for(signature.return_annotation, names=names, where=path),
    )
