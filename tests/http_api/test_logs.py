"""Following the call log over HTTP."""

from __future__ import annotations

import asyncio
from typing import Any

import httpx
import pytest

from rewake.database import CRONS
from rewake.environment import ManualClock
from rewake.execution import CalledFrom, CallLog, CallRecord, CallUsage, RunLogLine, RunProgress
from rewake.http_api import build_app
from rewake.values import encode_id
from tests.http_api.fake_backend import ADMIN, ADMIN_KEY, Caller, FakeBackend, assert_error, caller

PATH = "/api/stream_function_logs"
LINE = RunLogLine("WARN", "much", "warning:TooManyDocumentsRead", 5.0, "m:inner")
RECORD = CallRecord(
    "m:f",
    "query",
    0.25,
    (LINE,),
    "Uncaught ValueError: no\n",
    "Traceback",
    "r1",
    None,
    CallUsage(1, 2),
    "admin",
)


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend(call_log=CallLog(clock=ManualClock()))


@pytest.fixture
def ask(backend: FakeBackend) -> Caller:
    return caller(backend)


def follow(ask: Caller, cursor: float = 0, path: str = PATH) -> Any:
    response = ask.get(f"{path}?cursor={cursor}", headers=ADMIN)
    assert response.status_code == 200
    return response.json()


def test_a_run_is_told_with_all_that_clients_read(ask: Caller, backend: FakeBackend) -> None:
    backend.call_log.append(RECORD)
    answer = follow(ask)
    (entry,) = answer["entries"]
    at = ManualClock().time_ns / 1e9
    assert answer["newCursor"] == at * 1000
    assert entry.pop("usageStats")["databaseReadDocuments"] == 1
    assert entry == {
        "kind": "Completion",
        "udfType": "Query",
        "identifier": "m:f",
        "componentPath": None,
        "timestamp": at,
        "executionTimestamp": at - 0.25,
        "executionTime": 0.25,
        "userExecutionTime": 0.25,
        "logLines": [
            {
                "messages": ["much"],
                "level": "WARN",
                "timestamp": 5.0,
                "isTruncated": False,
                "udfPath": "m:inner",
                "systemMetadata": {"code": "warning:TooManyDocumentsRead"},
            }
        ],
        "success": None,
        "error": "Uncaught ValueError: no",
        "traceback": "Traceback",
        "requestId": "r1",
        "executionId": "r1",
        "parentExecutionId": None,
        "caller": "Unknown",
        "cachedResult": False,
        "identityType": "instance_admin",
        "environment": "python",
        "returnBytes": None,
        "occInfo": None,
        "willRetry": False,
    }


@pytest.mark.parametrize(("path", "shown"), [("m.js:f", "m:f"), ("m:default", "m"), ("a/m.js", "a/m")])
def test_paths_are_shown_as_people_write_them(
    ask: Caller, backend: FakeBackend, path: str, shown: str
) -> None:
    backend.call_log.append(CallRecord(path, "action", 0.0, (), None, None, "r", scheduled="job"))
    (entry,) = follow(ask)["entries"]
    assert (entry["identifier"], entry["udfType"], entry["caller"]) == (shown, "Action", "Scheduler")


@pytest.mark.parametrize("called_from", CalledFrom)
def test_a_run_says_through_which_door_it_was_called(
    ask: Caller, backend: FakeBackend, called_from: CalledFrom
) -> None:
    backend.call_log.append(CallRecord("m:f", "query", 0.0, (), None, None, "r", called_from=called_from))
    (entry,) = follow(ask)["entries"]
    assert entry["caller"] == called_from.value


def test_a_run_of_a_cron_says_so(ask: Caller, backend: FakeBackend) -> None:
    cron = encode_id(CRONS.number, bytes(16))
    backend.call_log.append(CallRecord("m:f", "mutation", 0.0, (), None, None, "r", scheduled=cron))
    (entry,) = follow(ask)["entries"]
    assert entry["caller"] == "Cron"


def test_a_follower_is_given_each_line_of_an_action_once(ask: Caller, backend: FakeBackend) -> None:
    line = RunLogLine("LOG", "one", at_ms=1.0)
    backend.call_log.progress(RunProgress("m:act", "action", "r", line))
    backend.call_log.append(CallRecord("m:act", "action", 1.0, (line,), None, None, "r"))
    progress, completion = follow(ask)["entries"]
    assert (progress["kind"], progress["udfType"], progress["requestId"]) == ("Progress", "Action", "r")
    assert [each["messages"] for each in progress["logLines"]] == [["one"]]
    assert completion["logLines"] == []
    (only,) = follow(ask, path="/api/stream_udf_execution")["entries"]
    assert [each["messages"] for each in only["logLines"]] == [["one"]]


def test_the_cursor_leads_on(ask: Caller, backend: FakeBackend) -> None:
    empty = follow(ask)
    assert empty == {"entries": [], "newCursor": 1.0}, "0 would be answered at once for ever"
    backend.call_log.append(RECORD)
    first = follow(ask, empty["newCursor"])
    assert len(first["entries"]) == 1
    backend.call_log.append(RECORD)
    backend.call_log.append(RECORD)
    assert len(follow(ask, first["newCursor"])["entries"]) == 2
    assert len(follow(ask, first["newCursor"], "/api/app_metrics/stream_function_logs")["entries"]) == 2


def test_who_has_read_all_waits_for_news_or_the_end(backend: FakeBackend) -> None:
    async def story() -> None:
        transport = httpx.ASGITransport(app=build_app(backend))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            for _ in range(2):
                asking = asyncio.ensure_future(client.get(f"{PATH}?cursor=1&adminKey={ADMIN_KEY}"))
                while not backend.call_log._waiting and not backend.call_log.records:
                    await asyncio.to_thread(lambda: None)
                backend.call_log.append(RECORD)
                assert len((await asking).json()["entries"]) >= 1
            last = backend.call_log.after(0)[-1].cursor
            asking = asyncio.ensure_future(client.get(f"{PATH}?cursor={last!r}", headers=ADMIN))
            while not backend.call_log._waiting:
                await asyncio.to_thread(lambda: None)
            backend.call_log.end_waits()
            assert (await asking).json() == {"entries": [], "newCursor": last}

    asyncio.run(asyncio.wait_for(story(), 20))


@pytest.mark.parametrize("cursor", ["x", "nan", "inf", "-1", ""])
def test_a_cursor_that_is_none_is_refused(ask: Caller, cursor: str) -> None:
    assert_error(ask.get(f"{PATH}?cursor={cursor}", headers=ADMIN), 400, "BadQueryParameter")


def test_only_administrators_may(ask: Caller) -> None:
    assert_error(ask.get(f"{PATH}?cursor=0"), 403, "BadDeployKey")


SESSION = "3f2b1c4e-8d5a-4f6b-9c7d-0a1b2c3d4e5f"


def test_one_request_of_a_client_is_followed_alone(ask: Caller, backend: FakeBackend) -> None:
    # The id is the example of wire 6.1.
    for request_id in ("other", "0b7f6589656abd68", "other"):
        backend.call_log.append(CallRecord("m:f", "mutation", 0.0, (), None, None, request_id))
    for session in (SESSION, SESSION.upper()):
        response = ask.get(f"{PATH}?cursor=0&sessionId={session}&clientRequestCounter=0", headers=ADMIN)
        answer = response.json()
        assert [entry["requestId"] for entry in answer["entries"]] == ["0b7f6589656abd68"]
        assert answer["newCursor"] == backend.call_log.after(0)[-1].cursor


@pytest.mark.parametrize(
    "parameters",
    [
        f"sessionId={SESSION}",
        "clientRequestCounter=1",
        "sessionId=x&clientRequestCounter=1",
        f"sessionId={SESSION}&clientRequestCounter=-1",
        f"sessionId={SESSION}&clientRequestCounter={'9' * 5000}",
    ],
)
def test_a_request_that_cannot_be_one_is_refused(ask: Caller, parameters: str) -> None:
    response = ask.get(f"{PATH}?cursor=0&{parameters}", headers=ADMIN)
    assert_error(response, 400, "BadQueryParameter")


def test_news_of_others_does_not_end_the_wait(backend: FakeBackend) -> None:
    backend.call_log.append(CallRecord("m:f", "query", 0.0, (), None, None, "first"))
    cursor = backend.call_log.after(0)[-1].cursor

    async def story() -> Any:
        transport = httpx.ASGITransport(app=build_app(backend))
        async with httpx.AsyncClient(transport=transport, base_url="http://deployment.test") as client:
            query = f"cursor={cursor}&sessionId={SESSION}&clientRequestCounter=0"
            asking = asyncio.create_task(client.get(f"{PATH}?{query}", headers=ADMIN))
            while not backend.call_log._waiting:
                await asyncio.sleep(0)
            backend.call_log.append(CallRecord("m:f", "query", 0.0, (), None, None, "other"))
            while not backend.call_log._waiting:
                await asyncio.sleep(0)
            assert not asking.done()
            backend.call_log.append(CallRecord("m:f", "mutation", 0.0, (), None, None, "0b7f6589656abd68"))
            return (await asking).json()

    (entry,) = asyncio.run(story())["entries"]
    assert entry["requestId"] == "0b7f6589656abd68"


def test_an_http_action_is_told_with_its_status(ask: Caller, backend: FakeBackend) -> None:
    record = CallRecord("POST /pay", "action", 0.1, (), None, None, "r", is_http=True, status=201)
    backend.call_log.append(record)
    (entry,) = follow(ask)["entries"]
    assert (entry["udfType"], entry["identifier"]) == ("HttpAction", "POST /pay")
    assert entry["success"] == {"status": "201"}
