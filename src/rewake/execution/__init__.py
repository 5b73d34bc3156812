"""Execution: from a call to an outcome. Floor 3.

loader.py     project folder -> Registry
registry.py   path -> FunctionRecord
runner.py     the interface behind which functions run      inline_runner.py  in threads of this process
host.py       one run: arguments in, encoded result out
call_log.py   what ran
"""

from rewake.execution.call_log import CallLog, CallRecord
from rewake.execution.calls import Failure, FunctionCall, MutationOutcome, Success, error_text
from rewake.execution.failures import failure_of
from rewake.execution.host import Host
from rewake.execution.inline_runner import InlineRunner, RunnerClosed
from rewake.execution.loader import (
    ProjectInvalid,
    ProjectSettings,
    collect_modules,
    collect_project,
    load_project,
    read_settings,
)
from rewake.execution.registry import FunctionNotFound, FunctionRecord, Registry, registry_of
from rewake.execution.runner import GroupReport, MutationJob, QueryJob, QueryRun, Runner, Visibility, Wave
from rewake.execution.side_effects import SideEffectRefused

__all__ = [
    "CallLog",
    "CallRecord",
    "Failure",
    "FunctionCall",
    "FunctionNotFound",
    "FunctionRecord",
    "GroupReport",
    "Host",
    "InlineRunner",
    "MutationJob",
    "MutationOutcome",
    "ProjectInvalid",
    "ProjectSettings",
    "QueryJob",
    "QueryRun",
    "Registry",
    "Runner",
    "RunnerClosed",
    "SideEffectRefused",
    "Success",
    "Visibility",
    "Wave",
    "collect_modules",
    "collect_project",
    "error_text",
    "failure_of",
    "load_project",
    "read_settings",
    "registry_of",
]
