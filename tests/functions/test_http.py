"""Routers: what may be defined, and which route answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from rewake.functions import (
    BLOCKING_CONTEXT_KEY,
    CONTEXT_KEY,
    HttpRouter,
    InvalidRoute,
    blocking_http_context,
    http_context,
)


async def handler(ctx: Any, request: Any) -> None: ...


async def other(ctx: Any, request: Any) -> None: ...


async def application(scope: Any, receive: Any, send: Any) -> None: ...


async def without_request(ctx: Any) -> None: ...


async def yielding(ctx: Any, request: Any) -> Any:
    yield 1


@pytest.mark.parametrize(
    ("define", "text"),
    [
        (lambda http: http.route("/a", method="GET")(None), "route requires handler"),
        (lambda http: http.route("/a", handler=handler), "route requires method"),
        (lambda http: http.route("/a", methods=[]), "route requires method"),
        (
            lambda http: http.route("/a", method="HEAD", handler=handler),
            "'HEAD' is not an allowed HTTP method (like GET, POST, PUT etc.)",
        ),
        (
            lambda http: http.route("/a", methods=["GET", "get"]),
            "'get' is not an allowed HTTP method (like GET, POST, PUT etc.)",
        ),
        (
            lambda http: http.route("/a", path_prefix="/b/"),
            "Invalid httpRouter route: cannot contain both 'path' and 'path_prefix'",
        ),
        (
            lambda http: http.route(),
            "Invalid httpRouter route entry: must contain either field 'path' or 'path_prefix'",
        ),
        (lambda http: http.route("a"), "path 'a' does not start with a /"),
        (lambda http: http.route("/.files"), "path '/.files' is reserved"),
        (lambda http: http.route("/.files/a"), "path '/.files/a' is reserved"),
        (lambda http: http.route(path_prefix="/.files/"), "path_prefix '/.files/' is reserved"),
        (lambda http: http.route(path_prefix="a/"), "path_prefix 'a/' does not start with a /"),
        (lambda http: http.route(path_prefix="/a"), "path_prefix /a must end with a /"),
        (
            lambda http: [http.route("/a", method="GET", handler=one) for one in (handler, other)],
            "Path '/a' for method GET already in use",
        ),
        (
            lambda http: [
                http.route(path_prefix="/a/", method="PUT", handler=one) for one in (handler, other)
            ],
            "PUT path_prefix /a/ is already defined",
        ),
        (
            lambda http: [http.mount("/a", application), http.mount("/a/", application)],
            "'/a' has a mounted application already",
        ),
        (lambda http: http.mount("/a", "app"), "mount takes an ASGI application; got 'app'."),
        (lambda http: http.mount("a", application), "path 'a' does not start with a /"),
        (
            lambda http: http.route("/a")(without_request),
            "without_request must take the context and the request: `(ctx, request)`.",
        ),
        (
            lambda http: http.route("/a")(yielding),
            "yielding yields; return a StreamingResponse of a generator instead.",
        ),
    ],
)
def test_a_route_that_is_not_well_formed_is_refused(define: Callable[[HttpRouter], Any], text: str) -> None:
    with pytest.raises(InvalidRoute) as refused:
        define(HttpRouter())
    assert refused.value.message == text


def test_a_decorator_leaves_the_function_as_it_is() -> None:
    http = HttpRouter()
    assert http.route("/a", methods=["POST", "PUT"])(handler) is handler
    assert [(route.method, route.path) for route in http.get_routes()] == [("POST", "/a"), ("PUT", "/a")]


def test_a_route_without_a_method_is_for_get() -> None:
    http = HttpRouter()
    http.route("/a")(handler)
    assert http.lookup("/a", "GET") is not None
    assert http.lookup("/a", "HEAD") is not None
    assert http.lookup("/a", "POST") is None


def test_the_longest_prefix_for_the_method_answers() -> None:
    http = HttpRouter()
    http.route(path_prefix="/a/", method="GET", handler=handler)
    http.route(path_prefix="/a/b/", method="POST", handler=other)
    found = http.lookup("/a/b/c", "GET")
    assert found is not None
    assert found.handler is handler


def test_a_mount_answers_what_no_longer_route_does() -> None:
    http = HttpRouter()
    http.mount("/a", application)
    http.route("/a/exact", method="GET", handler=handler)
    http.route(path_prefix="/a/long/", method="GET", handler=other)

    def who(path: str, method: str = "GET") -> Any:
        route = http.lookup(path, method)
        return None if route is None else route.handler

    assert who("/a") is application
    assert who("/a/") is application
    assert who("/a/b", "PROPFIND") is application
    assert who("/a/exact") is handler
    assert who("/a/exact", "POST") is application
    assert who("/a/long/b") is other
    assert who("/ab") is None


def test_an_application_at_the_root_takes_everything_else() -> None:
    http = HttpRouter()
    http.mount("/", application)
    http.route("/a", method="GET", handler=handler)
    found, rest = http.lookup("/a", "GET"), http.lookup("/b/c", "DELETE")
    assert found is not None
    assert rest is not None
    assert (found.handler, rest.handler) == (handler, application)


def test_the_context_is_found_in_the_scope_of_a_mounted_application() -> None:
    scope = {CONTEXT_KEY: "async", BLOCKING_CONTEXT_KEY: "blocking"}
    assert (http_context(scope), blocking_http_context(scope)) == ("async", "blocking")
    with pytest.raises(LookupError):
        http_context({})
