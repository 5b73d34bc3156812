"""Quick calls: the two endpoints that are asked most, without the layers between them and the server.

Floor 6, `http_api`. `POST /api/query` and `POST /api/mutation` with a small body that is there already. The
handlers are those of `functions.py`; what layers of `build_app` add to their answers is added here:

    ObservedRequests: counts     CorsMiddleware: headers     ErrorBoundary: errors become answers

so that nobody who asks can tell which way a request went (a test holds both against each other). A quick call
is no task of its own (`handoff.py`): nothing cancels it, and it uses no `asyncio.timeout`.

Not here: which requests go this way, and how they are read and written (`server/quick_http.py`).
"""

from __future__ import annotations

from typing import NamedTuple

from starlette.types import Scope

from rewake.http_api.cors import Cors, Headers, shown
from rewake.http_api.errors import answer_to
from rewake.http_api.functions import FunctionEndpoints, ReadBody
from rewake.http_api.observed_requests import count_response
from rewake.http_api.ports import Backend
from rewake.limits import Limits

_JSON = (b"content-type", b"application/json")


class Answer(NamedTuple):
    """A whole response."""

    status: int
    headers: Headers
    body: bytes


class QuickCalls:
    """The quick calls of one deployment."""

    def __init__(self, backend: Backend, *, limits: Limits, origins: frozenset[str] | None = None) -> None:
        """`origins` as for `build_app`."""
        self._backend = backend
        self._cors = Cors(origins)
        functions = FunctionEndpoints(backend, limits)
        self._texts = {"/api/query": functions.query_text, "/api/mutation": functions.mutation_text}

    @property
    def paths(self) -> frozenset[str]:
        """The addresses that are answered."""
        return frozenset(self._texts)

    @property
    def is_on(self) -> bool:
        """Whether calls may come this way: spans of requests begin in the layers."""
        return not self._backend.tracing.is_on

    async def answer(self, scope: Scope, read: ReadBody) -> Answer:
        """The answer to a POST request to one of `paths`. Never raises."""
        added = self._cors.added(scope)
        try:
            body = (await self._texts[scope["path"]](scope, read)).encode()
        except Exception as error:
            response = answer_to(error, scope, self._backend.environment)
            count_response(self._backend.tallies, scope, response.status_code)
            headers = response.raw_headers
            headers += [*added, *shown(headers)]
            return Answer(response.status_code, headers, bytes(response.body))
        count_response(self._backend.tallies, scope, 200)
        return Answer(200, [(b"content-length", b"%d" % len(body)), _JSON, *added], body)
