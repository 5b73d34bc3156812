"""Frames in any portions, and records that come out as they went in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewake.auth import ANONYMOUS, Admin, User
from rewake.database import Invocation, ReadSet, ReplayKey, SchemaChange, TrimResult
from rewake.execution import (
    ActionJob,
    CallRecord,
    Failure,
    FunctionCall,
    HttpJob,
    HttpRequestHead,
    LimitReached,
    MutationJob,
    ProjectSettings,
    QueryJob,
    QueryRun,
    RequestSource,
    RunLogLine,
    Success,
    Visibility,
)
from rewake.execution.analysis import Analysis
from rewake.execution.pipe_frames import FrameDecoder, PipeBroken
from rewake.execution.worker_messages import (
    Act,
    Begin,
    Fork,
    FromFront,
    FromWorker,
    Loaded,
    Mutate,
    OpenWave,
    Outcome,
    Prepared,
    Ran,
    Serve,
    Told,
    pack,
    pack_prepared,
    packed,
    unpack_from_front,
    unpack_from_worker,
    unpack_prepared,
)
from rewake.limits import DEFAULT_LIMITS
from rewake.storage import LogRow, LogWrite

REACHED = LimitReached("TooManyWrites", "documents_written_max", 4, 3)
RECORD = CallRecord(
    "m:f", "query", 0.5, (RunLogLine("WARN", "1", "warning:x"),), None, "Traceback", "r", REACHED
)


def crossed(message: FromWorker) -> FromWorker:
    (crossed,) = unpack_from_worker(FrameDecoder().feed(pack(message)))
    return crossed


def crossed_down(message: FromFront) -> FromFront:
    (crossed,) = unpack_from_front(FrameDecoder().feed(pack(message)))
    return crossed


@given(st.binary(max_size=40))
def test_what_is_no_message_breaks_the_pipe_and_nothing_else(body: bytes) -> None:
    for unpack in (unpack_from_front, unpack_from_worker):
        try:
            unpack([body])
        except PipeBroken:
            pass


@pytest.mark.parametrize("identity", [ANONYMOUS, User('{"a":1.0}'), Admin(), Admin(User("{}"))])
@pytest.mark.parametrize("replay", [None, ReplayKey("s", 0)])
def test_a_mutation_crosses(identity: object, replay: ReplayKey | None) -> None:
    call, invocation = FunctionCall("m:f", '{"a": "\u00e9"}', "c"), Invocation("i", replay)
    source = RequestSource("::1", "Pigeon", "a.b.c", "job")
    job = MutationJob(call, identity, Visibility.INTERNAL, invocation, "r", "s", source)  # type: ignore[arg-type]
    message = crossed_down(Mutate.of(3, job))
    assert isinstance(message, Mutate)
    assert (message.number, message.job) == (3, job)


def test_an_action_and_a_request_cross_with_their_source() -> None:
    source = RequestSource("::1", "Pigeon", "a.b.c", "job")
    job = ActionJob(FunctionCall("m:f", "{}"), ANONYMOUS, Visibility.PUBLIC, "r", "s", source)
    message = crossed_down(Act.of(3, job))
    assert isinstance(message, Act)
    assert message.job == job
    assert job.source_of_calls.scheduled == "s"
    request = HttpRequestHead("GET", "http", "/", b"/", b"", (), None, None)
    served = HttpJob.of(request, ANONYMOUS, request_id="r", source=source)
    asked = crossed_down(Serve.of(4, served))
    assert isinstance(asked, Serve)
    assert asked.job == served


def test_a_wave_crosses_with_its_answer() -> None:
    job = QueryJob(FunctionCall("m:f", "{}"), "user:{}", Visibility.PUBLIC, "journal")
    message = crossed_down(OpenWave([job], 2**62))
    assert message == OpenWave([job], 2**62)
    assert job.identity == User("{}")
    read_set = ReadSet({7: [(b"a", b"b"), (b"c", None)]})
    runs = [
        QueryRun(result, None, read_set.to_wire(), True, False, "hash", 0.5)
        for result in (Success("1.0", ("[LOG] 1",)), Failure("no", "null", ("[LOG] 1",), "run"))
    ]
    answer = crossed(Ran(5, runs, [RECORD, RECORD]))
    assert answer == Ran(5, runs, [RECORD, RECORD])
    assert isinstance(answer, Ran)
    assert answer.runs[0].read_set == read_set
    assert isinstance(failure := answer.runs[1].result, Failure)
    assert failure.run_id == "run", "no part of what is compared"


def test_a_group_crosses() -> None:
    row = LogRow(9, "i", (LogWrite(101, "id", None, "{}", ((5, None, b"k"),)),))
    failure = Outcome(2, 9, Failure("no\n", "null", ()), record=RECORD)
    changed = Outcome(3, changed=SchemaChange(tables_added=["a"]))
    trimmed = Outcome(4, trimmed=TrimResult(1, 2, has_more=True))
    told = crossed(Told([row], 9, [failure, changed, trimmed]))
    assert told == Told([row], 9, [failure, changed, trimmed])
    assert crossed(Told([row], 9, [packed(failure), changed])) == Told([row], 9, [failure, changed])
    assert failure.mutated.result == Failure("no\n", "null", ())
    assert unpack_prepared(pack_prepared(Prepared([failure]))) == Prepared([failure])
    assert unpack_prepared(pack_prepared(Prepared([packed(failure)]))) == Prepared([failure])
    assert unpack_prepared(b"") == Prepared([])


def test_a_project_and_its_limits_cross(tmp_path: object) -> None:
    settings = ProjectSettings(tmp_path, "backend", "camel", None, "name")  # type: ignore[arg-type]
    begin = crossed_down(Begin.of(settings, ["a", "b"]))
    assert isinstance(begin, Begin)
    assert (begin.settings, begin.path) == (settings, ["a", "b"])
    fork = Fork("reader", "app", "data", "FULL", DEFAULT_LIMITS, "", False)
    assert crossed_down(fork) == fork
    assert crossed(Loaded(Analysis())) == Loaded(Analysis())
