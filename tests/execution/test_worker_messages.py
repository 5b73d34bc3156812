"""Frames in any portions, and records that come out as they went in."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rewake.auth import ANONYMOUS, Admin, User
from rewake.database import Invocation, ReadSet, ReplayKey, SchemaChange, SchemaMismatch, TrimResult
from rewake.errors import FunctionError, RewakeError
from rewake.execution import (
    CallRecord,
    DocumentSource,
    Failure,
    FunctionCall,
    MutationJob,
    ProjectInvalid,
    ProjectSettings,
    QueryJob,
    QueryRun,
    Success,
    Visibility,
)
from rewake.execution.analysis import Analysis
from rewake.execution.worker_messages import (
    FRAME_BYTES_MAX,
    Begin,
    ErrorFacts,
    Fork,
    FrameDecoder,
    FromFront,
    FromWorker,
    Loaded,
    LogLine,
    Mutate,
    OpenWave,
    Outcome,
    PipeBroken,
    Prepared,
    Query,
    Ran,
    Result,
    Run,
    Told,
    pack,
    pack_prepared,
    unpack_from_front,
    unpack_from_worker,
    unpack_prepared,
)
from rewake.limits import DEFAULT_LIMITS
from rewake.storage import LogRow, LogWrite

RECORD = CallRecord("m:f", "query", 0.5, ("[LOG] 1",), None, "Traceback", "r")


def crossed(message: FromWorker) -> FromWorker:
    (body,) = FrameDecoder().feed(pack(message))
    return unpack_from_worker(body)


def crossed_down(message: FromFront) -> FromFront:
    (body,) = FrameDecoder().feed(pack(message))
    return unpack_from_front(body)


@given(st.lists(st.text(max_size=30), max_size=6), st.data())
def test_a_stream_can_come_in_any_portions(texts: list[str], data: st.DataObject) -> None:
    stream = b"".join(pack(LogLine(30, "rewake.a", text)) for text in texts)
    decoder = FrameDecoder()
    heard = []
    while stream:
        size = data.draw(st.integers(1, len(stream)))
        heard += decoder.feed(stream[:size])
        stream = stream[size:]
    assert [unpack_from_worker(body).text for body in heard] == texts  # type: ignore[union-attr]
    assert decoder.is_between_frames


def test_a_stream_that_ends_within_a_frame_is_known_by_it() -> None:
    decoder = FrameDecoder()
    assert not decoder.feed(pack(LogLine(30, "a", "b"))[:-1])
    assert not decoder.is_between_frames


def test_a_frame_that_is_too_long_breaks_the_pipe() -> None:
    with pytest.raises(PipeBroken):
        FrameDecoder().feed((FRAME_BYTES_MAX + 1).to_bytes(4, "big"))


@given(st.binary(max_size=40))
def test_what_is_no_message_breaks_the_pipe_and_nothing_else(body: bytes) -> None:
    for unpack in (unpack_from_front, unpack_from_worker):
        try:
            unpack(body)
        except PipeBroken:
            pass


@pytest.mark.parametrize("identity", [ANONYMOUS, User('{"a":1.0}'), Admin(), Admin(User("{}"))])
@pytest.mark.parametrize("replay", [None, ReplayKey("s", 0)])
def test_a_mutation_crosses(identity: object, replay: ReplayKey | None) -> None:
    call, invocation = FunctionCall("m:f", '{"a": "\u00e9"}', "c"), Invocation("i", replay)
    job = MutationJob(call, identity, Visibility.INTERNAL, invocation, "r")  # type: ignore[arg-type]
    message = crossed_down(Mutate.of(3, job))
    assert isinstance(message, Mutate)
    assert (message.number, message.job) == (3, job)


def test_a_wave_crosses_with_its_answer() -> None:
    job = QueryJob(FunctionCall("m:f", "{}"), ANONYMOUS, Visibility.PUBLIC, "journal")
    message = crossed_down(OpenWave([Query.of(job)], 2**62))
    assert isinstance(message, OpenWave)
    assert (message.jobs[0].job, message.at) == (job, 2**62)
    read_set = ReadSet({7: [(b"a", b"b"), (b"c", None)]})
    run = QueryRun(Success("1.0", ("[LOG] 1",)), None, read_set, True, False, "hash")
    answer = crossed(Ran(5, [Run.of(run, RECORD)]))
    assert isinstance(answer, Ran)
    assert (answer.runs[0].run, answer.runs[0].record) == (run, RECORD)


def test_a_group_crosses() -> None:
    row = LogRow(9, "i", (LogWrite(101, "id", None, "{}", ((5, None, b"k"),)),))
    failure = Outcome(2, 9, Result.of(Failure("no\n", "null", ())), record=RECORD)
    changed = Outcome(3, changed=SchemaChange(tables_added=["a"]))
    trimmed = Outcome(4, trimmed=TrimResult(1, 2, has_more=True))
    told = crossed(Told([row], 9, [failure, changed, trimmed]))
    assert told == Told([row], 9, [failure, changed, trimmed])
    assert failure.mutated.result == Failure("no\n", "null", ())
    assert unpack_prepared(pack_prepared(Prepared([failure]))) == Prepared([failure])
    assert unpack_prepared(b"") == Prepared([])


def test_a_project_and_its_limits_cross(tmp_path: object) -> None:
    settings = ProjectSettings(tmp_path, "backend", "camel", None, "name")  # type: ignore[arg-type]
    begin = crossed_down(Begin.of(settings, ["a", "b"]))
    assert isinstance(begin, Begin)
    assert (begin.settings, begin.path) == (settings, ["a", "b"])
    fork = Fork("reader", "data", "FULL", DEFAULT_LIMITS, False)
    assert crossed_down(fork) == fork
    assert crossed(Loaded(Analysis())) == Loaded(Analysis())


def test_an_error_of_the_house_is_the_same_on_the_other_side() -> None:
    source = DocumentSource("Person", "schema", {"name": "str"})
    mismatch = SchemaMismatch(table="people", id="j", path=".a", detail="no", source=source)
    again = ErrorFacts.of(mismatch).error()
    assert type(again) is SchemaMismatch
    assert (again.message, again.fields) == (mismatch.message, mismatch.fields)


def test_an_invalid_project_keeps_the_traceback_of_its_author() -> None:
    again = ErrorFacts.of(ProjectInvalid("no", traceback="Traceback ...")).error()
    assert isinstance(again, ProjectInvalid)
    assert (again.message, again.traceback) == ("no", "Traceback ...")


def test_an_error_class_of_an_author_comes_as_the_nearest_one_of_the_house() -> None:
    class Own(FunctionError):
        pass

    again: RewakeError = ErrorFacts.of(Own("own", thing=object())).error()
    assert type(again) is FunctionError
    assert again.message == "own"
