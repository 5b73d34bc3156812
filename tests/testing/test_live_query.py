"""A live query under test: what it shows, how often it woke, and when."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from rewake import ApplicationError
from rewake.testing import Backend
from tests.testing import chat


@pytest.fixture
def backend() -> Iterator[Backend]:
    with Backend.from_modules(chat) as made:
        yield made


def test_a_live_query_follows_what_it_read_and_nothing_else(backend: Backend) -> None:
    here = backend.mutation(chat.open_channel, name="here")
    there = backend.mutation(chat.open_channel, name="there")
    with backend.watch(chat.list_recent, channel=here) as live:
        assert live.value == []
        backend.mutation(chat.send, channel=here, body="a")
        assert [message.body for message in live.value] == ["a"]
        assert live.wakes == 1
        backend.mutation(chat.send, channel=there, body="b")
        assert live.wakes == 1
        with backend.run() as ctx:
            ctx.db.insert(chat.Message(channel=here, body="c"))
        assert [[m.body for m in value] for value in live.history] == [[], ["a"], ["a", "c"]]


def test_a_wake_without_a_change_is_counted_and_not_shown(backend: Backend) -> None:
    channel = backend.mutation(chat.open_channel, name="x")
    first = backend.mutation(chat.send, channel=channel, body="a")
    with backend.watch(chat.first_body, channel=channel) as live:
        backend.run(lambda ctx: ctx.db.patch(first, author="somebody"))
        assert (live.value, live.wakes, live.history) == ("a", 1, ["a"])


def test_a_failing_live_query_recovers(backend: Backend) -> None:
    channel = backend.mutation(chat.open_channel, name="x")
    with backend.watch(chat.first_body, channel=channel) as live:
        with pytest.raises(ApplicationError, match="nothing yet"):
            assert live.value
        backend.mutation(chat.send, channel=channel, body="a")
        assert live.value == "a"
        assert isinstance(live.history[0], ApplicationError)


def test_each_caller_watches_as_itself(backend: Backend) -> None:
    ann, bob = backend.as_user("ann"), backend.as_user("bob")
    with ann.watch(chat.who_am_i) as one, bob.watch(chat.who_am_i) as two, backend.watch(chat.who_am_i) as no:
        assert one.value is not None
        assert two.value is not None
        assert (one.value["subject"], two.value["subject"], no.value) == ("ann", "bob", None)


def test_a_closed_live_query_keeps_what_it_saw(backend: Backend) -> None:
    channel = backend.mutation(chat.open_channel, name="x")
    live = backend.watch("testing/chat:list_recent", channel=channel)
    live.close()
    live.close()
    backend.mutation(chat.send, channel=channel, body="a")
    assert (live.value, live.wakes, live.is_open) == ([], 0, False)


def test_a_live_query_holds_at_the_newest_commit(backend: Backend) -> None:
    channel = backend.mutation(chat.open_channel, name="x")
    with backend.watch(chat.list_recent, channel=channel) as live:
        before = live.ts
        backend.mutation(chat.open_channel, name="unrelated")
        assert live.ts > before
        assert live.wakes == 0


def test_many_live_queries_settle_together(backend: Backend) -> None:
    channel = backend.mutation(chat.open_channel, name="x")
    lives = [backend.watch(chat.list_recent, channel=channel, limit=limit) for limit in (1, 2, 3)]
    for number in range(5):
        backend.mutation(chat.send, channel=channel, body=str(number))
    assert [[m.body for m in live.value] for live in lives] == [["4"], ["3", "4"], ["2", "3", "4"]]
    assert [live.wakes for live in lives] == [5, 5, 5]
