"""Quick calls: the two endpoints that are asked most, without the layers between them and the server.

Floor 6, `http_api`. `POST /api/query` and `POST /api/mutation` with a small body that is there already. The
handlers are those of `functions.py`; what layers of `build_app` add to their answers is added here:

    ObservedRequests: counts     CorsMiddleware: headers     ErrorBoundary: errors become answers

so that nobody who asks can tell which way a request went (a test holds both against each other). A quick call
is no task of its own (`handoff.py`): nothing cancels it, and it uses no `asyncio.timeout`.

Not here: which requests go this way, and how they are read and written (`server/quick_http.py`).
"""

from __future__ import annotations

from functools import lru_cache

import msgspec
from starlette.types import Scope

from rewake.auth import ANONYMOUS, Identity
from rewake.http_api.call_head import CallHead, call_head, header_lines
from rewake.http_api.cors import Cors, Headers, shown
from rewake.http_api.errors import Refusal, noted_refusal
from rewake.http_api.functions import FunctionEndpoints
from rewake.http_api.observed_requests import count_response
from rewake.http_api.ports import Backend
from rewake.http_api.request_id import REQUEST_ID
from rewake.limits import Limits
from rewake.protocol import random_request_ids


class Answer(msgspec.Struct, frozen=True, gc=False):
    """A whole response."""

    status: int
    lines: bytes
    """Its headers, as they are written."""
    body: bytes
    is_last: bool = False
    """Whether one of them says that the connection ends."""


class QuickCalls:
    """The quick calls of one deployment."""

    def __init__(self, backend: Backend, *, limits: Limits, origins: frozenset[str] | None = None) -> None:
        """`origins` as for `build_app`."""
        self._backend = backend
        self._limits = limits
        self._cors = Cors(origins)
        functions = FunctionEndpoints(backend, limits)
        self._request_ids = random_request_ids(backend.environment)
        self._texts = {"/api/query": functions.query_text, "/api/mutation": functions.mutation_text}

    @property
    def paths(self) -> frozenset[str]:
        """The addresses that are answered."""
        return frozenset(self._texts)

    @property
    def is_on(self) -> bool:
        """Whether calls may come this way: spans of requests begin in the layers."""
        return not self._backend.tracing.is_on

    def head(self, path: str, headers: Headers, address: str) -> CallHead | None:
        """The head of a POST request to one of `paths`, for `answer`. None where it says something that a
        request is refused for. `headers` have lowercase names, `address` is that of the peer.
        """
        return call_head(path, headers, address, cors=self._cors, limits=self._limits)

    async def answer(self, head: CallHead, body: bytes) -> Answer:
        """The answer to a request. Never raises."""
        request_id = head.request_id or next(self._request_ids)
        header = head.authorization
        identity: Identity = ANONYMOUS
        try:
            if header is not None:
                identity = await self._backend.authenticate_header(header)
            text = (await self._texts[head.path](head, identity, body, request_id)).encode()
        except Exception as error:
            return self._refused(error, head, request_id)
        self._backend.tallies.responses[200] += 1
        lines = b"content-length: %d\r\ncontent-type: application/json\r\n%b" % (len(text), head.lines)
        return Answer(200, lines, text)

    def _refused(self, error: Exception, head: CallHead, request_id: str) -> Answer:
        scope: Scope = {
            "method": "POST",
            "path": head.path,
            "headers": head.headers,
            REQUEST_ID: request_id,
        }
        refusal = noted_refusal(error, scope, self._backend.environment)
        count_response(self._backend.tallies, scope, refusal.status)
        return _refused(refusal, head.lines)


@lru_cache(maxsize=256)
def _refused(refusal: Refusal, lines: bytes) -> Answer:
    """The answer that says so. In a flood it is the same again and again, and has to be cheap."""
    response = refusal.response()
    headers = response.raw_headers
    is_last = (b"connection", b"close") in headers
    return Answer(
        refusal.status,
        header_lines(headers) + lines + header_lines(shown(headers)),
        bytes(response.body),
        is_last,
    )
