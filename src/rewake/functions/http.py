"""HTTP actions: which requests of the world an application answers, and with what.

Floor 2, `functions`. A project's `http.py` holds one router, named `http`. A handler takes a request and
gives a response of Starlette; it is an action otherwise (`actions.py`), so it has no `ctx.db` and may do
anything.

    http = HttpRouter()

    @http.route("/webhooks/stripe", methods=["POST"])
    async def stripe(ctx: ActionCtx, request: Request) -> Response: ...

    http.mount("/admin", asgi_app)              a whole application: FastAPI, Django, Starlette

    lookup: the exact path for this method, else the longest prefix or mount that fits; HEAD asks for GET

A `def` handler has a thread to itself and a `BlockingRequest` (`blocking_request.py`).

Not here: carrying an exchange (`execution/http_run.py`), the door (`http_api/http_actions.py`).
Source: semantics 6.7.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import msgspec

from rewake.errors import InvalidInput

HTTP_METHODS = ("GET", "POST", "PUT", "DELETE", "OPTIONS", "PATCH")
"""What a route can be for; HEAD is answered by the route for GET."""

CONTEXT_KEY = "rewake.ctx"
BLOCKING_CONTEXT_KEY = "rewake.blocking_ctx"

_RESERVED = "/.files"

H = TypeVar("H", bound=Callable[..., Any])


class InvalidRoute(InvalidInput):
    """A route cannot be defined as it is written."""

    code = "InvalidHttpRoute"


class HttpRoute(msgspec.Struct, frozen=True):
    """What answers one method at one path, or at all paths below a prefix."""

    path: str
    is_prefix: bool
    method: str
    """One of `HTTP_METHODS`; `*` for a mounted application, which takes all."""
    handler: Callable[..., Any]
    """The handler, or the mounted ASGI application."""

    @property
    def is_mount(self) -> bool:
        """Whether it is an application of its own."""
        return self.method == "*"

    @property
    def shown_path(self) -> str:
        """The path as lists of routes show it: a prefix ends in `*`."""
        return f"{self.path.rstrip('/')}/*" if self.is_prefix else self.path


def route_fits(route_path: str, route_method: str, method: str, path: str, *, is_prefix: bool) -> bool:
    """Whether a route answers a request."""
    if route_method not in ("*", "GET" if method == "HEAD" else method):
        return False
    if not is_prefix:
        return path == route_path
    # A mount has no slash at its end, and answers at its own address too.
    return path.startswith(route_path.rstrip("/") + "/") or (route_method == "*" and path == route_path)


class HttpRouter:
    """The routes of an application."""

    def __init__(self) -> None:
        self._routes: list[HttpRoute] = []

    def route(
        self,
        path: str | None = None,
        *,
        path_prefix: str | None = None,
        method: str | None = None,
        methods: Sequence[str] | None = None,
        handler: Callable[..., Any] | None = None,
    ) -> Callable[[H], H]:
        """Answer requests at `path`, or at every path below `path_prefix`, which ends in a slash.

        A decorator, with `methods` (GET where nothing is said); with `handler` it takes effect at once and
        wants a method.

        Raises:
            InvalidRoute: the route is not well formed, or defined already.
        """
        if path is not None and path_prefix is not None:
            raise InvalidRoute("Invalid httpRouter route: cannot contain both 'path' and 'path_prefix'")
        if path is None and path_prefix is None:
            raise InvalidRoute(
                "Invalid httpRouter route entry: must contain either field 'path' or 'path_prefix'"
            )
        if isinstance(methods, str):
            methods = [methods]
        asked = [*([] if method is None else [method]), *(methods or [])]
        if not asked and (handler is not None or methods is not None):
            raise InvalidRoute("route requires method")
        for one in asked or ["GET"]:
            _refuse_method(one)
        is_prefix = path is None
        address = path_prefix if path is None else path
        _refuse_path(address, is_prefix=is_prefix)
        assert address is not None

        def define(decorated: H) -> H:
            _refuse_handler(decorated)
            for one in dict.fromkeys(asked or ["GET"]):
                self._add(HttpRoute(address, is_prefix, one, decorated))
            return decorated

        if handler is not None:
            define(handler)
        return define

    def mount(self, path: str, app: Callable[..., Any]) -> None:
        """Have an ASGI application answer everything at `path` and below that no route answers.

        Its lifespan runs in the process for actions. Its code reaches the house with `http_context(request)`.

        Raises:
            InvalidRoute: the path is not well formed, or taken.
        """
        _refuse_path(path, is_prefix=False)
        address = path.rstrip("/") or "/"
        if not callable(app):
            raise InvalidRoute(f"mount takes an ASGI application; got {app!r}.")
        self._add(HttpRoute(address, is_prefix=True, method="*", handler=app))

    def lookup(self, path: str, method: str) -> HttpRoute | None:
        """The route that answers a request."""
        return find_route(self._routes, path, method)

    def get_routes(self) -> tuple[HttpRoute, ...]:
        """All routes, exact ones first, then prefixes and mounts, the longest first."""
        return tuple(sorted(self._routes, key=_precedence))

    def _add(self, route: HttpRoute) -> None:
        for other in self._routes:
            if (other.path, other.is_prefix, other.method) != (route.path, route.is_prefix, route.method):
                continue
            if route.is_mount:
                raise InvalidRoute(f"'{route.path}' has a mounted application already")
            if route.is_prefix:
                raise InvalidRoute(f"{route.method} path_prefix {route.path} is already defined")
            raise InvalidRoute(f"Path '{route.path}' for method {route.method} already in use")
        self._routes.append(route)


def _precedence(route: Any) -> tuple[bool, int, bool, str, str]:
    return (route.is_prefix, -len(route.path), route.method == "*", route.path, route.method)


R = TypeVar("R", bound=Any)


def find_route(routes: Iterable[R], path: str, method: str) -> R | None:
    """The one of `routes` that answers a request: an exact path first, then the longest prefix."""
    fitting = [
        route
        for route in routes
        if route_fits(route.path, route.method, method, path, is_prefix=route.is_prefix)
    ]
    return min(fitting, key=_precedence, default=None)


def http_context(request: Any) -> Any:
    """The `ActionCtx` behind a request, in an application that is mounted; `request` is the framework's own
    (Starlette, FastAPI, Django) or an ASGI scope. Code that blocks asks for `blocking_http_context`.

    Raises:
        LookupError: the request did not come through `HttpRouter.mount`.
    """
    return _context_of(request, CONTEXT_KEY)


def blocking_http_context(request: Any) -> Any:
    """As `http_context`: the `BlockingActionCtx`, for code that has a thread to itself (a plain `def`
    endpoint of FastAPI, a view of Django).
    """
    return _context_of(request, BLOCKING_CONTEXT_KEY)


def _context_of(request: Any, key: str) -> Any:
    scope = request if isinstance(request, dict) else getattr(request, "scope", {})
    if key not in scope:
        raise LookupError("This request did not come through a mount of Rewake, so it has no context.")
    return scope[key]


def _refuse_method(method: object) -> None:
    if method not in HTTP_METHODS:
        raise InvalidRoute(f"'{method}' is not an allowed HTTP method (like GET, POST, PUT etc.)")


def _refuse_path(path: object, *, is_prefix: bool) -> None:
    name = "path_prefix" if is_prefix else "path"
    if not isinstance(path, str) or not path.startswith("/"):
        raise InvalidRoute(f"{name} '{path}' does not start with a /")
    if is_prefix and not path.endswith("/"):
        raise InvalidRoute(f"path_prefix {path} must end with a /")
    if path == _RESERVED or path.startswith(_RESERVED + "/"):
        raise InvalidRoute(f"{name} '{path}' is reserved")


def _refuse_handler(handler: object) -> None:
    if handler is None:
        raise InvalidRoute("route requires handler")
    name = getattr(handler, "__qualname__", repr(handler))
    if not inspect.isfunction(handler):
        raise InvalidRoute(f"route requires handler: a function of `ctx` and `request`; got {handler!r}.")
    if inspect.isasyncgenfunction(handler) or inspect.isgeneratorfunction(handler):
        raise InvalidRoute(f"{name} yields; return a StreamingResponse of a generator instead.")
    try:
        inspect.signature(handler).bind(None, None)
    except TypeError:
        raise InvalidRoute(f"{name} must take the context and the request: `(ctx, request)`.") from None
