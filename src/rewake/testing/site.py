"""The site of a backend under test: its HTTP actions, asked without a socket.

Floor 8, `testing`. A request crosses the door that the server puts at the site port, by ASGI in place of a
socket, and comes from whoever the test calls as.

    fetch(path) -> httpx -> build_site -> HTTP action -> httpx.Response

Not here: what tests call (`backend.py`).
"""

from __future__ import annotations

import asyncio
from typing import Any

import httpx

from rewake.auth import Identity
from rewake.deployment import Deployment
from rewake.environment import Environment
from rewake.execution import Analysis, Failure, HttpJob, RequestSource, Success
from rewake.http_api import build_site
from rewake.limits import Limits
from rewake.tallies import Tallies
from rewake.tracing import Tracing

ORIGIN = "http://site.testing"

_ADDRESS = "127.0.0.1"
_PORT = 123


class SignedIn:
    """A deployment whose requests come from one caller, where they do not say otherwise themselves."""

    site_url = ORIGIN

    def __init__(self, deployment: Deployment, identity: Identity) -> None:
        self._deployment = deployment
        self._identity = identity
        self._answering: list[asyncio.Task[Success | Failure]] = []

    @property
    def environment(self) -> Environment:
        """Of the deployment."""
        return self._deployment.environment

    @property
    def limits(self) -> Limits:
        """Of the deployment."""
        return self._deployment.limits

    @property
    def tallies(self) -> Tallies:
        """Of the deployment."""
        return self._deployment.tallies

    @property
    def tracing(self) -> Tracing:
        """Of the deployment."""
        return self._deployment.tracing

    @property
    def is_redacted(self) -> bool:
        """Of the deployment."""
        return self._deployment.is_redacted

    @property
    def analysis(self) -> Analysis:
        """Of the deployment."""
        return self._deployment.analysis

    async def answer(self, job: HttpJob) -> Success | Failure:
        """Run an HTTP action."""
        answering = asyncio.ensure_future(self._deployment.answer(job))
        self._answering.append(answering)
        return await answering

    async def log_lines(self) -> tuple[str, ...]:
        """What HTTP actions printed; waits for their end, which may come after that of their response."""
        results = await asyncio.gather(*self._answering)
        return tuple(line for result in results for line in result.log_lines)

    async def authenticate_header(self, authorization: str | None) -> Identity:
        """The caller, or who a header tells of."""
        if authorization is None:
            return self._identity
        return await self._deployment.authenticate_header(authorization)


async def fetch(
    deployment: Deployment,
    identity: Identity,
    source: RequestSource,
    *,
    path: str,
    method: str,
    **request: Any,
) -> tuple[httpx.Response, tuple[str, ...]]:
    """Send one request; its response, read whole, and what was printed meanwhile."""
    signed_in = SignedIn(deployment, identity)
    transport = httpx.ASGITransport(app=build_site(signed_in), client=(source.ip or _ADDRESS, _PORT))
    headers = {} if source.user_agent is None else {"user-agent": source.user_agent}
    async with httpx.AsyncClient(transport=transport, base_url=ORIGIN, headers=headers) as client:
        response = await client.request(method, path, **request)
    return response, await signed_in.log_lines()
