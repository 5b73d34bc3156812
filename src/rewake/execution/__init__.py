"""Execution: from a call to an outcome. Floor 3.

loader.py     project folder -> Registry
registry.py   path -> FunctionRecord
runner.py     the interface behind which functions run      inline_runner.py  in threads of this process
                                                          worker_runner.py  in worker processes
host.py       one run: arguments in, encoded result out
call_log.py   what ran
"""

from rewake.execution.action_desk import TooManyActions
from rewake.execution.analysis import Analysis, FunctionFacts, FunctionNotFound, RouteFacts
from rewake.execution.call_log import (
    CallLog,
    CallRecord,
    CallUsage,
    LimitReached,
    LogEntry,
    RunLogLine,
    RunProgress,
)
from rewake.execution.calls import (
    NO_SOURCE,
    SYSTEM_PREFIX,
    CalledFrom,
    Failure,
    FunctionCall,
    MutationOutcome,
    RequestSource,
    Success,
    Visibility,
    error_text,
)
from rewake.execution.code_switch import DocumentSource, document_source
from rewake.execution.debugger import let_functions_stop
from rewake.execution.export_functions import ExportOrder
from rewake.execution.failures import failure_of
from rewake.execution.host import Host
from rewake.execution.http_exchange import (
    ClientGone,
    ExchangeEnd,
    Head,
    HttpJob,
    HttpRequestHead,
    HungUp,
    Over,
    Part,
)
from rewake.execution.inline_runner import InlineRunner
from rewake.execution.lanes import SCHEDULED, WAVES, Lane, Standing, lane_of
from rewake.execution.limit_settings import LimitSettingInvalid, limits_from_environment
from rewake.execution.loader import (
    LoadingTooSlow,
    ProjectInvalid,
    ProjectSettings,
    collect_modules,
    collect_project,
    load_project,
    read_settings,
)
from rewake.execution.mutation_files import BlobKeysWanted
from rewake.execution.project_archive import (
    ProjectArchive,
    ProjectArchiveInvalid,
    ProjectTooLarge,
    gather_project,
    open_archive,
)
from rewake.execution.registry import FunctionRecord, Registry, registry_of
from rewake.execution.runner import (
    ActionJob,
    Calls,
    Code,
    GroupReport,
    MutationJob,
    QueryJob,
    QueryRun,
    Runner,
    RunnerClosed,
    RunnerFigures,
    Wave,
    WorkerFacts,
)
from rewake.execution.scheduled_calls import end_of
from rewake.execution.side_effects import SideEffectRefused
from rewake.execution.surroundings import Surroundings
from rewake.execution.system_functions import system_registry
from rewake.execution.template_process import TemplateProcess
from rewake.execution.thread_loading import load_in_thread
from rewake.execution.traced_calls import TracedCalls, note_result
from rewake.execution.traced_waves import Readers, TracedWaves
from rewake.execution.turnstile import Turnstile
from rewake.execution.typed_calls import encoded_arguments, error_of, value_of
from rewake.execution.waiting_line import FrontOverloaded, Overloaded
from rewake.execution.worker_failures import WorkerLost
from rewake.execution.worker_plan import WorkerPlan
from rewake.execution.worker_process import Template
from rewake.execution.worker_runner import WorkerRunner

__all__ = [
    "NO_SOURCE",
    "SCHEDULED",
    "SYSTEM_PREFIX",
    "WAVES",
    "ActionJob",
    "Analysis",
    "BlobKeysWanted",
    "CallLog",
    "CallRecord",
    "CallUsage",
    "CalledFrom",
    "Calls",
    "ClientGone",
    "Code",
    "DocumentSource",
    "ExchangeEnd",
    "ExportOrder",
    "Failure",
    "FrontOverloaded",
    "FunctionCall",
    "FunctionFacts",
    "FunctionNotFound",
    "FunctionRecord",
    "GroupReport",
    "Head",
    "Host",
    "HttpJob",
    "HttpRequestHead",
    "HungUp",
    "InlineRunner",
    "Lane",
    "LimitReached",
    "LimitSettingInvalid",
    "LoadingTooSlow",
    "LogEntry",
    "MutationJob",
    "MutationOutcome",
    "Over",
    "Overloaded",
    "Part",
    "ProjectArchive",
    "ProjectArchiveInvalid",
    "ProjectInvalid",
    "ProjectSettings",
    "ProjectTooLarge",
    "QueryJob",
    "QueryRun",
    "Readers",
    "Registry",
    "RequestSource",
    "RouteFacts",
    "RunLogLine",
    "RunProgress",
    "Runner",
    "RunnerClosed",
    "RunnerFigures",
    "SideEffectRefused",
    "Standing",
    "Success",
    "Surroundings",
    "Template",
    "TemplateProcess",
    "TooManyActions",
    "TracedCalls",
    "TracedWaves",
    "Turnstile",
    "Visibility",
    "Wave",
    "WorkerFacts",
    "WorkerLost",
    "WorkerPlan",
    "WorkerRunner",
    "collect_modules",
    "collect_project",
    "document_source",
    "encoded_arguments",
    "end_of",
    "error_of",
    "error_text",
    "failure_of",
    "gather_project",
    "lane_of",
    "let_functions_stop",
    "limits_from_environment",
    "load_in_thread",
    "load_project",
    "note_result",
    "open_archive",
    "read_settings",
    "registry_of",
    "system_registry",
    "value_of",
]
