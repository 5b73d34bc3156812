"""The query set. Orders of events are `test_conversation.py`'s; here is what counts as news."""

from __future__ import annotations

import json

import msgspec
import pytest

from rewake.client.incoming import QueryFailed, QueryRemoved, QueryUpdated
from rewake.client.instructions import Outcome
from rewake.client.query_set import QuerySet


def updated(value: str, *, lines: list[str] | None = None, journal: str | None = None) -> QueryUpdated:
    return QueryUpdated(query_id=0, value=msgspec.Raw(value), log_lines=lines or [], journal=journal)


def failed(text: str, data: str | None = None) -> QueryFailed:
    raw = msgspec.UNSET if data is None else msgspec.Raw(data)
    return QueryFailed(query_id=0, error_message=text, log_lines=[], error_data=raw)


@pytest.fixture
def queries() -> QuerySet:
    made = QuerySet()
    made.add("m:f", "{}")
    return made


def test_a_result_is_news_once(queries: QuerySet) -> None:
    assert queries.take(updated("1.0")) == Outcome("m:f", b"1.0")
    assert queries.take(updated("1.0", journal="j")) is None
    assert queries.take(updated("1.0", lines=["x"])) == Outcome("m:f", b"1.0", log_lines=("x",))
    assert queries.take(updated("2.0")) == Outcome("m:f", b"2.0")


def test_a_failure_is_compared_without_its_request_id(queries: QuerySet) -> None:
    assert queries.take(failed("[Request ID: 1] Server Error\nno")) is not None
    assert queries.take(failed("[Request ID: 2] Server Error\nno")) is None
    assert queries.take(failed("[Request ID: 2] Server Error\nno", "null")) is not None
    assert queries.take(updated("null")) is not None


def test_after_forgetting_the_same_is_news(queries: QuerySet) -> None:
    queries.take(updated("1.0"))
    queries.forget_results()
    assert queries.take(updated("1.0")) is not None


def test_the_journal_of_the_last_result_goes_back(queries: QuerySet) -> None:
    queries.take(updated("1.0", journal="a"))
    queries.take(updated("1.0", journal="b"))
    [add] = json.loads(queries.begin_socket())["modifications"]
    assert (add["queryId"], add["journal"]) == (0, "b")


def test_news_of_a_query_that_was_given_up_is_ignored(queries: QuerySet) -> None:
    queries.begin_socket()
    queries.remove(0)
    assert queries.take(updated("1.0")) is None
    assert json.loads(queries.changes() or "")["modifications"] == [{"type": "Remove", "queryId": 0}]
    assert queries.changes() is None
    assert len(queries) == 0


def test_it_is_answered_when_every_query_is(queries: QuerySet) -> None:
    queries.begin_socket()
    assert not queries.is_answered
    assert queries.take(QueryRemoved(0)) is None
    queries.take(updated("1.0"))
    assert queries.is_answered
    queries.begin_socket()
    assert not queries.is_answered
    queries.remove(0)
    assert queries.is_answered
