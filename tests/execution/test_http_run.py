"""HTTP runs that are whole applications: FastAPI, Django and bare ASGI, mounted.

Handlers of routes: `tests/http_api/test_http_actions.py`.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.http_api.site_stage import MESSAGES, Site, site_of

HTTP = """
    import contextlib
    import threading

    import django
    from django.conf import settings
    from django.core.asgi import get_asgi_application
    from django.http import JsonResponse
    from django.urls import path
    from fastapi import FastAPI, Request
    from fastapi.responses import PlainTextResponse
    from rewake import HttpRouter, blocking_http_context, http_context
    from .notes import add, texts

    http = HttpRouter()
    threads = set()

    @contextlib.asynccontextmanager
    async def lifespan(app):
        app.state.started = getattr(app.state, "started", 0) + 1
        yield {"greeting": "hello"}

    api = FastAPI(lifespan=lifespan)

    @api.get("/started")
    async def started(request: Request):
        threads.add(threading.get_ident())
        return {"started": api.state.started, "greeting": request.state.greeting, "threads": len(threads)}

    @api.post("/notes")
    async def note(request: Request):
        ctx = http_context(request)
        print("noted")
        await ctx.run_mutation(add, text=(await request.json())["text"])
        return await ctx.run_query(texts)

    @api.get("/notes")
    def notes(request: Request):
        return blocking_http_context(request).run_query(texts)

    @api.get("/url")
    async def url(request: Request):
        return {"url": str(request.url), "root": request.scope["root_path"]}

    @api.get("/fails")
    async def fails():
        raise ValueError("no luck")

    http.mount("/api", api)

    def django_view(request, name):
        ctx = blocking_http_context(request)
        ctx.run_mutation(add, text=name)
        return JsonResponse({"texts": ctx.run_query(texts), "path": request.path, "method": request.method})

    urlpatterns = [path("notes/<name>", django_view)]
    if not settings.configured:
        settings.configure(ROOT_URLCONF=__name__, ALLOWED_HOSTS=["*"], SECRET_KEY="x", MIDDLEWARE=[])
        django.setup()
    http.mount("/django", get_asgi_application())

    async def silent(scope, receive, send):
        if scope["type"] != "http":
            raise NotImplementedError
    http.mount("/silent", silent)

    async def broken(scope, receive, send):
        await receive()
        await send({"type": "lifespan.startup.failed", "message": "no database"})
    http.mount("/broken", broken)

    @http.route("/api/own")
    async def own(ctx, request):
        return PlainTextResponse("own")
"""


@pytest.fixture(scope="module", params=["threads", "workers"])
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    # Django's settings are the process's, so in threads only the first project of a process could be it.
    root = tmp_path_factory.mktemp("mounts")
    with site_of(root, workers=request.param == "workers", notes=MESSAGES, http=HTTP) as served:
        yield served


def test_a_mounted_application_starts_once_and_keeps_its_loop(site: Site) -> None:
    answers = [site.get("/api/started").json() for _ in range(5)]
    assert answers == [{"started": 1, "greeting": "hello", "threads": 1}] * 5


def test_its_code_reaches_the_house(site: Site) -> None:
    assert "from fastapi" in site.post("/api/notes", json={"text": "from fastapi"}).json()
    assert "from fastapi" in site.get("/api/notes").json()
    assert "from fastapi" in site.query("notes:texts")


def test_it_knows_where_it_is_mounted(site: Site) -> None:
    assert site.get("/api/url?a=1").json() == {"url": f"{site.site_url}/api/url?a=1", "root": "/api"}


def test_its_own_errors_are_its_own(site: Site) -> None:
    answer = site.get("/api/fails")
    assert (answer.status_code, answer.text) == (500, "Internal Server Error")
    assert site.get("/api/nowhere").json() == {"detail": "Not Found"}
    assert site.request("PROPFIND", "/api/url").status_code == 405


def test_a_route_stands_before_it(site: Site) -> None:
    assert site.get("/api/own").text == "own"


def test_django_is_mounted_with_its_paths(site: Site) -> None:
    answer = site.get("/django/notes/from-django")
    assert answer.status_code == 200
    assert answer.json()["path"] == "/django/notes/from-django"
    assert "from-django" in answer.json()["texts"]


def test_one_that_does_not_answer_is_an_error(site: Site) -> None:
    answer = site.get("/silent")
    assert answer.status_code == 500
    assert "The application ended before its response was complete." in answer.json()["code"]


def test_one_that_cannot_start_says_why(site: Site) -> None:
    answer = site.get("/broken/x")
    assert answer.status_code == 500
    assert "The mounted application could not start: no database" in answer.json()["code"]
