"""HTTP actions through a listening server: what the world asks, and what an application answers."""

from __future__ import annotations

import random
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from rewake.limits import Limits
from tests.http_api.site_stage import KEY, MESSAGES, Site, site_of

HTTP = """
    import asyncio
    import os
    import signal
    import threading
    from rewake import ActionCtx, ApplicationError, BlockingActionCtx, HttpRouter
    from starlette.background import BackgroundTask
    from starlette.requests import Request
    from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
    from .notes import add, texts

    http = HttpRouter()
    seen = []
    gone = threading.Event()

    @http.route("/echo", methods=["GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH"])
    async def echo(ctx: ActionCtx, request: Request) -> Response:
        body = await request.body()
        return JSONResponse(
            {"method": request.method, "url": str(request.url), "body": body.decode("latin-1"),
             "header": request.headers.get("x-asked"), "query": dict(request.query_params)},
            status_code=201, headers={"x-answered": "yes"},
        )

    @http.route("/notes", methods=["POST"])
    async def note(ctx: ActionCtx, request: Request) -> Response:
        await ctx.run_mutation(add, text=(await request.json())["text"])
        return JSONResponse(await ctx.run_query(texts))

    @http.route("/blocking", methods=["POST"])
    def blocking(ctx: BlockingActionCtx, request) -> Response:
        ctx.run_mutation(add, text=request.json()["text"])
        return JSONResponse(ctx.run_query(texts), headers={"x-type": type(request).__name__})

    @http.route("/blocking/size", methods=["POST"])
    def blocking_size(ctx: BlockingActionCtx, request) -> Response:
        return PlainTextResponse(str(sum(map(len, request.stream()))))

    @http.route("/size", methods=["POST"])
    async def size(ctx: ActionCtx, request: Request) -> Response:
        total = 0
        async for portion in request.stream():
            total += len(portion)
        return PlainTextResponse(str(total))

    @http.route(path_prefix="/files/")
    async def files(ctx: ActionCtx, request: Request) -> Response:
        return PlainTextResponse("files")

    @http.route(path_prefix="/files/deep/")
    async def deep(ctx: ActionCtx, request: Request) -> Response:
        return PlainTextResponse("deep")

    @http.route("/files/exact")
    async def exact(ctx: ActionCtx, request: Request) -> Response:
        return PlainTextResponse("exact")

    @http.route("/fails")
    async def fails(ctx: ActionCtx, request: Request) -> Response:
        raise ValueError("no luck")

    @http.route("/refuses")
    async def refuses(ctx: ActionCtx, request: Request) -> Response:
        raise ApplicationError({"code": "closed", "count": 2})

    @http.route("/nothing")
    async def nothing(ctx: ActionCtx, request: Request) -> Response:
        return "text"

    @http.route("/fails/late")
    async def fails_late(ctx: ActionCtx, request: Request) -> Response:
        async def portions():
            yield b"begun"
            raise ValueError("in the middle")
        return StreamingResponse(portions())

    @http.route("/copy", methods=["POST"])
    async def copy(ctx: ActionCtx, request: Request) -> Response:
        return StreamingResponse(request.stream())

    @http.route("/copy/late", methods=["POST"])
    async def copy_late(ctx: ActionCtx, request: Request) -> Response:
        async def portions():
            await ctx.run_query(texts)
            async for portion in request.stream():
                yield portion
        return StreamingResponse(portions())

    @http.route("/who")
    async def who(ctx: ActionCtx, request: Request) -> Response:
        identity = ctx.auth.get_user_identity()
        return PlainTextResponse("nobody" if identity is None else identity.subject)

    @http.route("/public")
    async def public(ctx: ActionCtx, request: Request) -> Response:
        return PlainTextResponse("served")

    @http.route("/large")
    async def large(ctx: ActionCtx, request: Request) -> Response:
        return Response(bytes(int(request.query_params["size"])))

    @http.route("/stream")
    async def stream(ctx: ActionCtx, request: Request) -> Response:
        async def portions():
            for _ in range(int(request.query_params["portions"])):
                seen.append(1)
                yield bytes(100_000)
        return StreamingResponse(portions())

    @http.route("/seen")
    async def tell(ctx: ActionCtx, request: Request) -> Response:
        return PlainTextResponse(str(len(seen)))

    @http.route("/events")
    async def events(ctx: ActionCtx, request: Request) -> Response:
        async def portions():
            try:
                yield "data: first\\n\\n"
                await asyncio.Event().wait()
            finally:
                gone.set()
        return StreamingResponse(portions(), media_type="text/event-stream")

    @http.route("/gone")
    def wait_gone(ctx: BlockingActionCtx, request) -> Response:
        return PlainTextResponse(str(gone.wait(10)))

    @http.route("/reads-nothing", methods=["POST"])
    async def reads_nothing(ctx: ActionCtx, request: Request) -> Response:
        await asyncio.Event().wait()

    @http.route("/dies")
    async def dies(ctx: ActionCtx, request: Request) -> Response:
        os.kill(os.getpid(), signal.SIGKILL)

    @http.route("/dies/late")
    async def dies_late(ctx: ActionCtx, request: Request) -> Response:
        async def portions():
            yield b"begun"
            os.kill(os.getpid(), signal.SIGKILL)
        return StreamingResponse(portions())

    @http.route("/for-ever")
    async def for_ever(ctx: ActionCtx, request: Request) -> Response:
        await asyncio.Event().wait()

    @http.route("/background", methods=["POST"])
    async def background(ctx: ActionCtx, request: Request) -> Response:
        async def later():
            await ctx.run_mutation(add, text="later")
            gone.set()
        return PlainTextResponse("at once", background=BackgroundTask(later))
"""


@pytest.fixture(scope="module", params=["threads", "workers"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    root = tmp_path_factory.mktemp("site")
    with site_of(root, workers=request.param == "workers", notes=MESSAGES, http=HTTP) as served:
        yield served


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_a_request_reaches_its_handler_and_the_response_comes_back(site: Site, method: str) -> None:
    answer = site.request(method, "/echo?a=1&b=%20", content=b"\x00body", headers={"x-asked": "much"})
    assert answer.status_code == 201
    assert answer.headers["x-answered"] == "yes"
    assert answer.json() == {
        "method": method,
        "url": f"{site.site_url}/echo?a=1&b=%20",
        "body": "\x00body",
        "header": "much",
        "query": {"a": "1", "b": " "},
    }


@pytest.mark.parametrize("method", ["GET", "OPTIONS"])
def test_methods_that_have_no_body_are_given_none(site: Site, method: str) -> None:
    assert site.request(method, "/echo", content=b"ignored").json()["body"] == ""


def test_under_http_of_the_main_port_the_handler_sees_the_site(site: Site) -> None:
    answer = httpx.post(f"{site.url}/http/echo?x=1", content=b"hi")
    assert answer.json()["url"] == f"{site.site_url}/echo?x=1"
    assert "access-control-allow-origin" not in answer.headers


def test_an_async_handler_calls_functions(site: Site) -> None:
    assert "async" in site.post("/notes", json={"text": "async"}).json()
    assert "async" in site.query("notes:texts")


def test_a_blocking_handler_reads_and_calls_without_await(site: Site) -> None:
    answer = site.post("/blocking", json={"text": "blocking"})
    assert "blocking" in answer.json()
    assert answer.headers["x-type"] == "BlockingRequest"


@pytest.mark.parametrize("path", ["/size", "/blocking/size"])
@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 256 * 1024, 256 * 1024 + 1, 30_000_000])
def test_request_bodies_of_any_size_are_streamed(site: Site, path: str, size: int) -> None:
    assert site.post(path, content=bytes(size)).text == str(size)


@pytest.mark.parametrize("path", ["/copy", "/copy/late"])
@pytest.mark.parametrize("size", [0, 1, 64 * 1024, 300_000])
def test_a_request_body_may_be_read_while_the_response_is_sent(site: Site, path: str, size: int) -> None:
    """Whoever waits for the client to go away takes nothing of what the handler is to read."""
    body = random.Random(size).randbytes(size)
    assert site.post(path, content=body).content == body


def test_a_chunked_request_body_arrives_whole(site: Site) -> None:
    assert site.post("/size", content=(bytes(10) for _ in range(100))).text == "1000"


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("/files/a", "files"),
        ("/files/", "files"),
        ("/files/deep/a/b", "deep"),
        ("/files/deep", "files"),
        ("/files/exact", "exact"),
        ("/files/exact?x=/files/deep/", "exact"),
        ("/files/exact/", "files"),
    ],
)
def test_the_exact_path_wins_and_then_the_longest_prefix(site: Site, path: str, text: str) -> None:
    assert site.get(path).text == text


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/files"), ("GET", "/notes"), ("POST", "/fails"), ("GET", "/")]
)
def test_what_no_route_answers_is_404(site: Site, method: str, path: str) -> None:
    answer = site.request(method, path)
    assert (answer.status_code, answer.text) == (404, "No matching routes found")


def test_other_methods_are_405(site: Site) -> None:
    assert site.request("PROPFIND", "/echo").status_code == 405


def test_head_is_answered_by_get_without_the_body(site: Site) -> None:
    answer = site.request("HEAD", "/echo")
    assert (answer.status_code, answer.content) == (201, b"")
    assert answer.headers["x-answered"] == "yes"
    assert int(answer.headers["content-length"]) > 0


def test_head_of_a_long_stream_ends(site: Site) -> None:
    assert site.request("HEAD", "/events").status_code == 200


def test_an_error_before_the_response_is_told(site: Site) -> None:
    answer = site.get("/fails", headers={"convex-request-id": "abc"})
    assert answer.status_code == 500
    said = answer.json()
    assert said["code"] == "[Request ID: abc] Server Error: ValueError: no luck"
    assert said["trace"].startswith("Uncaught ValueError: no luck\n    at fails (../backend/http.py:")
    assert "data" not in said


def test_the_data_of_an_application_error_is_told(site: Site) -> None:
    assert site.get("/refuses").json()["data"] == {"code": "closed", "count": 2}


def test_what_is_no_response_is_refused(site: Site) -> None:
    assert "must return a Response of Starlette; got 'text'" in site.get("/nothing").json()["code"]


def test_an_error_behind_the_head_cuts_the_stream(site: Site) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        site.get("/fails/late")


def test_a_token_that_is_not_accepted_refuses_nothing_but_the_question_who_it_is(site: Site) -> None:
    headers = {"authorization": "Bearer nonsense"}
    assert site.get("/public", headers=headers).text == "served"
    answer = site.get("/who", headers=headers)
    assert answer.status_code == 500
    assert "Could not parse JWT payload." in answer.json()["code"]


@pytest.mark.parametrize("authorization", [None, "Basic dXNlcjpwYXNz", f"Convex {KEY}"])
def test_without_a_token_nobody_is_signed_in(site: Site, authorization: str | None) -> None:
    headers = {} if authorization is None else {"authorization": authorization}
    assert site.get("/who", headers=headers).text == "nobody"


def test_a_response_as_a_whole_may_be_20_mib(site: Site) -> None:
    most = 20 * 1024 * 1024
    assert len(site.get(f"/large?size={most}").content) == most
    answer = site.get(f"/large?size={most + 1}")
    assert answer.status_code == 500
    assert "HttpResponseTooLarge: HTTP actions support responses up to 20 MiB" in answer.json()["code"]


def test_a_request_held_in_memory_may_be_20_mib(site: Site) -> None:
    answer = site.post("/echo", content=bytes(20 * 1024 * 1024 + 1))
    assert "HTTP actions hold request bodies up to 20 MiB" in answer.json()["code"]


def test_a_stream_may_be_longer(site: Site) -> None:
    with httpx.stream("GET", f"{site.site_url}/stream?portions=300", timeout=60) as answer:
        assert sum(map(len, answer.iter_bytes())) == 30_000_000


def test_a_client_that_goes_away_ends_a_stream_that_is_silent(site: Site) -> None:
    with httpx.stream("GET", f"{site.site_url}/events", timeout=60) as answer:
        assert next(answer.iter_text()) == "data: first\n\n"
    assert site.get("/gone").text == "True"


def test_a_response_is_there_before_its_background_task_is_done(site: Site) -> None:
    assert site.post("/background").text == "at once"
    assert site.get("/gone").text == "True"
    assert "later" in site.query("notes:texts")


def test_one_connection_carries_many_requests_also_pipelined(site: Site) -> None:
    with site.connect() as connection:
        one = b"GET /public HTTP/1.1\r\nhost: x\r\n\r\n"
        connection.sendall(one * 3)
        got = b""
        while got.count(b"served") < 3:
            portion = connection.recv(65536)
            assert portion, got
            got += portion
        assert got.count(b"HTTP/1.1 200 OK") == 3


def test_many_requests_at_once_do_not_wait_for_each_other(site: Site) -> None:
    answers: list[str] = []
    threads = [
        threading.Thread(target=lambda: answers.append(site.post("/size", content=bytes(100_000)).text))
        for _ in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == ["100000"] * 16


def test_the_function_spec_names_the_routes(site: Site) -> None:
    routes = site.deployment.analysis.routes
    assert routes is not None
    specs = [route.to_spec() for route in routes]
    assert {"functionType": "HttpAction", "method": "POST", "path": "/notes"} in specs
    assert {"functionType": "HttpAction", "method": "GET", "path": "/files/*"} in specs


@pytest.mark.parametrize("workers", [False, True])
def test_a_slow_client_holds_back_the_handler(tmp_path: Path, workers: bool) -> None:
    with site_of(tmp_path, workers=workers, notes=MESSAGES, http=HTTP) as site:
        with site.connect() as connection:
            connection.sendall(b"GET /stream?portions=1000 HTTP/1.1\r\nhost: x\r\n\r\n")
            assert connection.recv(1)
            counts = [int(site.get("/seen").text) for _ in range(30)]
        # What the kernel, the server and the window hold: a few megabytes at most, never the 100.
        assert counts[-1] < 200


@pytest.mark.parametrize("workers", [False, True])
def test_a_slow_handler_holds_back_the_client(tmp_path: Path, workers: bool) -> None:
    limits = Limits(action_seconds_max=5)
    with site_of(tmp_path, workers=workers, limits=limits, notes=MESSAGES, http=HTTP) as site:
        with site.connect() as connection:
            connection.sendall(
                b"POST /reads-nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 100000000\r\n\r\n"
            )
            connection.settimeout(1)
            sent = 0
            with suppress(TimeoutError):
                while sent < 100_000_000:
                    sent += connection.send(bytes(100_000))
        # What the kernel, the server and the window hold.
        assert sent < 20_000_000


def test_a_process_that_dies_is_told_and_replaced(tmp_path: Path) -> None:
    with site_of(tmp_path, workers=True, notes=MESSAGES, http=HTTP) as site:
        answer = site.get("/dies")
        assert answer.status_code == 500
        assert "Transient error while executing action" in answer.json()["code"]
        with pytest.raises(httpx.RemoteProtocolError):
            site.get("/dies/late")
        assert site.get("/public").text == "served"


def test_lists_of_what_ran_name_the_route(tmp_path: Path) -> None:
    with site_of(tmp_path, workers=False, notes=MESSAGES, http=HTTP) as site:
        site.get("/files/a%0Ab")
        call_log = site.deployment.call_log
    # The response may be heard before its run is written down.
    assert call_log.records[-1].path == "GET /files/*"


@pytest.mark.parametrize("workers", [False, True])
def test_an_action_that_takes_too_long_is_ended(tmp_path: Path, workers: bool) -> None:
    limits = Limits(action_seconds_max=0.3)
    with site_of(tmp_path, workers=workers, limits=limits, notes=MESSAGES, http=HTTP) as site:
        answer = site.get("/for-ever")
    assert answer.status_code == 500
    assert "Function execution timed out (maximum duration: 0.3s)" in answer.json()["code"]


@pytest.mark.parametrize("workers", [False, True])
def test_5_8_http_actions_take_the_places_of_actions(tmp_path: Path, workers: bool) -> None:
    limits = Limits(actions_running_max=1, action_wait_seconds=0.05)
    with site_of(tmp_path, workers=workers, limits=limits, notes=MESSAGES, http=HTTP) as site:
        with httpx.stream("GET", f"{site.site_url}/events", timeout=60) as running:
            portions = running.iter_text()  # Held: a generator that is dropped closes the connection.
            assert next(portions) == "data: first\n\n"
            refused = site.get("/public")
        assert refused.status_code == 429
        assert refused.json()["code"] == "TooManyConcurrentRequests"


def test_in_production_texts_are_not_told(tmp_path: Path) -> None:
    with site_of(tmp_path, workers=False, is_redacted=True, notes=MESSAGES, http=HTTP) as site:
        said = site.get("/fails", headers={"convex-request-id": "abc"}).json()
        refused = site.get("/refuses", headers={"convex-request-id": "abc"}).json()
    assert said == {"code": "[Request ID: abc] Server Error"}
    assert refused == {
        "code": "[Request ID: abc] Server Error",
        "data": {"code": "closed", "count": 2},
    }


def test_without_an_http_module_nothing_is_enabled(tmp_path: Path) -> None:
    with site_of(tmp_path, workers=False, notes=MESSAGES) as site:
        answer = site.get("/anything")
        below = httpx.get(f"{site.url}/http/anything")
    for one in (answer, below):
        assert one.status_code == 404
        assert one.text == "This Convex deployment does not have HTTP actions enabled."
