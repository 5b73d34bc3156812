"""Code of a test's own in the place of a mutation's handler."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rewake import Id, MutationCtx
from rewake.execution import RunnerClosed
from rewake.testing import Backend
from rewake.testing.run_block import open_block
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


def test_a_run_block_writes_as_one_mutation(backend: Backend, channel: Id[chat.Channel]) -> None:
    with backend.run() as ctx:
        ctx.db.insert(chat.Message(channel=channel, body="a"))
        ctx.db.insert("messages", {"channel": channel, "body": "b", "author": None, "at": 0})
        assert [m.body for m in ctx.run_query(chat.list_recent, channel=channel)] == ["a", "b"]
        assert bodies(backend, channel) == []  # others see it when it has committed
    assert bodies(backend, channel) == ["a", "b"]


def test_run_returns_what_the_code_returns(backend: Backend, channel: Id[chat.Channel]) -> None:
    found = backend.run(lambda ctx: ctx.db.get(channel))
    assert found is not None
    assert found.name == "general"
    assert backend.as_user("ann").run(lambda ctx: ctx.auth.require_identity().subject) == "ann"


def test_an_exception_undoes_a_run_block_and_goes_on(backend: Backend, channel: Id[chat.Channel]) -> None:
    def wrong(ctx: MutationCtx) -> None:
        ctx.db.insert(chat.Message(channel=channel, body="a"))
        raise AssertionError("as the test says")

    with pytest.raises(AssertionError, match="as the test says"):
        backend.run(wrong)
    assert bodies(backend, channel) == []


def test_nested_mutations_in_a_run_block_are_undone_alone(
    backend: Backend, channel: Id[chat.Channel]
) -> None:
    with backend.run() as ctx:
        ctx.run_mutation(chat.send, channel=channel, body="kept")
        with pytest.raises(ZeroDivisionError):
            ctx.run_mutation(chat.stumble, channel=channel)
    assert bodies(backend, channel) == ["kept"]


def test_the_context_of_a_run_block_ends_with_it(backend: Backend, channel: Id[chat.Channel]) -> None:
    with backend.run() as ctx:
        pass
    with pytest.raises(Exception, match="is over"):
        ctx.db.get(channel)


def test_a_block_that_cannot_begin_says_why(backend: Backend) -> None:
    loop, deployment = backend.loop, backend.deployment
    loop.run(deployment.close())
    with pytest.raises(RunnerClosed), open_block(loop, deployment, backend.identity, "mutation"):
        pass
