"""A backend under test: calls, callers, the database itself, and what goes wrong."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rewake import ApplicationError, Id, MutationCtx, QueryCtx, mutation, query
from rewake.database import SchemaMismatch
from rewake.errors import Unavailable
from rewake.execution import FunctionNotFound
from rewake.schema import define_schema, define_table, v
from rewake.storage import StorageFull
from rewake.testing import Backend, FunctionFailed, RunUnderWay
from tests.testing import chat


@pytest.fixture
def backend() -> Iterator[Backend]:
    with Backend.from_modules(chat) as made:
        yield made


@pytest.fixture
def channel(backend: Backend) -> Id[chat.Channel]:
    return backend.mutation(chat.open_channel, name="general")


def bodies(backend: Backend, channel: Id[chat.Channel]) -> list[str]:
    return [message.body for message in backend.query(chat.list_recent, channel=channel)]


# Calling.


def test_a_call_takes_and_gives_typed_values(backend: Backend, channel: Id[chat.Channel]) -> None:
    sent = backend.mutation(chat.send, channel=channel, body="hello")
    [message] = backend.query(chat.list_recent, channel=channel)
    assert isinstance(message, chat.Message)
    assert (message.id, message.body) == (sent, "hello")


def test_a_path_calls_as_a_client_would(backend: Backend, channel: Id[chat.Channel]) -> None:
    backend.mutation("testing/chat:send", channel=channel, body="hello")
    assert [m.body for m in backend.query("testing/chat:list_recent", channel=channel, limit=1)] == ["hello"]


def test_internal_functions_are_called_by_themselves_and_hidden_from_clients(backend: Backend) -> None:
    assert backend.query(chat.count) == 0
    assert backend.mutation(chat.clear) == 0
    with pytest.raises(FunctionFailed, match="Could not find public function for 'testing/chat:count'"):
        backend.query("testing/chat:count")
    assert backend.as_admin().query("testing/chat:count") == 0


def test_an_application_error_comes_as_itself(backend: Backend, channel: Id[chat.Channel]) -> None:
    with pytest.raises(ApplicationError) as caught:
        backend.mutation(chat.send, channel=channel, body="")
    assert caught.value.data == {"code": "empty"}


def test_another_failure_tells_what_a_client_reads_and_shows_the_traceback(
    backend: Backend, channel: Id[chat.Channel]
) -> None:
    with pytest.raises(FunctionFailed, match="Uncaught ZeroDivisionError: stumbled") as caught:
        backend.mutation(chat.stumble, channel=channel)
    assert "chat.py" in caught.value.__notes__[0]
    assert bodies(backend, channel) == []


def test_arguments_are_checked_as_for_a_client(backend: Backend) -> None:
    with pytest.raises(FunctionFailed, match=r"ArgumentValidationError: (?s:.*)Path: \.name"):
        backend.mutation("testing/chat:open_channel", name=5)
    with pytest.raises(FunctionFailed, match="ArgumentValidationError"):
        backend.mutation("testing/chat:open_channel")
    with pytest.raises(TypeError, match="query takes arguments by name"):
        backend.query(chat.first_body, "x")  # type: ignore[arg-type]


def test_a_function_of_elsewhere_is_not_found(backend: Backend) -> None:
    @query
    def stranger(ctx: QueryCtx) -> None: ...

    with pytest.raises(FunctionNotFound, match="not exported"):
        backend.query(stranger)


def test_prints_are_log_lines_of_the_last_call(backend: Backend, channel: Id[chat.Channel]) -> None:
    backend.mutation(chat.send, channel=channel, body="x")
    assert backend.log_lines == ("[LOG] 'sending' 'x'",)
    backend.query(chat.list_recent, channel=channel)
    assert backend.log_lines == ()


# Actions.


def test_an_action_runs_as_whoever_calls_and_live_queries_hear_of_it(
    backend: Backend, channel: Id[chat.Channel]
) -> None:
    with backend.watch(chat.list_recent, channel=channel) as live:
        [message] = backend.as_user("ann").action(chat.echo, channel=channel, body="hello")
        assert isinstance(message, chat.Message)
        assert (message.body, message.author) == ("hello", "ann")
        assert backend.log_lines == ("[LOG] 'echoing' 'hello'",)
        assert live.value == [message]


def test_what_an_action_raises_is_raised_and_what_it_did_stays(
    backend: Backend, channel: Id[chat.Channel]
) -> None:
    with pytest.raises(ApplicationError) as refused:
        backend.action(chat.echo, channel=channel, body="")
    assert refused.value.data == {"code": "empty"}
    with pytest.raises(FunctionFailed, match="ZeroDivisionError: after the mutation"):
        backend.action(chat.echo_blocking, channel=channel, body="kept")
    assert bodies(backend, channel) == ["kept"]
    with pytest.raises(FunctionFailed, match="Could not find public function"):
        backend.action("chat:echo_blocking", channel=channel, body="x")


def test_inside_a_block_no_action_runs(backend: Backend, channel: Id[chat.Channel]) -> None:
    with backend.run(), pytest.raises(RunUnderWay, match="an action"):
        backend.action(chat.echo, channel=channel, body="x")


# Callers.


def test_a_user_is_known_by_subject_issuer_and_claims(backend: Backend, channel: Id[chat.Channel]) -> None:
    ann = backend.as_user("ann", name="Ann", email_verified=True, role="owner")
    assert ann.query(chat.who_am_i) == {
        "tokenIdentifier": "https://rewake.test|ann",
        "issuer": "https://rewake.test",
        "subject": "ann",
        "name": "Ann",
        "emailVerified": True,
        "role": "owner",
    }
    assert backend.query(chat.who_am_i) is None
    ann.mutation(chat.send, channel=channel, body="mine")
    assert backend.query(chat.list_recent, channel=channel)[0].author == "ann"


def test_callers_make_other_callers(backend: Backend) -> None:
    ann = backend.as_user(subject="ann", issuer="https://else.test")
    acting = ann.as_admin().query(chat.who_am_i)
    assert acting is not None
    assert acting["tokenIdentifier"] == "https://else.test|ann"
    assert ann.as_anonymous().query(chat.who_am_i) is None
    assert backend.as_admin().query(chat.who_am_i) is None


def test_users_without_a_subject_are_told_apart_by_their_claims(backend: Backend) -> None:
    def subject(**claims: Any) -> Any:
        seen = backend.as_user(**claims).query(chat.who_am_i)
        assert seen is not None
        return seen["subject"]

    assert subject() == "test-user"
    assert subject(name="Ann") == subject(name="Ann") != subject(name="Bob")


# Functions on the spot.


def test_a_function_on_the_spot_has_the_context_of_its_kind(
    backend: Backend, channel: Id[chat.Channel]
) -> None:
    def look(ctx: QueryCtx) -> str:
        found = ctx.db.get(channel)
        assert found is not None
        return found.name

    assert backend.query(look) == "general"
    assert backend.mutation(lambda ctx: ctx.db.patch(channel, name="changed")) is None
    assert backend.query(look) == "changed"
    ann = backend.as_user("ann")
    assert ann.query(lambda ctx: ctx.auth.require_identity().subject) == "ann"
    assert not hasattr(backend.query(lambda ctx: ctx.db), "insert")
    assert backend.query(lambda ctx: ctx.run_query(chat.count)) == 0
    with pytest.raises(AttributeError):
        backend.query(lambda ctx: ctx.run_mutation(chat.clear))  # type: ignore[attr-defined]


def test_a_function_on_the_spot_raises_into_the_test_and_takes_ctx_alone(backend: Backend) -> None:
    with pytest.raises(ZeroDivisionError):
        backend.query(lambda ctx: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        backend.mutation(lambda ctx: 1 / 0)
    with pytest.raises(TypeError, match="takes `ctx` and nothing else"):
        backend.query(lambda ctx: None, channel="x")  # type: ignore[call-overload]
    with pytest.raises(TypeError, match="takes `ctx` and nothing else"):
        backend.mutation(lambda ctx: None, channel="x")  # type: ignore[call-overload]
    assert backend.query(chat.count) == 0


# Time and chance.


def test_the_clock_stands_still_until_it_is_moved(backend: Backend) -> None:
    before = backend.query(chat.now)
    assert before == backend.clock.now_ms
    backend.clock.advance(hours=1)
    assert backend.query(chat.now) == before + 3_600_000


@pytest.mark.parametrize("seed", [0, 7])
def test_one_seed_is_one_course_of_events(seed: int) -> None:
    def course() -> list[Any]:
        with Backend.from_modules(chat, seed=seed) as made:
            channel = made.mutation(chat.open_channel, name="x")
            return [made.mutation(chat.send, channel=channel, body="x"), made.query(chat.dice)]

    assert course() == course()


def test_another_seed_is_another_course() -> None:
    with Backend.from_modules(chat, seed=1) as one, Backend.from_modules(chat, seed=2) as two:
        assert one.query(chat.dice) != two.query(chat.dice)


# The database itself; what a run block is has tests of its own.


def test_a_mutation_inside_a_run_block_is_refused_instead_of_waiting_for_ever(backend: Backend) -> None:
    with backend.run():
        with pytest.raises(RunUnderWay, match=r"use `ctx.run_mutation|Use `ctx.run_mutation"):
            backend.mutation(chat.open_channel, name="x")
        with pytest.raises(RunUnderWay), backend.run():
            pass
    assert backend.mutation(chat.open_channel, name="x")


# Faults.


def test_on_a_full_disk_writes_fail_and_reads_go_on(backend: Backend, channel: Id[chat.Channel]) -> None:
    with backend.faults.disk_full():
        with pytest.raises(StorageFull):
            backend.mutation(chat.send, channel=channel, body="lost")
        with pytest.raises(StorageFull), backend.run() as ctx:
            ctx.db.insert(chat.Message(channel=channel, body="lost"))
        assert bodies(backend, channel) == []
    backend.mutation(chat.send, channel=channel, body="kept")
    assert bodies(backend, channel) == ["kept"]


def test_a_lost_answer_is_found_again(backend: Backend, channel: Id[chat.Channel]) -> None:
    backend.faults.arm("group.after_commit_before_outcome")
    sent = backend.mutation(chat.send, channel=channel, body="kept")
    assert [m.id for m in backend.query(chat.list_recent, channel=channel)] == [sent]


def test_an_armed_fault_comes_when_it_is_due(backend: Backend, channel: Id[chat.Channel]) -> None:
    backend.faults.arm("group.before_commit", after=1)
    backend.mutation(chat.send, channel=channel, body="kept")
    with pytest.raises(Unavailable):
        backend.mutation(chat.send, channel=channel, body="lost")
    assert bodies(backend, channel) == ["kept"]


# Where functions come from.


def test_functions_that_a_test_defines_on_the_spot() -> None:
    @mutation
    def add(ctx: MutationCtx, n: int) -> None:
        ctx.db.insert("numbers", {"n": n})

    @query(name="sum")
    def total(ctx: QueryCtx) -> float:
        return sum(number["n"] for number in ctx.db.query("numbers"))

    with Backend.from_functions(add, total, schema=define_schema({}, schema_validation=False)) as backend:
        backend.mutation(add, n=2)
        backend.mutation(add, n=3)
        assert backend.query(total) == 5


def test_another_schema_is_taken_or_refused_on_live_data() -> None:
    loose = define_schema({"numbers": define_table(v.any())})
    strict = define_schema({"numbers": define_table({"n": v.float64()}).index("by_n", ["n"])})

    @query
    def numbers(ctx: QueryCtx) -> list[float]:
        return [number["n"] for number in ctx.db.query("numbers").with_index("by_n")]

    with Backend.from_functions(numbers, schema=loose) as backend:
        bad = backend.run(lambda ctx: ctx.db.insert("numbers", {"n": "x"}))
        with pytest.raises(SchemaMismatch):
            backend.push_schema(strict)
        with pytest.raises(FunctionFailed, match=r"Index numbers\.by_n not found"):
            backend.query(numbers)
        backend.run(lambda ctx: ctx.db.replace(bad, {"n": 1}))
        with backend.watch(numbers) as live:
            backend.push_schema(strict)
            assert live.value == [1.0]


def test_a_project_keeps_the_modules_that_tests_import(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.rewake]\nfunctions = "notes_app"\n')
    folder = tmp_path / "notes_app"
    folder.mkdir()
    (folder / "notes.py").write_text(
        "from rewake import Document, MutationCtx, mutation\n"
        'class Note(Document, table="notes"):\n    text: str\n'
        "@mutation\ndef write(ctx: MutationCtx, text: str) -> Note:\n"
        '    print("noted")\n'
        "    note = ctx.db.get(ctx.db.insert(Note(text=text)))\n"
        "    assert note is not None\n"
        "    return note\n"
    )
    with Backend.from_project(tmp_path) as backend:
        from notes_app import notes  # type: ignore[import-not-found]

        note = backend.mutation(notes.write, text="x")
        assert isinstance(note, notes.Note)
        assert backend.log_lines == ("[LOG] 'noted'",)
        with pytest.raises(ValueError, match="from modules or functions"):
            backend.push_schema(define_schema({}))
    with Backend.from_project(tmp_path) as again:
        assert again.mutation(notes.write, text="x").text == "x"


def test_a_data_file_is_found_again_after_a_restart(tmp_path: Path) -> None:
    data = tmp_path / "data.sqlite"
    with Backend.from_modules(chat, data=data) as backend:
        channel = backend.mutation(chat.open_channel, name="general")
    with Backend.from_modules(chat, data=data, seed=1) as backend:
        assert backend.run(lambda ctx: ctx.db.get(channel)).name == "general"  # type: ignore[union-attr]
        assert backend.mutation(chat.open_channel, name="general") != channel


async def called_from(backend: Backend) -> float:
    return backend.query(chat.now)


def test_an_asyncio_test_can_call_as_well(backend: Backend) -> None:
    assert asyncio.run(called_from(backend)) == backend.clock.now_ms


def test_a_backend_is_up_and_gone_in_a_moment(capsys: pytest.CaptureFixture[str]) -> None:
    begun = time.perf_counter()
    Backend.from_modules(chat).close()
    print(f"{(time.perf_counter() - begun) * 1e3:.1f} ms")  # printed, never asserted
    assert "ms" in capsys.readouterr().out
