"""A request for a handler that blocks: the body without `await`.

Floor 2, `functions`. Beside `http.py`, and apart from it because it needs Starlette, which most processes
that register functions do not.

    request.method, .url, .headers, .query_params, .cookies      as in Starlette
    request.body(), .text(), .json(), .form(), .stream()         the same, without `await`

Not here: how the body arrives (`execution/http_run.py`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from typing import Any

from starlette.datastructures import FormData
from starlette.requests import HTTPConnection, Request

Wait = Callable[[Awaitable[Any]], Any]
"""Waits for what an awaitable comes to, in the thread of the handler."""


class BlockingRequest(HTTPConnection):
    """What a plain `def` HTTP action is given. Use it in the thread of the handler."""

    def __init__(self, request: Request, wait: Wait) -> None:
        super().__init__(request.scope)
        self._request = request
        self._wait = wait

    @property
    def method(self) -> str:
        """The method, in capitals."""
        return self._request.method

    def stream(self) -> Iterator[bytes]:
        """The body in the portions that it comes in, however long it is."""
        portions = self._request.stream()
        while (portion := self._wait(_next(portions))) is not None:
            yield portion

    def body(self) -> bytes:
        """The whole body.

        Raises:
            HttpBodyTooLarge: it is larger than may be held in memory; read the `stream`.
        """
        body: bytes = self._wait(self._request.body())
        return body

    def text(self) -> str:
        """The body as UTF-8 text."""
        return self.body().decode()

    def json(self) -> Any:
        """The body as JSON."""
        return self._wait(self._request.json())

    def form(self) -> FormData:
        """The body as a form."""
        form: FormData = self._wait(self._request.form())
        return form


async def _next(portions: Any) -> bytes | None:
    async for portion in portions:
        if portion:
            return bytes(portion)
    return None
