"""Calling functions: bodies, formats, results, timestamps."""

from __future__ import annotations

import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rewake.auth import Admin, User
from rewake.protocol import decode_ts, encode_ts
from tests.http_api.fake_backend import (
    ADMIN,
    EVERY_TYPE,
    FIRST_TS,
    LOG_LINE,
    Caller,
    FakeBackend,
    assert_error,
    caller,
)


@pytest.fixture
def backend() -> FakeBackend:
    return FakeBackend()


@pytest.fixture
def ask(backend: FakeBackend) -> Caller:
    return caller(backend)


def value_of(response: httpx.Response) -> Any:
    assert response.status_code == 200, response.text
    body = response.json()
    assert body["status"] == "success", body
    return body["value"]


@pytest.mark.parametrize("args", [{}, [{}]], ids=["object", "legacy array"])
@pytest.mark.parametrize(
    ("endpoint", "path", "value"),
    [
        ("/api/query", "messages:list", []),
        ("/api/mutation", "messages:send", None),
        ("/api/action", "ai:reply", "hello"),
    ],
)
def test_each_kind_has_its_endpoint(ask: Caller, endpoint: str, path: str, value: Any, args: Any) -> None:
    if path == "messages:send":
        args = json.loads(json.dumps(args).replace("{}", '{"body": "hi"}'))
    response = ask.post(endpoint, {"path": path, "args": args})
    assert response.headers["content-type"] == "application/json"
    assert response.json() == {"status": "success", "value": value, "logLines": [LOG_LINE]}


def test_a_query_by_url_takes_json_arguments(ask: Caller) -> None:
    response = ask.get("/api/query", params={"path": "values:same", "args": '{"é": 1}'})
    assert response.json()["status"] == "error"  # A field name must be ASCII: the function's side says so.
    response = ask.get("/api/query", params={"path": "values:same", "args": '{"a": "é"}', "format": "json"})
    assert value_of(response) == {"a": "é"}


def test_a_query_by_url_may_leave_out_its_arguments(ask: Caller) -> None:
    assert value_of(ask.get("/api/query", params={"path": "values:same"})) == {}


def test_a_query_by_url_needs_a_path(ask: Caller) -> None:
    assert "path" in assert_error(ask.get("/api/query"), 400, "BadQueryParameter")


def test_a_query_by_url_refuses_broken_arguments(ask: Caller) -> None:
    response = ask.get("/api/query", params={"path": "values:same", "args": "{"})
    assert_error(response, 400, "BadJsonBody")


def test_head_is_get_without_the_body(ask: Caller) -> None:
    response = ask("HEAD", "/api/query", params={"path": "messages:list"})
    assert response.status_code == 200
    assert response.content == b""
    assert int(response.headers["content-length"]) > 0


@pytest.mark.parametrize("path", ["messages:list", "messages.js:list"])
def test_every_form_of_a_path_is_taken(ask: Caller, path: str) -> None:
    assert value_of(ask.post("/api/query", {"path": path, "args": {}})) == []


def test_floats_are_printed_as_floats(ask: Caller) -> None:
    # PyPI's HTTP client refuses a JSON integer (wire 8.1, 23).
    for name in ("json", "convex_encoded_json", "export_json"):
        response = ask.post("/api/query", {"path": "values:same", "args": {"n": 1}, "format": name})
        assert '"value":{"n":1.0}' in response.text


def test_the_encoded_format_is_the_default_of_old_clients_only(ask: Caller) -> None:
    def special(client: str | None) -> Any:
        headers = {} if client is None else {"Convex-Client": client}
        response = ask.post("/api/query", {"path": "values:every", "args": {}}, headers=headers)
        return value_of(response)["big"]

    encoded, clean = {"$integer": "AQAAAAAAIAA="}, str(EVERY_TYPE["big"])
    assert special("npm-1.4.0") == special("npm-cli-1.0.0") == special("python-0.4.9") == encoded
    assert special("npm-1.4.1") == special("python-0.5.0") == special("rust-0.0.1") == special(None) == clean


def test_a_function_failure_is_an_answer_of_200(ask: Caller) -> None:
    response = ask.post(
        "/api/query", {"path": "fails:plain", "args": {}}, headers={"Convex-Request-Id": "r1"}
    )
    assert response.status_code == 200
    assert response.json() == {
        "status": "error",
        "errorMessage": "[Request ID: r1] Server Error\nUncaught ValueError: no\n",
        "logLines": ["[ERROR] 'half \ufffd'"],
    }


def test_a_redacted_deployment_says_less(ask: Caller, backend: FakeBackend) -> None:
    backend.is_redacted = True
    response = ask.post(
        "/api/query", {"path": "fails:plain", "args": {}}, headers={"Convex-Request-Id": "r1"}
    )
    assert response.json()["errorMessage"] == "[Request ID: r1] Server Error"
    batch = ask.post("/api/query_batch", {"queries": [{"path": "messages:list", "args": {}}]})
    assert batch.json()["results"][0]["logLines"] == []


def test_error_data_comes_in_the_requested_format(ask: Caller) -> None:
    body = {"path": "fails:data", "args": {}, "format": "convex_encoded_json"}
    response = ask.post("/api/mutation", body)
    assert response.json()["errorData"] == {"code": "full", "left": 0.0}
    assert '"left":0.0' in response.text
    assert "Uncaught ConvexError" in response.json()["errorMessage"]


def test_error_data_that_is_null_is_present(ask: Caller) -> None:
    response = ask.post("/api/action", {"path": "fails:null", "args": {}})
    assert response.json()["errorData"] is None
    assert "errorData" in response.json()


def test_an_unknown_function_is_a_function_failure(ask: Caller) -> None:
    response = ask.post("/api/query", {"path": "nowhere:list", "args": {}})
    assert "Could not find public function for 'nowhere:list'." in response.json()["errorMessage"]


def test_the_server_keeps_its_secrets(ask: Caller, caplog: pytest.LogCaptureFixture) -> None:
    body = {"path": "broken:crash", "args": {}}
    response = ask.post("/api/query", body, headers={"Convex-Request-Id": "find-me"})
    message = assert_error(response, 500, "InternalServerError")
    assert message == "Your request couldn't be completed. Try again later."
    assert "find-me" in caplog.text
    assert "a secret of the server" in caplog.text


def test_what_is_unavailable_says_so(ask: Caller) -> None:
    response = ask.post("/api/mutation", {"path": "broken:full", "args": {}})
    assert assert_error(response, 503, "Unavailable") == "The disk is full."


def test_the_caller_is_who_the_header_says(ask: Caller, backend: FakeBackend) -> None:
    for header in (ADMIN["Authorization"], "Bearer good"):
        ask.post("/api/query", {"path": "messages:list", "args": {}}, headers={"Authorization": header})
    assert [type(identity) for _, identity, _ in backend.ran] == [Admin, User]


def test_a_request_id_is_random_unless_brought(ask: Caller, backend: FakeBackend) -> None:
    body = {"path": "messages:list", "args": {}}
    ask.post("/api/query", body)
    ask.post("/api/query", body, headers={"Convex-Request-Id": "mine"})
    ids = [request_id for _, _, request_id in backend.ran]
    assert len(ids[0]) == 16
    assert int(ids[0], 16) >= 0
    assert ids[1] == "mine"


@pytest.mark.parametrize("endpoint", ["/api/query", "/api/mutation", "/api/action"])
@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"args": {}}, "BadJsonBody"),
        ({"path": "messages:list"}, "BadJsonBody"),
        ({"path": 1, "args": {}}, "BadJsonBody"),
        ({"path": "messages:list", "args": []}, "BadJsonBody"),
        ({"path": "messages:list", "args": [{}, {}]}, "BadJsonBody"),
        ([], "BadJsonBody"),
        ({"path": "messages:list", "args": {}, "format": "xml"}, "BadFormat"),
        ({"path": "messages:list", "args": {}, "format": 1}, "BadJsonBody"),
        ({"path": "no spaces:list", "args": {}}, "BadConvexFunctionIdentifier"),
        ({"path": "", "args": {}}, "BadConvexFunctionIdentifier"),
        ({"path": "messages.ts:list", "args": {}}, "BadConvexFunctionIdentifier"),
    ],
)
def test_a_bad_body_is_refused_before_anything_runs(
    ask: Caller, backend: FakeBackend, endpoint: str, body: Any, code: str
) -> None:
    assert_error(ask.post(endpoint, body), 400, code)
    assert backend.ran == []


def test_arguments_that_are_no_object_are_a_function_failure(ask: Caller) -> None:
    refused: tuple[Any, ...] = (1, "x", None, [[{}]])
    for args in refused:
        response = ask.post("/api/query", {"path": "messages:list", "args": args})
        assert "Expected to receive an object" in response.json()["errorMessage"]


def test_a_client_version_must_be_readable(ask: Caller) -> None:
    for client in ("nonsense", "npm-1", "npm-" + "9" * 5000 + ".0.0"):
        response = ask.post(
            "/api/query", {"path": "messages:list", "args": {}}, headers={"Convex-Client": client}
        )
        assert_error(response, 400, "InvalidClientVersion")


def test_a_consistent_reader_sees_none_of_the_writes_in_between(ask: Caller, backend: FakeBackend) -> None:
    backend.write("before")
    # npm sends the content type and no body.
    response = ask("POST", "/api/query_ts", headers={"Content-Type": "application/json"})
    ts = response.json()["ts"]
    assert decode_ts(ts) == backend.ts
    backend.before_query = lambda: backend.write("in between")
    seen = [
        value_of(ask.post("/api/query_at_ts", {"path": "messages:list", "args": {}, "ts": ts}))
        for _ in range(3)
    ]
    assert seen == [["before"]] * 3
    assert len(backend.messages) == 4


@pytest.mark.parametrize(
    ("ts", "code"),
    [
        (encode_ts(FIRST_TS + 1), "InvalidTimestamp"),
        ("nonsense", "InvalidTimestamp"),
        ("", "InvalidTimestamp"),
        (12, "BadJsonBody"),
        (None, "BadJsonBody"),
    ],
)
def test_a_timestamp_must_be_one_of_ours(ask: Caller, backend: FakeBackend, ts: Any, code: str) -> None:
    response = ask.post("/api/query_at_ts", {"path": "messages:list", "args": {}, "ts": ts})
    assert_error(response, 400, code)
    assert backend.ran == []


def test_a_batch_is_one_snapshot(ask: Caller, backend: FakeBackend) -> None:
    backend.write("before")
    backend.before_query = lambda: backend.write("in between")
    queries = [
        {"path": "messages:list", "args": {}},
        {"path": "fails:plain", "args": {}},
        {"path": "values:every", "args": [{}], "format": "convex_encoded_json"},
    ]
    first, second, third = ask.post("/api/query_batch", {"queries": queries}).json()["results"]
    assert first["value"] == ["before"]
    assert second["status"] == "error"
    assert third["value"]["big"] == {"$integer": "AQAAAAAAIAA="}
    assert ask.post("/api/query_batch", {"queries": []}).json() == {"results": []}


def test_a_batch_is_bounded(ask: Caller) -> None:
    queries = [{"path": "messages:list", "args": {}}] * 4
    assert "At most 3" in assert_error(
        ask.post("/api/query_batch", {"queries": queries}), 400, "TooManyQueries"
    )


def test_one_bad_query_refuses_the_batch(ask: Caller, backend: FakeBackend) -> None:
    queries = [{"path": "messages:list", "args": {}}, {"path": "messages:list", "args": {}, "format": "x"}]
    assert_error(ask.post("/api/query_batch", {"queries": queries}), 400, "BadFormat")
    assert backend.ran == []


@pytest.mark.parametrize(
    ("path", "value"), [("messages:list", []), ("secret:purge", "purged"), ("ai:reply", "hello")]
)
def test_administrators_call_any_function_by_its_own_kind(ask: Caller, path: str, value: Any) -> None:
    body = {"path": path, "args": {}, "componentPath": ""}
    assert value_of(ask.post("/api/function", body, headers=ADMIN)) == value


def test_a_component_is_passed_on(ask: Caller) -> None:
    body = {"path": "messages:list", "args": {}, "componentPath": "workflow"}
    assert ask.post("/api/function", body, headers=ADMIN).json()["status"] == "error"


def test_only_administrators_call_any_function(ask: Caller, backend: FakeBackend) -> None:
    body = {"path": "messages:list", "args": {}}
    expected = "The provided deploy key was invalid for deployment 'quiet-otter-12'."
    for headers in ({}, {"Authorization": "Bearer good"}):
        message = assert_error(ask.post("/api/function", body, headers=headers), 403, "BadDeployKey")
        assert message.startswith(expected)
    assert_error(
        ask.post("/api/function", body, headers={"Authorization": "Convex wrong"}), 401, "BadAdminKey"
    )
    # The query parameter is for GET endpoints; a form on a foreign page could post it.
    response = ask.post(f"/api/function?adminKey={ADMIN['Authorization'][7:]}", body)
    assert_error(response, 403, "BadDeployKey")
    assert backend.ran == []


@pytest.mark.parametrize(
    ("url", "value"),
    [
        ("/api/run/messages/list", []),
        ("/api/run/deep/dir/module/read", "deep"),
        ("/api/run/ai/reply", "hello"),
    ],
)
def test_run_names_the_function_in_the_url(ask: Caller, url: str, value: Any) -> None:
    assert value_of(ask.post(url, {"args": {}})) == value


def test_run_is_for_public_functions(ask: Caller, backend: FakeBackend) -> None:
    for url in ("/api/run/secret/purge", "/api/run/no/such/function"):
        assert "Could not find public function" in ask.post(url, {"args": {}}).json()["errorMessage"]
    assert backend.ran == []


@pytest.mark.parametrize("url", ["/api/run", "/api/run/", "/api/run/messages", "/api/run/messages/"])
def test_run_needs_two_segments(ask: Caller, url: str) -> None:
    assert_error(ask.post(url, {"args": {}}), 400, "MissingIdentifier")


def test_run_refuses_segments_that_are_no_path(ask: Caller) -> None:
    assert_error(ask.post("/api/run/a%20b/c", {"args": {}}), 400, "BadConvexFunctionIdentifier")


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.sampled_from(["messages:list"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["path", "args", "format", "ts", "queries", "$integer", "$float", ""]), inner
        )
    ),
    max_leaves=12,
)
bodies = st.one_of(
    st.binary(max_size=200),
    json_values.map(lambda value: json.dumps(value).encode()),
    json_values.map(lambda args: json.dumps({"path": "values:same", "args": args}).encode()),
    json_values.map(lambda args: json.dumps({"queries": [{"path": "values:same", "args": args}]}).encode()),
    st.integers(1, 30_000).map(lambda n: b'{"path":"values:same","args":' + b"[" * n + b"]" * n + b"}"),
    st.integers(1, 10_000).map(
        lambda n: b'{"path":"values:same","args":' + b'{"a":' * n + b"1" + b"}" * (n + 1)
    ),
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    body=bodies,
    endpoint=st.sampled_from(
        ["query", "mutation", "action", "query_at_ts", "query_batch", "function", "run/values/same"]
    ),
)
def test_no_body_is_the_servers_fault(body: bytes, endpoint: str) -> None:
    ask = caller(FakeBackend())
    headers = {"Content-Type": "application/json", **ADMIN}
    response = ask("POST", f"/api/{endpoint}", content=body, headers=headers)
    assert response.status_code in (200, 400), response.text
    answer = response.json()
    if response.status_code == 400:
        assert sorted(answer) == ["code", "message"]
    else:
        assert ("results" in answer) or answer["status"] in ("success", "error")


@settings(max_examples=100, deadline=None)
@given(args=st.text(max_size=60), path=st.text(max_size=20), wanted=st.text(max_size=8))
def test_no_url_is_the_servers_fault(args: str, path: str, wanted: str) -> None:
    ask = caller(FakeBackend())
    for parameters in (
        {"path": "values:same", "args": args},
        {"path": path, "args": "{}"},
        {"path": "values:same", "format": wanted},
    ):
        response = ask.get("/api/query", params=parameters)
        assert response.status_code in (200, 400), response.text
